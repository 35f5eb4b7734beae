"""The samples file in Home Assistant: one thread, several reports a transaction."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
import sqlite3
import time

from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from .samples import Committed, Incoming, SampleStore

FILE_NAME = "rackwatt_samples.db"
ISSUE_CANNOT_WRITE = "samples_cannot_write"

# Reports that come within this time share a transaction, and with it one fsync, in s
GATHER = 0.5
# A backlog is waiting for its acknowledgement before it goes on
ENOUGH_SAMPLES = 50
UPKEEP_INTERVAL = timedelta(minutes=5)
PACK_PAUSE = 0.05
STORE_ERRORS = (sqlite3.Error, OSError)

_WRITER: HassKey[SampleWriter] = HassKey(f"{DOMAIN}_samples")
_OPENING: HassKey[asyncio.Lock] = HassKey(f"{DOMAIN}_samples_opening")


class SampleWriter:
    """Samples on their way to the file and back."""

    def __init__(self, hass: HomeAssistant, store: SampleStore) -> None:
        """Initialize the writer; async_open() opens the file."""
        self.store = store
        self._hass = hass
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rackwatt-samples")
        self._waiting: list[tuple[Incoming, asyncio.Future[Committed]]] = []
        self._samples = 0
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stop_upkeep: Callable[[], None] | None = None
        self._failing = False

    async def async_open(self) -> None:
        """Open the file and start to write."""
        await self.async_run(self.store.open)
        self._task = self._hass.async_create_background_task(
            self._write_for_ever(), "rackwatt samples"
        )
        self._stop_upkeep = async_track_time_interval(
            self._hass, self._async_upkeep, UPKEEP_INTERVAL, name="rackwatt samples"
        )

    async def async_close(self) -> None:
        """Write what is left and close the file."""
        if self._stop_upkeep is not None:
            self._stop_upkeep()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._commit()
        await self.async_run(self.store.close)
        await self._hass.async_add_executor_job(self._thread.shutdown)

    async def async_commit(self, incoming: Incoming) -> Committed:
        """Store a report; return when it is on the disk.

        Raises:
            sqlite3.Error, OSError: the disk is full, read-only or gone.
        """
        future: asyncio.Future[Committed] = self._hass.loop.create_future()
        self._waiting.append((incoming, future))
        self._samples += len(incoming.rows)
        self._arrived.set()
        if self._samples >= ENOUGH_SAMPLES:
            self._enough.set()
        return await future

    async def async_run[*_Ts, _T](self, job: Callable[[*_Ts], _T], *args: *_Ts) -> _T:
        """Run a job in the thread that owns the file."""
        return await self._hass.loop.run_in_executor(self._thread, job, *args)

    async def _write_for_ever(self) -> None:
        """Write what comes in, several reports at a time."""
        while True:
            await self._arrived.wait()
            try:
                async with asyncio.timeout(GATHER):
                    await self._enough.wait()
            except TimeoutError:
                pass
            await self._commit()

    async def _commit(self) -> None:
        """Write what waits, and tell those who wait for it."""
        waiting, self._waiting = self._waiting, []
        self._samples = 0
        self._arrived.clear()
        self._enough.clear()
        if not waiting:
            return
        try:
            done = await self.async_run(
                self.store.commit, [item for item, _ in waiting]
            )
        except STORE_ERRORS as err:
            self._report_failure(err)
            for _, future in waiting:
                if not future.done():
                    future.set_exception(err)
            return
        self._report_success()
        for committed, (_, future) in zip(done, waiting, strict=True):
            # a client that hung up waits no more; its samples are stored all the same
            if not future.done():
                future.set_result(committed)

    def _report_failure(self, err: Exception) -> None:
        """Tell the user that the agents have to keep their samples."""
        if self._failing:
            return
        self._failing = True
        LOGGER.error("The samples in %s cannot be written: %s", self.store.path, err)
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            ISSUE_CANNOT_WRITE,
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key=ISSUE_CANNOT_WRITE,
            translation_placeholders={"path": str(self.store.path), "error": str(err)},
        )

    def _report_success(self) -> None:
        """Tell that it is written again."""
        if self._failing:
            self._failing = False
            LOGGER.info("The samples are written again")
            ir.async_delete_issue(self._hass, DOMAIN, ISSUE_CANNOT_WRITE)

    async def _async_upkeep(self, now: datetime) -> None:
        """Compress closed hours, a host at a time, and delete what is too old."""
        try:
            while await self.async_run(self.store.pack, _now_ms()):
                # reports that come in meanwhile shall not wait for all of it
                await asyncio.sleep(PACK_PAUSE)
            await self.async_run(self.store.purge, _now_ms())
        except STORE_ERRORS as err:
            self._report_failure(err)


def _now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


async def async_get_samples(hass: HomeAssistant) -> SampleWriter:
    """Return the open samples file.

    Raises:
        ConfigEntryError: the file cannot be used, and why.
    """
    async with hass.data.setdefault(_OPENING, asyncio.Lock()):
        if (writer := hass.data.get(_WRITER)) is not None:
            return writer
        writer = SampleWriter(hass, SampleStore(Path(hass.config.path(FILE_NAME))))
        try:
            await writer.async_open()
        except STORE_ERRORS as err:
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key="samples_cannot_open",
                translation_placeholders={
                    "path": str(writer.store.path),
                    "error": str(err),
                },
            ) from err
        hass.data[_WRITER] = writer

    async def close(_: Event) -> None:
        """Close the file as the last thing that happens."""
        hass.data.pop(_WRITER, None)
        await writer.async_close()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, close)
    return writer


@callback
def async_loaded_samples(hass: HomeAssistant) -> SampleWriter | None:
    """Return the samples file where it is open."""
    return hass.data.get(_WRITER)
