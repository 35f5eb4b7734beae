"""Hold what a server reported last, and tell the entities what is worth writing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
import enum
from typing import Any, override

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from ..const import LOGGER
from ..coordinator import RackwattConfigEntry, RackwattCoordinator
from ..history.sample_writer import SampleWriter, async_get_samples
from ..history.samples import Committed
from .const import CONF_WRITE_INTERVAL, DEFAULT_WRITE_INTERVAL
from .ingest import async_reception
from .kinds import KindDescription, describe
from .report import Batch, Metric, QueueStatus, Sample

# No report for so many intervals, and the server is off
MISSED_INTERVALS = 3
# After a start of Home Assistant agents need a moment to find it again
RECONNECT_S = 90.0


class ServerState(enum.StrEnum):
    """What is known of a server."""

    EMPTY = "empty"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerData:
    """What a server reported last."""

    state: ServerState = ServerState.EMPTY
    last_report: datetime | None = None
    agent: str | None = None
    queue: QueueStatus = field(default_factory=QueueStatus)
    skew: float = 0.0
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    values: Mapping[str, float | None] = field(default_factory=dict)


class Gauge:
    """One metric on its way to its entity."""

    __slots__ = (
        "band",
        "description",
        "share",
        "value",
        "write",
        "written",
        "written_at",
    )

    def __init__(self, description: KindDescription) -> None:
        """Start without a value."""
        self.description = description
        self.band = description.dead_band
        self.share = description.dead_share
        self.value: float | None = None
        self.written: float | None = None
        self.written_at = 0.0
        self.write: CALLBACK_TYPE | None = None

    def update(self, value: float | None, now: float, interval: float) -> None:
        """Take a value; write it where that is worth a row in the recorder."""
        self.value = value
        if value == (written := self.written):
            return
        if (
            value is not None
            and written is not None
            and now - self.written_at < interval
        ):
            band = self.share * abs(written)
            if abs(value - written) <= (max(self.band, band)):
                return
        self.written = value
        self.written_at = now
        if self.write is not None:
            self.write()


class ServerCoordinator(RackwattCoordinator[ServerData]):
    """Take the reports of one server."""

    samples: SampleWriter

    def __init__(self, hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
        """Initialize the coordinator."""
        super().__init__(hass, entry)
        assert entry.unique_id is not None
        self.server_id = entry.unique_id
        self.gauges: dict[str, Gauge] = {}
        self.on_metrics: list[Callable[[set[str], set[str]], None]] = []
        self._write_interval = float(
            entry.options.get(CONF_WRITE_INTERVAL, DEFAULT_WRITE_INTERVAL)
        )
        self._digest: str | None = None
        self._keys: tuple[str, ...] = ()
        self._columns: tuple[Gauge, ...] = ()
        self._shown_until = 0
        self._interval = 8.0
        self._silent: CALLBACK_TYPE | None = None
        self._silent_at = 0.0
        self._loaded = ServerData()

    @override
    async def _async_setup(self) -> None:
        """Go on where the last report left off."""
        self.samples = await async_get_samples(self.hass)
        known = await self.samples.async_run(self.samples.store.known, self.server_id)
        if known is not None:
            last = dt_util.utc_from_timestamp((known.last or 0) / 1000)
            self._interval = int(str(known.state.get("iv", 8000))) / 1000
            # Whoever was on a moment ago is so still; it shall not go off and on
            # with every start of Home Assistant.
            silent = (dt_util.utcnow() - last).total_seconds()
            was_on = known.state.get("bye") is None
            self._loaded = ServerData(
                state=ServerState.ON if was_on else ServerState.OFF,
                last_report=last,
                agent=str(known.state.get("agent")),
                metrics={k: Metric.from_json(m) for k, m in known.metrics.items()},
            )
            self._set_metrics(self._loaded.metrics)
            LOGGER.debug("%s was silent for %.0f s", self.name, silent)
            if was_on:
                self._watch(max(RECONNECT_S, MISSED_INTERVALS * self._interval))
        async_reception(self.hass).async_attach(self.server_id, self)

    @override
    async def async_close(self) -> None:
        """Take no more reports."""
        async_reception(self.hass).async_detach(self.server_id)
        if self._silent is not None:
            self._silent()
            self._silent = None

    @override
    async def _async_update_data(self) -> ServerData:
        """Return what was known before the first report of this run."""
        return self._loaded

    def knows(self, batch: Batch) -> bool:
        """Tell whether the columns of a report are the ones that we know."""
        return batch.digest == self._digest

    @callback
    def async_report(
        self,
        batch: Batch,
        times: tuple[int, ...],
        received: int,
        committed: Committed | None,
    ) -> None:
        """Show a report."""
        sample, taken = newest(batch, times, received)
        before = set(self.gauges)
        if batch.described and not self.knows(batch):
            self._set_metrics(batch.layout.metrics)
            self._digest = batch.digest
            self._set_columns(batch.layout.keys)
        elif batch.layout.keys != self._keys:
            self._set_columns(batch.layout.keys)
        self._interval = batch.interval_ms / 1000
        if batch.bye is not None:
            self._switch_off()
        elif sample is not None and taken >= self._shown_until:
            self._shown_until = taken
            self._show(sample, taken, committed)
        # with their values, so that they do not begin as unavailable
        self._announce(before)
        state = ServerState.ON if batch.bye is None else ServerState.OFF
        self._set_data(batch, received, state)

    def _show(self, sample: Sample, taken: int, committed: Committed | None) -> None:
        """Give every metric its value."""
        now = self.hass.loop.time()
        totals = committed.totals if committed else {}
        for key, gauge, value in zip(
            self._keys, self._columns, sample.values, strict=True
        ):
            if value is not None:
                if gauge.description.key == "uptime":
                    value = round(taken / 1000 - value)
                else:
                    value = totals.get(key, value)
            gauge.update(value, now, self._write_interval)

    @callback
    def _set_data(self, batch: Batch, received: int, state: ServerState) -> None:
        """Tell what concerns the server as a whole."""
        old = self.data
        changed = state is not old.state or batch.agent != old.agent
        data = ServerData(
            state=state,
            last_report=dt_util.utc_from_timestamp(received / 1000),
            agent=batch.agent,
            queue=batch.queue,
            skew=round((batch.now_ms - received) / 1000, 1),
            metrics=old.metrics,
        )
        if changed and batch.agent != old.agent:
            self._set_version(batch.agent)
        now = self.hass.loop.time()
        if (
            changed
            or batch.queue != old.queue
            or now >= self._written + self._write_interval
        ):
            self._written = now
            self.async_set_updated_data(data)
        else:
            self.data = data
        if state is ServerState.ON:
            self._watch(MISSED_INTERVALS * self._interval)

    _written = 0.0
    """When the entities of the server as a whole were written last."""

    @callback
    def _watch(self, seconds: float) -> None:
        """Expect the next report within this time.

        The deadline moves with each report; the timer is set only when it fires.
        """
        self._silent_at = self.hass.loop.time() + seconds
        if self._silent is None:
            self._silent = async_call_later(
                self.hass, seconds, HassJob(self._async_check, cancel_on_shutdown=True)
            )

    @callback
    def _async_check(self, _: datetime) -> None:
        """See whether the deadline has passed."""
        self._silent = None
        left = self._silent_at - self.hass.loop.time()
        if left > 0:
            self._silent = async_call_later(
                self.hass, left, HassJob(self._async_check, cancel_on_shutdown=True)
            )
        elif self.data.state is ServerState.ON:
            self._switch_off()
            self.async_set_updated_data(replace(self.data, state=ServerState.OFF))

    def _switch_off(self) -> None:
        """A server that is off has no values: a frozen one would falsify the statistics."""
        now = self.hass.loop.time()
        for gauge in self.gauges.values():
            gauge.update(None, now, 0)

    def _set_metrics(self, metrics: Mapping[str, Metric]) -> None:
        """Take over the descriptions."""
        for key, metric in metrics.items():
            if key not in self.gauges:
                self.gauges[key] = Gauge(describe(key, metric))
        for key in self.gauges.keys() - metrics.keys():
            del self.gauges[key]
        if self.data is not None:
            self.data = replace(self.data, metrics=dict(metrics))

    def _announce(self, before: set[str]) -> None:
        """Tell which metrics came and which went."""
        now = set(self.gauges)
        if now != before:
            for listener in self.on_metrics:
                listener(now - before, before - now)

    def _set_columns(self, keys: tuple[str, ...]) -> None:
        """Remember where each column goes; one that is not described goes nowhere."""
        self._keys = keys
        self._columns = tuple(
            self.gauges.get(key) or Gauge(describe(key, Metric(kind="undescribed")))
            for key in keys
        )

    def _set_version(self, agent: str) -> None:
        """Show the agent's version at the device."""
        registry = dr.async_get(self.hass)
        for device in dr.async_entries_for_config_entry(
            registry, self.config_entry.entry_id
        ):
            registry.async_update_device(device.id, sw_version=agent)

    @override
    def diagnostics(self) -> dict[str, Any]:
        """Return what helps to find a fault."""
        return {
            "interval": self._interval,
            "values": {key: gauge.value for key, gauge in self.gauges.items()},
        }


def newest(
    batch: Batch, times: tuple[int, ...], received: int
) -> tuple[Sample | None, int]:
    """Return the newest sample of a report, and when it was taken."""
    if batch.live is not None:
        return batch.live, batch.time_of(batch.live, received)
    if batch.samples:
        return batch.samples[-1], times[-1]
    return None, 0
