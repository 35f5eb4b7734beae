"""The queue of samples that Home Assistant has not acknowledged yet.

In memory while acknowledgements come, so that a healthy host writes nothing. On disk
as soon as two are missing or the agent ends. The age of a sample is how many came
after it, not what the clock says: clocks step.
"""

from collections import deque
from dataclasses import dataclass
import errno
from itertools import islice
import logging
import os
from pathlib import Path
import shutil
import time

from .segments import SEGMENT_BYTES, Header, Segment
from .server.report import Layout, QueueStatus, Sample, gaps

LOGGER = logging.getLogger(__name__)

KEEP_DAYS = 7
DAY_S = 86_400
SYNC_S = 60.0
MEMORY_MAX = 1_000  # samples held where the disk takes none
RESERVE_BYTES = 50 << 20
RESERVE_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The oldest samples that can travel together."""

    header: Header
    samples: tuple[Sample, ...]
    skip: tuple[tuple[int, int], ...]


class Backlog:
    """All samples that are not acknowledged, in order."""

    def __init__(
        self, directory: Path, boot: str, interval: float, max_bytes: int = 64 << 20
    ) -> None:
        """Find what earlier runs left."""
        self._directory = directory
        self._boot = boot
        self._interval = interval
        self._max_bytes = max_bytes
        self._keep = int(KEEP_DAYS * DAY_S / interval)
        self._day = int(DAY_S / interval)
        # A new run counts from one again under a name of its own: no number has to
        # survive in a file, and none is ever used twice.
        self.epoch = os.urandom(8).hex()
        self._seq = 0
        self._memory: deque[tuple[Header, Sample]] = deque()
        self._header: Header | None = None
        self._segments: list[Segment] = []
        self._writing: Segment | None = None
        self._name = 0
        self._base: dict[str, int] = {self.epoch: 0}
        self._synced = 0.0
        self.spilling = False
        self.dropped = 0
        self.thinned = 0
        self.problem: str | None = None
        self._load()

    def put(
        self, layout: Layout, wall_ms: int, up_ms: int, values: tuple[float | None, ...]
    ) -> Sample:
        """Take a sample."""
        self._seq += 1
        sample = Sample(self._seq, wall_ms, up_ms, values)
        if self._header is None or self._header.layout is not layout:
            self._header = Header(
                epoch=self.epoch,
                boot=self._boot,
                layout=layout,
                interval_ms=int(self._interval * 1000),
            )
        self._memory.append((self._header, sample))
        if self.spilling:
            self.spill()
        return sample

    def chunk(self, limit: int) -> Chunk | None:
        """Return the oldest samples that share their columns, None where all is acknowledged."""
        for segment in tuple(self._segments):
            header = segment.header
            rows = self._read(segment, limit)
            if rows:
                return self._chunk(header, rows)
            self._discard(segment)
        if not self._memory:
            return None
        header = self._memory[0][0]
        rows = [s for h, s in islice(self._memory, limit) if h is header]
        return self._chunk(header, rows)

    def ack(self, epoch: str, seq: int) -> None:
        """Forget what is committed at the other side."""
        self._base[epoch] = max(seq, self._base.get(epoch, 0))
        while self._memory and self._is_acked(*self._memory[0]):
            self._memory.popleft()
        while self._segments and self._is_done(self._segments[0]):
            self._discard(self._segments[0])
        if not self._segments:
            self.spilling = False

    def restart_at(self, epoch: str, expected: int) -> None:
        """Send again from a number that the other side has lost since it acknowledged it."""
        self._base[epoch] = expected - 1

    def drop(self, epoch: str, seq: int) -> None:
        """Give up one sample that the other side will never take."""
        self.dropped += 1
        self._base[epoch] = max(seq, self._base.get(epoch, 0))
        self.ack(epoch, seq)

    def spill(self) -> None:
        """Write to disk what is in memory; keep it there where the disk takes nothing."""
        self.spilling = True
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room()
            while self._memory:
                self._append(*self._memory[0])
                self._memory.popleft()
            self._sync(SYNC_S)
            self.problem = None
        except OSError as err:
            if self.problem is None:
                LOGGER.warning(
                    "the queue cannot be written to %s (%s);"
                    " the last %d samples are kept in memory",
                    self._directory,
                    err.strerror or err,
                    MEMORY_MAX,
                )
            self.problem = err.strerror or str(err)
            self._close_writing()
        while len(self._memory) > MEMORY_MAX:
            self._memory.popleft()
            self.dropped += 1

    def close(self) -> None:
        """Write what is left and end."""
        if self._memory:
            self.spill()
        try:
            self._sync(0)
        except OSError as err:
            LOGGER.warning("the queue may be incomplete: %s", err)
        self._close_writing()

    @property
    def held(self) -> int:
        """Return how many samples wait."""
        return len(self._memory) + sum(segment.count for segment in self._segments)

    def status(self) -> QueueStatus:
        """Return what Home Assistant is told."""
        return QueueStatus(
            held=self.held,
            dropped=self.dropped,
            thinned=self.thinned,
            degraded=self.problem is not None,
        )

    def _chunk(self, header: Header, rows: list[Sample]) -> Chunk:
        """Return samples with the numbers that are missing before and between them."""
        skip = gaps((row.seq for row in rows), self._base.get(header.epoch))
        return Chunk(header=header, samples=tuple(rows), skip=skip)

    def _read(self, segment: Segment, limit: int) -> list[Sample]:
        """Return the first samples of a segment that are not acknowledged."""
        try:
            after = self._base.get(segment.header.epoch, 0)
            return list(islice(segment.samples(after), limit))
        except (OSError, ValueError, TypeError) as err:
            LOGGER.warning("the queue file %s cannot be read: %s", segment.path, err)
            self.dropped += segment.count
            return []

    def _is_acked(self, header: Header, sample: Sample) -> bool:
        """Tell whether a sample is committed at the other side."""
        return sample.seq <= self._base.get(header.epoch, 0)

    def _is_done(self, segment: Segment) -> bool:
        """Tell whether all of a segment is committed."""
        return segment.last <= self._base.get(segment.header.epoch, 0)

    def _discard(self, segment: Segment) -> None:
        """Forget a segment and its file."""
        if segment is self._writing:
            self._writing = None
        self._segments.remove(segment)
        try:
            segment.remove()
        except OSError as err:
            # it is sent again after a restart, and recognised by its numbers
            LOGGER.warning("the queue file %s stays: %s", segment.path, err)

    def _append(self, header: Header, sample: Sample) -> None:
        """Write one sample to the newest segment, or to a new one."""
        segment = self._writing
        if (
            segment is None
            or segment.header is not header
            or segment.size >= SEGMENT_BYTES
        ):
            self._sync(0)
            self._close_writing()
            self._name += 1
            path = self._directory / f"{self._name:012d}.seg"
            segment = self._writing = Segment.create(path, header)
            self._segments.append(segment)
        segment.append(sample)

    def _sync(self, at_least: float) -> None:
        """Have the disk keep the newest segment, once in a while."""
        now = time.monotonic()
        if self._writing is not None and now - self._synced >= at_least:
            self._writing.sync()
            self._synced = now

    def _close_writing(self) -> None:
        """Stop appending to the newest segment."""
        if self._writing is not None:
            self._writing.close()
            if not self._writing.count:
                self._discard(self._writing)
            self._writing = None

    def _load(self) -> None:
        """Find the segments of earlier runs, the oldest first."""
        if not self._directory.is_dir():
            return
        for path in sorted(self._directory.iterdir()):
            if path.suffix == ".new":
                path.unlink(missing_ok=True)  # a thinning that was cut short
            if path.suffix not in {".seg", ".thin"}:
                continue
            self._name = max(self._name, int(path.stem) if path.stem.isdigit() else 0)
            try:
                segment = Segment.open(path)
                if segment is None or not segment.count:
                    path.unlink()
                    continue
            except OSError as err:
                LOGGER.warning("the queue file %s is left out: %s", path, err)
                continue
            self._segments.append(segment)
        self.spilling = bool(self._segments)

    def _make_room(self) -> None:
        """Keep the bounds: thin what is older than a day, then drop the oldest."""
        while self.held > self._keep and len(self._segments) > 1:
            self._give_up(self._segments[0])
        while self._is_short() and len(self._segments) > 1:
            segment = self._thinnable()
            if segment is None or not self._thin(segment):
                self._give_up(self._segments[0])
        if self._is_short():
            raise OSError(errno.ENOSPC, "the disk is as good as full")

    def _is_short(self) -> bool:
        """Tell whether the queue is too large, or the disk too full."""
        if sum(segment.size for segment in self._segments) > self._max_bytes:
            return True
        disk = shutil.disk_usage(self._directory)
        return disk.free < min(RESERVE_BYTES, RESERVE_SHARE * disk.total)

    def _thinnable(self) -> Segment | None:
        """Return the oldest segment that has a day of samples after it."""
        younger = self.held
        for segment in self._segments:
            younger -= segment.count
            if younger < self._day or segment is self._writing:
                return None
            if not segment.thinned:
                return segment
        return None

    def _thin(self, segment: Segment) -> bool:
        """Replace a segment by its minute means; tell whether that worked."""
        try:
            smaller, lacking = segment.thin(self._base.get(segment.header.epoch, 0))
        except (OSError, ValueError) as err:
            LOGGER.warning("the queue file %s cannot be thinned: %s", segment.path, err)
            return False
        self.thinned += lacking
        self._segments[self._segments.index(segment)] = smaller
        if not smaller.count:
            self._discard(smaller)
        return True

    def _give_up(self, segment: Segment) -> None:
        """Drop a segment and count what is lost."""
        self.dropped += segment.count
        self._discard(segment)


def boot_id() -> str:
    """Return what names this run of the kernel."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"process-{os.getpid()}-{os.urandom(4).hex()}"
