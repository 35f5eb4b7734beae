"""The history of blips: a year of ten million against blipserver's PostgreSQL."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
import math
import os
from pathlib import Path
import random
from statistics import median
import sys
import tempfile
import time
from typing import Any

import asyncpg
import orjson

from benchmarks.postgres import FRIENDLY, STATEMENTS, Cluster, fill, postgres
from benchmarks.report import Figure, Report, at_least, at_most, progress, run
from custom_components.rackwatt.api import blip_answers as answers
from custom_components.rackwatt.history.block import HOUR_MS, Points
from custom_components.rackwatt.history.database import Database
from custom_components.rackwatt.history.packing import put_blocks
from custom_components.rackwatt.history.reader import Reader

SEED = 20261121
# hours since 1970 when the year begins: 2025-11-21 00:00 UTC
FIRST_HOUR = 489_816
YEAR_HOURS = 365 * 24
DAY_MS = 24 * HOUR_MS
START = FIRST_HOUR * HOUR_MS
EVER = 10**15 - 1
# hours of the year in which nothing was heard, and how many hours each gap lasts
GAPS = {700: 75, 2000: 3, 3333: 1, 5000: 20, 7100: 6, 8200: 2}
SCALE = answers.Scale(meter=1, watt_ms=3_600_000.0, wh=1.0)
# How often a question is asked, and how long that may take in s
REPEATS = 25
PATIENCE = 2.0
COLD_REPEATS = 5
PAGE = 20_000


def year(blips: int) -> Iterator[tuple[int, Points]]:
    """Yield the hours of a year of about so many blips, the same in every run."""
    chance = random.Random(SEED)
    silent = {gap + n for gap, hours in GAPS.items() for n in range(hours)}
    mean = blips / (YEAR_HOURS - len(silent))
    clock = START
    for number in range(YEAR_HOURS):
        if number in silent:
            continue
        # a day's and a year's course, and an appliance now and then
        course = 1 + 0.5 * math.sin(2 * math.pi * number / 24)
        course *= 1 + 0.2 * math.cos(2 * math.pi * number / YEAR_HOURS)
        wait = HOUR_MS / (mean * course * chance.choice((0.8, 1.0, 1.2)))
        hour = FIRST_HOUR + number
        end = (hour + 1) * HOUR_MS
        clock = max(clock, hour * HOUR_MS)
        points = Points()
        while (
            clock := clock + (ms := max(1, int(wait * (0.85 + 0.3 * chance.random()))))
        ) < end:
            # the serial line's latency, and a blink missed now and then
            clock += (jitter := chance.getrandbits(2))
            if chance.random() < 0.0002:
                continue
            points.stamps.append(min(clock, end - 1))
            points.intervals.append(ms)
            clock -= jitter
        if points.stamps:
            yield hour, points


def load_ours(path: Path, hours: Iterable[tuple[int, Points]]) -> int:
    """Store a year as blocks and return how many blips it has."""
    file = Database(path)
    file.load_meter("bench")
    blips = 0
    hours = iter(hours)
    while batch := dict(islice(hours, 200)):
        with file.transaction() as db:
            put_blocks(db, 1, batch)
        blips += sum(len(points.stamps) for points in batch.values())
    file.close()
    return blips


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, as we are asked and as PostgreSQL is."""

    name: str
    ours: tuple[Any, ...]
    original: str
    friendly: str
    numbers: tuple[int, ...]
    limit: float | None = None


