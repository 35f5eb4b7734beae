"""The devices of a PDU: its modules, and the outlets of each."""

from collections.abc import Callable, Iterable
from typing import override

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import ChildDeviceInfo, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..const import DOMAIN
from ..coordinator import RackwattConfigEntry
from ..entity import RackwattEntity
from .coordinator import PduCoordinator
from .models import Key, Module, Part, Role


class PartEntity(RackwattEntity[PduCoordinator]):
    """A value of a part of a PDU."""

    def __init__(
        self,
        coordinator: PduCoordinator,
        description: EntityDescription,
        role: Role,
        part: Part,
        device: DeviceInfo | ChildDeviceInfo,
    ) -> None:
        """Initialize the entity."""
        self.role = role
        self.key: Key = part.key
        super().__init__(
            coordinator, description, coordinator.part_id(role, part.key), device
        )
        if role not in (Role.MODULE, Role.OUTLET):
            self._attr_translation_placeholders = {
                "part": part.name or str(part.number)
            }

    @property
    def part(self) -> Part | None:
        """Return the part as it is now."""
        return self.coordinator.data.part(self.role, self.key)

    @property
    @override
    def available(self) -> bool:
        """Return whether the part is there."""
        return super().available and self.part is not None


class PartDevices:
    """The device that each part of a PDU belongs to."""

    def __init__(self, hass: HomeAssistant, coordinator: PduCoordinator) -> None:
        """Register the first module."""
        self._hass = hass
        self._coordinator = coordinator
        self._main = coordinator.async_main_device_id()

    @callback
    def device_of(self, role: Role, part: Part) -> DeviceInfo | ChildDeviceInfo:
        """Return the device of a part: outlets are devices of their own."""
        module = self._module_device(part.module)
        if role is not Role.OUTLET:
            return module
        parent = dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._coordinator.config_entry.entry_id, **module
        )
        return ChildDeviceInfo(
            identifiers={(DOMAIN, self._coordinator.part_id(role, part.key))},
            name=outlet_name(part),
            parent_device_id=parent.id,
        )

    def _module_device(self, number: int) -> DeviceInfo:
        """Return the device of a module of the chain."""
        coordinator = self._coordinator
        identifier = coordinator.part_id(Role.MODULE, (number, number))
        if identifier == coordinator.unique_id:
            return DeviceInfo(identifiers={(DOMAIN, identifier)})
        module = coordinator.data.part(Role.MODULE, (number, number))
        assert isinstance(module, Module)
        return DeviceInfo(
            identifiers={(DOMAIN, identifier)},
            manufacturer=coordinator.identity.manufacturer,
            model=module.model,
            name=module.name or f"{coordinator.config_entry.title} {number}",
            serial_number=module.serial,
            sw_version=module.firmware,
            via_device_id=self._main,
        )


def outlet_name(part: Part) -> str:
    """Return an outlet's own name with its number, which stands on the PDU."""
    if part.name is None or part.name.lower() == f"outlet {part.number}":
        return f"Outlet {part.number}"
    return f"Outlet {part.number} {part.name}"


EntitiesOf = Callable[[Role, Part, DeviceInfo | ChildDeviceInfo], Iterable[Entity]]


@callback
def async_add_parts(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    entities_of: EntitiesOf,
) -> None:
    """Add the entities of all parts, and of those that show up later."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, PduCoordinator)
    devices = PartDevices(hass, coordinator)
    known: set[str] = set()

    @callback
    def add_new() -> None:
        new = []
        for role in Role:
            for part in coordinator.data.parts(role):
                device = devices.device_of(role, part)
                for entity in entities_of(role, part, device):
                    if entity.unique_id and entity.unique_id not in known:
                        known.add(entity.unique_id)
                        new.append(entity)
        if new:
            async_add_entities(new)

    add_new()
    entry.async_on_unload(coordinator.async_add_listener(add_new))
