"""blipserver's own SQL on PostgreSQL, and our answers: the same JSON.

What differs on purpose is listed in docs/blip_api.md; the histories here hold nothing
of it: each interval is known, and a meter has one blip at a time.
"""

from itertools import pairwise
import json
from pathlib import Path
import random
from typing import Any

import pytest
import pytest_socket

from benchmarks.postgres import STATEMENTS, fill, postgres
from custom_components.rackwatt.api import blip_answers as answers
from custom_components.rackwatt.history.block import HOUR_MS
from custom_components.rackwatt.history.database import Blip, Database

# the last Sunday of October: in Copenhagen an hour comes twice
START = 1_792_886_400_000
SCALE = answers.Scale(meter=1, watt_ms=3_600_000.0, wh=1.0)


def history(seed: int) -> list[tuple[int, int, int]]:
    """Return the blips of two meters, in the order in which they were stored.

    With gaps and long intervals. A clock that steps back makes an hour be counted
    again; a stamp that is there already is no blip of its own, in neither store.
    """
    chance = random.Random(seed)
    rows: dict[tuple[int, int], int] = {}
    for meter in (1, 2):
        clock = START + chance.randrange(HOUR_MS)
        for _ in range(chance.randrange(200, 900)):
            ms = chance.choice((400, 2500, 2500, 9000, 200_000))
            ms += chance.randrange(300)
            clock += ms + chance.randrange(5)
            if chance.random() < 0.01:
                clock += chance.randrange(-3 * HOUR_MS, 9 * HOUR_MS)
            rows.setdefault((meter, clock), ms)
    return [(meter, stamp, ms) for (meter, stamp), ms in rows.items()]


def questions(seed: int, end: int) -> list[tuple[str, tuple[int, ...]]]:
    """Return questions about a history; a statement's name and what follows the id."""
    chance = random.Random(seed)
    asked: list[tuple[str, tuple[int, ...]]] = [("last", ())]
    for _ in range(6):
        first = chance.randrange(START - HOUR_MS, end + HOUR_MS)
        later = first + chance.randrange(12 * HOUR_MS)
        if chance.random() < 0.5:
            first -= first % HOUR_MS
        width = chance.choice((1000, 300_000, HOUR_MS, 86_400_000, 12_345_678))
        count = chance.randrange(1001)
        asked += [
            ("get", (first,)),
            ("range", (first, later)),
            ("hourly", (first, later)),
            ("minutely", (first, later)),
            ("usage", (first,)),
            ("aggregate", (first, width, count)),
            ("aggregate_hourly", (first, width, count)),
        ]
    return asked


EVER = 10**15 - 1
OURS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "get": (answers.points, (EVER, 20_000)),
    "range": (answers.points, (100_000,)),
    "last": (answers.last, ()),
    "hourly": (answers.hourly, (100_000, False)),
    "minutely": (answers.minutely, (100_000, False)),
    "usage": (answers.usage, ()),
    "aggregate": (answers.aggregate, ()),
    "aggregate_hourly": (answers.aggregate_hourly, ()),
}


def ours(file: Database, name: str, meter: int, numbers: tuple[int, ...]) -> Any:
    """Return our answer."""
    question, more = OURS[name]
    scale = answers.Scale(meter=meter, watt_ms=SCALE.watt_ms, wh=SCALE.wh)
    body = file.reader.ask(answers.answer, question, False, scale, *numbers, *more)
    return json.loads(body.data) if body else None


# In half-hour zones blipserver's hours begin at half past; ours begin with UTC's hours
BY_THE_HOUR = {"hourly", "aggregate_hourly"}


@pytest.mark.usefixtures("socket_enabled")
async def test_the_same_answers(tmp_path: Path) -> None:
    """For every statement that blipserver prepares, in three time zones."""
    pytest_socket.enable_socket()
    compared = 0
    async with postgres() as cluster:
        db = await cluster.connect()
        for seed in range(6):
            rows = history(seed)
            zone = ("Europe/Copenhagen", "UTC", "Asia/Kolkata")[seed % 3]
            await db.execute(f"SET timezone TO '{zone}'")
            await db.execute("TRUNCATE readings, readings_hourly, readings_minutely")
            await fill(db, rows)
            file = store(tmp_path / f"{seed}.db", rows)
            prepared = {name: await db.prepare(sql) for name, sql in STATEMENTS.items()}
            end = max(stamp for _, stamp, _ in rows)
            for name, numbers in questions(seed, end):
                for meter in (1, 2):
                    if zone == "Asia/Kolkata" and name in BY_THE_HOUR:
                        continue
                    found = await prepared[name].fetch(meter, *numbers)
                    expected = [list(row) for row in found]
                    if name in ("last", "usage"):
                        (expected,) = expected
                    answer = ours(file, name, meter, numbers)
                    assert same(answer, expected), (seed, name, meter, numbers)
                    compared += bool(expected)
            file.close()
        await db.close()
    assert compared > 300


def store(path: Path, rows: list[tuple[int, int, int]]) -> Database:
    """Return a history with these blips, stored as they came."""
    file = Database(path)
    file.load_meter("a")
    file.load_meter("b")
    bounds = [*range(0, len(rows), 97), len(rows)]
    for first, stop in pairwise(bounds):
        file.write([Blip(*row) for row in rows[first:stop]], {})
    return file


def same(ours: Any, theirs: Any) -> bool:
    """Tell whether two answers are the same; sums of powers to the last few bits."""
    if isinstance(theirs, float) or isinstance(ours, float):
        return bool(ours == pytest.approx(theirs, rel=1e-12))
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs, strict=True))
    return bool(ours == theirs)
