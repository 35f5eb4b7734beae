"""Diagnostics of Rackwatt."""

from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.core import HomeAssistant

from .coordinator import RackwattConfigEntry

# Whatever opens something, or tells who and where somebody is
TO_REDACT = {
    "auth_key",
    "community",
    "host",
    "key",
    "mac",
    "password",
    "port",
    "priv_key",
    "serial",
    "serial_number",
    "unique_id",
    "username",
}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: RackwattConfigEntry
) -> dict[str, Any]:
    """Return the settings of an entry and the last data of its source."""
    coordinator = entry.runtime_data
    return async_redact_data(
        {
            "entry": entry.as_dict(),
            "data": _with_lists(asdict(coordinator.data)),
            "details": coordinator.diagnostics(),
        },
        TO_REDACT,
    )


def _with_lists(data: Any) -> Any:
    """Return data with lists for its tuples: nothing is redacted within tuples."""
    if isinstance(data, dict):
        return {key: _with_lists(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_with_lists(value) for value in data]
    return data
