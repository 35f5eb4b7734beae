"""Sensors of a 1-Wire tree."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfTemperature, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import TemperatureProbeCoordinator, TreeData
from .entity import ProbeEntity, TreeEntity, async_tree_device_id
from .probe import Fault
from .probe_state import ProbeState

NO_FAULT = "none"


@dataclass(frozen=True, kw_only=True)
class ProbeSensorDescription(SensorEntityDescription):
    """Describe a sensor of a probe."""

    value_fn: Callable[[ProbeState], float | str | None]
    available_fn: Callable[[ProbeState], bool] = lambda _: True


@dataclass(frozen=True, kw_only=True)
class TreeSensorDescription(SensorEntityDescription):
    """Describe a sensor of a tree."""

    value_fn: Callable[[TreeData], float | None]


PROBE_SENSORS: tuple[ProbeSensorDescription, ...] = (
    ProbeSensorDescription(
        key="temperature",
        device_class=SensorDeviceClass.TEMPERATURE,
        native_unit_of_measurement=UnitOfTemperature.CELSIUS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        # a sixteenth of a degree has four digits
        value_fn=lambda probe: (
            None if probe.celsius is None else round(probe.celsius, 4)
        ),
        available_fn=lambda probe: probe.is_available,
    ),
    ProbeSensorDescription(
        key="crc_errors",
        translation_key="crc_errors",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda probe: probe.crc_errors,
    ),
    ProbeSensorDescription(
        key="refused_readings",
        translation_key="refused_readings",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda probe: probe.refused_readings,
    ),
    ProbeSensorDescription(
        key="last_fault",
        translation_key="last_fault",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=[NO_FAULT, *Fault],
        value_fn=lambda probe: probe.last_fault or NO_FAULT,
    ),
    ProbeSensorDescription(
        key="read_time",
        translation_key="read_time",
        device_class=SensorDeviceClass.DURATION,
        entity_category=EntityCategory.DIAGNOSTIC,
        # another value at each reading, and of interest only in a search for a fault
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda probe: (
            None if probe.read_seconds is None else round(probe.read_seconds * 1000, 1)
        ),
    ),
)

TREE_SENSORS: tuple[TreeSensorDescription, ...] = (
    TreeSensorDescription(
        key="probes",
        translation_key="probes",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda tree: tree.present,
    ),
    TreeSensorDescription(
        key="cycle_time",
        translation_key="cycle_time",
        device_class=SensorDeviceClass.DURATION,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        value_fn=lambda tree: (
            None if tree.cycle_seconds is None else round(tree.cycle_seconds, 2)
        ),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a 1-Wire tree, and those of each probe that comes."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, TemperatureProbeCoordinator)
    tree_device_id = async_tree_device_id(hass, entry)
    async_add_entities(TreeSensor(coordinator, item) for item in TREE_SENSORS)
    known: set[str] = set()

    @callback
    def add_new_probes() -> None:
        """Add the probes that were not there before, or were removed by hand."""
        present = coordinator.data.probes.keys()
        known.intersection_update(present)
        new = present - known
        known.update(new)
        async_add_entities(
            ProbeSensor(coordinator, description, probe_id, tree_device_id)
            for probe_id in sorted(new)
            for description in PROBE_SENSORS
        )

    add_new_probes()
    # also keeps the tree being read while every entity of it is disabled
    entry.async_on_unload(coordinator.async_add_listener(add_new_probes))


class ProbeSensor(ProbeEntity, SensorEntity):
    """A value of a probe."""

    entity_description: ProbeSensorDescription

    @property
    @override
    def available(self) -> bool:
        """Return whether the value still stands."""
        return super().available and self.entity_description.available_fn(self.probe)

    @property
    @override
    def native_value(self) -> float | str | None:
        """Return the value."""
        return self.entity_description.value_fn(self.probe)


class TreeSensor(TreeEntity, SensorEntity):
    """A value of the tree itself."""

    entity_description: TreeSensorDescription

    @property
    @override
    def native_value(self) -> float | None:
        """Return the value."""
        return self.entity_description.value_fn(self.coordinator.data)
