"""Sensors of Rackwatt: hand over to the source of the entry."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .blip_meter.sensor import async_setup_entry as setup_blip_meter
from .const import BLIP_METER, CONF_KIND, CT_CLAMP, PDU, SERVER, TEMPERATURE_PROBE
from .coordinator import RackwattConfigEntry
from .ct_clamp.sensor import async_setup_entry as setup_ct_clamp
from .pdu.sensor import async_setup_entry as setup_pdu
from .server.sensor import async_setup_entry as setup_server
from .temperature_probe.sensor import async_setup_entry as setup_temperature_probe

# Values come from the coordinators; entities never ask a device
PARALLEL_UPDATES = 0

SETUP = {
    BLIP_METER: setup_blip_meter,
    CT_CLAMP: setup_ct_clamp,
    TEMPERATURE_PROBE: setup_temperature_probe,
    PDU: setup_pdu,
    SERVER: setup_server,
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of the source."""
    await SETUP[entry.data[CONF_KIND]](hass, entry, async_add_entities)
