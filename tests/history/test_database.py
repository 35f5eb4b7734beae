"""The history file by itself."""

from collections.abc import Iterator
from contextlib import suppress
import multiprocessing
import os
from pathlib import Path
import shutil
import signal
import sqlite3

import pytest

from custom_components.rackwatt.counter import CounterState
from custom_components.rackwatt.history import database
from custom_components.rackwatt.history.database import (
    Blip,
    Database,
    HistoryForeignError,
    HistoryTooNewError,
)

STATE = CounterState(
    base_wh=12.5, impulses=3, missed=1, wh_per_impulse=0.5, device_count=77, stamp=2000
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is."""
    return tmp_path / "rackwatt.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Database]:
    """Return an open file."""
    opened = Database(path)
    yield opened
    with suppress(sqlite3.ProgrammingError):  # the test may have closed it
        opened.close()


def stored_blips(path: Path) -> list[tuple[int, int | None]]:
    """Return what another program sees in the file."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return db.execute("SELECT place, ms FROM blip ORDER BY place").fetchall()
    finally:
        db.close()


def test_blips_and_counters_come_back(opened: Database, path: Path) -> None:
    """What was written is there after the file was closed and opened."""
    first = opened.load_meter("a").meter
    second = opened.load_meter("b").meter
    assert first != second
    opened.write(
        [Blip(first, 1000, None), Blip(first, 2000, 1000), Blip(second, 9000, 7)],
        {"a": STATE, "clamp": CounterState(base_wh=1.25)},
    )
    opened.close()
    again = Database(path)
    meter = again.load_meter("a")
    assert (meter.meter, meter.last_stamp, meter.counter) == (first, 2000, STATE)
    assert again.load_meter("b").last_stamp == 9000
    assert again.load_meter("b").counter is None
    assert again.load_counter("clamp") == CounterState(base_wh=1.25)
    assert again.load_counter("unknown") is None
    assert [ms for _, ms in stored_blips(path)] == [None, 1000, 7]
    again.close()


def test_a_write_is_all_or_nothing(opened: Database, path: Path) -> None:
    """A counter never tells of blips that are not stored."""
    meter = opened.load_meter("a").meter
    bad = CounterState(base_wh="no number", impulses=None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        opened.write([Blip(meter, 1000, 1)], {"a": bad})
    assert stored_blips(path) == []
    opened.write([Blip(meter, 1000, 1)], {"a": STATE})
    assert len(stored_blips(path)) == 1


def test_a_newer_file_is_refused_and_not_touched(opened: Database, path: Path) -> None:
    """An older Rackwatt must not spoil what a newer one wrote."""
    opened.close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={database.SCHEMA_VERSION + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(HistoryTooNewError):
        Database(path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["rackwatt.db"]


@pytest.mark.parametrize("foreign", ["text", "sqlite"])
def test_what_is_not_ours_is_refused_and_not_touched(path: Path, foreign: str) -> None:
    """A file of the same name that is something else stays as it is."""
    if foreign == "text":
        path.write_bytes(b"this is no database " * 500)
    else:
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE other (x)")
        db.commit()
        db.close()
    before = path.read_bytes()
    with pytest.raises(HistoryForeignError):
        Database(path)
    assert path.read_bytes() == before


def test_an_older_schema_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each version of the schema is one step, in a transaction of its own."""
    Database(path).close()
    step = "CREATE TABLE added (x); INSERT INTO added SELECT count(*) FROM blip;"
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, step))
    monkeypatch.setattr(database, "SCHEMA_VERSION", database.SCHEMA_VERSION + 1)
    Database(path).close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT x FROM added").fetchall() == [(0,)]
    assert db.execute("PRAGMA user_version").fetchone() == (database.SCHEMA_VERSION,)
    db.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half-made schema stays."""
    Database(path).close()
    step = "CREATE TABLE added (x); SELECT no_such_function();"
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, step))
    with pytest.raises(sqlite3.Error):
        Database(path)
    monkeypatch.undo()
    opened = Database(path)
    with pytest.raises(sqlite3.Error):
        opened._db.execute("SELECT * FROM added")
    opened.close()


def test_a_copy_of_the_frozen_file_is_sound(opened: Database, path: Path) -> None:
    """A backup copies the file while blips go on coming in."""
    meter = opened.load_meter("a").meter
    opened.write([Blip(meter, 1000, 1)], {"a": STATE})
    opened.freeze()
    frozen = path.read_bytes()
    for stamp in range(2000, 2300):
        opened.write([Blip(meter, stamp, 1)], {"a": STATE})
        if stamp % 50 == 0:
            opened.sync()
    assert path.read_bytes() == frozen
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    wal = path.with_name(path.name + "-wal").read_bytes()
    # a copy of the log may be cut anywhere
    copy.with_name("copy.db-wal").write_bytes(wal[: len(wal) * 2 // 3 + 1])
    db = sqlite3.connect(copy)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert 100 < db.execute("SELECT count(*) FROM blip").fetchone()[0] < 301
    db.close()
    opened.thaw()
    opened.sync()
    assert path.read_bytes() != frozen


def write_for_ever(path: Path, told: int) -> None:
    """Write blips, telling of each that is committed."""
    opened = Database(path)
    meter = opened.load_meter("a").meter
    for number in range(1, 10**9):
        state = CounterState(impulses=number, wh_per_impulse=1.0)
        opened.write([Blip(meter, number, 1)], {"a": state})
        if number % 50 == 0:
            opened.sync()
        os.write(told, b"%d\n" % number)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_killed_writer_loses_nothing_that_it_committed(tmp_path: Path) -> None:
    """After kill -9 the file is sound and the counter equals a recount."""
    # forked: a new interpreter would spend seconds on importing Home Assistant
    fork = multiprocessing.get_context("fork")
    for kill in range(3):
        path = tmp_path / f"{kill}.db"
        read, write = os.pipe()
        writer = fork.Process(target=write_for_ever, args=(path, write))
        writer.start()
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            told = 0
            while told < 60 + kill:
                told = int(pipe.readline())
            assert writer.pid is not None
            os.kill(writer.pid, signal.SIGKILL)
            told = int([b"%d" % told, *pipe.read().splitlines()][-1])
        writer.join()
        opened = Database(path)
        assert opened._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        counter = opened.load_counter("a")
        assert counter is not None
        assert counter.impulses == len(stored_blips(path)) >= told
        opened.close()
