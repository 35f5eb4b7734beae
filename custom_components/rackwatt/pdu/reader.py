"""Read a PDU: once in full by its profile, then again and again only what changes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import math

from .client import Cells, SnmpClient
from .message import SYS_UPTIME, Oid, Value
from .models import Command, Key, Outlet, Pdu, Reading, Role, Rows, pdu_from_rows
from .profile import SLOW, Action, Column, Fallback, Profile, Table

MOST_ROWS = 256
"""More rows than any PDU has parts of a kind: an agent that goes on for ever is cut off."""
COLUMNS_AT_ONCE = 20


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One object that is read at every poll."""

    role: Role
    key: Key
    column: Column
    source: Oid
    digits: int = 0


@dataclass(kw_only=True)
class Structure:
    """What a PDU was found to be made of."""

    slow: Rows
    cells: tuple[Cell, ...]
    estimated: frozenset[Key]
    sizes: dict[Oid, int]
    commands: dict[tuple[Role, Key, str], Command]
    first: Pdu

    def steps(self) -> dict[tuple[Role, Key], float]:
        """Return how fine each energy counter counts, in Wh."""
        return {
            (cell.role, cell.key): cell.column.scale / 10**cell.digits
            for cell in self.cells
            if cell.column.key == "energy"
        }


@dataclass(frozen=True, kw_only=True)
class Poll:
    """One reading."""

    pdu: Pdu
    stands: bool
    """Whether the PDU still has the parts that were surveyed."""
    uptime: int | None
    """Hundredths of a second since the agent started."""


