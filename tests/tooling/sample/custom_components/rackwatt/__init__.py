"""A sample."""

from homeassistant.components.http import HomeAssistantView
from homeassistant.helpers import config_validation as cv

from .coordinator import RackwattConfigEntry, RackwattCoordinator

CONFIG_SCHEMA = cv.config_entry_only_config_schema("rackwatt")


async def async_setup(hass, config):
    """Register the view and the action."""
    hass.http.register_view(HomeAssistantView())
    hass.services.async_register("rackwatt", "set_reading", None)
    return True


async def async_setup_entry(hass, entry: RackwattConfigEntry) -> bool:
    """Set up an entry."""
    coordinator = RackwattCoordinator(hass, entry)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    return True


async def async_unload_entry(hass, entry: RackwattConfigEntry) -> bool:
    """Unload an entry."""
    return True