def questions(last: int) -> list[Question]:
    """Return what is asked of a year that ends with a blip."""
    since = last - 30 * DAY_MS
    middle = START + 182 * DAY_MS

    def ask(
        name: str, question: Any, statement: str, *numbers: int, **more: Any
    ) -> Question:
        extra = more.pop("extra", ())
        friendly = more.pop("friendly", statement)
        return Question(
            name=name,
            ours=(question, False, SCALE, *numbers, *extra),
            original=statement,
            friendly=friendly,
            numbers=numbers,
            **more,
        )

    page = {"extra": (EVER, PAGE)}
    rollup = {"friendly": "aggregate_rollup"}
    return [
        ask("/last", answers.last, "last"),
        ask("/last, an hour", answers.points, "get", last - HOUR_MS, **page),
        ask("/since, 20,000 points", answers.points, "get", since, **page),
        ask(
            "/aggregate, a day by 5 min",
            answers.aggregate,
            "aggregate",
            middle,
            300_000,
            288,
        ),
        ask(
            "/aggregate, the year by hour",
            answers.aggregate,
            "aggregate",
            START,
            HOUR_MS,
            YEAR_HOURS,
            **rollup,
        ),
        ask(
            "/aggregate, the year by day",
            answers.aggregate,
            "aggregate",
            START,
            DAY_MS,
            365,
            limit=3.0,
            **rollup,
        ),
        ask(
            "/hourly, the year",
            answers.hourly,
            "hourly",
            START,
            START + 365 * DAY_MS,
            extra=(100_000, False),
        ),
    ]


async def timed(ask: Callable[[], Awaitable[object]]) -> float:
    """Return the median time of a question in ms."""
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < REPEATS and (
        len(times) < 2 or time.perf_counter() - began < PATIENCE
    ):
        start = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - start) * 1000)
    return median(times)


@contextmanager
def ours(path: Path) -> Iterator[Reader]:
    """Open our history as the API does."""
    reader = Reader.open(path)
    try:
        yield reader
    finally:
        reader.close()


def asked(reader: Reader, question: Question) -> Callable[[], Awaitable[bytes]]:
    """Return how we are asked, text included."""

    async def ask() -> bytes:
        """Ask once."""
        body = reader.ask(answers.answer, *question.ours)
        assert body is not None
        return body.data

    return ask


async def prepared(
    db: asyncpg.Connection, sql: str, numbers: tuple[int, ...]
) -> Callable[[], Awaitable[bytes]]:
    """Return how PostgreSQL is asked, text included."""
    statement = await db.prepare(sql)

    async def ask() -> bytes:
        """Ask once."""
        rows = await statement.fetch(1, *numbers)
        return orjson.dumps([tuple(row) for row in rows])

    return ask


def evict(paths: Iterable[Path]) -> None:
    """Drop files from the page cache."""
    for path in paths:
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


async def once(ask: Callable[[], Awaitable[object]]) -> float:
    """Return the time of one question in ms."""
    start = time.perf_counter()
    await ask()
    return (time.perf_counter() - start) * 1000


@dataclass(kw_only=True)
class Times:
    """What a question took in ms: ours, the original's, the index-friendly one's."""

    ours: float
    original: float
    friendly: float

    def figures(self, name: str, limit: float | None) -> list[Figure]:
        """Return what is shown: we are to be faster than either."""
        best = min(self.original, self.friendly, limit or math.inf)
        return [
            Figure(
                name=name,
                value=self.ours,
                unit="ms",
                target=at_most(best),
                peer=self.friendly,
            ),
            Figure(
                name=f"{name}, peer as the original",
                value=self.ours,
                unit="ms",
                peer=self.original,
            ),
        ]


async def warm(path: Path, cluster: Cluster, last: int) -> dict[str, Times]:
    """Ask everything with all caches filled, one after the other."""
    found = {}
    db = await cluster.connect()
    with ours(path) as reader:
        for question in questions(last):
            progress(f"warm: {question.name}")
            ask = asked(reader, question)
            original = await prepared(
                db, STATEMENTS[question.original], question.numbers
            )
            friendly = await prepared(db, FRIENDLY[question.friendly], question.numbers)
            if question.original != "last":
                # the same rows, or the comparison means nothing
                mine, theirs = orjson.loads(await ask()), orjson.loads(await friendly())
                assert len(mine) == len(theirs) and mine[:3] == theirs[:3], (
                    question.name
                )
            found[question.name] = Times(
                ours=await timed(ask),
                original=await timed(original),
                friendly=await timed(friendly),
            )
    await db.close()
    return found


