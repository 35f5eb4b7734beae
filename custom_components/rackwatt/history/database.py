"""The history file: SQLite, used from one thread only. No Home Assistant in here."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import sqlite3

from ..counter import CounterState
from .block import HOUR_MS
from .packing import close_hours, drop_before
from .places import place
from .reader import Reader

# "RWAT": tells our file from anything else of the same name
APPLICATION_ID = 0x52574154
SCHEMA_VERSION = 2

# Each entry turns the schema of its index into the next one.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meter (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE
    );
    CREATE TABLE blip (
        place INTEGER PRIMARY KEY,
        ms INTEGER
    );
    CREATE TABLE counter (
        key TEXT PRIMARY KEY,
        base_wh REAL NOT NULL,
        impulses INTEGER NOT NULL,
        missed INTEGER NOT NULL,
        wh_per_impulse REAL NOT NULL,
        device_count REAL,
        stamp INTEGER
    ) WITHOUT ROWID;
    """,
    # From here on `blip` holds the open hour of each meter only; those that are over
    # are packed when the file is opened, and whenever a new hour begins.
    """
    CREATE TABLE block (
        place INTEGER PRIMARY KEY,
        data BLOB NOT NULL
    );
    CREATE TABLE pack (
        place INTEGER PRIMARY KEY,
        counts BLOB NOT NULL,
        intervals BLOB NOT NULL
    );
    """,
)


class HistoryError(Exception):
    """The history file cannot be used."""


class HistoryTooNewError(HistoryError):
    """A newer version of Rackwatt wrote the file."""


class HistoryForeignError(HistoryError):
    """The file is damaged, or no history file of Rackwatt's."""


@dataclass(frozen=True, slots=True)
class Blip:
    """One impulse of a meter.

    `meter` is the number of the meter in the file, `stamp` milliseconds since 1970,
    `ms` the time since the impulse before it, None where that is not known.
    """

    meter: int
    stamp: int
    ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMeter:
    """What the file knows of a meter."""

    meter: int
    last_stamp: int | None
    counter: CounterState | None


class Database:
    """The open history file."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it; bring an older one up to date.

        Raises:
            HistoryTooNewError: a newer version wrote it; nothing was touched.
            HistoryForeignError: it is damaged or not ours; nothing was touched.
            sqlite3.Error, OSError: it cannot be opened (permissions, disk).
        """
        self.path = path
        _refuse_unsuitable(path)
        # every statement outside of write() is a transaction of its own
        self._db = sqlite3.connect(path, autocommit=True, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            # a crash loses nothing that was committed; a power cut at most what
            # came after the last checkpoint, which is what sync() is for
            self._db.execute("PRAGMA synchronous=NORMAL")
            # checkpoints are ours to time: see sync() and freeze()
            self._db.execute("PRAGMA wal_autocheckpoint=0")
            self._migrate()
            self.reader = Reader(self._db)
            self._open_hours: dict[int, int | None] = {}
            self._close_hours()
        except BaseException:
            self._db.close()
            raise
        self._frozen = False

    def _migrate(self) -> None:
        """Bring the schema up to date, one version a transaction."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(
                f"BEGIN IMMEDIATE; {script}"
                f"PRAGMA application_id={APPLICATION_ID};"
                f"PRAGMA user_version={number}; COMMIT;"
            )

    def _close_hours(self) -> None:
        """Pack what an older version, or none at all, has left to be packed."""
        for (meter,) in self._db.execute("SELECT id FROM meter").fetchall():
            with self.transaction():
                self._open_hours[meter] = close_hours(self._db, meter)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Make all that is written within one step: all of it holds, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def load_meter(self, key: str) -> StoredMeter:
        """Return what is stored of a meter, which is entered where it is new."""
        self._db.execute("INSERT OR IGNORE INTO meter (key) VALUES (?)", (key,))
        (meter,) = self._db.execute(
            "SELECT id FROM meter WHERE key = ?", (key,)
        ).fetchone()
        last = self.reader.last(meter)
        return StoredMeter(
            meter=meter,
            last_stamp=None if last is None else last[0],
            counter=self.load_counter(key),
        )

    def load_counter(self, key: str) -> CounterState | None:
        """Return the stored state of a counter."""
        row = self._db.execute(
            "SELECT base_wh, impulses, missed, wh_per_impulse, device_count, stamp"
            " FROM counter WHERE key = ?",
            (key,),
        ).fetchone()
        if row is None:
            return None
        return CounterState(
            base_wh=row[0],
            impulses=row[1],
            missed=row[2],
            wh_per_impulse=row[3],
            device_count=row[4],
            stamp=row[5],
        )

    def write(
        self, blips: Iterable[Blip], counters: Mapping[str, CounterState]
    ) -> None:
        """Store blips and the counters that counted them, in one transaction."""
        with self.transaction() as db:
            hours: dict[int, set[int]] = {}
            for blip in blips:
                db.execute(
                    "INSERT OR REPLACE INTO blip (place, ms) VALUES (?, ?)",
                    (place(blip.meter, blip.stamp), blip.ms),
                )
                hours.setdefault(blip.meter, set()).add(blip.stamp // HOUR_MS)
            _write_counters(db, counters)
            opened = {
                meter: close_hours(db, meter)
                for meter, seen in hours.items()
                if seen != {self._open_hours.get(meter)}
            }
        self._open_hours |= opened

    def forget_before(self, meter: int, stamp: int) -> int:
        """Forget the hours of a meter that end before a stamp; return how many.

        Their room is used again for what comes.
        """
        with self.transaction() as db:
            return drop_before(db, meter, stamp // HOUR_MS)

    def size(self) -> int:
        """Return what file and log take, in bytes."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def sync(self) -> None:
        """Make what was committed survive a power cut."""
        if self._frozen:
            _fsync(self.path.with_name(self.path.name + "-wal"))
        else:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def freeze(self) -> None:
        """Leave the main file as it is until thaw(), so that it can be copied.

        Writing goes on: into the write-ahead log, of which a copy taken at any time
        is sound up to its last whole transaction.
        """
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._frozen = True

    def thaw(self) -> None:
        """Go on moving what was written into the main file."""
        self._frozen = False

    def close(self) -> None:
        """Move everything into the main file and close it."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._db.close()


def _write_counters(
    db: sqlite3.Connection, counters: Mapping[str, CounterState]
) -> None:
    """Write the states of counters."""
    db.executemany(
        "INSERT OR REPLACE INTO counter (key, base_wh, impulses, missed,"
        " wh_per_impulse, device_count, stamp) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                key,
                state.base_wh,
                state.impulses,
                state.missed,
                state.wh_per_impulse,
                state.device_count,
                state.stamp,
            )
            for key, state in counters.items()
        ),
    )


def sqlite_header_is_sound(path: Path) -> bool:
    """Tell whether a file begins as a database does."""
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _refuse_unsuitable(path: Path) -> None:
    """Look at an existing file without changing it."""
    if not path.exists() or path.stat().st_size == 0:
        return
    # A file without a log is whole in itself; only with one does reading it need
    # the shared-memory file that SQLite would leave behind.
    has_log = path.with_name(path.name + "-wal").exists()
    how = "mode=ro" if has_log else "immutable=1"
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)
        try:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
        finally:
            db.close()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as err:
        raise HistoryForeignError(str(err)) from err
    if application != APPLICATION_ID:
        raise HistoryForeignError("it is not a history file of Rackwatt")
    if version > SCHEMA_VERSION:
        raise HistoryTooNewError(f"its version is {version}")


def _fsync(path: Path) -> None:
    """Write a file's pages to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
