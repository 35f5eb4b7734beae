"""Follow the clamps of a board."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import sqrt
from statistics import mean
from time import monotonic, time_ns
from typing import Any, override

from homeassistant.const import CONF_ADDRESS, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN, LOGGER
from ..coordinator import RackwattConfigEntry, RackwattCoordinator
from ..counter import CounterState
from ..history.store import HistoryStore, async_get_store
from ..requirements import ADS1X15, async_require
from .channel import Channel, ChannelReading
from .clamp import Fault
from .const import (
    CONF_BUS,
    CONF_MAINS_FREQUENCY,
    CONF_ZERO,
    DOCUMENTATION,
    SUBENTRY_CHANNEL,
)
from .failure import FAILURES, failure_key
from .sampler import Board, BusSampler, Sweep

# The first sweep of 16 channels takes 5 s; a bus that hangs must not hold up the start
FIRST_SWEEP_TIMEOUT = 15.0
# Values that hardly change are shown this often, in s
SHOW_INTERVAL = 10.0
# What a killed Home Assistant loses, with the store's own half second (30 s are allowed);
# energy is shown when it is stored, so a larger one would show it less often
SAVE_INTERVAL = 10.0
# A board that stays away this long is worth a repair issue, in s
LOST_FOR_GOOD = 60.0
# So many sweeps in a row show a fault; so many without one show that it was mended
FAULT_SWEEPS, MENDED_SWEEPS = 3, 60
# What is averaged when zero is set, and the largest voltage that can be noise:
# 60 mA with the usual 3000 turns and 1 kilohm
ZERO_SWEEPS, ZERO_TIMEOUT, LARGEST_ZERO = 8, 60.0, 0.02

_BUSES: HassKey[dict[str, BusSampler]] = HassKey(f"{DOMAIN}_i2c_buses")
_BUSES_LOCK: HassKey[asyncio.Lock] = HassKey(f"{DOMAIN}_i2c_buses_lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class CtClampData:
    """What is known of a board and its channels, by the ids of their subentries."""

    connected: bool
    channels: Mapping[str, ChannelReading]
    apparent_power: float | None
    power: float | None
    energy: float
    estimated: bool
    data_rate: float | None
    mains_frequency: float | None
    retries: int


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _in_loop[_T](
    loop: asyncio.AbstractEventLoop, action: Callable[[_T], None], what: _T
) -> None:
    """Have the event loop do something; it may be gone already when all stops."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(action, what)


