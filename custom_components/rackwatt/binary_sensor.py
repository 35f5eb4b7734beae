"""Binary sensors of Rackwatt: hand over to the source of the entry."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .blip_meter.binary_sensor import async_setup_entry as setup_blip_meter
from .const import BLIP_METER, CONF_KIND, CT_CLAMP, PDU, SERVER
from .coordinator import RackwattConfigEntry
from .ct_clamp.binary_sensor import async_setup_entry as setup_ct_clamp
from .pdu.binary_sensor import async_setup_entry as setup_pdu
from .server.binary_sensor import async_setup_entry as setup_server

# Values come from the coordinators; entities never ask a device
PARALLEL_UPDATES = 0

SETUP = {
    BLIP_METER: setup_blip_meter,
    CT_CLAMP: setup_ct_clamp,
    PDU: setup_pdu,
    SERVER: setup_server,
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of the source."""
    await SETUP[entry.data[CONF_KIND]](hass, entry, async_add_entities)
