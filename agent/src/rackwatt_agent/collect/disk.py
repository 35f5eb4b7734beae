"""Space and traffic of every file system on a disk."""

import os
from pathlib import Path
import time

import psutil

from ..config import Choice
from ..server.report import Metric
from .collector import Values
from .rates import Rates

RESCAN_S = 60.0  # a mount table of twenty lines costs 0.1 ms to read
# Images that are full by their nature
HIDDEN_TYPES = frozenset({"squashfs", "iso9660", "udf", "erofs", "cramfs"})


class DiskCollector:
    """Used and free space, reads and writes, a mount each."""

    name = "disk"

    def __init__(self, choice: Choice, block: Path = Path("/sys/dev/block")) -> None:
        """Start without mounts; the first reading finds them."""
        self.metrics: dict[str, Metric] = {}
        self._choice = choice
        self._block = block
        self._mounts: dict[str, str | None] = {}
        self._scanned = -RESCAN_S
        self._rates = Rates()

    def read(self) -> Values:
        """Read the space and the traffic of each mount."""
        if time.monotonic() - self._scanned >= RESCAN_S:
            self._scan()
        values: Values = {}
        for mount in self._mounts:
            usage = psutil.disk_usage(mount)
            values[f"disk:{mount}"] = usage.percent
            values[f"disk_used:{mount}"] = usage.used
            values[f"disk_free:{mount}"] = usage.free
        return values | self._traffic()

    def _traffic(self) -> Values:
        """Return bytes read and written a second."""
        counted = psutil.disk_io_counters(perdisk=True) or {}
        counters = {}
        for mount, device in self._mounts.items():
            if device and (disk := counted.get(device)):
                counters[f"disk_read:{mount}"] = disk.read_bytes
                counters[f"disk_write:{mount}"] = disk.write_bytes
        return dict(self._rates.update(counters))

    def _scan(self) -> None:
        """Find the mounts that are wanted, each file system once."""
        self._scanned = time.monotonic()
        found: dict[str, str | None] = {}
        devices: set[int] = set()
        for mount in self._candidates():
            try:
                device = Path(mount).stat().st_dev
            except OSError:
                continue  # unmounted between the list and this line
            if device not in devices and self._choice.takes(mount):
                devices.add(device)
                found[mount] = self._name(device)
        if found != self._mounts:
            self._mounts = found
            self.metrics = _describe(found)

    def _candidates(self) -> list[str]:
        """Return the mount points, the shortest first, so that binds come last."""
        parts = psutil.disk_partitions(all=False)
        mounts = {p.mountpoint for p in parts if p.fstype not in HIDDEN_TYPES}
        if os.name == "posix":
            mounts.add("/")  # in a container the root is no disk's
        return sorted(mounts, key=lambda mount: (len(mount), mount))

    def _name(self, device: int) -> str | None:
        """Return the name of a device in the kernel's statistics."""
        link = self._block / f"{os.major(device)}:{os.minor(device)}"
        return link.resolve().name if link.exists() else None


def _describe(mounts: dict[str, str | None]) -> dict[str, Metric]:
    """Return the metrics of the mounts."""
    metrics = {}
    for mount, device in mounts.items():
        metrics[f"disk:{mount}"] = Metric(kind="disk", unit="%", mount=mount)
        for kind in ("disk_used", "disk_free"):
            metrics[f"{kind}:{mount}"] = Metric(kind=kind, unit="B", mount=mount)
        if device:
            for kind in ("disk_read", "disk_write"):
                metrics[f"{kind}:{mount}"] = Metric(kind=kind, unit="B/s", mount=mount)
    return metrics
