"""The Rackwatt integration."""

from typing import Any

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from .api.openapi import async_setup_api
from .blip_meter.coordinator import BlipMeterCoordinator
from .const import (
    BLIP_METER,
    CONF_KIND,
    CT_CLAMP,
    DOMAIN,
    PDU,
    SERVER,
    TEMPERATURE_PROBE,
)
from .coordinator import RackwattConfigEntry, RackwattCoordinator
from .ct_clamp.coordinator import CtClampCoordinator
from .pdu.coordinator import PduCoordinator
from .server.coordinator import ServerCoordinator
from .server.ingest import async_open_reception, async_reception
from .services import async_setup_services
from .temperature_probe.coordinator import TemperatureProbeCoordinator

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

COORDINATORS: dict[str, type[RackwattCoordinator[Any]]] = {
    BLIP_METER: BlipMeterCoordinator,
    CT_CLAMP: CtClampCoordinator,
    TEMPERATURE_PROBE: TemperatureProbeCoordinator,
    PDU: PduCoordinator,
    SERVER: ServerCoordinator,
}
PLATFORMS: dict[str, list[Platform]] = {
    BLIP_METER: [Platform.BINARY_SENSOR, Platform.SENSOR],
    CT_CLAMP: [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.SENSOR],
    TEMPERATURE_PROBE: [Platform.SENSOR],
    PDU: [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.SENSOR, Platform.SWITCH],
    SERVER: [Platform.BINARY_SENSOR, Platform.SENSOR, Platform.SWITCH],
}


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up what does not belong to an entry."""
    async_setup_services(hass)
    await async_open_reception(hass)
    await async_setup_api(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: RackwattConfigEntry) -> bool:
    """Set up Rackwatt from a config entry."""
    kind = entry.data[CONF_KIND]
    coordinator = COORDINATORS[kind](hass, entry)
    # before anything is opened: this also runs after a set-up that failed
    entry.async_on_unload(coordinator.async_close)
    # a part that is added while the source starts is not to be missed
    entry.async_on_unload(entry.add_update_listener(_async_reload))
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS[kind])
    return True


async def async_unload_entry(hass: HomeAssistant, entry: RackwattConfigEntry) -> bool:
    """Unload a config entry."""
    return await hass.config_entries.async_unload_platforms(
        entry, PLATFORMS[entry.data[CONF_KIND]]
    )


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: RackwattConfigEntry, device: DeviceEntry
) -> bool:
    """Let the user remove a device that is gone."""
    return entry.runtime_data.async_forget_device(device)


async def async_remove_entry(hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
    """Forget what a source keeps outside its entry."""
    if entry.data.get(CONF_KIND) == SERVER and entry.unique_id is not None:
        await async_reception(hass).async_forget(entry.unique_id)


async def _async_reload(hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
    """Load an entry anew whose settings or parts have changed."""
    await hass.config_entries.async_reload(entry.entry_id)
