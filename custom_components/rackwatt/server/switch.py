"""The switch of a server: on by Wake-on-LAN."""

from typing import Any, override

from homeassistant.components.switch import (
    SwitchDeviceClass,
    SwitchEntity,
    SwitchEntityDescription,
)
from homeassistant.const import CONF_MAC
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..const import DOMAIN
from ..coordinator import RackwattConfigEntry
from .const import CONF_BROADCAST_ADDRESS
from .coordinator import ServerCoordinator, ServerState
from .entity import ServerEntity
from .wake import DEFAULT_BROADCAST, wake

POWER = SwitchEntityDescription(
    key="power", translation_key="server", device_class=SwitchDeviceClass.SWITCH
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the switch of a server whose network card has a known address."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, ServerCoordinator)
    if entry.data.get(CONF_MAC):
        async_add_entities([ServerSwitch(coordinator, POWER)])


class ServerSwitch(ServerEntity, SwitchEntity):
    """Whether a server is on; off, not unavailable, while it is silent."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the server reports."""
        return self.coordinator.data.state is ServerState.ON

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Send the magic packet; the first report says that it worked."""
        data = self.coordinator.config_entry.data
        address = data.get(CONF_BROADCAST_ADDRESS) or DEFAULT_BROADCAST
        try:
            await self.hass.async_add_executor_job(wake, data[CONF_MAC], address)
        except OSError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="cannot_wake",
                translation_placeholders={"address": address, "error": str(err)},
            ) from err

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Refuse: nothing here can shut a server down."""
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="cannot_turn_off"
        )
