"""The devices of a board: itself, and the clamp at each channel."""

from typing import override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_ADDRESS
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription

from ..const import DOMAIN
from ..coordinator import RackwattConfigEntry
from ..entity import RackwattEntity
from .channel import ChannelReading
from .const import CONF_BUS, CONF_INPUT
from .coordinator import CtClampCoordinator


def board_device(entry: RackwattConfigEntry) -> DeviceInfo:
    """Return the device of a board."""
    return DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        manufacturer="Texas Instruments",
        model="ADS1115",
        hw_version=f"{entry.data[CONF_BUS]} 0x{entry.data[CONF_ADDRESS]:02x}",
    )


class BoardEntity(RackwattEntity[CtClampCoordinator]):
    """A value of the board itself."""

    def __init__(
        self, coordinator: CtClampCoordinator, description: EntityDescription
    ) -> None:
        """Initialize the entity."""
        entry = coordinator.config_entry
        super().__init__(coordinator, description, entry.entry_id, board_device(entry))


class ChannelEntity(RackwattEntity[CtClampCoordinator]):
    """A value of a channel."""

    def __init__(
        self,
        coordinator: CtClampCoordinator,
        description: EntityDescription,
        subentry: ConfigSubentry,
        board_device_id: str,
    ) -> None:
        """Initialize the entity."""
        self._key = subentry.subentry_id
        super().__init__(
            coordinator,
            description,
            self._key,
            DeviceInfo(
                identifiers={(DOMAIN, self._key)},
                name=subentry.title,
                hw_version=subentry.data[CONF_INPUT],
                via_device_id=board_device_id,
            ),
        )

    @property
    def reading(self) -> ChannelReading:
        """Return what the channel shows."""
        return self.coordinator.data.channels[self._key]

    @property
    @override
    def available(self) -> bool:
        """Return whether the board is there."""
        return super().available and self.coordinator.data.connected


@callback
def async_board_device_id(hass: HomeAssistant, entry: RackwattConfigEntry) -> str:
    """Register the board, so that its channels can refer to it."""
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, **board_device(entry)
    )
    return device.id
