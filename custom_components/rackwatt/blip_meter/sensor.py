"""Sensors of a blip meter."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    EntityCategory,
    UnitOfEnergy,
    UnitOfInformation,
    UnitOfPower,
    UnitOfTemperature,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from ..counter import WH_PER_KWH
from .const import SUBENTRY_METER
from .coordinator import BlipMeterCoordinator, BlipMeterData, CountedMeter, MeterReading
from .entity import LineEntity, MeterEntity, async_line_device_id
from .line import LineFormat


@dataclass(frozen=True, kw_only=True)
class MeterSensorDescription(SensorEntityDescription):
    """Describe a sensor of a meter."""

    value_fn: Callable[[MeterReading], float | datetime | None]
    has_fn: Callable[[BlipMeterCoordinator], bool] = lambda _: True


METER_SENSORS: tuple[MeterSensorDescription, ...] = (
    MeterSensorDescription(
        key="power",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda reading: (
            None if reading.power is None else round(reading.power, 1)
        ),
    ),
    MeterSensorDescription(
        key="energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=3,
        # thousandths of a watt-hour are below any meter, and above any float's noise
        value_fn=lambda reading: round(reading.energy, 3),
    ),
    MeterSensorDescription(
        key="impulses",
        translation_key="impulses",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda reading: reading.impulses,
    ),
    MeterSensorDescription(
        key="interval",
        translation_key="interval",
        device_class=SensorDeviceClass.DURATION,
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: reading.interval,
    ),
    MeterSensorDescription(
        key="glitches",
        translation_key="glitches",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda reading: reading.glitches,
    ),
    MeterSensorDescription(
        key="temperature",
        device_class=SensorDeviceClass.TEMPERATURE,
        native_unit_of_measurement=UnitOfTemperature.CELSIUS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        value_fn=lambda reading: reading.temperature,
        has_fn=lambda coordinator: coordinator.line_format is LineFormat.MS_TEMPERATURE,
    ),
    MeterSensorDescription(
        key="oldest_blip",
        translation_key="oldest_blip",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda reading: reading.oldest,
    ),
)


@dataclass(frozen=True, kw_only=True)
class LineSensorDescription(SensorEntityDescription):
    """Describe a sensor of a line."""

    value_fn: Callable[[BlipMeterData], int | None]


LINE_SENSORS: tuple[LineSensorDescription, ...] = (
    # since Home Assistant was started
    LineSensorDescription(
        key="rejected_lines",
        translation_key="rejected_lines",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda data: data.rejected_lines,
    ),
    # of all meters together, for they share a file
    LineSensorDescription(
        key="history_size",
        translation_key="history_size",
        device_class=SensorDeviceClass.DATA_SIZE,
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
        suggested_display_precision=1,
        value_fn=lambda data: data.history_size,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a blip meter."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, BlipMeterCoordinator)
    line_device_id = async_line_device_id(hass, entry)
    async_add_entities(LineSensor(coordinator, item) for item in LINE_SENSORS)
    for subentry in entry.get_subentries_of_type(SUBENTRY_METER):
        async_add_entities(
            (
                MeterSensor(coordinator, description, subentry, line_device_id)
                for description in METER_SENSORS
                if description.has_fn(coordinator)
            ),
            config_subentry_id=subentry.subentry_id,
        )


class MeterSensor(MeterEntity, SensorEntity):
    """A value that a meter shows."""

    entity_description: MeterSensorDescription

    @property
    @override
    def native_value(self) -> float | datetime | None:
        """Return the value."""
        return self.entity_description.value_fn(self.reading)

    @property
    def counted(self) -> CountedMeter:
        """Return the meter itself."""
        return self.coordinator.meters[self._key]

    async def async_set_reading(self, kilowatt_hours: float) -> None:
        """Make the counter show what the meter itself shows."""
        await self.coordinator.async_set_reading(self._key, kilowatt_hours * WH_PER_KWH)


class LineSensor(LineEntity, SensorEntity):
    """A value of the line, or of the history."""

    entity_description: LineSensorDescription

    @property
    @override
    def native_value(self) -> int | None:
        """Return the value."""
        return self.entity_description.value_fn(self.coordinator.data)
