"""Every sample that a server ever reported, for some days, in a file of its own.

The open hour is kept as rows, each older hour as one compressed block per layout:
35 bytes a sample of twenty metrics. What the acknowledgement promises is in the same
transaction as what it acknowledges, and so is the energy that was counted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path
import sqlite3
import zlib

from ..server.report import gaps

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SETTLE_MS = 5 * 60_000  # an hour is closed when its last samples had time to arrive
MARK_DAYS = 30  # an agent keeps what is not acknowledged for seven
VERSION = 1
COUNTED = frozenset({"energy"})  # counts from zero in each run of an agent

SCHEMA = """
CREATE TABLE host (
  id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, last INTEGER, state TEXT,
  layout INTEGER);
CREATE TABLE layout (
  id INTEGER PRIMARY KEY, host INTEGER NOT NULL, digest TEXT NOT NULL,
  keys TEXT NOT NULL, metrics TEXT NOT NULL, UNIQUE (host, digest));
CREATE TABLE mark (
  host INTEGER, epoch TEXT, seq INTEGER NOT NULL, seen INTEGER NOT NULL,
  PRIMARY KEY (host, epoch)) WITHOUT ROWID;
CREATE TABLE counter (
  host INTEGER, key TEXT, epoch TEXT NOT NULL, last REAL NOT NULL,
  total REAL NOT NULL, PRIMARY KEY (host, key)) WITHOUT ROWID;
CREATE TABLE tail (
  host INTEGER NOT NULL, time INTEGER NOT NULL, layout INTEGER NOT NULL,
  row TEXT NOT NULL);
