"""Files that hold samples until they are acknowledged.

A segment is only ever appended to: a header with the columns, then records of
length, checksum, sequence number and row. Whatever cuts it short (a kill, a full
disk, a pulled plug) leaves a prefix that reads well. Removing the oldest file frees
space even on a full disk, where a database could not even delete.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import json
import os
from pathlib import Path
import struct
import zlib

from .server.report import COUNTERS, Layout, Metric, Sample

MAGIC = b"RWQ1"
SEGMENT_BYTES = 256 << 10
RECORD_MAX = 1 << 20
MINUTE_MS = 60_000
_RECORD = struct.Struct("<IIQ")
_HEAD = struct.Struct("<II")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What all samples of a segment share."""

    epoch: str
    boot: str
    layout: Layout
    interval_ms: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Header":
        """Read a header."""
        data = json.loads(raw)
        return cls(
            epoch=data["epoch"],
            boot=data["boot"],
            interval_ms=data["iv"],
            layout=Layout(
                keys=tuple(data["keys"]),
                metrics={k: Metric.from_json(v) for k, v in data["desc"].items()},
            ),
        )

    def to_bytes(self) -> bytes:
        """Write a header."""
        return json.dumps(
            {
                "epoch": self.epoch,
                "boot": self.boot,
                "iv": self.interval_ms,
                "keys": self.layout.keys,
                "desc": self.layout.describe(),
            }
        ).encode()


class Segment:
    """One file of samples."""

    def __init__(self, path: Path, header: Header) -> None:
        """Describe a segment; nothing is read or written yet."""
        self.path = path
        self.header = header
        self.first = 0
        self.last = 0
        self.count = 0
        self.size = 0
        self.thinned = False
        self._file: int | None = None
        self._start = 0

    @classmethod
    def create(cls, path: Path, header: Header) -> "Segment":
        """Make a file with its header, or leave none."""
        segment = cls(path, header)
        body = header.to_bytes()
        raw = MAGIC + _HEAD.pack(len(body), zlib.crc32(body)) + body
        segment._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write(segment._file, raw)
        except OSError:
            segment.remove()
            raise
        segment.size = segment._start = len(raw)
        return segment

    @classmethod
    def open(cls, path: Path) -> "Segment | None":
        """Read a file that an earlier run left; None where not even its header is whole."""
        raw = path.read_bytes()
        at = len(MAGIC) + _HEAD.size
        if len(raw) < at or raw[: len(MAGIC)] != MAGIC:
            return None
        length, crc = _HEAD.unpack_from(raw, len(MAGIC))
        body = raw[at : at + length]
        if len(body) < length or zlib.crc32(body) != crc:
            return None
        try:
            segment = cls(path, Header.from_bytes(body))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        segment.size = segment._start = at + length
        segment.thinned = path.suffix == ".thin"
        for seq, _, end in _records(raw, segment._start):
            segment.first = segment.first or seq
            segment.last, segment.size = seq, end
            segment.count += 1
        return segment

    def append(self, sample: Sample) -> None:
        """Write one sample; what a full disk cuts off is taken back."""
        row = json.dumps(sample[1:], separators=(",", ":")).encode()
        raw = _RECORD.pack(len(row), zlib.crc32(row), sample.seq) + row
        if self._file is None:
            raise OSError("the segment is closed")
        try:
            _write(self._file, raw)
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += len(raw)
        self.first = self.first or sample.seq
        self.last = sample.seq
        self.count += 1

    def samples(self, after: int) -> Iterator[Sample]:
        """Yield the samples above a sequence number."""
        for seq, row, _ in _records(self.path.read_bytes()[: self.size], self._start):
            if seq > after:
                wall, up, values = json.loads(row)
                yield Sample(seq, wall, up, tuple(values))

    def sync(self) -> None:
        """Have the disk keep what was written."""
        if self._file is not None:
            getattr(os, "fdatasync", os.fsync)(self._file)

    def close(self) -> None:
        """Close the file for good; it may still be read."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def remove(self) -> None:
        """Delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def thin(self, after: int) -> "tuple[Segment, int]":
        """Return a smaller segment with minute means, and how many samples it lacks."""
        rows = list(thinned(self.samples(after), self.header.layout))
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        segment = Segment.create(fresh, self.header)
        try:
            for sample in rows:
                segment.append(sample)
            segment.sync()
        except OSError:
            segment.remove()
            raise
        segment.close()
        before = sum(1 for _ in self.samples(after))
        segment.path = fresh.replace(self.path.with_suffix(".thin"))
        segment.thinned = True
        self.remove()
        return segment, before - len(rows)


def thinned(samples: Iterator[Sample], layout: Layout) -> Iterator[Sample]:
    """Yield one sample a minute: the mean of each value, the last of each counter."""
    counts_up = [
        key in layout.metrics and layout.metrics[key].kind in COUNTERS
        for key in layout.keys
    ]
    minute: list[Sample] = []
    for sample in samples:
        if minute and sample.up_ms // MINUTE_MS != minute[0].up_ms // MINUTE_MS:
            yield _mean(minute, counts_up)
            minute = []
        minute.append(sample)
    if minute:
        yield _mean(minute, counts_up)


def _mean(samples: list[Sample], counts_up: list[bool]) -> Sample:
    """Return one sample for several; it takes the place of the last one."""
    last = samples[-1]
    values: list[float | None] = []
    for n, up in enumerate(counts_up):
        known = [v for sample in samples if (v := sample.values[n]) is not None]
        if not known:
            values.append(None)
        else:
            values.append(known[-1] if up else round(sum(known) / len(known), 4))
    return Sample(last.seq, last.wall_ms, last.up_ms, tuple(values))


def _records(raw: bytes, at: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield number, row and end of each whole record; stop at the first torn one."""
    while at + _RECORD.size <= len(raw):
        length, crc, seq = _RECORD.unpack_from(raw, at)
        end = at + _RECORD.size + length
        row = raw[at + _RECORD.size : end]
        if length > RECORD_MAX or len(row) < length or zlib.crc32(row) != crc:
            return
        yield seq, row, end
        at = end


def _write(file: int, raw: bytes) -> None:
    """Write all bytes; a disk that fills up takes only some of them."""
    view = memoryview(raw)
    while view:
        view = view[os.write(file, view) :]
