"""The queue: nothing is lost, nothing doubled, nothing written without need."""

import errno
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
from typing import Any

import pytest

from .conftest import fill
from rackwatt_agent import backlog as module
from rackwatt_agent.backlog import Backlog
from rackwatt_agent.segments import Segment
from rackwatt_agent.server.report import Layout, Metric


def drain(backlog: Backlog, limit: int = 300) -> list[float | None]:
    """Take and acknowledge everything, checking that numbers ascend without a hole."""
    values: list[float | None] = []
    last: dict[str, int] = {}
    while (chunk := backlog.chunk(limit)) is not None:
        epoch = chunk.header.epoch
        skipped = {n for low, high in chunk.skip for n in range(low, high + 1)}
        for sample in chunk.samples:
            expected = last.get(epoch, sample.seq - 1) + 1
            assert set(range(expected, sample.seq)) <= skipped
            last[epoch] = sample.seq
            values.append(sample.values[0])
        backlog.ack(epoch, chunk.samples[-1].seq)
    return values


def test_connected_writes_nothing(
    backlog: Backlog, layout: Layout, tmp_path: Path
) -> None:
    """While acknowledgements come, there is not even a directory."""
    for n in range(100):
        fill(backlog, layout, 1, n)
        chunk = backlog.chunk(300)
        assert chunk is not None
        assert [s.seq for s in chunk.samples] == [n + 1]
        assert chunk.skip == ()
        backlog.ack(backlog.epoch, n + 1)
    assert backlog.chunk(300) is None
    assert backlog.held == 0
    assert not (tmp_path / "queue").exists()


def test_survives_restart(backlog: Backlog, layout: Layout, tmp_path: Path) -> None:
    """A later run sends what the earlier one wrote, then its own, each under its epoch."""
    fill(backlog, layout, 1000)
    backlog.close()
    later = Backlog(tmp_path / "queue", "boot-2", 8.0)
    assert later.epoch != backlog.epoch
    assert later.spilling
    fill(later, layout, 5, 1000)
    assert drain(later) == [float(n) for n in range(1005)]
    assert not later.spilling
    assert not list((tmp_path / "queue").iterdir())
    fill(later, layout, 1)
    assert not list((tmp_path / "queue").iterdir())


def test_restart_sends_acknowledged_again_under_the_same_numbers(
    backlog: Backlog, layout: Layout, tmp_path: Path
) -> None:
    """What was acknowledged just before a kill is recognised by its numbers."""
    fill(backlog, layout, 20)
    backlog.spill()
    backlog.ack(backlog.epoch, 7)
    later = Backlog(tmp_path / "queue", "boot-2", 8.0)
    chunk = later.chunk(300)
    assert chunk is not None
    assert chunk.header.epoch == backlog.epoch
    assert chunk.header.boot == "boot-1"
    assert [s.seq for s in chunk.samples] == list(range(1, 21))


def test_new_columns_travel_apart(backlog: Backlog, layout: Layout) -> None:
    """A chunk has one layout, on disk and in memory."""
    other = Layout(keys=("cpu",), metrics={"cpu": Metric(kind="cpu")})
    for on_disk in (False, True):
        fill(backlog, layout, 3)
        backlog.put(other, 1, 1, (5.0,))
        if on_disk:
            backlog.spill()
        first = backlog.chunk(300)
        assert first is not None
        assert first.header.layout == layout
        assert len(first.samples) == 3
        assert drain(backlog)[-1] == 5.0


def test_torn_tail_leaves_a_prefix(
    backlog: Backlog, layout: Layout, tmp_path: Path
) -> None:
    """A file cut at any place reads as a whole number of samples."""
    fill(backlog, layout, 40)
    backlog.close()
    (path,) = (tmp_path / "queue").iterdir()
    whole = path.read_bytes()
    seen = set()
    for cut in random.Random(7).sample(range(len(whole)), 120):
        path.write_bytes(whole[:cut])
        segment = Segment.open(path)
        count = segment.count if segment else 0
        seen.add(count)
        if segment and count:
            assert [s.seq for s in segment.samples(0)] == list(range(1, count + 1))
    assert len(seen) > 20


