"""The profile of a family of PDUs: which tables it has and what their columns mean.

A profile is data: one TOML file in `profiles/`. docs/pdu_profiles.md explains each key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
import tomllib
from typing import Any

from .message import Oid, oid
from .models import Circuit, Contact, Module, Outlet, Part, Probe, Reading, Role

PROFILES = Path(__file__).parent / "profiles"

SLOW = frozenset(
    {
        "bank",
        "breaker_rating",
        "energy_since",
        "firmware",
        "hardware",
        "kind",
        "low_limit",
        "model",
        "name",
        "near_overload_limit",
        "overload_limit",
        "receptacle",
        "serial",
    }
)
"""What changes only when somebody works on the PDU; read with the structure."""

_PARTS: dict[Role, type[Part]] = {
    Role.MODULE: Module,
    Role.PHASE: Circuit,
    Role.BANK: Circuit,
    Role.OUTLET: Outlet,
    Role.PROBE: Probe,
    Role.CONTACT: Contact,
}


class Fallback(StrEnum):
    """When a table counts that repeats what better tables tell."""

    ROWS = "rows"
    """Only if there is no row of its role yet."""
    VALUES = "values"
    """Only for rows that there are."""


class ProfileError(ValueError):
    """A profile says something that cannot be."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """How to read one column."""

    key: str
    root: Oid
    suffix: Oid = ()
    scale: float = 1.0
    decimals: Oid = ()
    available: Oid = ()
    text: bool = False
    enum: Mapping[int, Reading] = field(default_factory=dict)
    missing: frozenset[int] = frozenset()
    least: float | None = None
    most: float | None = None

    def cell(self, index: Oid) -> Oid:
        """Return the object of a row."""
        return self.root + index + self.suffix

    def decimals_cell(self, index: Oid) -> Oid | None:
        """Return the object that says how many digits stand behind the point."""
        return self.decimals + index + self.suffix if self.decimals else None

    def available_cell(self, index: Oid) -> Oid | None:
        """Return the object that says if the sensor is there: 1 is true."""
        return self.available + index + self.suffix if self.available else None


@dataclass(frozen=True, kw_only=True)
class Action:
    """What to write for a command."""

    root: Oid
    value: int
    suffix: Oid = ()
    unsupported: int | None = None
    """What the object reads where the PDU does not know the command."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Rows of one role."""

    role: Role
    entry: Oid
    columns: tuple[Column, ...]
    scalar: bool = False
    """A group of scalars is a table of one row."""
    rows: Oid = ()
    """The column whose indices are the rows, where not every column may be walked."""
    module: Oid = ()
    number: Oid = ()
    module_part: int | None = None
    skip: tuple[tuple[Oid, frozenset[int]], ...] = ()
    only: tuple[tuple[Oid, frozenset[int]], ...] = ()
    fallback: Fallback | None = None
    estimate: bool = False
    size: Oid = ()
    actions: Mapping[str, Action] = field(default_factory=dict)

    @property
    def guides(self) -> tuple[Oid, ...]:
        """Return the columns that say what a row is."""
        named = [self.module, self.number, *(root for root, _ in self.skip + self.only)]
        return tuple(root for root in named if root)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A family of PDUs."""

    key: str
    manufacturer: str
    title: str
    order: int
    probes: tuple[Oid, ...]
    tables: tuple[Table, ...]


@cache
def load_profiles(folder: Path = PROFILES) -> tuple[Profile, ...]:
    """Return the profiles of a folder in the order of their probing; reads files."""
    loaded = [read_profile(path) for path in sorted(folder.glob("*.toml"))]
    return tuple(sorted(loaded, key=lambda profile: (profile.order, profile.key)))


def read_profile(path: Path) -> Profile:
    """Return the profile of a file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return parse_profile(path.stem, data)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise ProfileError(f"{path.name}: {err}") from err


