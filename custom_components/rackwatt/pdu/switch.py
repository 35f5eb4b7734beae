"""Switches of a PDU: its outlets, and the groups that the user made of them."""

from collections.abc import Iterator
from typing import Any, override

from homeassistant.components.switch import (
    SwitchDeviceClass,
    SwitchEntity,
    SwitchEntityDescription,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import ChildDeviceInfo, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import PduCoordinator
from .entity import PartEntity, async_add_parts
from .group import group_switches
from .models import Outlet, Part, Role
from .switching import Act

OUTLET = SwitchEntityDescription(
    key="outlet",
    translation_key="outlet",
    device_class=SwitchDeviceClass.OUTLET,
    # A switch in a list of hundreds is easily hit, and a server behind it dies
    entity_registry_enabled_default=False,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the switches of a PDU."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, PduCoordinator)

    def entities_of(
        role: Role, part: Part, device: DeviceInfo | ChildDeviceInfo
    ) -> Iterator[PartEntity]:
        if role is Role.OUTLET and coordinator.can(part.key, Act.ON):
            yield OutletSwitchEntity(coordinator, OUTLET, role, part, device)

    async_add_parts(hass, entry, async_add_entities, entities_of)
    for subentry_id, switch in group_switches(coordinator):
        async_add_entities([switch], config_subentry_id=subentry_id)


class OutletSwitchEntity(PartEntity, SwitchEntity):
    """Turn an outlet on and off."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether the outlet is on."""
        return self.part.on if isinstance(self.part, Outlet) else None

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Turn the outlet on."""
        await self.coordinator.async_turn(self.key, True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Turn the outlet off."""
        await self.coordinator.async_turn(self.key, False)
