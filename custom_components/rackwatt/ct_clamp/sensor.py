"""Sensors of a board and its clamps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    PERCENTAGE,
    EntityCategory,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .channel import ChannelReading
from .coordinator import CtClampCoordinator, CtClampData
from .entity import BoardEntity, ChannelEntity, async_board_device_id


@dataclass(frozen=True, kw_only=True)
class ChannelSensorDescription(SensorEntityDescription):
    """Describe a sensor of a channel."""

    value_fn: Callable[[ChannelReading], float | None]


@dataclass(frozen=True, kw_only=True)
class BoardSensorDescription(SensorEntityDescription):
    """Describe a sensor of a board."""

    value_fn: Callable[[CtClampData], float | None]
    without_board: bool = False
    """Whether the value stays when the board is away."""


def _rounded(value: float | None, digits: int) -> float | None:
    """Return a value without the digits that no clamp is good for."""
    return None if value is None else round(value, digits)


CHANNEL_SENSORS: tuple[ChannelSensorDescription, ...] = (
    ChannelSensorDescription(
        key="current",
        device_class=SensorDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda reading: _rounded(reading.current, 4),
    ),
    ChannelSensorDescription(
        key="apparent_power",
        device_class=SensorDeviceClass.APPARENT_POWER,
        native_unit_of_measurement=UnitOfApparentPower.VOLT_AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda reading: _rounded(reading.apparent_power, 2),
    ),
    ChannelSensorDescription(
        key="power",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda reading: _rounded(reading.power, 2),
    ),
    ChannelSensorDescription(
        key="energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=3,
        value_fn=lambda reading: _rounded(reading.energy, 3),
    ),
    ChannelSensorDescription(
        key="crest_factor",
        translation_key="crest_factor",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: _rounded(
            reading.clamp.crest_factor if reading.clamp else None, 2
        ),
    ),
    ChannelSensorDescription(
        key="distortion",
        translation_key="distortion",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: (
            None
            if reading.clamp is None or reading.clamp.distortion is None
            else round(100 * reading.clamp.distortion, 1)
        ),
    ),
    ChannelSensorDescription(
        key="offset",
        translation_key="offset",
        device_class=SensorDeviceClass.VOLTAGE,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfElectricPotential.MILLIVOLT,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: (
            None if reading.clamp is None else round(1000 * reading.clamp.offset, 2)
        ),
    ),
    ChannelSensorDescription(
        key="noise",
        translation_key="noise",
        device_class=SensorDeviceClass.CURRENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfElectricCurrent.MILLIAMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda reading: (
            None if reading.noise is None else round(1000 * reading.noise, 2)
        ),
    ),
)

BOARD_SENSORS: tuple[BoardSensorDescription, ...] = (
    BoardSensorDescription(
        key="apparent_power",
        translation_key="total_apparent_power",
        device_class=SensorDeviceClass.APPARENT_POWER,
        native_unit_of_measurement=UnitOfApparentPower.VOLT_AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda data: _rounded(data.apparent_power, 2),
    ),
    BoardSensorDescription(
        key="power",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda data: _rounded(data.power, 2),
    ),
    BoardSensorDescription(
        key="energy",
        translation_key="total_energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=3,
        value_fn=lambda data: round(data.energy, 3),
    ),
    BoardSensorDescription(
        key="mains_frequency",
        translation_key="mains_frequency",
        device_class=SensorDeviceClass.FREQUENCY,
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement=UnitOfFrequency.HERTZ,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda data: _rounded(data.mains_frequency, 3),
    ),
    BoardSensorDescription(
        key="data_rate",
        translation_key="data_rate",
        device_class=SensorDeviceClass.FREQUENCY,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfFrequency.HERTZ,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda data: _rounded(data.data_rate, 1),
    ),
    BoardSensorDescription(
        key="retries",
        translation_key="retries",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda data: data.retries,
        without_board=True,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a board."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, CtClampCoordinator)
    board_device_id = async_board_device_id(hass, entry)
    assumed = [channel.assumes_supply for channel in coordinator.channels.values()]
    async_add_entities(
        BoardSensor(coordinator, description)
        for description in _named(
            BOARD_SENSORS, "estimated_total_power" if any(assumed) else "total_power"
        )
    )
    for channel in coordinator.channels.values():
        async_add_entities(
            (
                ChannelSensor(
                    coordinator, description, channel.subentry, board_device_id
                )
                for description in _named(
                    CHANNEL_SENSORS,
                    "estimated_power" if channel.assumes_supply else None,
                )
            ),
            config_subentry_id=channel.key,
        )


def _named[_DescriptionT: SensorEntityDescription](
    descriptions: tuple[_DescriptionT, ...], power_key: str | None
) -> list[_DescriptionT]:
    """Return the descriptions, power called by what it is: measured or an estimate."""
    return [
        replace(description, translation_key=power_key)
        if description.key == "power"
        else description
        for description in descriptions
    ]


class ChannelSensor(ChannelEntity, SensorEntity):
    """A value that a clamp measures."""

    entity_description: ChannelSensorDescription

    @property
    @override
    def native_value(self) -> float | None:
        """Return the value."""
        return self.entity_description.value_fn(self.reading)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, bool] | None:
        """Return whether voltage or power factor are assumed right now."""
        if self.entity_description.key != "power":
            return None
        return {"estimated": self.reading.estimated}


class BoardSensor(BoardEntity, SensorEntity):
    """A value of all clamps together, or of the converter."""

    entity_description: BoardSensorDescription

    @property
    @override
    def available(self) -> bool:
        """Return whether the board is there, where that matters."""
        return super().available and (
            self.coordinator.data.connected or self.entity_description.without_board
        )

    @property
    @override
    def native_value(self) -> float | None:
        """Return the value."""
        return self.entity_description.value_fn(self.coordinator.data)