class CtClampCoordinator(RackwattCoordinator[CtClampData]):
    """Take what the bus's thread tells of a board, and turn it into power and energy."""

    def __init__(self, hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
        """Initialize the coordinator."""
        super().__init__(hass, entry)
        self.bus: str = entry.data[CONF_BUS]
        self.address: int = entry.data[CONF_ADDRESS]
        self.connected = False
        self.channels: dict[str, Channel] = {}
        self.total = CounterState()
        self._store: HistoryStore
        self._board: Board | None = None
        self._sweep: Sweep | None = None
        self._waiting: list[asyncio.Queue[Sweep]] = []
        self._tried = asyncio.Event()
        self._lost_since: float | None = None
        self._failure: str | None = None
        self._faults: dict[str, tuple[Fault | None, int]] = {}
        self._issues: set[str] = set()
        self._shown_at = self._saved_at = monotonic()

    @override
    async def _async_setup(self) -> None:
        """Go on where the counters were, and have the board read."""
        await async_require(self.hass, ADS1X15)
        self._store = await async_get_store(self.hass)
        entry_id = self.config_entry.entry_id
        self.total = await self._store.async_load_counter(entry_id) or self.total
        for subentry in self.config_entry.get_subentries_of_type(SUBENTRY_CHANNEL):
            key = subentry.subentry_id
            state = await self._store.async_load_counter(key)
            self.channels[key] = Channel(self.hass, subentry, state, self._store)
        self.config_entry.async_on_unload(
            self.hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, self._async_stop)
        )
        await self._async_start()
        try:
            # so that the entities start with the state that the board is in
            async with asyncio.timeout(FIRST_SWEEP_TIMEOUT):
                await self._tried.wait()
        except TimeoutError:
            LOGGER.debug("%s: no sweep in time", self.name)

    async def _async_start(self) -> None:
        """Have the board read by the thread of its bus."""
        loop = self.hass.loop
        self._board = Board(
            address=self.address,
            clamps={key: channel.clamp for key, channel in self.channels.items()},
            mains_frequency=float(self.config_entry.data[CONF_MAINS_FREQUENCY]),
            on_sweep=lambda sweep: _in_loop(loop, self._set_swept, sweep),
            on_failure=lambda err: _in_loop(loop, self._set_lost, err),
        )
        buses = self.hass.data.setdefault(_BUSES, {})
        async with self.hass.data.setdefault(_BUSES_LOCK, asyncio.Lock()):
            buses.setdefault(self.bus, BusSampler(self.bus)).add(self._board)

    @override
    async def async_close(self) -> None:
        """Have the board read no more, and keep what was counted."""
        board, self._board = self._board, None
        if board is None:
            return
        buses = self.hass.data[_BUSES]
        async with self.hass.data[_BUSES_LOCK]:
            sampler = buses[self.bus]
            if await self.hass.async_add_executor_job(sampler.remove, board):
                del buses[self.bus]
        self._save()
        for issue in list(self._issues):
            self._delete_issue(issue)

    async def _async_stop(self, event: Event) -> None:
        """Close in time for the store to write the last state."""
        await self.async_close()

    @override
    async def _async_update_data(self) -> CtClampData:
        """Return what is known."""
        return self._present_data()

    def _present_data(self) -> CtClampData:
        """Return what is known, as the entities see it."""
        channels = {
            key: channel.present_reading() for key, channel in self.channels.items()
        }
        sweep, entry_id = self._sweep, self.config_entry.entry_id
        return CtClampData(
            connected=self.connected,
            channels=channels,
            apparent_power=_sum(
                reading.apparent_power for reading in channels.values()
            ),
            power=_sum(reading.power for reading in channels.values()),
            energy=self._store.shown(entry_id, self.total).energy_wh,
            estimated=any(reading.estimated for reading in channels.values()),
            data_rate=sweep.data_rate if sweep else None,
            mains_frequency=sweep.mains_frequency if sweep else None,
            retries=sweep.retries if sweep else 0,
        )

    @callback
    def _set_swept(self, sweep: Sweep) -> None:
        """Take a reading of each channel."""
        if self._board is None:
            return
        self._set_found()
        self._sweep = sweep
        stamp = time_ns() // 1_000_000
        added = sum(
            self.channels[key].take(reading, stamp)
            for key, reading in sweep.clamps.items()
        )
        self.total = replace(
            self.total, base_wh=self.total.base_wh + added, stamp=stamp
        )
        for key, reading in sweep.clamps.items():
            self._judge(self.channels[key], reading.fault)
        self._save_in_time()
        self._show()
        for queue in self._waiting:
            queue.put_nowait(sweep)

    @callback
    def _set_found(self) -> None:
        """The board answers."""
        if self._lost_since is not None:
            LOGGER.info("%s is back", self.name)
            for failure in FAILURES:
                self._delete_issue(failure)
        self._lost_since = self._failure = None
        if not self.connected:
            self.connected = True
            self._shown_at = 0.0
        self._tried.set()

    @callback
    def _set_lost(self, err: OSError) -> None:
        """The board cannot be read."""
        if self._board is None:
            return
        now = monotonic()
        if self._lost_since is None:
            LOGGER.warning("%s cannot be read: %s", self.name, err)
            self._lost_since = now
        if self.connected:
            self.connected = False
            for channel in self.channels.values():
                channel.interrupt()
            self._save()
            self.async_set_updated_data(self._present_data())
        self._failure = failure_key(err)
        if now - self._lost_since >= LOST_FOR_GOOD:
            for other in FAILURES:
                if other != self._failure:
                    self._delete_issue(other)
            self._create_issue(self._failure, self._failure, {"bus": self.bus})
        self._tried.set()

    @callback
    def _judge(self, channel: Channel, fault: Fault | None) -> None:
        """Tell the user of a fault of the wiring that stays, and when it is mended."""
        before, count = self._faults.get(channel.key, (None, 0))
        count = count + 1 if fault is before else 1
        self._faults[channel.key] = (fault, count)
        if fault is None and count == MENDED_SWEEPS:
            for other in Fault:
                self._delete_issue(f"{other}_{channel.key}")
        elif fault is not None and count == FAULT_SWEEPS:
            self._create_issue(
                f"{fault}_{channel.key}", fault, {"channel": channel.subentry.title}
            )

    @callback
    def _show(self) -> None:
        """Give the entities what has changed by more than a little, or is old."""
        now = monotonic()
        changed = [channel.changed() for channel in self.channels.values()]
        if any(changed) or now - self._shown_at >= SHOW_INTERVAL:
            self._shown_at = now
            self.async_set_updated_data(self._present_data())

    @callback
    def _save_in_time(self) -> None:
        """Keep the counters now and then."""
        if monotonic() - self._saved_at >= SAVE_INTERVAL:
            self._save()

    @callback
    def _save(self) -> None:
        """Keep the counters."""
        self._saved_at = monotonic()
        for channel in self.channels.values():
            self._store.save_counter(channel.key, channel.counter.state)
        self._store.save_counter(self.config_entry.entry_id, self.total)

    async def async_set_zero(self, key: str) -> None:
        """Take what a clamp shows now as nothing."""
        volts = await self._async_collect(key)
        zero = sqrt(mean(value**2 for value in volts))
        if zero > LARGEST_ZERO:
            amps = zero * self.channels[key].clamp.amps_per_volt
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="zero_with_current",
                translation_placeholders={"current": f"{amps:.2f}"},
            )
        subentry = self.config_entry.subentries[key]
        # the entry hears of the change and is loaded anew
        self.hass.config_entries.async_update_subentry(
            self.config_entry, subentry, data={**subentry.data, CONF_ZERO: zero}
        )

    async def _async_collect(self, key: str) -> list[float]:
        """Return the voltages of the next sweeps of a clamp."""
        volts: list[float] = []
        queue: asyncio.Queue[Sweep] = asyncio.Queue()
        self._waiting.append(queue)
        try:
            async with asyncio.timeout(ZERO_TIMEOUT):
                while len(volts) < ZERO_SWEEPS:
                    reading = (await queue.get()).clamps[key]
                    if reading.fault is not None:
                        break
                    volts.append(reading.volts)
        except TimeoutError:
            volts.clear()
        finally:
            self._waiting.remove(queue)
        if len(volts) < ZERO_SWEEPS:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="zero_without_reading"
            )
        return volts

    def _create_issue(self, issue: str, key: str, placeholders: dict[str, str]) -> None:
        """Tell the user of a fault, once."""
        if issue in self._issues:
            return
        self._issues.add(issue)
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            f"{issue}_{self.config_entry.entry_id}",
            is_fixable=False,
            learn_more_url=f"{DOCUMENTATION}#{key.replace('_', '-')}",
            severity=ir.IssueSeverity.WARNING,
            translation_key=f"ct_{key}",
            translation_placeholders={"name": self.name, **placeholders},
        )

    def _delete_issue(self, issue: str) -> None:
        """The fault is gone."""
        self._issues.discard(issue)
        ir.async_delete_issue(
            self.hass, DOMAIN, f"{issue}_{self.config_entry.entry_id}"
        )

    @override
    def diagnostics(self) -> dict[str, Any]:
        """Return what helps to find a fault."""
        return {
            "failure": self._failure,
            "sweep": asdict(self._sweep) if self._sweep else None,
            "gaps": {
                channel.subentry.title: [
                    channel.counter.gaps,
                    channel.counter.gap_seconds,
                ]
                for channel in self.channels.values()
            },
        }
