"""Binary sensors of a PDU."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import ChildDeviceInfo, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import PduCoordinator
from .entity import PartEntity, async_add_parts
from .models import Contact, Load, LoadState, Outlet, Part, Role


@dataclass(frozen=True, kw_only=True)
class PartBinarySensorDescription(BinarySensorEntityDescription):
    """Describe a binary sensor of a part."""

    is_on_fn: Callable[[Any], bool | None]


def _above(
    load: Load, limit: float | None, states: tuple[LoadState, ...]
) -> bool | None:
    """Return if a load is above a limit: as the PDU says, else by its limit.

    A limit of 0 is not set.
    """
    if load.load_state is not None:
        return load.load_state in states
    value = load.power if type(load).__name__ in _LIMITED_IN_WATTS else load.current
    if value is None or not limit:
        return None
    return value >= limit


_LIMITED_IN_WATTS = frozenset({"Module", "Outlet"})


def near_overload(load: Load) -> bool | None:
    """Return if a load is close to too much."""
    return _above(
        load, load.near_overload_limit, (LoadState.NEAR_OVERLOAD, LoadState.OVERLOAD)
    )


def overload(load: Load) -> bool | None:
    """Return if a load is too much."""
    return _above(load, load.overload_limit, (LoadState.OVERLOAD,))


def _limits(kind: str, shown: bool) -> tuple[PartBinarySensorDescription, ...]:
    """Describe what warns before a breaker opens."""
    prefix = f"{kind}_" if kind else ""
    return (
        PartBinarySensorDescription(
            key="near_overload",
            translation_key=f"{prefix}near_overload",
            device_class=BinarySensorDeviceClass.PROBLEM,
            entity_registry_enabled_default=shown,
            is_on_fn=near_overload,
        ),
        PartBinarySensorDescription(
            key="overload",
            translation_key=f"{prefix}overload",
            device_class=BinarySensorDeviceClass.PROBLEM,
            entity_registry_enabled_default=shown,
            is_on_fn=overload,
        ),
    )


def _supply(number: int) -> PartBinarySensorDescription:
    """Describe one of the PDU's own power supplies."""

    def is_on(part: Any) -> bool | None:
        state = getattr(part, f"power_supply_{number}")
        return None if state is None else state == "alarm"

    return PartBinarySensorDescription(
        key=f"power_supply_{number}",
        translation_key=f"power_supply_{number}",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=is_on,
    )


CONTACT = PartBinarySensorDescription(
    key="contact",
    translation_key="contact",
    is_on_fn=lambda contact: contact.open if contact.alarm is None else contact.alarm,
)
CONTACT_CLASSES = {
    "door": BinarySensorDeviceClass.DOOR,
    "smoke": BinarySensorDeviceClass.SMOKE,
    "motion": BinarySensorDeviceClass.MOTION,
    "vibration": BinarySensorDeviceClass.VIBRATION,
    "leak": BinarySensorDeviceClass.MOISTURE,
}

BINARY_SENSORS: dict[Role, tuple[PartBinarySensorDescription, ...]] = {
    Role.MODULE: (
        *_limits("", shown=True),
        PartBinarySensorDescription(
            key="power_supply_alarm",
            translation_key="power_supply_alarm",
            device_class=BinarySensorDeviceClass.PROBLEM,
            entity_category=EntityCategory.DIAGNOSTIC,
            is_on_fn=lambda module: module.power_supply_alarm,
        ),
        _supply(1),
        _supply(2),
    ),
    Role.PHASE: _limits("phase", shown=True),
    Role.BANK: _limits("bank", shown=True),
    Role.OUTLET: (
        PartBinarySensorDescription(
            key="state",
            translation_key="outlet_state",
            device_class=BinarySensorDeviceClass.POWER,
            is_on_fn=lambda outlet: outlet.on,
        ),
        *_limits("", shown=False),
    ),
    Role.PROBE: (),
    Role.CONTACT: (CONTACT,),
}


def descriptions_of(role: Role, part: Part) -> Iterator[PartBinarySensorDescription]:
    """Yield the binary sensors that a part has."""
    for description in BINARY_SENSORS[role]:
        if description.is_on_fn(part) is None:
            continue
        if isinstance(part, Contact) and part.kind in CONTACT_CLASSES:
            yield replace(description, device_class=CONTACT_CLASSES[part.kind])
        elif isinstance(part, Outlet) or role is not Role.OUTLET:
            yield description


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of a PDU."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, PduCoordinator)

    def entities_of(
        role: Role, part: Part, device: DeviceInfo | ChildDeviceInfo
    ) -> Iterator[PartEntity]:
        for description in descriptions_of(role, part):
            yield PartBinarySensor(coordinator, description, role, part, device)

    async_add_parts(hass, entry, async_add_entities, entities_of)


class PartBinarySensor(PartEntity, BinarySensorEntity):
    """Something about a part that is so or not."""

    entity_description: PartBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether it is so."""
        return (
            None if self.part is None else self.entity_description.is_on_fn(self.part)
        )
