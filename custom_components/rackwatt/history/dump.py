"""Read and write dumps of blipserver's table. No Home Assistant in here.

What `COPY readings TO`, `psql` (csv), `pg_dump` and our own export write is understood,
plain or packed with gzip: lines of id, stamp and ms, or of stamp and ms.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
import gzip
from itertools import groupby
from pathlib import Path
import re
from typing import IO

from .block import HOUR_MS, Points
from .database import Database
from .packing import merge
from .places import STAMP_MASK

# So much at once: no step keeps others from running for more than some ms
CHUNK = 1 << 18
# Lines that mean nothing are told of up to this many
LINES_TOLD = 20
# Stamps are ms since 1970, later than 1973; nothing else in a line is that large
STAMP_MIN = 10**11

_COPY = re.compile(rb'COPY \S*?"?readings"? \(([^)]*)\) FROM stdin;')
_SEPARATORS = bytes.maketrans(b"\t;\n", b",,,")


@dataclass(slots=True)
class Imported:
    """What an import has done so far."""

    blips: int = 0
    new: int = 0
    unknown: int = 0
    """Blips whose interval makes no sense; the blips themselves count."""
    malformed: int = 0
    lines: list[int] = field(default_factory=list)
    first: int | None = None
    last: int | None = None


class Dump:
    """A dump that is read a step at a time into the blips of one meter."""

    def __init__(self, path: Path, source: int | None) -> None:
        """Open a dump; `source` is the meter's id in it, None for any."""
        self.done = Imported()
        self.size = path.stat().st_size
        self._source = source
        self._raw = path.open("rb")
        packed = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        self._file: IO[bytes] | gzip.GzipFile = (
            gzip.GzipFile(fileobj=self._raw) if packed else self._raw
        )
        self._line = 0
        # a dump of a whole database has more than our table
        self._inside = True
        self._columns: list[bytes] | None = None

    @property
    def progress(self) -> float:
        """Return how much of the file is read, from 0 to 1."""
        return self._raw.tell() / self.size if self.size else 1.0

    def close(self) -> None:
        """Close the dump."""
        self._file.close()
        self._raw.close()

    def step(self, database: Database, meter: int) -> bool:
        """Store the next blips; return whether there may be more.

        Raises:
            OSError, EOFError, zlib.error: the dump cannot be read.
        """
        chunk = self._file.read(CHUNK)
        if not chunk:
            return False
        chunk += self._file.readline()
        if not chunk.endswith(b"\n"):
            chunk += b"\n"
        rows = self._fast(chunk)
        if rows is None:
            rows = self._slow(chunk)
        self._line += chunk.count(b"\n")
        store(database, meter, rows, self.done)
        return True

    def _fast(self, chunk: bytes) -> list[tuple[int, int]] | None:
        """Return the blips of lines that are all sound, None where some are not."""
        if not self._inside or self._columns is not None:
            return None
        width = chunk[: chunk.index(b"\n")].translate(_SEPARATORS).count(b",") + 1
        try:
            values = list(map(int, chunk.translate(_SEPARATORS)[:-1].split(b",")))
        except ValueError:
            return None
        if width not in (2, 3) or len(values) != width * chunk.count(b"\n"):
            return None
        stamps, intervals = values[width - 2 :: width], values[width - 1 :: width]
        # as many fields as there should be, but are they where they should be?
        if not STAMP_MIN <= min(stamps) <= max(stamps) <= STAMP_MASK:
            return None
        if max(intervals) >= STAMP_MIN:
            return None
        pairs = zip(stamps, intervals, strict=True)
        if width == 2 or self._source is None:
            return list(pairs)
        ids = values[::3]
        return [
            pair
            for pair, number in zip(pairs, ids, strict=True)
            if number == self._source
        ]

    def _slow(self, chunk: bytes) -> list[tuple[int, int]]:
        """Return the blips of all sound lines, and take note of the others."""
        rows = []
        for number, line in enumerate(chunk.splitlines(), self._line + 1):
            text = line.strip()
            if self._is_outside(text):
                continue
            try:
                row = self._row(text)
            except ValueError:
                # a table's heading is no fault
                if number > 1:
                    self.done.malformed += 1
                    if len(self.done.lines) < LINES_TOLD:
                        self.done.lines.append(number)
                continue
            if row is not None:
                rows.append(row)
        return rows

    def _is_outside(self, text: bytes) -> bool:
        """Tell whether a line belongs to something else than the table."""
        if text.startswith((b"--", b"COPY ", b"SET ")) or text == rb"\.":
            copy = _COPY.match(text)
            self._inside = copy is not None
            self._columns = (
                None if copy is None else [name.strip() for name in copy[1].split(b",")]
            )
            return True
        return not self._inside or not text

    def _row(self, text: bytes) -> tuple[int, int] | None:
        """Return stamp and interval of a line; None where it is another meter's."""
        values = text.translate(_SEPARATORS).split(b",")
        if len(values) < 2:
            raise ValueError(text)
        columns = self._columns or [b"id", b"stamp", b"ms"][-len(values) :]
        fields = dict(zip(columns, values, strict=True))
        stamp = int(fields[b"stamp"])
        # our own export leaves an interval that is not known empty
        ms = int(fields.get(b"ms") or 0)
        if not STAMP_MIN <= stamp <= STAMP_MASK or ms >= STAMP_MIN:
            raise ValueError(text)
        if (
            self._source is not None
            and int(fields.get(b"id", self._source)) != self._source
        ):
            return None
        return stamp, ms


def store(
    database: Database, meter: int, rows: list[tuple[int, int]], done: Imported
) -> None:
    """Store blips that came from elsewhere; what is there already stays."""
    if not rows:
        return
    rows.sort()
    done.blips += len(rows)
    done.first = min(rows[0][0], done.first or rows[0][0])
    done.last = max(rows[-1][0], done.last or 0)
    hours: dict[int, Points] = {}
    for hour, group in groupby(rows, lambda row: row[0] // HOUR_MS):
        # of equal stamps the first is the one that the original kept
        unique: dict[int, int] = {}
        for stamp, ms in group:
            unique.setdefault(stamp, ms)
        intervals: list[int | None] = [*unique.values()]
        if min(unique.values()) <= 0:
            intervals = [ms if ms and ms > 0 else None for ms in intervals]
            done.unknown += intervals.count(None)
        hours[hour] = Points([*unique], intervals)
    with database.transaction() as db:
        done.new += merge(db, meter, hours, keep=True)


def export_lines(points: Points, number: int) -> Iterator[str]:
    """Yield the lines of an export, as CSV."""
    for stamp, ms in zip(points.stamps, points.intervals, strict=True):
        yield f"{number},{stamp},{'' if ms is None else ms}\n"
