"""What the coordinators of all sources share."""

from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .const import LOGGER

type RackwattConfigEntry = ConfigEntry[RackwattCoordinator[Any]]


class RackwattCoordinator[_DataT](DataUpdateCoordinator[_DataT]):
    """Hold the latest data of one source."""

    config_entry: RackwattConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: RackwattConfigEntry,
        update_interval: timedelta | None = None,
    ) -> None:
        """Initialize the coordinator."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=update_interval,
            always_update=False,
        )

    async def async_close(self) -> None:
        """Close what the source has opened; also after a set-up that failed."""

    @callback
    def async_forget_device(self, device: DeviceEntry) -> bool:
        """Forget a device that the user removes; return whether he may."""
        return False

    def diagnostics(self) -> dict[str, Any]:
        """Return what helps to find a fault, beside the data."""
        return {}
