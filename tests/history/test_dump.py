"""Dumps of blipserver's table."""

from collections.abc import Iterator
import gzip
from pathlib import Path
from unittest.mock import patch

import pytest

from custom_components.rackwatt.history import dump as dump_module
from custom_components.rackwatt.history.block import Points
from custom_components.rackwatt.history.database import Blip, Database
from custom_components.rackwatt.history.dump import Dump, Imported, export_lines
from custom_components.rackwatt.history.reader import Reader

START = 1_764_000_000_000
BLIPS = [(START + 2000 * number, 2000 + number % 9) for number in range(5000)]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    """Return an open file with a meter."""
    file = Database(tmp_path / "rackwatt.db")
    file.load_meter("a")
    yield file
    file.close()


def take(file: Database, path: Path, source: int | None = None) -> Imported:
    """Import a dump."""
    dump = Dump(path, source)
    try:
        while dump.step(file, 1):
            assert 0 < dump.progress <= 1
    finally:
        dump.close()
    return dump.done


def stored(file: Database) -> list[tuple[int, int | None]]:
    """Return all blips."""
    points = file.reader.ask(Reader.points, 1, 0, 10**15, 10**6)
    return list(zip(points.stamps, points.intervals, strict=True))


def lines(*columns: str, between: str = ",") -> str:
    """Return the blips as lines."""
    return "".join(
        between.join(
            {"id": "1", "stamp": str(stamp), "ms": str(ms)}[c] for c in columns
        )
        + "\n"
        for stamp, ms in BLIPS
    )


PG_DUMP = """\
--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
COPY public.readings_hourly (id, stamp, events, sum_ms, min_ms, max_ms) FROM stdin;
1\t1764000000000\t5\t10000\t2000\t2000
\\.
COPY public.readings (id, stamp, ms) FROM stdin;
{lines}\\.
COPY public.other (a) FROM stdin;
1764000000000
\\.
"""


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        lines("stamp", "ms"),
        lines("id", "stamp", "ms"),
        lines("id", "stamp", "ms", between="\t"),
        "id,stamp,ms\n" + lines("id", "stamp", "ms"),
        PG_DUMP.format(lines=lines("id", "stamp", "ms", between="\t")),
        lines("id", "stamp", "ms").rstrip("\n"),
    ],
    ids=["labitat", "csv", "copy", "heading", "pg_dump", "unfinished"],
)
def test_every_shape(file: Database, tmp_path: Path, text: str, packed: bool) -> None:
    """Plain or packed, in pieces, and once more: each blip once."""
    path = tmp_path / "dump"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    with patch.object(dump_module, "CHUNK", 20_000):
        done = take(file, path, 1)
    assert (done.blips, done.new, done.malformed) == (5000, 5000, 0)
    assert (done.first, done.last) == (BLIPS[0][0], BLIPS[-1][0])
    assert stored(file) == BLIPS
    again = take(file, path, 1)
    assert (again.blips, again.new) == (5000, 0)
    assert stored(file) == BLIPS


def test_lines_that_mean_nothing(file: Database, tmp_path: Path) -> None:
    """They are counted and told of; they cost nothing else."""
    good = lines("id", "stamp", "ms").splitlines()
    good[7:7] = ["what", "1,2", f"1,{START}", "1,2,3,4", f"1,{START},9e3"]
    good[3000:3000] = ["\x00\xff"] * 30
    path = tmp_path / "dump"
    path.write_text("\n".join(good) + "\n", "latin-1")
    done = take(file, path)
    assert done.malformed == 35
    assert done.lines[:6] == [8, 9, 10, 11, 12, 3001]
    assert len(done.lines) == 20
    assert stored(file) == BLIPS


def test_only_the_meter_that_is_asked_for(file: Database, tmp_path: Path) -> None:
    """A dump has all meters of a site."""
    path = tmp_path / "dump"
    rows = [f"{number % 2},{stamp},{ms}" for number, (stamp, ms) in enumerate(BLIPS)]
    path.write_text("\n".join(rows) + "\n")
    assert take(file, path, 1).blips == 2500
    assert stored(file) == BLIPS[1::2]
    path.write_text("\n".join(["", *rows]) + "\n")
    assert take(file, path, 0).blips == 2500
    assert stored(file) == BLIPS


def test_what_is_stored_stays(file: Database, tmp_path: Path) -> None:
    """Of equal stamps the one that is there wins, then the first of the dump."""
    file.write([Blip(1, START, 7), Blip(1, START + 7_200_000, 7)], {})
    path = tmp_path / "dump"
    path.write_text(
        f"{START},9\n{START + 5},3\n{START + 5},4\n{START + 1},0\n{START + 2},-4\n"
    )
    done = take(file, path)
    assert (done.blips, done.new, done.unknown) == (5, 3, 2)
    assert stored(file) == [
        (START, 7),
        (START + 1, None),
        (START + 2, None),
        (START + 5, 3),
        (START + 7_200_000, 7),
    ]


def test_an_export_is_a_dump(file: Database, tmp_path: Path) -> None:
    """An interval that is not known stays so."""
    points = Points([START, START + 5, START + 10], [None, 5, 5])
    path = tmp_path / "dump"
    path.write_text("id,stamp,ms\n" + "".join(export_lines(points, 3)))
    assert take(file, path, 3).malformed == 0
    assert stored(file) == [(START, None), (START + 5, 5), (START + 10, 5)]


def test_a_dump_that_breaks_off(file: Database, tmp_path: Path) -> None:
    """What was read before is kept."""
    path = tmp_path / "dump"
    path.write_bytes(gzip.compress(lines("stamp", "ms").encode())[:-300])
    with patch.object(dump_module, "CHUNK", 1000), pytest.raises(EOFError):
        take(file, path)
    found = stored(file)
    assert 0 < len(found) < 5000
    assert found == BLIPS[: len(found)]


def test_an_empty_dump(file: Database, tmp_path: Path) -> None:
    """It has nothing."""
    path = tmp_path / "dump"
    path.touch()
    assert take(file, path).blips == 0
    assert Dump(path, None).progress == 1
