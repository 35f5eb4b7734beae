"""What can be asked of the history, against a plain list of all blips."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.rackwatt.counter import CounterState
from custom_components.rackwatt.history import database
from custom_components.rackwatt.history.block import HOUR_MS, HOURS_PER_PACK, sums
from custom_components.rackwatt.history.database import Blip, Database
from custom_components.rackwatt.history.packing import drop_before, merge, points_of
from custom_components.rackwatt.history.places import place
from custom_components.rackwatt.history.reader import MINUTE_MS, Reader

# so that the histories lie on both sides of a border between two packs
START = 478 * HOURS_PER_PACK * HOUR_MS - 3 * HOUR_MS
EVER = 10**15 - 1


@dataclass
class History:
    """A file, and what it is to hold."""

    file: Database
    blips: dict[int, dict[int, int | None]] = field(default_factory=dict)

    def ask(self, question: object, *args: object) -> object:
        """Ask the file."""
        return self.file.reader.ask(question, *args)  # type: ignore[arg-type]

    def known(self, meter: int) -> list[tuple[int, int | None]]:
        """Return all blips of a meter."""
        return sorted(self.blips.get(meter, {}).items())


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, int, list[tuple[int, int | None]]]]:
    """Return batches of blips: live ones, late ones and imported ones."""
    batches = []
    clock = START
    for _ in range(draw(st.integers(1, 5))):
        how = draw(st.sampled_from(["live", "live", "import"]))
        if draw(st.booleans()):
            # a gap, or the clock steps back
            clock = max(0, clock + draw(st.integers(-2 * HOUR_MS, 6 * HOUR_MS)))
        batch = []
        for _ in range(draw(st.integers(1, 12))):
            wait = draw(st.integers(1, 100_000) | st.integers(1, HOUR_MS))
            clock += wait
            unknown = draw(st.integers(0, 9)) == 0
            batch.append((clock, None if unknown else wait + draw(st.integers(0, 9))))
        batches.append((how, draw(st.integers(1, 2)), batch))
    return batches


def build(batches: list[tuple[str, int, list[tuple[int, int | None]]]]) -> History:
    """Return a history from batches."""
    # in memory, for the disk has its own tests
    with patch.object(database, "_refuse_unsuitable"):
        history = History(Database(Path(":memory:")))
    for key in "ab":
        history.file.load_meter(key)
    for how, meter, batch in batches:
        mine = history.blips.setdefault(meter, {})
        if how == "live":
            history.file.write(
                [Blip(meter, *blip) for blip in batch],
                {"a": CounterState(impulses=1)},
            )
            mine.update(batch)
            continue
        hours: dict[int, list[tuple[int, int | None]]] = {}
        for stamp, ms in batch:
            hours.setdefault(stamp // HOUR_MS, []).append((place(0, stamp), ms))
        with history.file.transaction() as db:
            packed = {hour: points_of(rows) for hour, rows in hours.items()}
            merge(db, meter, packed, keep=True)
        # blips of the open hour lie beside what is packed, and win
        for stamp, ms in batch:
            mine.setdefault(stamp, ms)
    return history


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps(), st.data())
def test_every_answer_equals_a_recount(batches: list, data: st.DataObject) -> None:  # type: ignore[type-arg]
    """Live, late, imported, on any hour and across the border of two packs."""
    history = build(batches)
    for meter in (1, 2):
        check(history, meter, data)
    history.file.close()


def check(history: History, meter: int, data: st.DataObject) -> None:
    """Compare all answers about a meter."""
    known = history.known(meter)
    assert history.ask(Reader.last, meter) == (known[-1] if known else None)
    assert history.ask(Reader.oldest, meter) == (known[0][0] if known else None)
    middle = data.draw(st.integers(START - HOUR_MS, START + 20 * HOUR_MS))
    first, last = sorted((middle, data.draw(st.integers(middle, middle + HOUR_MS * 9))))
    limit = data.draw(st.integers(1, 30))
    inside = [blip for blip in known if first <= blip[0] <= last]
    points = history.file.reader.ask(Reader.points, meter, first, last, limit)
    assert list(zip(points.stamps, points.intervals, strict=True)) == inside[:limit]
    check_counts(history, meter, data, first)
    by_hour: dict[int, list[int | None]] = {}
    by_minute: dict[int, list[int | None]] = {}
    for stamp, ms in known:
        by_hour.setdefault(stamp // HOUR_MS, []).append(ms)
        by_minute.setdefault(stamp // MINUTE_MS * MINUTE_MS, []).append(ms)
    hours = history.file.reader.ask(Reader.hours, meter, 0, EVER // HOUR_MS)
    assert list(zip(*hours.columns, strict=True)) == [
        (hour, *sums(intervals)) for hour, intervals in sorted(by_hour.items())
    ]
    assert (
        history.ask(Reader.minutes, meter, first, last, limit)
        == [
            (minute, *sums(intervals))
            for minute, intervals in sorted(by_minute.items())
            if first <= minute <= last
        ][:limit]
    )


def check_counts(history: History, meter: int, data: st.DataObject, first: int) -> None:
    """Compare the counts of buckets of some width."""
    known = history.known(meter)
    width = data.draw(
        st.sampled_from([1, 999, 60_000, 300_000, HOUR_MS, 24 * HOUR_MS, 10**12])
    )
    number = data.draw(st.integers(1, 50))
    if data.draw(st.booleans()):
        first -= first % HOUR_MS
    buckets = Counter((stamp - first) // width for stamp, _ in known)
    expected = [
        (index * width, buckets[index]) for index in range(number) if buckets[index]
    ]
    assert history.ask(Reader.buckets, meter, first, width, number) == expected


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    """Return an open file with a meter."""
    file = Database(tmp_path / "rackwatt.db")
    file.load_meter("a")
    yield file
    file.close()


def write(file: Database, *stamps: int) -> None:
    """Write live blips, each in a transaction of its own."""
    for stamp in stamps:
        file.write([Blip(1, stamp, 1000)], {})


def table(file: Database, name: str) -> int:
    """Return how many rows a table has."""
    query = {
        "blip": "SELECT count(*) FROM blip",
        "block": "SELECT count(*) FROM block",
        "pack": "SELECT count(*) FROM pack",
    }[name]
    return int(file._db.execute(query).fetchone()[0])


def test_an_hour_is_packed_when_the_next_begins(file: Database) -> None:
    """Rows are only kept of the hour that is open."""
    write(file, START, START + 1000, START + 2000)
    assert (table(file, "blip"), table(file, "block")) == (3, 0)
    write(file, START + HOUR_MS)
    assert (table(file, "blip"), table(file, "block"), table(file, "pack")) == (1, 1, 1)
    assert file.load_meter("a").last_stamp == START + HOUR_MS


def test_a_late_blip_finds_its_hour(file: Database) -> None:
    """It goes into the block that is there already."""
    write(file, START, START + HOUR_MS, START + 5000)
    assert (table(file, "blip"), table(file, "block")) == (1, 1)
    points = file.reader.ask(Reader.points, 1, 0, EVER, 10)
    assert points.stamps == [START, START + 5000, START + HOUR_MS]


def test_hours_that_an_older_version_left_are_packed(tmp_path: Path) -> None:
    """Opening the file of version 1 loses nothing."""
    path = tmp_path / "rackwatt.db"
    file = Database(path)
    file.load_meter("a")
    stamps = [START + 1000 * number for number in range(10_000)]
    file._db.execute("DROP TABLE block")
    file._db.execute("DROP TABLE pack")
    file._db.executemany(
        "INSERT INTO blip VALUES (?, 1000)", [(place(1, stamp),) for stamp in stamps]
    )
    file._db.execute("PRAGMA user_version=1")
    file.close()
    file = Database(path)
    assert file.reader.ask(Reader.points, 1, 0, EVER, 20_000).stamps == stamps
    assert (table(file, "blip"), table(file, "block")) == (2800, 2)
    file.close()


def test_a_meter_without_blips(file: Database) -> None:
    """It has nothing to tell, and that is no error."""
    assert file.reader.ask(Reader.last, 1) is None
    assert file.reader.ask(Reader.points, 1, 0, EVER, 10).stamps == []
    assert file.reader.ask(Reader.buckets, 1, 0, 10, 5) == []
    assert file.reader.ask(Reader.hours, 1, 0, 9).hours == []
    assert file.reader.ask(Reader.minutes, 1, 0, EVER, 10) == []


def test_old_hours_are_forgotten_on_request(file: Database) -> None:
    """Blocks and sums go together; the rest stays."""
    write(file, *(START + HOUR_MS * number for number in range(6)))
    with file.transaction() as db:
        assert drop_before(db, 1, START // HOUR_MS + 4) == 4
    assert file.reader.ask(Reader.oldest, 1) == START + 4 * HOUR_MS
    assert file.reader.ask(Reader.hours, 1, 0, EVER).hours == [
        START // HOUR_MS + 4,
        START // HOUR_MS + 5,
    ]
    assert table(file, "pack") == 1
