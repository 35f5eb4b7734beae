"""Buttons of Rackwatt: hand over to the source of the entry."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_KIND, CT_CLAMP, PDU
from .coordinator import RackwattConfigEntry
from .ct_clamp.button import async_setup_entry as setup_ct_clamp
from .pdu.button import async_setup_entry as setup_pdu

# One after the other: what a button starts talks to a device
PARALLEL_UPDATES = 1

SETUP = {
    CT_CLAMP: setup_ct_clamp,
    PDU: setup_pdu,
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the buttons of the source."""
    await SETUP[entry.data[CONF_KIND]](hass, entry, async_add_entities)
