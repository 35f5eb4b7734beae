"""Buttons of a PDU: cycle an outlet, reset a peak."""

from collections.abc import Iterator
from typing import override

from homeassistant.components.button import (
    ButtonDeviceClass,
    ButtonEntity,
    ButtonEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import ChildDeviceInfo, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import PduCoordinator
from .entity import PartEntity, async_add_parts
from .models import Part, Role
from .switching import Act

CYCLE = ButtonEntityDescription(
    key="cycle",
    translation_key="cycle",
    device_class=ButtonDeviceClass.RESTART,
    entity_registry_enabled_default=False,
)
RESET_PEAK_POWER = ButtonEntityDescription(
    key="reset_peak_power",
    translation_key="reset_peak_power",
    entity_category=EntityCategory.CONFIG,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the buttons of a PDU."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, PduCoordinator)

    def entities_of(
        role: Role, part: Part, device: DeviceInfo | ChildDeviceInfo
    ) -> Iterator[PartEntity]:
        if role is Role.OUTLET and coordinator.can(part.key, Act.CYCLE):
            yield CycleButton(coordinator, CYCLE, role, part, device)
        if coordinator.knows(role, part.key, RESET_PEAK_POWER.key):
            yield CommandButton(coordinator, RESET_PEAK_POWER, role, part, device)

    async_add_parts(hass, entry, async_add_entities, entities_of)


class CycleButton(PartEntity, ButtonEntity):
    """Turn an outlet off and on again."""

    @override
    async def async_press(self) -> None:
        """Send the command, once."""
        await self.coordinator.async_cycle(self.key)


class CommandButton(PartEntity, ButtonEntity):
    """Send a command that shows no state."""

    @override
    async def async_press(self) -> None:
        """Send the command."""
        await self.coordinator.async_press(
            self.role, self.key, self.entity_description.key
        )
