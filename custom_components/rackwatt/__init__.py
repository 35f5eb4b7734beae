"""The Rackwatt integration."""

from typing import Any

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .api.openapi import async_setup_api
from .blip_meter.coordinator import BlipMeterCoordinator
from .const import BLIP_METER, CONF_KIND, DOMAIN, SERVER
from .coordinator import RackwattConfigEntry, RackwattCoordinator
from .server.coordinator import ServerCoordinator
from .server.ingest import async_open_reception, async_reception
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

COORDINATORS: dict[str, type[RackwattCoordinator[Any]]] = {
    BLIP_METER: BlipMeterCoordinator,
    SERVER: ServerCoordinator,
}
PLATFORMS: dict[str, list[Platform]] = {
    BLIP_METER: [Platform.BINARY_SENSOR, Platform.SENSOR],
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
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS[kind])
    entry.async_on_unload(entry.add_update_listener(_async_reload))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: RackwattConfigEntry) -> bool:
    """Unload a config entry."""
    return await hass.config_entries.async_unload_platforms(
        entry, PLATFORMS[entry.data[CONF_KIND]]
    )


async def async_remove_entry(hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
    """Forget what a source keeps outside its entry."""
    if entry.data.get(CONF_KIND) == SERVER and entry.unique_id is not None:
        await async_reception(hass).async_forget(entry.unique_id)


async def _async_reload(hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
    """Load an entry anew whose settings or parts have changed."""
    await hass.config_entries.async_reload(entry.entry_id)
