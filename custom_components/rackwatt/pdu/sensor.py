"""Sensors of a PDU."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, override

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
    UnitOfTemperature,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import ChildDeviceInfo, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import PduCoordinator
from .entity import PartEntity, async_add_parts
from .group import group_sensors
from .models import LoadState, Part, Role

Value = float | int | str | None


@dataclass(frozen=True, kw_only=True)
class PartSensorDescription(SensorEntityDescription):
    """Describe a sensor of a part."""

    value_fn: Callable[[Any], Value]


def _power(translation_key: str | None) -> PartSensorDescription:
    """Describe the power of a part."""
    return PartSensorDescription(
        key="power",
        translation_key=translation_key,
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda part: part.power,
    )


def _current(translation_key: str | None) -> PartSensorDescription:
    """Describe the current of a part."""
    return PartSensorDescription(
        key="current",
        translation_key=translation_key,
        device_class=SensorDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda part: part.current,
    )


def _voltage(translation_key: str | None) -> PartSensorDescription:
    """Describe the voltage of a part."""
    return PartSensorDescription(
        key="voltage",
        translation_key=translation_key,
        device_class=SensorDeviceClass.VOLTAGE,
        native_unit_of_measurement=UnitOfElectricPotential.VOLT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda part: part.voltage,
    )


def _apparent_power(translation_key: str | None, shown: bool) -> PartSensorDescription:
    """Describe the apparent power of a part."""
    return PartSensorDescription(
        key="apparent_power",
        translation_key=translation_key,
        device_class=SensorDeviceClass.APPARENT_POWER,
        entity_registry_enabled_default=shown,
        native_unit_of_measurement=UnitOfApparentPower.VOLT_AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda part: part.apparent_power,
    )


def _power_factor(translation_key: str | None, shown: bool) -> PartSensorDescription:
    """Describe the power factor of a part."""
    return PartSensorDescription(
        key="power_factor",
        translation_key=translation_key,
        device_class=SensorDeviceClass.POWER_FACTOR,
        entity_registry_enabled_default=shown,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda part: part.power_factor,
    )


def _energy(translation_key: str | None) -> PartSensorDescription:
    """Describe the energy of a part."""
    return PartSensorDescription(
        key="energy",
        translation_key=translation_key,
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=2,
        value_fn=lambda part: None if part.energy is None else round(part.energy, 2),
    )


def _load_state(translation_key: str, shown: bool) -> PartSensorDescription:
    """Describe how a load stands to the PDU's own limits."""
    return PartSensorDescription(
        key="load_state",
        translation_key=translation_key,
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=shown,
        options=[state.value for state in LoadState],
        value_fn=lambda part: part.load_state,
    )


def _peak_power(shown: bool) -> PartSensorDescription:
    """Describe the highest power since the peak was reset."""
    return PartSensorDescription(
        key="peak_power",
        translation_key="peak_power",
        device_class=SensorDeviceClass.POWER,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=shown,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=0,
        value_fn=lambda part: part.peak_power,
    )


def _circuit(kind: str) -> tuple[PartSensorDescription, ...]:
    """Describe the sensors of a phase or a bank."""
    return (
        _current(f"{kind}_current"),
        _voltage(f"{kind}_voltage"),
        _power(f"{kind}_power"),
        _apparent_power(f"{kind}_apparent_power", shown=False),
        _power_factor(f"{kind}_power_factor", shown=False),
        _energy(f"{kind}_energy"),
        _load_state(f"{kind}_load_state", shown=False),
        PartSensorDescription(
            key="peak_current",
            translation_key=f"{kind}_peak_current",
            device_class=SensorDeviceClass.CURRENT,
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
            native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
            suggested_display_precision=1,
            value_fn=lambda part: part.peak_current,
        ),
    )


ESTIMATED_POWER = _power("estimated_power")

SENSORS: dict[Role, tuple[PartSensorDescription, ...]] = {
    Role.MODULE: (
        _power(None),
        _apparent_power(None, shown=True),
        _power_factor(None, shown=True),
        _energy(None),
        _current(None),
        _voltage(None),
        PartSensorDescription(
            key="frequency",
            device_class=SensorDeviceClass.FREQUENCY,
            entity_registry_enabled_default=False,
            native_unit_of_measurement=UnitOfFrequency.HERTZ,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=2,
            value_fn=lambda part: part.frequency,
        ),
        _peak_power(shown=True),
        _load_state("load_state", shown=True),
    ),
    Role.PHASE: _circuit("phase"),
    Role.BANK: _circuit("bank"),
    Role.OUTLET: (
        _power(None),
        _current(None),
        _voltage(None),
        _energy(None),
        _apparent_power(None, shown=False),
        _power_factor(None, shown=False),
        _peak_power(shown=False),
        _load_state("load_state", shown=False),
    ),
    Role.PROBE: (
        PartSensorDescription(
            key="temperature",
            translation_key="probe_temperature",
            device_class=SensorDeviceClass.TEMPERATURE,
            native_unit_of_measurement=UnitOfTemperature.CELSIUS,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=1,
            value_fn=lambda part: part.temperature,
        ),
        PartSensorDescription(
            key="humidity",
            translation_key="probe_humidity",
            device_class=SensorDeviceClass.HUMIDITY,
            native_unit_of_measurement=PERCENTAGE,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=0,
            value_fn=lambda part: part.humidity,
        ),
    ),
    Role.CONTACT: (),
}

IMPLAUSIBLE_VALUES = SensorEntityDescription(
    key="implausible_values",
    translation_key="implausible_values",
    entity_category=EntityCategory.DIAGNOSTIC,
    state_class=SensorStateClass.TOTAL_INCREASING,
)


def descriptions_of(role: Role, part: Part) -> Iterator[PartSensorDescription]:
    """Yield the sensors that a part has: what a PDU lacks does not appear."""
    for description in SENSORS[role]:
        if description.value_fn(part) is None:
            continue
        if description.key == "power" and getattr(part, "power_is_estimate", False):
            yield ESTIMATED_POWER
        else:
            yield description


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a PDU."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, PduCoordinator)

    def entities_of(
        role: Role, part: Part, device: DeviceInfo | ChildDeviceInfo
    ) -> Iterator[PartEntity]:
        for description in descriptions_of(role, part):
            yield PartSensor(coordinator, description, role, part, device)
        if role is Role.MODULE and part == coordinator.data.modules[0]:
            yield ImplausibleValuesSensor(
                coordinator, IMPLAUSIBLE_VALUES, role, part, device
            )

    async_add_parts(hass, entry, async_add_entities, entities_of)
    for subentry_id, sensors in group_sensors(coordinator):
        async_add_entities(sensors, config_subentry_id=subentry_id)


class PartSensor(PartEntity, SensorEntity):
    """A value of a part."""

    entity_description: PartSensorDescription

    @property
    @override
    def native_value(self) -> Value:
        """Return the value."""
        return (
            None if self.part is None else self.entity_description.value_fn(self.part)
        )


class ImplausibleValuesSensor(PartEntity, SensorEntity):
    """How many values could not be true since Home Assistant was started."""

    @property
    @override
    def native_value(self) -> int:
        """Return the count."""
        return self.coordinator.implausible
