"""The device of a server."""

from homeassistant.const import CONF_MAC
from homeassistant.helpers.device_registry import CONNECTION_NETWORK_MAC, DeviceInfo
from homeassistant.helpers.entity import EntityDescription

from ..const import DOMAIN
from ..coordinator import RackwattConfigEntry
from ..entity import RackwattEntity
from .coordinator import ServerCoordinator


def server_device(entry: RackwattConfigEntry, agent: str | None) -> DeviceInfo:
    """Return the device of a server."""
    info = DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        sw_version=agent,
    )
    if mac := entry.data.get(CONF_MAC):
        # a SecureOn password follows the address
        info["connections"] = {(CONNECTION_NETWORK_MAC, mac.partition("/")[0])}
    return info


class ServerEntity(RackwattEntity[ServerCoordinator]):
    """A value of a server."""

    def __init__(
        self, coordinator: ServerCoordinator, description: EntityDescription
    ) -> None:
        """Initialize the entity."""
        entry = coordinator.config_entry
        super().__init__(
            coordinator,
            description,
            entry.entry_id,
            server_device(entry, coordinator.data.agent),
        )
