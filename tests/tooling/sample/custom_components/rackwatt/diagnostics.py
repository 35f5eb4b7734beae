"""Diagnostics."""

from .coordinator import RackwattConfigEntry


async def async_get_config_entry_diagnostics(hass, entry: RackwattConfigEntry):
    """Return the diagnostics."""
    return {}
