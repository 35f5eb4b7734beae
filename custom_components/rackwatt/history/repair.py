"""Check the history file, and save what can be saved of a damaged one."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
import sqlite3
from typing import Any

from .block import DamagedBlockError, unpack_block
from .database import (
    APPLICATION_ID,
    Database,
    HistoryForeignError,
    sqlite_header_is_sound,
)
from .packing import put_blocks
from .places import HOUR_BITS, HOUR_MASK

# A file of this size is read through in a second; a larger one only after a crash
CHECKED_ALWAYS = 64 * 2**20
SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedAside:
    """What became of a file that could not be used."""

    error: str
    path: Path
    counters: int
    hours: int


def open_history(path: Path) -> tuple[Database, MovedAside | None]:
    """Open the history; move a file that cannot be used aside and begin a new one.

    Raises:
        HistoryTooNewError: a newer version wrote it; nothing was touched.
        sqlite3.Error, OSError: it cannot be opened (permissions, disk).
    """
    try:
        check(path)
        return Database(path), None
    except HistoryForeignError as err:
        aside = move_aside(path)
        fresh = Database(path)
        counters, hours = salvage(aside, fresh)
        return fresh, MovedAside(
            error=str(err), path=aside, counters=counters, hours=hours
        )


def check(path: Path) -> None:
    """Read a file through where it may be damaged.

    Raises:
        HistoryForeignError: it is damaged.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return
    crashed = path.with_name(path.name + "-wal").exists()
    if not crashed and path.stat().st_size > CHECKED_ALWAYS:
        return
    if not sqlite_header_is_sound(path):
        raise HistoryForeignError("it is no database")
    db = sqlite3.connect(path, autocommit=True)
    try:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as err:
        raise HistoryForeignError(str(err)) from err
    finally:
        db.close()
    if found != "ok":
        raise HistoryForeignError(str(found))


def move_aside(path: Path) -> Path:
    """Rename a file and what belongs to it; return its new name."""
    now = datetime.now().astimezone()
    aside = path.with_name(f"{path.stem}-damaged-{now:%Y%m%d-%H%M%S-%f}{path.suffix}")
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(
                aside.with_name(aside.name + suffix)
            )
    return aside


def salvage(damaged: Path, fresh: Database) -> tuple[int, int]:
    """Copy what can still be read; return how many counters and hours that is."""
    db = sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro", uri=True)
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        if application != APPLICATION_ID:
            return 0, 0
        with fresh.transaction() as new:
            new.executemany(
                "INSERT OR IGNORE INTO meter (id, key) VALUES (?, ?)",
                _rows(db, "SELECT id, key FROM meter"),
            )
            counters = new.executemany(
                "INSERT OR REPLACE INTO counter VALUES (?, ?, ?, ?, ?, ?, ?)",
                _rows(db, "SELECT * FROM counter"),
            ).rowcount
            new.executemany(
                "INSERT OR REPLACE INTO blip VALUES (?, ?)",
                _rows(db, "SELECT place, ms FROM blip"),
            )
            return max(0, counters), _salvage_blocks(db, new)
    except sqlite3.DatabaseError:
        return 0, 0
    finally:
        db.close()


def _salvage_blocks(db: sqlite3.Connection, new: sqlite3.Connection) -> int:
    """Copy the blocks that can be read; their sums are made anew."""
    seen: set[int] = set()
    # from either end: what is damaged stops the one, not the other
    for order in ("ASC", "DESC"):
        query = f"SELECT place, data FROM block ORDER BY place {order}"  # noqa: S608
        for place, data in _rows(db, query):
            if place in seen:
                break
            hour = place & HOUR_MASK
            with suppress(DamagedBlockError, TypeError):
                put_blocks(new, place >> HOUR_BITS, {hour: unpack_block(data, hour)})
                seen.add(place)
    return len(seen)


def _rows(db: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield rows up to the first that cannot be read."""
    with suppress(sqlite3.DatabaseError):
        yield from db.execute(query)
