"""Blips and hours, packed: about three bytes a blip, and nothing is lost.

A block holds the blips of one meter and hour: a header, the intervals that are not what
the distance between two stamps lets expect, the distances, and by how much each interval
differs from its distance (the clocks of meter and host hardly disagree, so a byte will
do). A pack holds the sums of up to `HOURS_PER_PACK` such hours, column by column.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import add, sub
import struct
import sys

HOUR_MS = 3_600_000
HOURS_PER_PACK = 1024

# width of a distance in bytes, number of exceptions, first stamp within the hour
_HEADER = struct.Struct("<BII")
_EXCEPTION = struct.Struct("<Iq")
# This difference stands for "see the exceptions" …
_EXCEPTIONAL = -128
# … and this interval for "not known"
_UNKNOWN = -(2**63)
_CODES = {2: "H", 4: "I"}


class DamagedBlockError(ValueError):
    """The bytes are no block, or no pack."""


@dataclass(slots=True)
class Points:
    """Blips of one meter in ascending order: when, and ms since the one before."""

    stamps: list[int] = field(default_factory=list)
    intervals: list[int | None] = field(default_factory=list)

    def extend(self, other: Points) -> None:
        """Append later blips."""
        self.stamps += other.stamps
        self.intervals += other.intervals

    def between(self, first: int, last: int) -> Points:
        """Return the blips from one stamp to another, both included."""
        start, stop = bisect_left(self.stamps, first), bisect_right(self.stamps, last)
        if start == 0 and stop == len(self.stamps):
            return self
        return Points(self.stamps[start:stop], self.intervals[start:stop])

    def merged(self, other: Points) -> Points:
        """Return the blips of both; the other's win where both have a stamp."""
        if not other.stamps or not self.stamps or self.stamps[-1] < other.stamps[0]:
            return Points(self.stamps + other.stamps, self.intervals + other.intervals)
        known = dict(zip(self.stamps, self.intervals, strict=True))
        known.update(zip(other.stamps, other.intervals, strict=True))
        stamps = sorted(known)
        return Points(stamps, [known[stamp] for stamp in stamps])


def pack_block(points: Points, hour: int) -> bytes:
    """Pack the blips of an hour (hours since 1970)."""
    stamps, intervals = points.stamps, points.intervals
    distances = [later - earlier for earlier, later in pairwise(stamps)]
    width = 2 if max(distances, default=0) < 2**16 else 4
    differences: list[int]
    try:
        differences = [_EXCEPTIONAL, *map(sub, intervals[1:], distances, strict=True)]
    except TypeError:
        differences = [_EXCEPTIONAL] + [
            _EXCEPTIONAL if interval is None else interval - distance
            for interval, distance in zip(intervals[1:], distances, strict=True)
        ]
    exceptions = [0]
    if len(differences) > 1 and not (
        min(differences[1:]) > _EXCEPTIONAL and max(differences[1:]) <= 127
    ):
        exceptions += [
            index
            for index, difference in enumerate(differences)
            if index and not _EXCEPTIONAL < difference <= 127
        ]
        for index in exceptions:
            differences[index] = _EXCEPTIONAL
    parts = [_HEADER.pack(width, len(exceptions), stamps[0] - hour * HOUR_MS)]
    for index in exceptions:
        interval = intervals[index]
        parts.append(_EXCEPTION.pack(index, _UNKNOWN if interval is None else interval))
    parts.append(_little_endian(array(_CODES[width], distances)))
    parts.append(array("b", differences).tobytes())
    return b"".join(parts)


def unpack_block(data: bytes, hour: int) -> Points:
    """Return the blips of an hour."""
    first, distances, differences, exceptions = _split(data)
    stamps = list(accumulate(distances, initial=hour * HOUR_MS + first))
    intervals: list[int | None] = [
        0,
        *map(add, distances, differences[1:], strict=True),
    ]
    for index, interval in exceptions:
        intervals[index] = None if interval == _UNKNOWN else interval
    return Points(stamps, intervals)


def unpack_stamps(data: bytes, hour: int) -> list[int]:
    """Return only when the blips of an hour came."""
    first, distances, _, _ = _split(data)
    return list(accumulate(distances, initial=hour * HOUR_MS + first))


def unpack_last(data: bytes, hour: int) -> tuple[int, int | None]:
    """Return only the last blip of an hour."""
    first, distances, differences, exceptions = _split(data)
    stamp = hour * HOUR_MS + first + sum(distances)
    for index, interval in exceptions:
        if index == len(distances):
            return stamp, None if interval == _UNKNOWN else interval
    return stamp, distances[-1] + differences[-1]


