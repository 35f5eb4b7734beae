"""The history file: SQLite, used from one thread only. No Home Assistant in here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import os
from pathlib import Path
import sqlite3

from ..counter import CounterState

# "RWAT": tells our file from anything else of the same name
APPLICATION_ID = 0x52574154
SCHEMA_VERSION = 1

# A blip's place is meter << STAMP_BITS | stamp: one B-tree, 15 bytes a blip, ordered
# by meter and time. 42 bits hold milliseconds until the year 2109.
STAMP_BITS = 42

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

    def load_meter(self, key: str) -> StoredMeter:
        """Return what is stored of a meter, which is entered where it is new."""
        self._db.execute("INSERT OR IGNORE INTO meter (key) VALUES (?)", (key,))
        (meter,) = self._db.execute(
            "SELECT id FROM meter WHERE key = ?", (key,)
        ).fetchone()
        row = self._db.execute(
            "SELECT max(place) FROM blip WHERE place BETWEEN ? AND ?",
            (place(meter, 0), place(meter + 1, 0) - 1),
        ).fetchone()
        last = None if row[0] is None else row[0] & ((1 << STAMP_BITS) - 1)
        return StoredMeter(meter=meter, last_stamp=last, counter=self.load_counter(key))

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
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT OR REPLACE INTO blip (place, ms) VALUES (?, ?)",
                ((place(blip.meter, blip.stamp), blip.ms) for blip in blips),
            )
            self._db.executemany(
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
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

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


def place(meter: int, stamp: int) -> int:
    """Return where a blip is kept."""
    return meter << STAMP_BITS | stamp


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