async def cold_peer(cluster: Cluster, sql: str, numbers: tuple[int, ...]) -> float:
    """Return the time of a question right after the server's start, in ms."""
    cluster.stop()
    evict((cluster.directory / "data").rglob("*"))
    cluster.start()
    db = await cluster.connect()
    found = await once(await prepared(db, sql, numbers))
    await db.close()
    return found


async def cold(
    path: Path, cluster: Cluster, last: int, repeats: int
) -> dict[str, Times]:
    """Ask everything with nothing cached."""
    found = {}
    for question in questions(last):
        progress(f"cold: {question.name}")
        times: list[list[float]] = [[], [], []]
        for _ in range(repeats):
            evict([path])
            with ours(path) as reader:
                times[0].append(await once(asked(reader, question)))
            for place, sql in (
                (1, STATEMENTS[question.original]),
                (2, FRIENDLY[question.friendly]),
            ):
                times[place].append(await cold_peer(cluster, sql, question.numbers))
        mine, original, friendly = map(median, times)
        found[question.name] = Times(ours=mine, original=original, friendly=friendly)
    return found


async def growth(report: Report, small: Path, large: Path, factor: float) -> None:
    """Compare the same questions on a short and a long history."""
    with ours(small) as few, ours(large) as many:
        for name, question in (("/last", 0), ("/since, 20,000 points", 2)):
            times = [
                await timed(asked(reader, questions(last_of(reader))[question]))
                for reader in (few, many)
            ]
            report.figures.append(
                Figure(
                    name=f"{name}: {factor:.3g} times the blips take",
                    value=times[1] / times[0],
                    unit="times",
                    target=at_most(2),
                )
            )


def last_of(reader: Reader) -> int:
    """Return when the latest blip came."""
    found = reader.last(1)
    assert found is not None
    return found[0]


async def measure(quick: bool) -> Report:
    """Measure all of it."""
    report = Report(bench="blip-store")
    wanted = 1_000_000 if quick else 10_000_000
    with tempfile.TemporaryDirectory(prefix="rackwatt-bench-") as directory:
        path = Path(directory) / "rackwatt.db"
        progress(f"a year of {wanted:,} blips")
        hours = dict(year(wanted))
        start = time.perf_counter()
        blips = load_ours(path, hours.items())
        seconds = time.perf_counter() - start
        async with postgres("UTC") as cluster:
            progress("the same into PostgreSQL")
            db = await cluster.connect()
            rows = (
                (1, *row)
                for points in hours.values()
                for row in zip(points.stamps, points.intervals, strict=True)
            )
            await fill(db, rows, minutes=False)  # type: ignore[arg-type]
            size = await db.fetchval(
                "SELECT pg_total_relation_size('readings')"
                " + pg_total_relation_size('readings_hourly')"
            )
            await db.close()
            del hours
            report.figures += [
                Figure(name="blips", value=blips, unit="blips"),
                Figure(
                    name="size",
                    value=path.stat().st_size / blips,
                    unit="bytes a blip",
                    target=at_most(4),
                    peer=size / blips,
                ),
                Figure(
                    name="stored in bulk",
                    value=blips / seconds,
                    unit="blips/s",
                    target=at_least(500_000),
                ),
            ]
            with ours(path) as reader:
                last = last_of(reader)
            limits = {item.name: item.limit for item in questions(last)}
            for name, times in (await warm(path, cluster, last)).items():
                report.figures += times.figures(f"warm {name}", limits[name])
            if quick:
                report.left_out += ["cold medians", "growth from 1 to 10 million"]
            else:
                found = await cold(path, cluster, last, COLD_REPEATS)
                for name, times in found.items():
                    report.figures += times.figures(f"cold {name}", None)
        if not quick:
            small = Path(directory) / "small.db"
            # the same meter, a tenth of the year old
            few = load_ours(small, islice(year(wanted), YEAR_HOURS // 10))
            await growth(report, small, path, blips / few)
    return report


if __name__ == "__main__":
    sys.exit(run(measure))
