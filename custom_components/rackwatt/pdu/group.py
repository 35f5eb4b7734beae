"""Outlets that belong together: the two power supplies of one server, say."""

from collections.abc import Iterator
from dataclasses import dataclass
import time
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.components.switch import (
    SwitchDeviceClass,
    SwitchEntity,
    SwitchEntityDescription,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import UnitOfEnergy, UnitOfPower
from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription

from ..const import DOMAIN
from ..entity import RackwattEntity
from .const import CONF_OUTLETS, SUBENTRY_OUTLET_GROUP
from .coordinator import PduCoordinator
from .metering import SteppedMeter
from .models import Key, Outlet, Pdu, Role
from .switching import Act

STEP = 100.0
"""Wh by which each outlet's counter may run on when it is read after a while."""

POWER = SensorEntityDescription(
    key="power",
    device_class=SensorDeviceClass.POWER,
    native_unit_of_measurement=UnitOfPower.WATT,
    state_class=SensorStateClass.MEASUREMENT,
    suggested_display_precision=0,
)
ENERGY = SensorEntityDescription(
    key="energy",
    device_class=SensorDeviceClass.ENERGY,
    native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
    suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    state_class=SensorStateClass.TOTAL_INCREASING,
    suggested_display_precision=2,
)
SWITCH = SwitchEntityDescription(
    key="outlets",
    translation_key="outlet_group",
    device_class=SwitchDeviceClass.OUTLET,
)


def outlet_keys(subentry: ConfigSubentry) -> tuple[Key, ...]:
    """Return the outlets of a group."""
    found = []
    for text in subentry.data[CONF_OUTLETS]:
        module, _, number = text.partition(".")
        found.append((int(module), int(number)))
    return tuple(sorted(found))


def members(pdu: Pdu, keys: tuple[Key, ...]) -> tuple[Outlet, ...] | None:
    """Return the outlets of a group, None where one of them is gone."""
    found = [pdu.part(Role.OUTLET, key) for key in keys]
    outlets = tuple(outlet for outlet in found if isinstance(outlet, Outlet))
    return outlets if len(outlets) == len(keys) else None


def total(values: Iterator[float | None]) -> float | None:
    """Return a sum, None where a part of it is not known."""
    known = list(values)
    if not known or any(value is None for value in known):
        return None
    return sum(value for value in known if value is not None)


class GroupEntity(RackwattEntity[PduCoordinator]):
    """A value of a group of outlets."""

    def __init__(
        self,
        coordinator: PduCoordinator,
        description: EntityDescription,
        subentry: ConfigSubentry,
    ) -> None:
        """Initialize the entity."""
        self.keys = outlet_keys(subentry)
        super().__init__(
            coordinator,
            description,
            subentry.subentry_id,
            DeviceInfo(
                identifiers={(DOMAIN, subentry.subentry_id)},
                name=subentry.title,
                via_device_id=coordinator.async_main_device_id(),
            ),
        )

    @property
    def outlets(self) -> tuple[Outlet, ...] | None:
        """Return the outlets, if all are there."""
        return members(self.coordinator.data, self.keys)

    @property
    @override
    def available(self) -> bool:
        """Return whether all outlets are there."""
        return super().available and self.outlets is not None


class GroupPowerSensor(GroupEntity, SensorEntity):
    """The power of all outlets together."""

    @property
    @override
    def native_value(self) -> float | None:
        """Return the sum."""
        return total(outlet.power for outlet in self.outlets or ())


class GroupEnergySensor(GroupEntity, SensorEntity):
    """The energy of all outlets together, counted on when the group changes."""

    _meter: SteppedMeter | None = None
    _energy: float | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Go on where the counter was."""
        await super().async_added_to_hass()
        step = STEP * len(self.keys)
        self._meter = await self.coordinator.async_meter(self._counter, step)
        self._count()

    @property
    def _counter(self) -> str:
        """Return the name of the stored counter."""
        return str(self.unique_id)

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Count what the outlets counted."""
        self._count()
        super()._handle_coordinator_update()

    @callback
    def _count(self) -> None:
        """Take the sum of the counters."""
        counted = total(outlet.energy for outlet in self.outlets or ())
        if counted is None or self._meter is None:
            return
        self._energy = self._meter.read(counted, None, time.time())
        self.coordinator.save_meter(self._counter, self._meter)

    @property
    @override
    def native_value(self) -> float | None:
        """Return the energy."""
        return None if self._energy is None else round(self._energy, 2)


class GroupSwitch(GroupEntity, SwitchEntity):
    """Turn all outlets of a group on and off."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether any outlet is on: off means that all of it is dead."""
        states = [outlet.on for outlet in self.outlets or ()]
        return None if None in states or not states else any(states)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Turn all outlets on."""
        await self._turn(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Turn all outlets off."""
        await self._turn(False)

    async def _turn(self, on: bool) -> None:
        """Turn each outlet; one that fails does not keep the others from it."""
        failures = []
        for key in self.keys:
            try:
                await self.coordinator.async_turn(key, on)
            except HomeAssistantError as err:
                failures.append(err)
        if failures:
            raise failures[0]


@dataclass(frozen=True)
class _Group:
    """A group and what its outlets can."""

    subentry: ConfigSubentry
    metered: bool
    counted: bool
    switched: bool


def _groups(coordinator: PduCoordinator) -> Iterator[_Group]:
    """Yield the groups that the user made."""
    entry = coordinator.config_entry
    for subentry in entry.get_subentries_of_type(SUBENTRY_OUTLET_GROUP):
        keys = outlet_keys(subentry)
        outlets = members(coordinator.data, keys) or ()
        yield _Group(
            subentry=subentry,
            metered=total(outlet.power for outlet in outlets) is not None,
            counted=total(outlet.energy for outlet in outlets) is not None,
            switched=all(coordinator.can(key, Act.ON) for key in keys),
        )


def group_sensors(
    coordinator: PduCoordinator,
) -> Iterator[tuple[str, list[SensorEntity]]]:
    """Yield the sensors of each group."""
    for group in _groups(coordinator):
        sensors: list[SensorEntity] = []
        if group.metered:
            sensors.append(GroupPowerSensor(coordinator, POWER, group.subentry))
        if group.counted:
            sensors.append(GroupEnergySensor(coordinator, ENERGY, group.subentry))
        yield group.subentry.subentry_id, sensors


def group_switches(coordinator: PduCoordinator) -> Iterator[tuple[str, SwitchEntity]]:
    """Yield the switch of each group that can be switched."""
    for group in _groups(coordinator):
        if group.switched:
            yield (
                group.subentry.subentry_id,
                GroupSwitch(coordinator, SWITCH, group.subentry),
            )