def test_flipped_byte_ends_the_prefix(
    backlog: Backlog, layout: Layout, tmp_path: Path
) -> None:
    """A checksum that does not fit ends the file there; what is before it is sent."""
    fill(backlog, layout, 40)
    backlog.close()
    (path,) = (tmp_path / "queue").iterdir()
    raw = bytearray(path.read_bytes())
    raw[len(raw) * 3 // 4] ^= 0xFF
    path.write_bytes(raw)
    values = drain(Backlog(tmp_path / "queue", "b", 8.0))
    assert 10 < len(values) < 40
    assert values == [float(n) for n in range(len(values))]


def test_foreign_files_are_no_segments(tmp_path: Path) -> None:
    """Rubbish in the directory costs nothing."""
    queue = tmp_path / "queue"
    queue.mkdir()
    (queue / "000000000001.seg").write_bytes(b"")
    (queue / "000000000002.seg").write_bytes(b"RWQ1" + b"\0" * 8)
    (queue / "000000000003.seg").write_bytes(os.urandom(500))
    (queue / "000000000004.new").write_bytes(b"cut short")
    (queue / "README").write_text("mine")
    backlog = Backlog(queue, "b", 8.0)
    assert backlog.chunk(300) is None
    assert [path.name for path in queue.iterdir()] == ["README"]


def test_killed_at_any_time(tmp_path: Path) -> None:
    """Whatever was reported as written before a kill -9 is there after it."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rackwatt_agent.backlog import Backlog\n"
        "from tests.agent.conftest import LAYOUT, fill\n"
        "backlog = Backlog(Path(sys.argv[1]), 'b', 8.0)\n"
        "backlog.spill()\n"
        "for n in range(10**6):\n"
        "    fill(backlog, LAYOUT, 1, n)\n"
        "    sys.stdout.write(f'{n + 1}\\n'); sys.stdout.flush()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "queue")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(1500)]
    process.send_signal(signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().splitlines()]
    process.wait()
    values = drain(Backlog(tmp_path / "queue", "b2", 8.0))
    assert len(values) in {said[-1], said[-1] + 1}
    assert values == [float(n) for n in range(len(values))]


class FullDisk:
    """A disk on which so many more bytes fit; what does not fit is written in part."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        """Take the place of the system's write."""
        self.room = room
        self._write = os.write
        monkeypatch.setattr("rackwatt_agent.segments.os.write", self.write)

    def write(self, file: int, data: Any) -> int:
        """Write what fits."""
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(file, bytes(data)[: self.room])
        self.room -= written
        return written


def test_full_disk(
    backlog: Backlog, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs only what is beyond a thousand samples in memory; it is counted."""
    disk = FullDisk(monkeypatch, 4000)
    fill(backlog, layout, 10)
    backlog.spill()
    fill(backlog, layout, 1200, 10)
    assert backlog.problem == "No space left on device"
    assert backlog.status().degraded
    dropped = backlog.dropped
    assert 0 < dropped < 210
    disk.room = 1 << 30
    fill(backlog, layout, 1, 1210)
    assert backlog.problem is None
    assert len(drain(backlog)) == 1211 - dropped


def test_read_only_disk(layout: Layout, tmp_path: Path) -> None:
    """A queue directory that cannot be made is a problem that is told, not an end."""
    (tmp_path / "file").write_text("")
    backlog = Backlog(tmp_path / "file" / "queue", "b", 8.0)
    fill(backlog, layout, 50)
    backlog.spill()
    assert backlog.problem
    assert drain(backlog) == [float(n) for n in range(50)]


def test_reserve_is_kept(
    backlog: Backlog, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that others filled the queue stays in memory."""
    usage = type("Usage", (), {"free": 10 << 20, "total": 100 << 30})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    fill(backlog, layout, 5)
    backlog.spill()
    assert backlog.status().degraded
    assert list(backlog._segments) == []
    assert drain(backlog) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_thins_before_it_drops(layout: Layout, tmp_path: Path) -> None:
    """Too large: what is older than a day becomes minute means, then the oldest goes."""
    backlog = Backlog(tmp_path / "queue", "b", 8.0, max_bytes=1_300_000)
    backlog.spill()
    fill(backlog, layout, 30_000)
    status = backlog.status()
    assert status.thinned > 1000
    assert status.dropped == 0
    held = drain(backlog)
    assert held[-1] == 29_999.0
    assert len(held) == status.held == 30_000 - status.thinned
    # a day at full resolution
    assert held[-10_000:] == [float(n) for n in range(20_000, 30_000)]
    # seven or eight samples of a minute are one, their mean
    assert held[1] == pytest.approx((8 + 14) / 2)


def test_drops_the_oldest_at_last(layout: Layout, tmp_path: Path) -> None:
    """What does not fit even when thinned goes, the oldest first, and is counted."""
    backlog = Backlog(tmp_path / "queue", "b", 8.0, max_bytes=600_000)
    backlog.spill()
    fill(backlog, layout, 20_000)
    status = backlog.status()
    assert status.dropped > 0
    values = drain(backlog)
    assert values[-1] == 19_999.0
    assert len(values) + status.dropped + status.thinned == 20_000


def test_keeps_seven_days_whatever_the_clock_says(
    layout: Layout, tmp_path: Path
) -> None:
    """The bound counts samples: a clock that steps by years drops nothing."""
    backlog = Backlog(tmp_path / "queue", "b", 600.0)
    backlog.spill()
    day = 86_400 // 600
    for n in range(3 * day):
        wall = 1_795_300_000_000 if n % 2 else 4_000_000_000_000
        backlog.put(layout, wall, n * 600_000, (float(n), 0.0))
    assert backlog.dropped == 0
    assert len(drain(backlog)) == 3 * day


def test_seven_days_are_the_bound(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond seven days of samples the oldest file goes."""
    monkeypatch.setattr(module, "SEGMENT_BYTES", 4 << 10)
    backlog = Backlog(tmp_path / "queue", "b", 600.0)
    backlog.spill()
    fill(backlog, layout, 8 * 144)
    assert 7 * 144 - 200 < backlog.held <= 7 * 144 + 1
    assert backlog.dropped == 8 * 144 - backlog.held


def test_mean_leaves_out_what_was_not_measured(tmp_path: Path, layout: Layout) -> None:
    """A minute's mean is of the readings that there are; a counter keeps its last one."""
    backlog = Backlog(tmp_path / "queue", "b", 8.0)
    backlog.put(layout, 1000, 1000, (None, 1.0))
    backlog.put(layout, 9000, 9000, (4.0, 2.0))
    backlog.put(layout, 17_000, 17_000, (8.0, None))
    backlog.put(layout, 61_000, 61_000, (None, None))
    backlog.spill()
    backlog._close_writing()
    assert backlog._thin(backlog._segments[0])
    chunk = backlog.chunk(300)
    assert chunk is not None
    assert [s.values for s in chunk.samples] == [(6.0, 2.0), (None, None)]
    assert [s.seq for s in chunk.samples] == [3, 4]
    assert chunk.skip == ((1, 2),)


def test_gap_is_declared_after_the_other_side_lost_it(
    backlog: Backlog, layout: Layout
) -> None:
    """A restored backup knows less than was acknowledged: the difference is declared."""
    fill(backlog, layout, 10)
    backlog.ack(backlog.epoch, 8)
    backlog.restart_at(backlog.epoch, 4)
    chunk = backlog.chunk(300)
    assert chunk is not None
    assert chunk.skip == ((4, 8),)
    assert [s.seq for s in chunk.samples] == [9, 10]


def test_bad_sample_is_given_up_alone(backlog: Backlog, layout: Layout) -> None:
    """One sample that is never taken does not block those behind it."""
    fill(backlog, layout, 3)
    backlog.drop(backlog.epoch, 1)
    assert backlog.dropped == 1
    chunk = backlog.chunk(300)
    assert chunk is not None
    assert [s.seq for s in chunk.samples] == [2, 3]


def test_file_that_vanishes_is_counted(
    backlog: Backlog, layout: Layout, tmp_path: Path
) -> None:
    """A file that somebody deleted is counted as dropped; the rest goes on."""
    fill(backlog, layout, 10)
    backlog.spill()
    (path,) = (tmp_path / "queue").iterdir()
    path.unlink()
    assert backlog.chunk(300) is None
    assert backlog.dropped == 10
    fill(backlog, layout, 1, 10)
    assert drain(backlog) == [10.0]
