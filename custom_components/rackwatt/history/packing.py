"""Pack the hours that are over into blocks. Each call belongs into a transaction."""

from collections.abc import Mapping
from itertools import groupby
import sqlite3

from .block import (
    HOUR_MS,
    HOURS_PER_PACK,
    Hours,
    Points,
    pack_block,
    pack_hours,
    sums,
    unpack_block,
    unpack_hours,
)
from .places import HOUR_MASK, STAMP_MASK, hour_place, places


def close_hours(db: sqlite3.Connection, meter: int) -> int | None:
    """Pack the hours of a meter that are over; return the one that is open.

    An hour is over as soon as a blip of a later one is there.
    """
    first, last = places(meter, 0, STAMP_MASK)
    (newest,) = db.execute(
        "SELECT max(place) FROM blip WHERE place BETWEEN ? AND ?", (first, last)
    ).fetchone()
    if newest is None:
        return None
    open_hour = (newest & STAMP_MASK) // HOUR_MS
    over = (first, first + open_hour * HOUR_MS - 1)
    rows = db.execute(
        "SELECT place, ms FROM blip WHERE place BETWEEN ? AND ? ORDER BY place", over
    ).fetchall()
    if rows:
        by_hour = groupby(rows, lambda row: (row[0] & STAMP_MASK) // HOUR_MS)
        merge(db, meter, {hour: points_of(group) for hour, group in by_hour})
        db.execute("DELETE FROM blip WHERE place BETWEEN ? AND ?", over)
    return int(open_hour)


def points_of(rows: object) -> Points:
    """Return blips from rows of place and interval."""
    points = Points()
    for where, interval in rows:  # type: ignore[attr-defined]
        points.stamps.append(where & STAMP_MASK)
        points.intervals.append(interval)
    return points


def merge(
    db: sqlite3.Connection, meter: int, hours: Mapping[int, Points], keep: bool = False
) -> int:
    """Put blips into blocks by hour and return how many of them are new.

    Where a block has a blip of the same stamp the new one wins, unless the old one is
    to be kept.
    """
    changed: dict[int, Points] = {}
    new = 0
    for hour, points in hours.items():
        row = db.execute(
            "SELECT data FROM block WHERE place = ?", (hour_place(meter, hour),)
        ).fetchone()
        if row is None:
            changed[hour] = points
            new += len(points.stamps)
            continue
        old = unpack_block(row[0], hour)
        merged = points.merged(old) if keep else old.merged(points)
        if merged != old:
            changed[hour] = merged
            new += len(merged.stamps) - len(old.stamps)
    put_blocks(db, meter, changed)
    return new


def put_blocks(db: sqlite3.Connection, meter: int, hours: Mapping[int, Points]) -> None:
    """Write the blocks of hours, and their sums."""
    db.executemany(
        "INSERT OR REPLACE INTO block (place, data) VALUES (?, ?)",
        (
            (hour_place(meter, hour), pack_block(points, hour))
            for hour, points in hours.items()
        ),
    )
    put_sums(
        db, meter, {hour: sums(points.intervals) for hour, points in hours.items()}
    )


def put_sums(
    db: sqlite3.Connection,
    meter: int,
    rows: Mapping[int, tuple[int, ...] | None],
) -> None:
    """Write the sums of hours into their packs; None takes an hour out."""
    for number, group in groupby(sorted(rows), lambda hour: hour // HOURS_PER_PACK):
        first = number * HOURS_PER_PACK
        where = hour_place(meter, first)
        row = db.execute(
            "SELECT counts, intervals FROM pack WHERE place = ?", (where,)
        ).fetchone()
        pack = Hours() if row is None else unpack_hours(row[0], row[1], first)
        for hour in group:
            pack.put(hour, rows[hour])
        if pack.hours:
            db.execute(
                "INSERT OR REPLACE INTO pack (place, counts, intervals)"
                " VALUES (?, ?, ?)",
                (where, *pack_hours(pack, first)),
            )
        else:
            db.execute("DELETE FROM pack WHERE place = ?", (where,))


def drop_before(db: sqlite3.Connection, meter: int, hour: int) -> int:
    """Forget the blocks of a meter before an hour; return how many there were."""
    first, last = hour_place(meter, 0), hour_place(meter, hour) - 1
    gone = [
        where & HOUR_MASK
        for (where,) in db.execute(
            "SELECT place FROM block WHERE place BETWEEN ? AND ?", (first, last)
        )
    ]
    db.execute("DELETE FROM block WHERE place BETWEEN ? AND ?", (first, last))
    put_sums(db, meter, dict.fromkeys(gone))
    return len(gone)