class _Survey:
    """Collect rows from tables, the better ones first."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.rows: Rows = defaultdict(dict)
        self.cells: list[Cell] = []
        self.estimated: set[Key] = set()
        self.commands: dict[tuple[Role, Key, str], tuple[Action, Oid]] = {}
        self.implausible = 0

    def wants(self, table: Table, key: Key, column: Column) -> bool:
        """Return if no better table told this."""
        known = self.rows[table.role].get(key)
        if table.fallback is Fallback.VALUES and known is None:
            return False
        return known is None or column.key not in known


async def identify(client: SnmpClient, profiles: Iterable[Profile]) -> Profile | None:
    """Return the first profile whose probes the agent answers.

    The probes of all families go out in one message; sysObjectID is not asked, as some
    firmware tells only the maker there, and some nothing.
    """
    ordered = list(profiles)
    probes = [root for profile in ordered for root in profile.probes]
    before = [root[:-1] if root[-1] == 0 else root for root in probes]
    found = await client.bulk(before, [])
    for profile in ordered:
        for root in profile.probes:
            if any(name[: len(root)] == root for name in found):
                return profile
    return None


async def survey(client: SnmpClient, profile: Profile) -> Structure:
    """Read all tables of a profile and return what the PDU is made of."""
    present = await _present(client, profile.tables)
    state = _Survey()
    for table in profile.tables:
        if table in present and not _superfluous(table, state):
            await _survey_table(client, table, state)
    sizes = await client.get(table.size for table in profile.tables if table.size)
    return Structure(
        slow=_slow_part(state.rows),
        cells=tuple(state.cells),
        estimated=frozenset(state.estimated),
        sizes={name: value for name, value in sizes.items() if isinstance(value, int)},
        commands=await _supported(client, state.commands),
        first=pdu_from_rows(_marked(state.rows, state.estimated), state.implausible),
    )


async def poll(client: SnmpClient, structure: Structure) -> Poll:
    """Return the PDU as it is now."""
    wanted = [cell.source for cell in structure.cells]
    asked = [SYS_UPTIME, *structure.sizes, *wanted]
    values = await _read_cells(client, asked)
    if missing := [name for name in asked if name not in values]:
        values |= await client.get(missing)  # an answer may have been cut or damaged
    rows: Rows = defaultdict(dict)
    for role, held in structure.slow.items():
        rows[role] = {key: dict(readings) for key, readings in held.items()}
    implausible = 0
    for cell in structure.cells:
        reading, strange = _reading(cell.column, values.get(cell.source), cell.digits)
        implausible += strange
        if reading is not None:
            rows[cell.role].setdefault(cell.key, {})[cell.column.key] = reading
    stands = all(values.get(name) == size for name, size in structure.sizes.items())
    uptime = values.get(SYS_UPTIME)
    return Poll(
        pdu=pdu_from_rows(_marked(rows, structure.estimated), implausible),
        stands=stands and all(source in values for source in wanted),
        uptime=uptime if isinstance(uptime, int) else None,
    )


async def read_outlet(client: SnmpClient, structure: Structure, key: Key) -> Outlet:
    """Return what one outlet does now."""
    cells = [
        cell
        for cell in structure.cells
        if cell.role is Role.OUTLET
        and cell.key == key
        and cell.column.key in ("on", "pending")
    ]
    values = await client.get(cell.source for cell in cells)
    readings: dict[str, Reading] = {}
    for cell in cells:
        reading, _ = _reading(cell.column, values.get(cell.source), cell.digits)
        if reading is not None:
            readings[cell.column.key] = reading
    return Outlet.from_readings(key, readings)


async def _present(client: SnmpClient, tables: Sequence[Table]) -> set[Table]:
    """Return the tables that have an object, found with one question for each."""
    roots = [table.rows or table.entry for table in tables]
    found = await client.bulk(list(dict.fromkeys(roots)), [])
    return {
        table
        for table, root in zip(tables, roots, strict=True)
        if any(_below(name, root) for name in found)
    }


def _superfluous(table: Table, state: _Survey) -> bool:
    """Return if better tables told everything that this one may tell."""
    known = state.rows[table.role]
    if table.fallback is Fallback.ROWS:
        return bool(known)
    if table.fallback is Fallback.VALUES:
        return not any(
            column.key not in readings
            for column in table.columns
            for readings in known.values()
        )
    return False


async def _survey_table(client: SnmpClient, table: Table, state: _Survey) -> None:
    """Read a table and add what it tells."""
    cells, indices = await _read_table(client, table)
    for index in sorted(indices):
        key = _key(table, index, cells)
        if key is None:
            continue
        for column in table.columns:
            _add_cell(table, column, index, key, cells, state)
        if key in state.rows[table.role]:
            for name, action in table.actions.items():
                state.commands.setdefault((table.role, key, name), (action, index))


def _add_cell(
    table: Table, column: Column, index: Oid, key: Key, cells: Cells, state: _Survey
) -> None:
    """Add one value, if it is one and nothing better told it."""
    if not state.wants(table, key, column):
        return
    source = column.cell(() if table.scalar else index)
    decimals, available = column.decimals_cell(index), column.available_cell(index)
    if available and cells.get(available, 1) != 1:
        return
    digits = cells.get(decimals, 0) if decimals else 0
    digits = digits if isinstance(digits, int) else 0
    reading, strange = _reading(column, cells.get(source), digits)
    state.implausible += strange
    if reading is None and not strange:
        return
    readings = state.rows[table.role].setdefault(key, {})
    if reading is not None:
        readings[column.key] = reading
    if table.estimate and column.key == "power":
        state.estimated.add(key)
    if column.key not in SLOW:
        state.cells.append(
            Cell(role=table.role, key=key, column=column, source=source, digits=digits)
        )


async def _read_table(client: SnmpClient, table: Table) -> tuple[Cells, set[Oid]]:
    """Return the cells of a table and the indices of its rows."""
    if table.scalar:
        return await client.get(
            column.root + column.suffix for column in table.columns
        ), {(1,)}
    if table.rows:
        return await _read_named_rows(client, table)
    roots = list(dict.fromkeys([*table.guides, *(item.root for item in table.columns)]))
    cells: Cells = {}
    for start in range(0, len(roots), COLUMNS_AT_ONCE):
        cells |= await client.bulk([], roots[start : start + COLUMNS_AT_ONCE])
    indices = {
        name[len(root) :] for root in roots for name in cells if _below(name, root)
    }
    return cells, set(sorted(indices)[:MOST_ROWS])


async def _read_named_rows(client: SnmpClient, table: Table) -> tuple[Cells, set[Oid]]:
    """Return the cells of a table too long to be walked: its rows are told elsewhere."""
    named = await client.bulk([], [table.rows])
    indices = {name[len(table.rows) :] for name in named}
    indices = set(sorted(indices)[:MOST_ROWS])
    wanted = [root + index for root in table.guides for index in indices]
    for column in table.columns:
        for index in sorted(indices):
            extra = (column.decimals_cell(index), column.available_cell(index))
            wanted += [column.cell(index), *(item for item in extra if item)]
    return named | await client.get(dict.fromkeys(wanted)), indices


def _key(table: Table, index: Oid, cells: Cells) -> Key | None:
    """Return which part a row is, None for padding and for what is not connected."""
    for root, values in table.skip:
        if cells.get(root + index) in values:
            return None
    for root, values in table.only:
        if cells.get(root + index) not in values:
            return None
    number = _whole(cells.get(table.number + index)) if table.number else index[-1]
    module = _whole(cells.get(table.module + index)) if table.module else None
    if number is None:  # neither this kind of part nor another that we know
        return None
    if module is None:
        module = index[table.module_part] if table.module_part is not None else 1
    if table.role is Role.MODULE:
        module = number
    return None if number <= 0 or module <= 0 else (module, number)


def _reading(column: Column, value: Value, digits: int) -> tuple[Reading | None, bool]:
    """Return what a value means, and if it is none that the column can hold."""
    if value is None:
        return None, False
    if column.text:
        return _text(value) or None, False
    whole = _whole(value)
    if whole is None:
        return None, True
    if whole in column.missing:
        return None, False
    if column.enum:
        return column.enum.get(whole), False
    scaled = whole * column.scale
    if digits:
        scaled /= 10**digits
    elif column.scale < 1:  # 49 * 0.1 is 4.9, not 4.9000000000000004
        scaled = round(scaled, -math.floor(math.log10(column.scale)))
    if column.least is not None and scaled < column.least:
        return None, True
    if column.most is not None and scaled > column.most:
        return None, True
    return scaled, False


_NOTHING = frozenset({"", "notsupported", "unknown", "n/a", "not supported"})


def _text(value: Value) -> str:
    """Return readable text; agents pad it with blanks and zeros."""
    if not isinstance(value, bytes):
        return ""
    text = value.decode("utf-8", "replace").strip(" \0\r\n\t")
    return "" if text.lower() in _NOTHING else text


def _whole(value: Value) -> int | None:
    """Return an integer; some agents send numbers as text."""
    if isinstance(value, int):
        return value
    if isinstance(value, bytes):
        try:
            return int(value.strip(b" \0"))
        except ValueError:
            return None
    return None


def _below(name: Oid, root: Oid) -> bool:
    """Return if an object is in a column."""
    return name[: len(root)] == root


def _slow_part(rows: Rows) -> Rows:
    """Return what is not read again before the next survey."""
    slow: Rows = defaultdict(dict)
    for role, held in rows.items():
        for key, readings in held.items():
            slow[role][key] = {
                name: value for name, value in readings.items() if name in SLOW
            }
    return slow


def _marked(rows: Rows, estimated: Iterable[Key]) -> Rows:
    """Mark the modules whose power the PDU only estimates."""
    for key in estimated:
        if key in rows[Role.MODULE]:
            rows[Role.MODULE][key]["power_is_estimate"] = True
    return rows


async def _supported(
    client: SnmpClient, actions: dict[tuple[Role, Key, str], tuple[Action, Oid]]
) -> dict[tuple[Role, Key, str], Command]:
    """Return the commands that the PDU has: their objects can be read."""
    targets = {
        name: Command(target=action.root + index + action.suffix, value=action.value)
        for name, (action, index) in actions.items()
    }
    readable = await client.get(
        dict.fromkeys(command.target for command in targets.values())
    )
    return {
        name: command
        for name, command in targets.items()
        if command.target in readable
        and readable[command.target] != actions[name][0].unsupported
    }


async def _read_cells(client: SnmpClient, wanted: Sequence[Oid]) -> Cells:
    """Return the values of known objects with the fewest messages.

    A GETBULK carries one name a column instead of one a cell, which halves the work of
    both sides: consecutive rows of columns of equal length go together, single cells
    before them.
    """
    if not client.can_bulk:
        return await client.get(wanted)
    runs, singles = _runs(wanted)
    cells: Cells = {}
    waiting = [_before(name) for name in singles]
    for (length, after), roots in sorted(runs.items()):
        cells |= await client.bulk(waiting, roots, length, after)
        waiting = []
    if waiting:
        cells |= await client.bulk(waiting, [])
    asked = set(wanted)
    return {name: value for name, value in cells.items() if name in asked}


def _runs(
    wanted: Sequence[Oid],
) -> tuple[dict[tuple[int, Oid], list[Oid]], list[Oid]]:
    """Return runs of rows by their length and start, and the cells between."""
    runs: dict[tuple[int, Oid], list[Oid]] = defaultdict(list)
    singles: list[Oid] = []
    ordered = sorted(wanted)
    start = 0
    for at in range(1, len(ordered) + 1):
        if at < len(ordered) and ordered[at] == _after(ordered[at - 1]):
            continue
        run = ordered[start:at]
        if len(run) < SHORTEST_RUN:
            singles += run
        else:
            first = run[0]
            runs[len(run), (first[-1] - 1,) if first[-1] else ()].append(first[:-1])
        start = at
    return runs, singles


SHORTEST_RUN = 4


def _after(name: Oid) -> Oid:
    """Return the next row's object."""
    return (*name[:-1], name[-1] + 1)


def _before(name: Oid) -> Oid:
    """Return an object after which this one comes."""
    return (*name[:-1], name[-1] - 1) if name[-1] else name[:-1]
