"""Answers about blips, as blipserver gave them. No Home Assistant in here.

Each answer is made in the thread that reads the history, its text included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import hashlib
from typing import Any

import orjson

from ..history.block import HOUR_MS, Hours
from ..history.places import HOUR_MASK
from ..history.reader import Reader

POINT = ("stamp", "ms")
BUCKET = ("offset", "blips")
SUMS = ("stamp", "blips", "watts", "min_ms", "max_ms")
# … and the share of the time of which power is known, and the energy, in Wh
EXTENDED = (*SUMS, "covered", "wh")

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where a meter's blips are, and what a blip stands for.

    `watt_ms` is power in W times interval in ms, `wh` the energy of a blip in Wh.
    """

    meter: int
    watt_ms: float
    wh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of an answer, and where the next page begins if there is one."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    cursor: int | None = None
    single: bool = False
    """Whether the answer is the only row itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An answer as it is sent."""

    data: bytes
    etag: str
    cursor: int | None


def answer(
    reader: Reader, question: Callable[..., Table | None], csv: bool, *args: Any
) -> Body | None:
    """Return an answer as it is sent; None where there is nothing to tell."""
    if (table := question(reader, *args)) is None:
        return None
    if csv:
        lines = [
            ",".join("" if value is None else str(value) for value in row)
            for row in (table.columns, *table.rows)
        ]
        data = "\n".join([*lines, ""]).encode()
    else:
        data = orjson.dumps(table.rows[0] if table.single else table.rows)
    digest = hashlib.blake2b(data, digest_size=12).hexdigest()
    return Body(data=data, etag=f'W/"{digest}"', cursor=table.cursor)


def last(reader: Reader, scale: Scale) -> Table | None:
    """Return the latest blip."""
    if (found := reader.last(scale.meter)) is None:
        return None
    return Table(columns=POINT, rows=[found], single=True)


def points(reader: Reader, scale: Scale, first: int, to: int, limit: int) -> Table:
    """Return the oldest blips between two stamps."""
    # one more than asked for tells whether there is another page
    found = reader.points(scale.meter, first, to, limit + 1)
    more = found.stamps[limit:]
    rows = list(zip(found.stamps[:limit], found.intervals[:limit], strict=True))
    return Table(columns=POINT, rows=rows, cursor=more[0] if more else None)


def aggregate(
    reader: Reader, scale: Scale, first: int, interval: int, count: int
) -> Table:
    """Return the blips in each interval, by its offset; empty ones are left out."""
    rows = reader.buckets(scale.meter, first, interval, count)
    return Table(columns=BUCKET, rows=rows)


def hourly(
    reader: Reader, scale: Scale, first: int, to: int, limit: int, extended: bool
) -> Table:
    """Return the sums of the hours that begin between two stamps."""
    hours = reader.hours(
        scale.meter, -(-first // HOUR_MS), min(to // HOUR_MS, HOUR_MASK)
    )
    stamps = [hour * HOUR_MS for hour in hours.hours]
    more = stamps[limit:]
    rows: Sequence[Any] = list(
        zip(
            stamps[:limit],
            hours.events,
            watts(hours, scale),
            hours.min_ms,
            hours.max_ms,
            strict=False,
        )
    )
    if any(hours.unknown):
        rows = [row if row[2] is not None else (*row[:3], None, None) for row in rows]
    if extended:
        rows = [
            (*row, min(1.0, sum_ms / HOUR_MS), row[1] * scale.wh)
            for row, sum_ms in zip(rows, hours.sum_ms, strict=False)
        ]
    return Table(
        columns=EXTENDED if extended else SUMS,
        rows=rows,
        cursor=more[0] if more else None,
    )


def watts(hours: Hours, scale: Scale) -> list[float | None]:
    """Return the mean power of each hour over the time that its blips cover."""
    if not any(hours.unknown):
        known: Sequence[int] = hours.events
    else:
        known = [n - u for n, u in zip(hours.events, hours.unknown, strict=True)]
    watt_ms = scale.watt_ms
    return [
        watt_ms * number / sum_ms if sum_ms else None
        for number, sum_ms in zip(known, hours.sum_ms, strict=True)
    ]


def minutely(
    reader: Reader, scale: Scale, first: int, to: int, limit: int, extended: bool
) -> Table:
    """Return the sums of the minutes that begin between two stamps."""
    found = reader.minutes(scale.meter, first, to, limit + 1)
    rows: list[tuple[Any, ...]] = []
    for stamp, events, unknown, sum_ms, min_ms, max_ms in found[:limit]:
        mean = scale.watt_ms * (events - unknown) / sum_ms if sum_ms else None
        shortest, longest = (min_ms, max_ms) if sum_ms else (None, None)
        row: tuple[Any, ...] = (stamp, events, mean, shortest, longest)
        if extended:
            row += (min(1.0, sum_ms / MINUTE_MS), events * scale.wh)
        rows.append(row)
    return Table(
        columns=EXTENDED if extended else SUMS,
        rows=rows,
        cursor=found[limit][0] if len(found) > limit else None,
    )


def aggregate_hourly(
    reader: Reader, scale: Scale, first: int, interval: int, count: int
) -> Table:
    """Return the sum of the hours' mean power in each interval, by its offset."""
    end = first + interval * count
    hours = reader.hours(
        scale.meter, -(-first // HOUR_MS), min((end - 1) // HOUR_MS, HOUR_MASK)
    )
    buckets: dict[int, float] = {}
    for hour, mean in zip(hours.hours, watts(hours, scale), strict=True):
        if mean is not None:
            offset = (hour * HOUR_MS - first) // interval * interval
            buckets[offset] = buckets.get(offset, 0.0) + mean
    return Table(columns=("offset", "wh"), rows=list(buckets.items()))


def usage(reader: Reader, scale: Scale, first: int) -> Table:
    """Return how many blips came since a stamp."""
    latest = reader.last(scale.meter)
    count = 0
    if latest is not None and latest[0] >= first:
        ((_, count),) = reader.buckets(scale.meter, first, latest[0] + 1 - first, 1)
    return Table(columns=("blips",), rows=[(count,)], single=True)
