"""Buttons of the clamps."""

from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import CtClampCoordinator
from .entity import ChannelEntity, async_board_device_id

SET_ZERO = ButtonEntityDescription(
    key="set_zero", translation_key="set_zero", entity_category=EntityCategory.CONFIG
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the buttons of a board."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, CtClampCoordinator)
    board_device_id = async_board_device_id(hass, entry)
    for channel in coordinator.channels.values():
        async_add_entities(
            [SetZeroButton(coordinator, SET_ZERO, channel.subentry, board_device_id)],
            config_subentry_id=channel.key,
        )


class SetZeroButton(ChannelEntity, ButtonEntity):
    """Take what the clamp shows now as nothing."""

    @override
    async def async_press(self) -> None:
        """Set zero."""
        await self.coordinator.async_set_zero(self._key)
