"""The history file in Home Assistant: one thread, at most a second behind."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
import sqlite3

from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..counter import CounterState
from .database import Blip, Database, HistoryTooNewError, StoredMeter
from .reader import Reader
from .repair import MovedAside, open_history

FILE_NAME = "rackwatt.db"

# A killed Home Assistant loses at most what is younger than this, in seconds …
COMMIT_DELAY = 0.5
# … and a power cut at most what is younger than this.
SYNC_INTERVAL = timedelta(seconds=30)
# How long to wait before the next try when the disk takes nothing, in seconds
RETRY_DELAY = 5.0
# What is kept in memory for a disk that takes nothing: a busy meter's week
MAX_PENDING_BLIPS = 500_000

ISSUE_CANNOT_WRITE = "history_cannot_write"
ISSUE_MOVED_ASIDE = "history_moved_aside"

_STORE: HassKey[HistoryStore] = HassKey(f"{DOMAIN}_history")
_OPENING: HassKey[asyncio.Lock] = HassKey(f"{DOMAIN}_history_opening")


class HistoryClosedError(Exception):
    """Home Assistant stops: nobody waits for a blip any more."""


class HistoryStore:
    """Blips and counters on their way to the file and back."""

    def __init__(self, hass: HomeAssistant, path: Path) -> None:
        """Initialize the store; async_open() opens the file."""
        self.path = path
        self._hass = hass
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rackwatt-history")
        # questions do not wait for what is written, nor hold it up
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="rackwatt-blips")
        self._reader: Reader | None = None
        self._database: Database | None = None
        self._waiting: dict[int, set[asyncio.Future[Blip]]] = {}
        self._blips: list[Blip] = []
        self._counters: dict[str, CounterState] = {}
        self._committed: dict[str, CounterState] = {}
        self._failing = False
        self._pending = asyncio.Event()
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._stop_syncing: Callable[[], None] | None = None

    async def async_open(self) -> None:
        """Open the file and start to write."""
        self._database, moved = await self._run(open_history, self.path)
        if moved is not None:
            self._report_moved(moved)
        self._reader = await self._hass.loop.run_in_executor(
            self._reading, Reader.open, self.path
        )
        self._writer = self._hass.async_create_background_task(
            self._write_for_ever(), "rackwatt history"
        )
        self._stop_syncing = async_track_time_interval(
            self._hass, self._async_sync, SYNC_INTERVAL, name="rackwatt history"
        )

    async def async_close(self) -> None:
        """Write what is left and close the file."""
        self.async_release()
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await self._hass.loop.run_in_executor(self._reading, reader.close)
        if self._stop_syncing is not None:
            self._stop_syncing()
        if self._writer is not None:
            self._writer.cancel()
        try:
            await self.async_flush()
        except (sqlite3.Error, OSError) as err:
            LOGGER.error("The last readings could not be stored: %s", err)
        if self._database is not None:
            database, self._database = self._database, None
            try:
                await self._run(database.close)
            except (sqlite3.Error, OSError) as err:
                LOGGER.error("The history could not be closed: %s", err)
        await self._hass.async_add_executor_job(self._thread.shutdown)
        await self._hass.async_add_executor_job(self._reading.shutdown)

    async def async_load_meter(self, key: str) -> StoredMeter:
        """Return what is stored of a meter."""
        await self.async_flush()
        stored = await self._run(self._opened.load_meter, key)
        if stored.counter is not None:
            self._committed[key] = stored.counter
        return stored

    async def async_load_counter(self, key: str) -> CounterState | None:
        """Return the stored state of a counter."""
        await self.async_flush()
        state = await self._run(self._opened.load_counter, key)
        if state is not None:
            self._committed[key] = state
        return state

    @callback
    def add_blip(self, blip: Blip, key: str, counter: CounterState) -> None:
        """Take a blip and the counter that has counted it."""
        self._blips.append(blip)
        self.save_counter(key, counter)
        for waiter in self._waiting.pop(blip.meter, ()):
            if not waiter.done():
                waiter.set_result(blip)

    async def async_next_blip(self, meter: int) -> Blip:
        """Wait for the next blip of a meter.

        Raises:
            HistoryClosedError: Home Assistant stops.
        """
        waiter: asyncio.Future[Blip] = self._hass.loop.create_future()
        waiting = self._waiting.setdefault(meter, set())
        waiting.add(waiter)
        try:
            return await waiter
        finally:
            # nothing stays of somebody who has left
            waiting.discard(waiter)

    @callback
    def async_release(self) -> None:
        """Let nobody wait any longer: open requests would hold up the stop."""
        for waiting in self._waiting.values():
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_exception(HistoryClosedError)
        self._waiting.clear()

    async def async_ask[*_Ts, _T](
        self, question: Callable[[Reader, *_Ts], _T], *args: *_Ts
    ) -> _T:
        """Answer a question from all blips up to now.

        Raises:
            HistoryClosedError: the history is closed.
            sqlite3.Error, DamagedBlockError: the file cannot be read.
        """
        # a disk that takes nothing still tells what it has
        with suppress(sqlite3.Error, OSError):
            await self.async_flush()
        if (reader := self._reader) is None:
            raise HistoryClosedError
        return await self._hass.loop.run_in_executor(
            self._reading, reader.ask, question, *args
        )

    @callback
    def save_counter(self, key: str, state: CounterState) -> None:
        """Take the new state of a counter."""
        self._counters[key] = state
        self._pending.set()

    @callback
    def shown(self, key: str, state: CounterState) -> CounterState:
        """Return the state of a counter that may be shown: the one that is stored.

        What is shown before it is stored would be lost by a kill, and the counter
        would fall. Only while the disk takes nothing do live values go on without.
        """
        return state if self._failing else self._committed.get(key, CounterState())

    async def async_flush(self) -> None:
        """Write what is waiting; it goes on waiting where that fails.

        Raises:
            sqlite3.Error, OSError: the disk is full, read-only or gone.
        """
        async with self._writing:
            if not self._counters:
                return
            blips, self._blips = self._blips, []
            counters, self._counters = self._counters, {}
            self._pending.clear()
            try:
                await self._run(self._opened.write, blips, counters)
            except BaseException:
                self._blips = (blips + self._blips)[-MAX_PENDING_BLIPS:]
                self._counters = counters | self._counters
                self._pending.set()
                raise
            self._committed |= counters

    async def async_forget_before(self, meter: int, stamp: int) -> int:
        """Forget the hours of a meter that end before a stamp; return how many."""
        return await self._run(self._opened.forget_before, meter, stamp)

    async def async_size(self) -> int:
        """Return what the history takes on the disk, in bytes."""
        return await self._run(self._opened.size)

    async def async_run[*_Ts, _T](
        self, job: Callable[[Database, *_Ts], _T], *args: *_Ts
    ) -> _T:
        """Run a job on the open file, between two writes."""
        return await self._run(job, self._opened, *args)

    async def async_freeze(self) -> None:
        """Leave the main file as it is, so that a backup can copy it."""
        await self.async_flush()
        await self._run(self._opened.freeze)

    async def async_thaw(self) -> None:
        """Go on as before the backup."""
        await self._run(self._opened.thaw)

    @property
    def _opened(self) -> Database:
        """Return the open file."""
        assert self._database is not None
        return self._database

    async def _run[*_Ts, _T](self, job: Callable[[*_Ts], _T], *args: *_Ts) -> _T:
        """Run a job in the thread that owns the file."""
        return await self._hass.loop.run_in_executor(self._thread, job, *args)

    async def _write_for_ever(self) -> None:
        """Write what comes in, several at a time."""
        while True:
            await self._pending.wait()
            await asyncio.sleep(RETRY_DELAY if self._failing else COMMIT_DELAY)
            try:
                await self.async_flush()
            except (sqlite3.Error, OSError) as err:
                if not self._failing:
                    self._report_failure(err)
                self._failing = True
                continue
            if self._failing:
                LOGGER.info("The history is written again")
                ir.async_delete_issue(self._hass, DOMAIN, ISSUE_CANNOT_WRITE)
            self._failing = False

    def _report_moved(self, moved: MovedAside) -> None:
        """Tell the user that a new file was begun, and what was saved."""
        LOGGER.error(
            "The history in %s could not be used (%s) and is now %s; saved: %d counters,"
            " %d hours",
            self.path,
            moved.error,
            moved.path,
            moved.counters,
            moved.hours,
        )
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            ISSUE_MOVED_ASIDE,
            is_fixable=True,
            is_persistent=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE_MOVED_ASIDE,
            translation_placeholders={
                "path": str(self.path),
                "aside": str(moved.path),
                "error": moved.error,
                "counters": str(moved.counters),
                "hours": str(moved.hours),
            },
        )

    def _report_failure(self, err: Exception) -> None:
        """Tell the user that readings wait in memory."""
        LOGGER.error("The history in %s cannot be written: %s", self.path, err)
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            ISSUE_CANNOT_WRITE,
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key=ISSUE_CANNOT_WRITE,
            translation_placeholders={"path": str(self.path), "error": str(err)},
        )

    async def _async_sync(self, now: datetime) -> None:
        """Make what was written survive a power cut."""
        try:
            await self._run(self._opened.sync)
        except (sqlite3.Error, OSError) as err:
            LOGGER.debug("The history was not synced: %s", err)


async def async_get_store(hass: HomeAssistant) -> HistoryStore:
    """Return the open store.

    Raises:
        ConfigEntryError: the file cannot be used, and why.
    """
    async with hass.data.setdefault(_OPENING, asyncio.Lock()):
        if (store := hass.data.get(_STORE)) is not None:
            return store
        store = HistoryStore(hass, Path(hass.config.path(FILE_NAME)))
        try:
            await store.async_open()
        except (HistoryTooNewError, sqlite3.Error, OSError) as err:
            await store.async_close()
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key=_reason(err),
                translation_placeholders={"path": str(store.path), "error": str(err)},
            ) from err
        hass.data[_STORE] = store

    @callback
    def release(_: Event) -> None:
        """Answer those who wait for a blip."""
        store.async_release()

    async def close(_: Event) -> None:
        """Close the file as the last thing that happens."""
        hass.data.pop(_STORE, None)
        await store.async_close()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, release)
    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, close)
    return store


@callback
def async_loaded_store(hass: HomeAssistant) -> HistoryStore | None:
    """Return the store where one is open."""
    return hass.data.get(_STORE)


def _reason(err: Exception) -> str:
    """Return the sentence for a file that cannot be used."""
    if isinstance(err, HistoryTooNewError):
        return "history_too_new"
    return "history_cannot_open"
