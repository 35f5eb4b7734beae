"""What can be asked of the stored blips. No Home Assistant in here."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, groupby, pairwise
from pathlib import Path
import sqlite3

from .block import (
    HOUR_MS,
    HOURS_PER_PACK,
    Hours,
    Points,
    sums,
    unpack_block,
    unpack_counts,
    unpack_hours,
    unpack_last,
    unpack_stamps,
)
from .packing import points_of
from .places import HOUR_MASK, STAMP_MASK, hour_place, hour_places, place, places

MINUTE_MS = 60_000

# stamp, blips, those of unknown interval, sum, shortest and longest of the others
type Row = tuple[int, int, int, int, int, int]


class Reader:
    """Answer questions about the blips of a meter."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Ask over a connection whose statements are transactions of their own."""
        self._db = db

    @classmethod
    def open(cls, path: Path) -> Reader:
        """Return a reader with a connection of its own to an existing file."""
        db = sqlite3.connect(path, autocommit=True, check_same_thread=False)
        db.execute("PRAGMA query_only=1")
        # read the schema now, not when the first question waits for it
        db.execute("SELECT 1 FROM meter LIMIT 1").fetchone()
        return cls(db)

    def close(self) -> None:
        """Close its connection."""
        self._db.close()

    def ask[*_Ts, _T](self, question: Callable[[Reader, *_Ts], _T], *args: *_Ts) -> _T:
        """Answer a question from one state of the file, whatever is written meanwhile."""
        self._db.execute("BEGIN")
        try:
            return question(self, *args)
        finally:
            self._db.execute("ROLLBACK")

    def last(self, meter: int) -> tuple[int, int | None] | None:
        """Return the latest blip."""
        found = None
        row = self._db.execute(
            "SELECT place, ms FROM blip WHERE place BETWEEN ? AND ?"
            " ORDER BY place DESC LIMIT 1",
            places(meter, 0, STAMP_MASK),
        ).fetchone()
        if row is not None:
            found = (row[0] & STAMP_MASK, row[1])
        hour = -1 if found is None else found[0] // HOUR_MS
        row = self._db.execute(
            "SELECT place, data FROM block WHERE place BETWEEN ? AND ?"
            " ORDER BY place DESC LIMIT 1",
            hour_places(meter, max(0, hour), HOUR_MASK),
        ).fetchone()
        if row is not None:
            packed = unpack_last(row[1], row[0] & HOUR_MASK)
            # an import may have packed part of the hour that is open
            if found is None or packed[0] > found[0]:
                found = packed
        return found

    def oldest(self, meter: int) -> int | None:
        """Return when the oldest blip came."""
        first = self.points(meter, 0, STAMP_MASK, 1).stamps
        return first[0] if first else None

    def points(self, meter: int, first: int, last: int, limit: int) -> Points:
        """Return the oldest blips from one stamp to another, both included."""
        tail = self._tail(meter, first, last, limit)
        found = Points()
        for where, data in self._db.execute(
            "SELECT place, data FROM block WHERE place BETWEEN ? AND ? ORDER BY place",
            hour_places(meter, first // HOUR_MS, last // HOUR_MS),
        ):
            found.extend(unpack_block(data, where & HOUR_MASK).between(first, last))
            enough = len(found.stamps) >= limit
            if enough and (not tail.stamps or found.stamps[-1] < tail.stamps[0]):
                break
        found = found.merged(tail)
        return Points(found.stamps[:limit], found.intervals[:limit])

    def _tail(self, meter: int, first: int, last: int, limit: int) -> Points:
        """Return blips that are not packed yet."""
        return points_of(
            self._db.execute(
                "SELECT place, ms FROM blip WHERE place BETWEEN ? AND ?"
                " ORDER BY place LIMIT ?",
                (*places(meter, first, last), limit),
            )
        )

    def _stamps(self, meter: int, hour: int) -> list[int]:
        """Return when the blips of an hour came."""
        tail = [
            where & STAMP_MASK
            for (where,) in self._db.execute(
                "SELECT place FROM blip WHERE place BETWEEN ? AND ? ORDER BY place",
                places(meter, hour * HOUR_MS, (hour + 1) * HOUR_MS - 1),
            )
        ]
        row = self._db.execute(
            "SELECT data FROM block WHERE place = ?", (hour_place(meter, hour),)
        ).fetchone()
        if row is None:
            return tail
        packed = unpack_stamps(row[0], hour)
        return sorted({*packed, *tail}) if tail else packed

    def hours(self, meter: int, first: int, last: int) -> Hours:
        """Return the sums of the hours from one to another, both included."""
        found = Hours()
        begin = first - first % HOURS_PER_PACK
        for where, counts, intervals in self._db.execute(
            "SELECT place, counts, intervals FROM pack WHERE place BETWEEN ? AND ?"
            " ORDER BY place",
            hour_places(meter, begin, last),
        ):
            found.extend(unpack_hours(counts, intervals, where & HOUR_MASK))
        found = found.between(first, last)
        for hour in self._open_hours(meter, first, last):
            start = hour * HOUR_MS
            points = self.points(meter, start, start + HOUR_MS - 1, HOUR_MS)
            found.put(hour, sums(points.intervals))
        return found

    def _open_hours(self, meter: int, first: int, last: int) -> list[int]:
        """Return the hours that are not packed yet: the latest one, as a rule."""
        begin, end = places(meter, first * HOUR_MS, (last + 1) * HOUR_MS - 1)
        found = []
        while row := self._db.execute(
            "SELECT place FROM blip WHERE place BETWEEN ? AND ? ORDER BY place LIMIT 1",
            (begin, end),
        ).fetchone():
            found.append((row[0] & STAMP_MASK) // HOUR_MS)
            begin = place(meter, (found[-1] + 1) * HOUR_MS)
        return found

    def _counts(self, meter: int, first: int, last: int) -> tuple[list[int], list[int]]:
        """Return which hours from one to another have how many blips."""
        hours: list[int] = []
        events: list[int] = []
        for where, counts in self._db.execute(
            "SELECT place, counts FROM pack WHERE place BETWEEN ? AND ? ORDER BY place",
            hour_places(meter, first - first % HOURS_PER_PACK, last),
        ):
            more = unpack_counts(counts, where & HOUR_MASK)
            hours += more[0]
            events += more[1]
        start, stop = bisect_left(hours, first), bisect_right(hours, last)
        hours, events = hours[start:stop], events[start:stop]
        for hour in self._open_hours(meter, first, last):
            index = bisect_left(hours, hour)
            # part of an open hour may be packed already, by an import
            packed = hours[index : index + 1] == [hour]
            hours[index : index + packed] = [hour]
            events[index : index + packed] = [len(self._stamps(meter, hour))]
        return hours, events

    def buckets(
        self, meter: int, first: int, interval: int, count: int
    ) -> list[tuple[int, int]]:
        """Return offset and blips of each interval from a stamp on that has any.

        A bound on the hour is answered from the sums; any other needs the block of its
        hour, and that once.
        """
        end = first + interval * count
        hours, events = self._counts(meter, first // HOUR_MS, end // HOUR_MS)
        if interval == HOUR_MS and first % HOUR_MS == 0:
            offsets = [hour * HOUR_MS - first for hour in hours]
            inside = bisect_left(offsets, end - first)
            return list(zip(offsets[:inside], events[:inside], strict=True))
        before = [0, *accumulate(events)]
        running = []
        bounds = range(first, end + 1, interval)
        for hour, group in groupby(bounds, lambda bound: bound // HOUR_MS):
            index = bisect_left(hours, hour)
            base, stamps = before[index], None
            for bound in group:
                if bound % HOUR_MS and hours[index : index + 1] == [hour]:
                    if stamps is None:
                        stamps = self._stamps(meter, hour)
                    running.append(base + bisect_left(stamps, bound))
                else:
                    running.append(base)
        return [
            (offset, later - earlier)
            for offset, (earlier, later) in zip(
                range(0, end - first, interval), pairwise(running), strict=True
            )
            if later > earlier
        ]

    def minutes(self, meter: int, first: int, last: int, limit: int) -> list[Row]:
        """Return the sums of the oldest minutes that begin between two stamps."""
        first += -first % MINUTE_MS
        last += MINUTE_MS - 1 - last % MINUTE_MS
        found: list[Row] = []
        for points in self._hour_by_hour(meter, first, last):
            pairs = zip(points.stamps, points.intervals, strict=True)
            for minute, group in groupby(pairs, lambda pair: pair[0] // MINUTE_MS):
                row = sums([interval for _, interval in group])
                found.append((minute * MINUTE_MS, *row))
            if len(found) >= limit:
                break
        return found[:limit]

    def _hour_by_hour(self, meter: int, first: int, last: int) -> Iterator[Points]:
        """Yield the blips between two stamps, an hour at a time."""
        hours, _ = self._counts(meter, first // HOUR_MS, last // HOUR_MS)
        for hour in hours:
            start = hour * HOUR_MS
            yield self.points(
                meter,
                max(first, start),
                min(last, start + HOUR_MS - 1),
                HOUR_MS,
            )
