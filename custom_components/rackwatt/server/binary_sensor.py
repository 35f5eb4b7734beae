"""Binary sensors of a server."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import ServerCoordinator, ServerState
from .entity import ServerEntity

CONNECTION = BinarySensorEntityDescription(
    key="connection", device_class=BinarySensorDeviceClass.CONNECTIVITY
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of a server."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, ServerCoordinator)
    async_add_entities([ConnectionSensor(coordinator, CONNECTION)])


class ConnectionSensor(ServerEntity, BinarySensorEntity):
    """Whether the server reports."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the server is on."""
        return self.coordinator.data.state is ServerState.ON
