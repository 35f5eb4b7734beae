"""Switches of Rackwatt: hand over to the source of the entry."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_KIND, PDU, SERVER
from .coordinator import RackwattConfigEntry
from .pdu.switch import async_setup_entry as setup_pdu
from .server.switch import async_setup_entry as setup_server

# One after the other: what a switch starts talks to a device
PARALLEL_UPDATES = 1

SETUP = {PDU: setup_pdu, SERVER: setup_server}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the switches of the source."""
    await SETUP[entry.data[CONF_KIND]](hass, entry, async_add_entities)
