"""Follow the blips of the meters on a serial line."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
import sqlite3
import time
from typing import Any, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util.dt import utc_from_timestamp

from ..const import DOMAIN, LOGGER
from ..coordinator import RackwattConfigEntry, RackwattCoordinator
from ..counter import ImpulseCounter, wh_per_impulse
from ..history.block import DamagedBlockError
from ..history.database import Blip
from ..history.reader import Reader
from ..history.store import HistoryClosedError, HistoryStore, async_get_store
from .const import (
    CONF_BAUDRATE,
    CONF_IMPULSES_PER_KWH,
    CONF_KEEP_DAYS,
    CONF_LINE_FORMAT,
    CONF_MAX_POWER,
    CONF_METER_ID,
    CONF_PARITY,
    CONF_RATIO,
    SUBENTRY_METER,
)
from .line import Connected, Info, LineFormat, LineReader, Pulse
from .meter import PUBLISH_LATEST, Meter, MeterSettings
from .port import (
    PORT_ERRORS,
    async_close_port,
    async_open_port,
    port_error,
    printable_port,
)

TICK = timedelta(seconds=1)
# How often the history is looked after
HOUSEKEEPING = timedelta(hours=1)
DAY_MS = 86_400_000
# Waits between tries to open a lost port, in s: back within 10 s of the replug
RETRY_DELAYS = (1.0, 2.0, 5.0)
# A port that stays away this long is worth a repair issue, in s
LOST_FOR_GOOD = 60.0
# So many lines in a row that mean nothing: the settings are wrong
UNREADABLE_LINES = 20
# Counts of rejected lines are shown this often at most, in s
REJECTED_INTERVAL = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """What a meter shows: W, Wh, impulses, ms, blips too fast to be true, °C."""

    power: float | None
    energy: float
    impulses: int
    interval: int | None
    glitches: int
    temperature: float | None
    oldest: datetime | None
    """When the oldest blip came that is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlipMeterData:
    """What is known of a line and its meters, by the ids of their subentries.

    `history_size` is what all blips of all meters take on the disk, in bytes.
    """

    connected: bool
    rejected_lines: int
    history_size: int | None
    meters: Mapping[str, MeterReading]


class CountedMeter:
    """A meter, its counter and its place in the history."""

    def __init__(
        self,
        subentry: ConfigSubentry,
        meter: Meter,
        counter: ImpulseCounter,
        place: int,
        store: HistoryStore,
    ) -> None:
        """Put together what belongs to a meter."""
        self.key = subentry.subentry_id
        self.number: int = subentry.data[CONF_METER_ID]
        self.meter = meter
        self.counter = counter
        self.place = place
        self._store = store
        self.oldest: datetime | None = None
        self.reading = self.present_reading()
        self._shown_at = 0.0

    def show(self, now: float) -> bool:
        """Bring the reading up to date; tell whether it has changed.

        Power at once; what was counted when it is stored, and while blips come in
        quickly not more often than power.
        """
        if not (
            self.meter.publish(now)
            or self.meter.power is None
            or self.meter.is_quiet(now)
            or now - self._shown_at >= PUBLISH_LATEST
        ):
            return False
        before, self.reading = self.reading, self.present_reading()
        if self.reading == before:
            return False
        self._shown_at = now
        return True

    def present_reading(self) -> MeterReading:
        """Return what the meter shows."""
        shown = self._store.shown(self.key, self.counter.state)
        return MeterReading(
            power=self.meter.power,
            energy=shown.energy_wh,
            impulses=shown.impulses,
            interval=self.meter.interval_ms,
            glitches=self.meter.glitches,
            temperature=self.meter.temperature,
            oldest=self.oldest,
        )


def meter_settings(subentry: ConfigSubentry, line_format: LineFormat) -> MeterSettings:
    """Return the settings of a meter."""
    return MeterSettings(
        impulses_per_kwh=subentry.data[CONF_IMPULSES_PER_KWH],
        ratio=subentry.data[CONF_RATIO],
        max_power=subentry.data[CONF_MAX_POWER],
        # our own sketch counts in 32 bits
        wraps=line_format is not LineFormat.COUNTED,
    )