def parse_profile(key: str, data: Mapping[str, Any]) -> Profile:
    """Return the profile that a TOML document describes."""
    base = oid(data["base"])
    missing = frozenset(data.get("missing", ()))
    return Profile(
        key=key,
        manufacturer=data["manufacturer"],
        title=data["title"],
        order=data["order"],
        probes=tuple(_place(base, item) for item in data["probe"]),
        tables=tuple(_table(base, missing, item) for item in data["table"]),
    )


def _place(base: Oid, text: str) -> Oid:
    """Return an object: dotted below the base, or whole with a leading dot."""
    return oid(text) if text.startswith(".") else base + oid(text)


def _table(base: Oid, missing: frozenset[int], data: Mapping[str, Any]) -> Table:
    """Return a table."""
    _refuse_unknown(data, _TABLE_KEYS, "a table")
    role = Role(data["role"])
    entry = _place(base, data["entry"])
    scalar = data.get("scalar", False)

    def place(key: str) -> Oid:
        return _place(base, data[key]) if key in data else ()

    def beside(key: str) -> Oid:
        return (*entry, data[key]) if key in data else ()

    def filters(key: str) -> tuple[tuple[Oid, frozenset[int]], ...]:
        return tuple(
            (
                _place(base, root) if "." in root else (*entry, int(root)),
                frozenset(values),
            )
            for root, values in data.get(key, {}).items()
        )

    return Table(
        role=role,
        entry=entry,
        columns=tuple(
            _column(role, base, entry, scalar, missing, key, value)
            for key, value in data.get("columns", {}).items()
        ),
        scalar=scalar,
        rows=place("rows"),
        module=beside("module"),
        number=beside("number"),
        module_part=data.get("module_part"),
        skip=filters("skip"),
        only=filters("only"),
        fallback=Fallback(data["fallback"]) if "fallback" in data else None,
        estimate=data.get("estimate", False),
        size=place("size"),
        actions={
            key: _action(base, value) for key, value in data.get("actions", {}).items()
        },
    )


def _refuse_unknown(data: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raise if there is a key that means nothing: most likely it is misspelt."""
    if unknown := data.keys() - known:
        raise ProfileError(f"unknown keys of {where}: {sorted(unknown)}")


_TABLE_KEYS = {
    "role",
    "entry",
    "scalar",
    "columns",
    "rows",
    "module",
    "number",
    "module_part",
    "skip",
    "only",
    "fallback",
    "estimate",
    "size",
    "actions",
}


def _column(
    role: Role,
    base: Oid,
    entry: Oid,
    scalar: bool,
    missing: frozenset[int],
    key: str,
    data: Mapping[str, Any],
) -> Column:
    """Return a column."""
    places = {item.name for item in fields(_PARTS[role])}
    if key not in places:
        raise ProfileError(f"a {role} has no {key}")
    _refuse_unknown(data, _COLUMN_KEYS, f"the column {key}")
    if "entry" in data:
        entry = _place(base, data["entry"])
    suffix = oid(str(data["suffix"])) if "suffix" in data else ()
    return Column(
        key=key,
        root=(*entry, data["id"]),
        suffix=(*suffix, 0) if scalar else suffix,
        scale=data.get("scale", 1),
        decimals=_place(base, data["decimals"]) if "decimals" in data else (),
        available=_place(base, data["available"]) if "available" in data else (),
        text=data.get("text", False),
        enum={int(raw): value for raw, value in data.get("enum", {}).items()},
        missing=frozenset(data["missing"]) if "missing" in data else missing,
        least=data.get("least"),
        most=data.get("most"),
    )


_COLUMN_KEYS = {
    "id",
    "entry",
    "suffix",
    "scale",
    "decimals",
    "available",
    "text",
    "enum",
    "missing",
    "least",
    "most",
}


def _action(base: Oid, data: Mapping[str, Any]) -> Action:
    """Return a command."""
    _refuse_unknown(data, {"oid", "value", "suffix", "unsupported"}, "an action")
    return Action(
        root=_place(base, data["oid"]),
        value=data["value"],
        suffix=oid(str(data["suffix"])) if "suffix" in data else (),
        unsupported=data.get("unsupported"),
    )