CREATE INDEX tail_time ON tail (host, time);
CREATE TABLE block (
  host INTEGER NOT NULL, hour INTEGER NOT NULL, layout INTEGER NOT NULL,
  count INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX block_hour ON block (host, hour);
CREATE INDEX block_age ON block (hour);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """The samples of one report, with their times by our clock."""

    host: str
    epoch: str
    digest: str
    keys: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, object]] | None
    rows: Sequence[tuple[int, int, tuple[float | None, ...]]]
    """Sequence number, time in ms, values."""
    skip: tuple[tuple[int, int], ...] = ()
    received: int = 0
    state: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What became of one report."""

    seq: int
    """All numbers up to here are committed or known to be lost."""
    fresh: tuple[int, ...] = ()
    """Times of the samples that were not there before."""
    expected: int | None = None
    """The number that is missing, where the report was refused for a gap."""
    totals: Mapping[str, float] = field(default_factory=dict)
    """Energy counted so far, over all runs of the agent."""
    described: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a host from its last report."""

    last: int | None
    state: Mapping[str, object]
    keys: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, object]]
    totals: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One metric over one hour."""

    start: int
    mean: float
    minimum: float
    maximum: float
    last: float
    covered: float
    """The share of the hour between samples that follow each other."""


class SampleStore:
    """The file; every method blocks and is called by one thread at a time."""

    def __init__(
        self, path: Path, keep_days: float = 14, max_bytes: int = 4 << 30
    ) -> None:
        """Name the file; it is opened later."""
        self.path = path
        self.keep_ms = int(keep_days * DAY_MS)
        self.max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._hosts: dict[str, int] = {}
        self._layouts: dict[tuple[int, str], tuple[int, tuple[str, ...]]] = {}
        self._counted: dict[int, tuple[str, ...]] = {}

    def open(self) -> None:
        """Open or make the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._connection = db
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        # an acknowledged sample is gone at the host, so it has to be on the disk here
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA busy_timeout = 5000")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
        elif version > VERSION:
            raise sqlite3.DatabaseError(f"{self.path} is of a newer Rackwatt")

    def freeze(self) -> None:
        """Leave the main file as it is until thaw(), so that it can be copied."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.execute("PRAGMA wal_autocheckpoint = 0").fetchall()

    def thaw(self) -> None:
        """Go on moving what was written into the main file."""
        self._db.execute("PRAGMA wal_autocheckpoint = 1000").fetchall()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _db(self) -> sqlite3.Connection:
        """Return the open file."""
        if self._connection is None:
            raise sqlite3.ProgrammingError("the store is not open")
        return self._connection

    # ------------------------------------------------------------------ writing

    def commit(self, items: Iterable[Incoming]) -> list[Committed]:
        """Store several reports in one transaction: all of them, or none."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            results = [self._store(db, item) for item in items]
            db.execute("COMMIT")
        except BaseException:
            self._layouts.clear()
            self._hosts.clear()
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return results

    def _store(self, db: sqlite3.Connection, item: Incoming) -> Committed:
        """Store one report."""
        host = self._host(db, item.host)
        mark = self._mark(db, host, item.epoch)
        rows = [row for row in item.rows if mark is None or row[0] > mark]
        for first, last in gaps((row[0] for row in rows), mark):
            if not any(low <= first and last <= high for low, high in item.skip):
                return Committed(seq=(mark or 0), expected=first)
        layout = self._layout(db, host, item)
        if layout is None:
            return Committed(seq=(mark or 0), described=False)
        totals = self._count(db, host, item.epoch, layout, item.keys, rows)
        db.executemany(
            "INSERT INTO tail (host, time, layout, row) VALUES (?, ?, ?, ?)",
            (
                (host, time, layout, json.dumps(values, separators=(",", ":")))
                for (_, time, _), values in zip(rows, totals, strict=True)
            ),
        )
        seq = rows[-1][0] if rows else mark or 0
        if rows:
            db.execute(
                "INSERT OR REPLACE INTO mark VALUES (?, ?, ?, ?)",
                (host, item.epoch, seq, item.received),
            )
        db.execute(
            "UPDATE host SET last = ?, state = ?, layout = ? WHERE id = ?",
            (item.received, json.dumps(item.state), layout, host),
        )
        return Committed(
            seq=seq,
            fresh=tuple(time for _, time, _ in rows),
            totals=self._totals(db, host) if self._counted[layout] else {},
        )

    def _host(self, db: sqlite3.Connection, name: str) -> int:
        """Return the number of a host."""
        if (number := self._hosts.get(name)) is None:
            db.execute("INSERT OR IGNORE INTO host (name) VALUES (?)", (name,))
            (number,) = db.execute(
                "SELECT id FROM host WHERE name = ?", (name,)
            ).fetchone()
            self._hosts[name] = number
        return number

    @staticmethod
    def _mark(db: sqlite3.Connection, host: int, epoch: str) -> int | None:
        """Return the highest number of an epoch that is committed."""
        row = db.execute(
            "SELECT seq FROM mark WHERE host = ? AND epoch = ?", (host, epoch)
        ).fetchone()
        return row[0] if row else None

    def _layout(self, db: sqlite3.Connection, host: int, item: Incoming) -> int | None:
        """Return the number of a layout, None where it was never described."""
        cached = self._layouts.get((host, item.digest))
        if cached is not None:
            return cached[0] if cached[1] == item.keys else None
        row = db.execute(
            "SELECT id, keys, metrics FROM layout WHERE host = ? AND digest = ?",
            (host, item.digest),
        ).fetchone()
        if row is None:
            if item.metrics is None:
                return None
            raw = json.dumps(item.keys), json.dumps(item.metrics)
            number = db.execute(
                "INSERT INTO layout (host, digest, keys, metrics) VALUES (?, ?, ?, ?)",
                (host, item.digest, *raw),
            ).lastrowid
            row = (number, *raw)
        keys, described = tuple(json.loads(row[1])), json.loads(row[2])
        self._counted[row[0]] = tuple(
            key for key in keys if described[key]["kind"] in COUNTED
        )
        self._layouts[host, item.digest] = (row[0], keys)
        return row[0] if keys == item.keys else None

    def _count(
        self,
        db: sqlite3.Connection,
        host: int,
        epoch: str,
        layout: int,
        keys: tuple[str, ...],
        rows: Sequence[tuple[int, int, tuple[float | None, ...]]],
    ) -> list[Sequence[float | None]]:
        """Return the rows with each run's energy put on top of the runs before.

        A counter starts at zero in every epoch, so the first value of an epoch is
        itself energy; one that falls within an epoch counts nothing.
        """
        counted = self._counted[layout]
        changed: list[Sequence[float | None]] = [values for _, _, values in rows]
        for key in counted:
            column = keys.index(key)
            known = db.execute(
                "SELECT epoch, last, total FROM counter WHERE host = ? AND key = ?",
                (host, key),
            ).fetchone()
            run, last, total = known or (epoch, 0.0, 0.0)
            if run != epoch:
                last = 0.0
            for n, (_, _, values) in enumerate(rows):
                value = values[column]
                if value is None:
                    continue
                total += max(0.0, value - last)
                last = value
                row = list(changed[n])
                row[column] = round(total, 4)
                changed[n] = row
            db.execute(
                "INSERT OR REPLACE INTO counter VALUES (?, ?, ?, ?, ?)",
                (host, key, epoch, last, total),
            )
        return changed

    @staticmethod
    def _totals(db: sqlite3.Connection, host: int) -> dict[str, float]:
        """Return the energy of each counter of a host."""
        return dict(
            db.execute("SELECT key, total FROM counter WHERE host = ?", (host,))
        )

    # -------------------------------------------------------------- maintenance

    def pack(self, now_ms: int) -> bool:
        """Compress the oldest open hour of one host; tell whether there was one."""
        db = self._db
        closed = (now_ms - SETTLE_MS) // HOUR_MS * HOUR_MS
        row = db.execute(
            "SELECT id, (SELECT min(time) FROM tail WHERE tail.host = host.id) AS oldest"
            " FROM host WHERE oldest < ? LIMIT 1",
            (closed,),
        ).fetchone()
        if row is None:
            return False
        host, hour = row[0], row[1] // HOUR_MS
        span = (host, hour * HOUR_MS, (hour + 1) * HOUR_MS)
        layouts: dict[int, list[tuple[int, str]]] = {}
        where = "WHERE host = ? AND time >= ? AND time < ?"
        for layout, time, values in db.execute(
            f"SELECT layout, time, row FROM tail {where} ORDER BY time",  # noqa: S608
            span,
        ):
            layouts.setdefault(layout, []).append((time, values))
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?)",
                (
                    (host, hour, layout, len(rows), pack_rows(hour, rows))
                    for layout, rows in layouts.items()
                ),
            )
            db.execute(f"DELETE FROM tail {where}", span)  # noqa: S608
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return True

    def purge(self, now_ms: int) -> None:
        """Delete what is older than the file keeps, and more where it is too large."""
        db = self._db
        oldest = (now_ms - self.keep_ms) // HOUR_MS
        db.execute("DELETE FROM block WHERE hour < ?", (oldest,))
        db.execute("DELETE FROM tail WHERE time < ?", (oldest * HOUR_MS,))
        db.execute("DELETE FROM mark WHERE seen < ?", (now_ms - MARK_DAYS * DAY_MS,))
        while self._used_bytes() > self.max_bytes:
            (hour,) = db.execute("SELECT min(hour) FROM block").fetchone()
            if hour is None:
                break
            db.execute("DELETE FROM block WHERE hour = ?", (hour,))
        db.execute(
            "DELETE FROM layout WHERE id NOT IN (SELECT layout FROM tail UNION SELECT"
            " layout FROM block UNION SELECT layout FROM host WHERE layout NOT NULL)"
        )
        self._layouts.clear()
        db.execute("PRAGMA incremental_vacuum(2000)").fetchall()

    def _used_bytes(self) -> int:
        """Return how much of the file is in use."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def forget(self, name: str) -> None:
        """Delete a host with all that it reported."""
        db = self._db
        row = db.execute("SELECT id FROM host WHERE name = ?", (name,)).fetchone()
        if row is None:
            return
        for table in ("tail", "block", "mark", "counter", "layout"):
            db.execute(f"DELETE FROM {table} WHERE host = ?", row)  # noqa: S608
        db.execute("DELETE FROM host WHERE id = ?", row)
        self._hosts.pop(name, None)
        self._layouts.clear()

    # ------------------------------------------------------------------ reading

    def known(self, name: str) -> Known | None:
        """Return what the last report of a host said, None where it never reported."""
        row = self._db.execute(
            "SELECT host.id, last, state, keys, metrics FROM host"
            " LEFT JOIN layout ON layout.id = host.layout WHERE name = ?",
            (name,),
        ).fetchone()
        if row is None or row[1] is None:
            return None
        return Known(
            last=row[1],
            state=json.loads(row[2] or "{}"),
            keys=tuple(json.loads(row[3] or "[]")),
            metrics=json.loads(row[4] or "{}"),
            totals=self._totals(self._db, row[0]),
        )

    def metrics(self, name: str) -> dict[str, Mapping[str, object]]:
        """Return every metric of a host that the file still describes."""
        found: dict[str, Mapping[str, object]] = {}
        for (raw,) in self._db.execute(
            "SELECT metrics FROM layout JOIN host ON host.id = layout.host"
            " WHERE name = ? ORDER BY layout.id",
            (name,),
        ):
            found |= json.loads(raw)
        return found

    def series(
        self, name: str, key: str, start: int, end: int, limit: int | None = None
    ) -> list[tuple[int, float | None]]:
        """Return a metric's samples, ascending; both ends belong to them."""
        found: list[tuple[int, float | None]] = []
        for hour in self._hours(name, start, end):
            points = [
                (time, value)
                for time, value in self._points(name, hour, key)
                if start <= time <= end
            ]
            found += sorted(points, key=lambda point: point[0])
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def hours(self, name: str, key: str, first: int, last: int) -> list[Hour]:
        """Return a metric's hours, those without a sample left out."""
        found = []
        for hour in range(first // HOUR_MS, last // HOUR_MS + 1):
            start = hour * HOUR_MS
            points = [
                (time, value)
                for time, value in self.series(name, key, start, start + HOUR_MS - 1)
                if value is not None
            ]
            if points:
                found.append(summarise(start, points))
        return found

    def _hours(self, name: str, start: int, end: int) -> list[int]:
        """Return the hours of a span in which a host reported."""
        rows = self._db.execute(
            "SELECT DISTINCT hour FROM block JOIN host ON host.id = host"
            " WHERE name = ?1 AND hour >= ?2 / 3600000 AND hour <= ?3 / 3600000"
            " UNION SELECT DISTINCT time / 3600000 FROM tail"
            " JOIN host ON host.id = host WHERE name = ?1 AND time >= ?2 AND time <= ?3"
            " ORDER BY 1",
            (name, start, end),
        )
        return [hour for (hour,) in rows]

    def _points(
        self, name: str, hour: int, key: str
    ) -> Iterator[tuple[int, float | None]]:
        """Yield the samples of an hour that hold a metric."""
        for keys, data in self._db.execute(
            "SELECT keys, data FROM block JOIN host ON host.id = block.host"
            " JOIN layout ON layout.id = block.layout WHERE name = ? AND hour = ?",
            (name, hour),
        ):
            columns = json.loads(keys)
            if key in columns:
                times, packed = unpack(hour, data)
                yield from zip(times, packed[columns.index(key)], strict=True)
        for keys, time, row in self._db.execute(
            "SELECT keys, time, row FROM tail JOIN host ON host.id = tail.host"
            " JOIN layout ON layout.id = tail.layout"
            " WHERE name = ? AND time >= ? AND time < ?",
            (name, hour * HOUR_MS, (hour + 1) * HOUR_MS),
        ):
            columns = json.loads(keys)
            if key in columns:
                yield time, json.loads(row)[columns.index(key)]


def pack_rows(hour: int, rows: Sequence[tuple[int, str]]) -> bytes:
    """Return the rows of an hour in columns, compressed."""
    table = [json.loads(values) for _, values in rows]
    times = [time - hour * HOUR_MS for time, _ in rows]
    text = json.dumps([times, *zip(*table, strict=True)], separators=(",", ":"))
    return zlib.compress(text.encode(), 6)


def unpack(hour: int, data: bytes) -> tuple[list[int], list[list[float | None]]]:
    """Return the times and the columns of a block."""
    times, *columns = json.loads(zlib.decompress(data))
    return [time + hour * HOUR_MS for time in times], columns


def summarise(start: int, points: Sequence[tuple[int, float]]) -> Hour:
    """Return an hour: the mean is weighted by time, a hole of five minutes by nothing."""
    weight = total = 0.0
    ends = [time for time, _ in points[1:]] + [start + HOUR_MS]
    for (time, value), end in zip(points, ends, strict=True):
        lasted = min(end - time, SETTLE_MS)
        weight += lasted
        total += lasted * value
    values = [value for _, value in points]
    return Hour(
        start=start,
        mean=total / weight if weight else values[-1],
        minimum=min(values),
        maximum=max(values),
        last=values[-1],
        covered=min(1.0, weight / HOUR_MS),
    )