class BlipMeterCoordinator(RackwattCoordinator[BlipMeterData]):
    """Read a serial line and turn its blips into power and energy."""

    def __init__(self, hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
        """Initialize the coordinator."""
        super().__init__(hass, entry)
        self.port: str = entry.data[CONF_PORT]
        self.line_format = LineFormat(entry.data[CONF_LINE_FORMAT])
        self.connected = False
        self.meters: dict[str, CountedMeter] = {}
        self._store: HistoryStore
        self._lines = LineReader(self.line_format)
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._lost_since: float | None = None
        self._unreadable = 0
        self._strangers: set[int] = set()
        self._rejected_shown = (0.0, 0)
        self._history_size: int | None = None

    @override
    async def _async_setup(self) -> None:
        """Go on where the counters were, and open the port."""
        self._store = await async_get_store(self.hass)
        for subentry in self.config_entry.get_subentries_of_type(SUBENTRY_METER):
            self.meters[subentry.subentry_id] = await self._async_load(subentry)
        self._task = self.config_entry.async_create_background_task(
            self.hass, self._read_for_ever(), f"rackwatt {printable_port(self.port)}"
        )
        self.config_entry.async_on_unload(
            async_track_time_interval(self.hass, self._async_tick, TICK)
        )
        self.config_entry.async_on_unload(
            async_track_time_interval(self.hass, self._async_keep_house, HOUSEKEEPING)
        )
        await self._async_look_after_history()
        # so that the entities start with the state that the port is in
        await self._tried.wait()

    async def _async_load(self, subentry: ConfigSubentry) -> CountedMeter:
        """Return a meter as it was left."""
        stored = await self._store.async_load_meter(subentry.subentry_id)
        settings = meter_settings(subentry, self.line_format)
        count = stored.counter.device_count if stored.counter else None
        return CountedMeter(
            subentry,
            Meter(settings, stored.last_stamp, None if count is None else int(count)),
            ImpulseCounter(
                stored.counter,
                wh_per_impulse(settings.impulses_per_kwh, settings.ratio),
            ),
            stored.meter,
            self._store,
        )

    @override
    async def async_close(self) -> None:
        """Close the port."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._delete_issue("port_lost")
        self._delete_issue("unreadable_lines")

    @override
    async def _async_update_data(self) -> BlipMeterData:
        """Return what is known."""
        return self._present_data()

    def _present_data(self) -> BlipMeterData:
        """Return what is known, as the entities see it."""
        return BlipMeterData(
            connected=self.connected,
            rejected_lines=self._lines.rejected,
            history_size=self._history_size,
            meters={key: counted.reading for key, counted in self.meters.items()},
        )

    async def _read_for_ever(self) -> None:
        """Read the port; open it again whenever it was lost."""
        failures = 0
        while True:
            try:
                await self._read()
            except PORT_ERRORS as err:
                # only a port that had been open starts the waits anew
                failures = 0 if self.connected else failures + 1
                self._set_lost(err)
            finally:
                self._tried.set()
            await asyncio.sleep(RETRY_DELAYS[min(failures, len(RETRY_DELAYS) - 1)])

    async def _read(self) -> None:
        """Open the port and read it until it is lost."""
        settings = self.config_entry.data
        reader, writer = await async_open_port(
            self.port, settings[CONF_BAUDRATE], settings[CONF_PARITY]
        )
        try:
            self._set_found()
            # b"" is the end of a stream: reading on would never wait again
            while received := await reader.read(4096):
                self._take(received)
            raise ConnectionResetError("the other end closed the connection")
        finally:
            await async_close_port(writer)

    @callback
    def _set_found(self) -> None:
        """The port is open."""
        if self._lost_since is not None:
            LOGGER.info("%s is back", printable_port(self.port))
        self._lost_since = None
        self._delete_issue("port_lost")
        self._lines.restart()
        for counted in self.meters.values():
            counted.meter.restart()
            counted.reading = counted.present_reading()
        self.connected = True
        self._tried.set()
        self.async_set_updated_data(self._present_data())

    @callback
    def _set_lost(self, err: Exception) -> None:
        """The port cannot be opened, or is lost."""
        if self._lost_since is None:
            LOGGER.warning("%s is lost: %s", printable_port(self.port), err)
            self._lost_since = time.monotonic()
        if self.connected:
            self.connected = False
            self.async_set_updated_data(self._present_data())
        if time.monotonic() - self._lost_since >= LOST_FOR_GOOD:
            self._create_issue("port_lost", port_error(err))

    @callback
    def _take(self, data: bytes) -> None:
        """Take what came in."""
        stamp, now = time.time_ns() // 1_000_000, time.monotonic()
        rejected = self._lines.rejected
        events = self._lines.feed(data)
        for event in events:
            if isinstance(event, Pulse):
                self._count(event, stamp, now)
            elif isinstance(event, Connected):
                for counted in self.meters.values():
                    counted.meter.restart()
            else:
                self._name(event)
        self._judge_lines(len(events), self._lines.rejected - rejected)
        self._async_show(now)

    @callback
    def _count(self, pulse: Pulse, stamp: int, now: float) -> None:
        """Count a blip for its meter."""
        if (counted := self._meter_of(pulse.meter_id)) is None:
            if pulse.meter_id is not None:
                self._offer(pulse.meter_id)
            return
        accepted = counted.meter.pulse(pulse, stamp, now)
        if accepted is None:
            return
        counted.counter.add(
            accepted.stamp, missed=accepted.missed, device_count=pulse.count
        )
        self._store.add_blip(
            Blip(counted.place, accepted.stamp, accepted.ms),
            counted.key,
            counted.counter.state,
        )

    def _meter_of(self, number: int | None) -> CountedMeter | None:
        """Return the meter of an id; a line without one has only one meter."""
        for counted in self.meters.values():
            if number is None or counted.number == number:
                return counted
        return None

    @callback
    def _async_tick(self, now: datetime) -> None:
        """Look each second whether a late blip means less power."""
        if self.connected:
            self._async_show(time.monotonic())

    @callback
    def _async_show(self, now: float) -> None:
        """Give the entities what has changed."""
        shown_now = [counted.show(now) for counted in self.meters.values()]
        changed = any(shown_now)
        shown_at, shown = self._rejected_shown
        if self._lines.rejected != shown and now - shown_at >= REJECTED_INTERVAL:
            self._rejected_shown = (now, self._lines.rejected)
            changed = True
        if changed:
            self.async_set_updated_data(self._present_data())

    @callback
    def _judge_lines(self, understood: int, rejected: int) -> None:
        """Tell the user when nothing that comes in can be understood."""
        if understood:
            if self._unreadable >= UNREADABLE_LINES:
                self._delete_issue("unreadable_lines")
            self._unreadable = 0
            return
        before, self._unreadable = self._unreadable, self._unreadable + rejected
        if before < UNREADABLE_LINES <= self._unreadable:
            line = (self._lines.last_rejected or b"")[:40]
            self._create_issue("unreadable_lines", {"line": ascii(line)[2:-1]})

    @callback
    def _name(self, info: Info) -> None:
        """Give a meter the name that the Arduino tells; the device takes it over."""
        counted = self._meter_of(info.meter_id)
        if counted is None:
            self._offer(info.meter_id)
            return
        subentry = self.config_entry.subentries[counted.key]
        if info.text and info.text != subentry.title:
            self.hass.config_entries.async_update_subentry(
                self.config_entry, subentry, title=info.text
            )

    @callback
    def _offer(self, number: int) -> None:
        """Offer a meter that is not set up yet: once, by a repair issue."""
        if number in self._strangers:
            return
        self._strangers.add(number)
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            f"new_meter_{self.config_entry.entry_id}_{number}",
            data={"entry_id": self.config_entry.entry_id, "meter_id": number},
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key="new_meter",
            translation_placeholders={
                "meter_id": str(number),
                "name": self.config_entry.title,
            },
        )

    async def async_set_reading(self, key: str, energy_wh: float) -> None:
        """Make a counter show what the meter itself shows, in Wh."""
        counted = self.meters[key]
        counted.counter.set_reading(energy_wh)
        self._store.save_counter(key, counted.counter.state)
        await self._store.async_flush()
        counted.reading = counted.present_reading()
        self.async_set_updated_data(self._present_data())

    async def _async_keep_house(self, now: datetime) -> None:
        """Look after the history every hour."""
        await self._async_look_after_history()
        self.async_set_updated_data(self._present_data())

    async def _async_look_after_history(self) -> None:
        """Forget what is older than the user wants, and see what is left."""
        keep: int = self.config_entry.options.get(CONF_KEEP_DAYS, 0)
        before = time.time_ns() // 1_000_000 - keep * DAY_MS
        try:
            for counted in self.meters.values():
                if keep:
                    await self._store.async_forget_before(counted.place, before)
                oldest = await self._store.async_ask(Reader.oldest, counted.place)
                counted.oldest = (
                    None if oldest is None else utc_from_timestamp(oldest / 1000)
                )
                counted.reading = counted.present_reading()
            self._history_size = await self._store.async_size()
        except (sqlite3.Error, OSError, DamagedBlockError, HistoryClosedError) as err:
            LOGGER.warning("The history could not be looked after: %s", err)

    def _create_issue(self, key: str, placeholders: dict[str, str]) -> None:
        """Tell the user of a fault of this line."""
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            f"{key}_{self.config_entry.entry_id}",
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=key,
            translation_placeholders={"name": self.config_entry.title, **placeholders},
        )

    def _delete_issue(self, key: str) -> None:
        """The fault is gone."""
        ir.async_delete_issue(self.hass, DOMAIN, f"{key}_{self.config_entry.entry_id}")

    @override
    def diagnostics(self) -> dict[str, Any]:
        """Return what helps to find a fault."""
        last = self._lines.last_rejected
        return {
            "last_rejected_line": None if last is None else repr(last),
            "unknown_meter_ids": sorted(self._strangers),
            "missed_impulses": {
                counted.number: counted.counter.state.missed
                for counted in self.meters.values()
            },
        }
