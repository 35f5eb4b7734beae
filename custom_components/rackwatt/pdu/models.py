"""What a PDU is made of, in watts, volts, amperes and watt-hours."""

from collections import defaultdict
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self, TypeVar

from .message import Oid

Reading = float | int | str | bool
Key = tuple[int, int]
"""A part's module and its number there; row indices change when a chain is rebuilt."""


def key_text(key: Key) -> str:
    """Return a key as it stands in settings and unique ids."""
    return f"{key[0]}.{key[1]}"


_PartT = TypeVar("_PartT", bound="Part")


class Role(StrEnum):
    """What the rows of a table are."""

    MODULE = "module"
    PHASE = "phase"
    BANK = "bank"
    OUTLET = "outlet"
    PROBE = "probe"
    CONTACT = "contact"


class LoadState(StrEnum):
    """How a load stands to the limits that are set in the PDU."""

    LOW = "low"
    NORMAL = "normal"
    NEAR_OVERLOAD = "near_overload"
    OVERLOAD = "overload"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A row: something with a number in a module."""

    module: int = 1
    number: int = 1
    name: str | None = None

    @property
    def key(self) -> Key:
        """Return what identifies the part in its PDU."""
        return self.module, self.number

    @classmethod
    def from_readings(cls, key: Key, readings: dict[str, Reading]) -> Self:
        """Return the part with the readings that it has a place for."""
        places = {item.name for item in fields(cls)}
        known = {name: value for name, value in readings.items() if name in places}
        return cls(**{**known, "module": key[0], "number": key[1]})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class Load(Part):
    """Something that current flows through."""

    power: float | None = None
    apparent_power: float | None = None
    power_factor: float | None = None
    energy: float | None = None
    current: float | None = None
    voltage: float | None = None
    load_state: str | None = None
    peak_power: float | None = None
    peak_current: float | None = None
    low_limit: float | None = None
    near_overload_limit: float | None = None
    overload_limit: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Circuit(Load):
    """A phase or a bank; its limits are amperes."""

    breaker_rating: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlet(Load):
    """An outlet; its limits are watts."""

    on: bool | None = None
    pending: bool | None = None
    bank: int | None = None
    receptacle: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe(Part):
    """A temperature and humidity probe at the PDU's own port."""

    temperature: float | None = None
    humidity: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact(Part):
    """A dry contact at the PDU's own port."""

    kind: str | None = None
    open: bool | None = None
    alarm: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Module(Load):
    """One PDU of a chain; its limits are watts."""

    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    hardware: str | None = None
    frequency: float | None = None
    energy_since: str | None = None
    power_supply_alarm: bool | None = None
    power_supply_1: str | None = None
    power_supply_2: str | None = None
    power_is_estimate: bool = False


@dataclass(frozen=True, kw_only=True)
class Pdu:
    """All that one address answers for."""

    modules: tuple[Module, ...] = ()
    phases: tuple[Circuit, ...] = ()
    banks: tuple[Circuit, ...] = ()
    outlets: tuple[Outlet, ...] = ()
    probes: tuple[Probe, ...] = ()
    contacts: tuple[Contact, ...] = ()
    implausible: int = 0
    """Values of this reading that were outside what their column can hold."""

    def parts(self, role: Role) -> tuple[Part, ...]:
        """Return the parts of a kind."""
        places: dict[Role, tuple[Part, ...]] = {
            Role.MODULE: self.modules,
            Role.PHASE: self.phases,
            Role.BANK: self.banks,
            Role.OUTLET: self.outlets,
            Role.PROBE: self.probes,
            Role.CONTACT: self.contacts,
        }
        return places[role]

    def part(self, role: Role, key: Key) -> Part | None:
        """Return a part, if it is there."""
        return next((part for part in self.parts(role) if part.key == key), None)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a PDU is."""

    unique_id: str
    manufacturer: str
    model: str
    serial: str | None
    mac: str | None
    firmware: str | None
    name: str | None
    family: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """A value that makes the PDU act when it is written."""

    target: Oid
    value: int


Rows = defaultdict[Role, dict[Key, dict[str, Reading]]]


def pdu_from_rows(rows: Rows, implausible: int = 0) -> Pdu:
    """Return the PDU that rows describe; every row needs its module."""
    for held in list(rows.values()):
        for module, _ in list(held):
            rows[Role.MODULE].setdefault((module, module), {})
    if not rows[Role.MODULE]:
        rows[Role.MODULE][1, 1] = {}

    def parts(role: Role, cls: type[_PartT]) -> tuple[_PartT, ...]:
        return tuple(
            cls.from_readings(key, readings)
            for key, readings in sorted(rows[role].items())
        )

    return Pdu(
        modules=parts(Role.MODULE, Module),
        phases=parts(Role.PHASE, Circuit),
        banks=parts(Role.BANK, Circuit),
        outlets=parts(Role.OUTLET, Outlet),
        probes=parts(Role.PROBE, Probe),
        contacts=parts(Role.CONTACT, Contact),
        implausible=implausible,
    )
