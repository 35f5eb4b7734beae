"""The one thread that may wait for a bus. No Home Assistant in here."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
import time

from .bus import BusReport, Folder, TemperatureBus

# A bus that has not come back after this long and a second for each probe is stuck, in s
PATIENCE = 10.0


class BusWorker:
    """Reads one bus in a thread of its own, one cycle at a time."""

    def __init__(self, folder: Folder, resolution: int) -> None:
        """Initialize the worker; its thread starts with the first cycle."""
        self.folder = folder
        self._bus = TemperatureBus(folder.path, resolution)
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix=f"rackwatt-{folder.name}"
        )
        self._cycle: Future[BusReport] | None = None
        self._deadline = 0.0

    @property
    def is_busy(self) -> bool:
        """Tell whether a cycle is going on."""
        return self._cycle is not None and not self._cycle.done()

    @property
    def is_stuck(self) -> bool:
        """Tell whether a cycle takes longer than any bus should."""
        return self.is_busy and time.monotonic() > self._deadline

    async def read(self, folder: Folder) -> BusReport:
        """Read every probe of the bus once."""
        self.folder = folder
        self._deadline = time.monotonic() + PATIENCE + len(folder.probes)
        self._cycle = self._executor.submit(self._bus.read, folder)
        return await asyncio.wrap_future(self._cycle)

    async def close(self, timeout: float) -> bool:
        """End the thread; return False if the bus holds on to it."""
        self._bus.stop()
        if self._cycle is not None and self.is_busy:
            await asyncio.wait([asyncio.wrap_future(self._cycle)], timeout=timeout)
        has_ended = not self.is_busy
        # An idle thread ends at once, a stuck one may never
        self._executor.shutdown(wait=has_ended, cancel_futures=True)
        return has_ended