def _split(
    data: bytes,
) -> tuple[int, array[int], array[int], list[tuple[int, int]]]:
    """Return first stamp, distances, differences and exceptions of a block."""
    try:
        width, count, first = _HEADER.unpack_from(data)
        start = _HEADER.size + count * _EXCEPTION.size
        exceptions = list(_EXCEPTION.iter_unpack(data[_HEADER.size : start]))
        number, rest = divmod(len(data) - start + width, width + 1)
        code = _CODES[width]
    except (struct.error, KeyError, ZeroDivisionError) as err:
        raise DamagedBlockError(str(err)) from err
    if number < 1 or rest or any(index >= number for index, _ in exceptions):
        raise DamagedBlockError(f"{len(data)} bytes for {number} blips")
    end = start + (number - 1) * width
    differences = array("b", data[end:])
    return first, _from_little_endian(code, data[start:end]), differences, exceptions


@dataclass(slots=True)
class Hours:
    """The sums of hours that have blips, one list a column, in ascending order.

    `unknown` counts the blips whose interval is not known; sum, shortest and longest
    are of the others, in ms.
    """

    hours: list[int] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    sum_ms: list[int] = field(default_factory=list)
    min_ms: list[int] = field(default_factory=list)
    max_ms: list[int] = field(default_factory=list)

    @property
    def columns(self) -> tuple[list[int], ...]:
        """Return all columns."""
        return (
            self.hours,
            self.events,
            self.unknown,
            self.sum_ms,
            self.min_ms,
            self.max_ms,
        )

    def extend(self, other: Hours) -> None:
        """Append later hours."""
        for ours, theirs in zip(self.columns, other.columns, strict=True):
            ours += theirs

    def between(self, first: int, last: int) -> Hours:
        """Return the hours from one to another, both included."""
        start, stop = bisect_left(self.hours, first), bisect_right(self.hours, last)
        return Hours(*(column[start:stop] for column in self.columns))

    def put(self, hour: int, row: tuple[int, ...] | None) -> None:
        """Set the sums of an hour; None takes it out."""
        place = bisect_left(self.hours, hour)
        found = place < len(self.hours) and self.hours[place] == hour
        replaced = slice(place, place + found)
        values = [()] * 6 if row is None else [(hour,), *((value,) for value in row)]
        for column, value in zip(self.columns, values, strict=True):
            column[replaced] = value


def sums(intervals: Sequence[int | None]) -> tuple[int, int, int, int, int]:
    """Return blips, those of unknown interval, and sum, least and most of the others."""
    known = [interval for interval in intervals if interval is not None]
    return (
        len(intervals),
        len(intervals) - len(known),
        sum(known),
        min(known, default=0),
        max(known, default=0),
    )


def pack_hours(hours: Hours, first: int) -> tuple[bytes, bytes]:
    """Pack hours; `first` is the hour where their pack begins.

    What counts blips is apart from what tells of intervals: most questions need the
    former only, and a disk is slow.
    """
    columns = [[hour - first for hour in hours.hours], *hours.columns[1:]]
    packed = [_pack_column(column) for column in columns]
    number = struct.pack("<H", len(hours.hours))
    return b"".join([number, *packed[:2]]), b"".join([number, *packed[2:]])


def _pack_column(column: list[int]) -> bytes:
    """Pack a column by the smallest width that takes it."""
    code = next(
        code
        for code in "BHIQ"
        if max(column, default=0) < 1 << 8 * array(code).itemsize
    )
    return code.encode() + _little_endian(array(code, column))


def unpack_hours(counts: bytes, intervals: bytes, first: int) -> Hours:
    """Return the hours of a pack that begins at some hour."""
    return Hours(*unpack_counts(counts, first), *_unpack_columns(intervals, 4))


def unpack_counts(data: bytes, first: int) -> tuple[list[int], list[int]]:
    """Return only which hours have how many blips."""
    hours, events = _unpack_columns(data, 2)
    return [first + offset for offset in hours], events


def _unpack_columns(data: bytes, number: int) -> list[list[int]]:
    """Return the columns of a part of a pack."""
    try:
        (rows,) = struct.unpack_from("<H", data)
        place, columns = 2, []
        for _ in range(number):
            code = chr(data[place])
            end = place + 1 + rows * array(code).itemsize
            column = _from_little_endian(code, data[place + 1 : end])
            if len(column) != rows:
                raise DamagedBlockError("a column is too short")
            columns.append(column.tolist())
            place = end
    except (struct.error, IndexError, ValueError) as err:
        raise DamagedBlockError(str(err)) from err
    return columns


def _little_endian(values: array[int]) -> bytes:
    """Return the bytes of an array as every machine reads them."""
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _from_little_endian(code: str, data: bytes) -> array[int]:
    """Return the array of such bytes."""
    values = array(code, data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
