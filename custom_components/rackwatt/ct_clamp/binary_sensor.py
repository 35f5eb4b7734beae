"""Binary sensors of a board and its clamps."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import CtClampCoordinator
from .entity import BoardEntity, ChannelEntity, async_board_device_id

CONNECTION = BinarySensorEntityDescription(
    key="connection",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)
CLIPPING = BinarySensorEntityDescription(
    key="clipping",
    translation_key="clipping",
    device_class=BinarySensorDeviceClass.PROBLEM,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of a board."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, CtClampCoordinator)
    board_device_id = async_board_device_id(hass, entry)
    async_add_entities([ConnectionSensor(coordinator, CONNECTION)])
    for channel in coordinator.channels.values():
        async_add_entities(
            [ClippingSensor(coordinator, CLIPPING, channel.subentry, board_device_id)],
            config_subentry_id=channel.key,
        )


class ConnectionSensor(BoardEntity, BinarySensorEntity):
    """Whether the board answers."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the board answers."""
        return self.coordinator.data.connected


class ClippingSensor(ChannelEntity, BinarySensorEntity):
    """Whether the voltage at the input is cut, or too strange to tell the current."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether the voltage does not tell the current."""
        clamp = self.reading.clamp
        return None if clamp is None else clamp.fault is not None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, str | None]:
        """Return what is wrong."""
        clamp = self.reading.clamp
        return {"reason": None if clamp is None else clamp.fault}
