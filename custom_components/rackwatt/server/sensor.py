"""Sensors of a server: its metrics, and what is known of its reports."""

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
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from ..coordinator import RackwattConfigEntry
from .coordinator import Gauge, ServerCoordinator, ServerData, ServerState
from .entity import ServerEntity
from .linked import async_linked_sensors


@dataclass(frozen=True, kw_only=True)
class ServerSensorDescription(SensorEntityDescription):
    """Describe a sensor of the server as a whole."""

    value_fn: Callable[[ServerData], StateType | datetime]


SENSORS: tuple[ServerSensorDescription, ...] = (
    ServerSensorDescription(
        key="state",
        translation_key="state",
        device_class=SensorDeviceClass.ENUM,
        options=list(ServerState),
        value_fn=lambda data: data.state,
    ),
    ServerSensorDescription(
        key="last_report",
        translation_key="last_report",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda data: data.last_report,
    ),
    ServerSensorDescription(
        key="agent_version",
        translation_key="agent_version",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda data: data.agent,
    ),
    ServerSensorDescription(
        key="queue",
        translation_key="queue",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda data: data.queue.held,
    ),
    ServerSensorDescription(
        key="dropped",
        translation_key="dropped",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda data: data.queue.dropped,
    ),
    ServerSensorDescription(
        key="clock_skew",
        translation_key="clock_skew",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda data: data.skew,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a server; metrics come and go with its reports."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, ServerCoordinator)
    shown: dict[str, MetricSensor] = {}

    @callback
    def follow(came: set[str], went: set[str]) -> None:
        """Add the entities of new metrics; those of vanished ones can be deleted."""
        for key in went:
            if (sensor := shown.pop(key, None)) is not None and sensor.hass:
                hass.async_create_task(sensor.async_remove())
        fresh = {
            key: MetricSensor(coordinator, key, gauge)
            for key, gauge in coordinator.gauges.items()
            if key in came
        }
        shown.update(fresh)
        async_add_entities(fresh.values())

    async_add_entities(ServerSensor(coordinator, item) for item in SENSORS)
    async_add_entities(async_linked_sensors(coordinator))
    follow(set(coordinator.gauges), set())
    coordinator.on_metrics.append(follow)


class ServerSensor(ServerEntity, SensorEntity):
    """What is known of a server's reports; it stays when the server is off."""

    entity_description: ServerSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value."""
        return self.entity_description.value_fn(self.coordinator.data)


class MetricSensor(ServerEntity, SensorEntity):
    """A metric of a server."""

    def __init__(self, coordinator: ServerCoordinator, key: str, gauge: Gauge) -> None:
        """Initialize the sensor."""
        super().__init__(coordinator, gauge.description)
        entry = coordinator.config_entry
        self._attr_unique_id = f"{entry.entry_id}_metric_{key}"
        self._gauge = gauge
        metric = coordinator.data.metrics[key]
        self._attr_translation_placeholders = {
            "mount": metric.mount or "",
            "interface": metric.interface or "",
            "name": metric.name or key,
        }
        if metric.source:
            self._attr_extra_state_attributes = {
                "scope": metric.scope,
                "source": metric.source,
            }

    @override
    async def async_added_to_hass(self) -> None:
        """Be called for this metric only: a host has hundreds."""
        self._gauge.write = self.async_write_ha_state
        self._gauge.written = self._gauge.value

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Be called no more."""
        self._gauge.write = None

    @property
    @override
    def available(self) -> bool:
        """Return whether the server is on and measures this."""
        return self._gauge.value is not None

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value."""
        value = self._gauge.value
        if value is not None and self.device_class is SensorDeviceClass.TIMESTAMP:
            return dt_util.utc_from_timestamp(value)
        return value
