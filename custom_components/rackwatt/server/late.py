"""Fill Home Assistant's hourly statistics with what came late.

A sample that arrives hours after it was taken never becomes a state: states are of
now. The hours that it belongs to are computed anew from the samples store, once they
are over and Home Assistant has made its own row of them.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import StatisticData, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    STATISTIC_UNIT_TO_UNIT_CONVERTER,
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN, SensorStateClass
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, LOGGER
from ..history.sample_writer import STORE_ERRORS
from ..history.samples import HOUR_MS, Hour
from .coordinator import Gauge, ServerCoordinator

# A backlog comes in many reports; its hours are filled when it is through
SETTLE_S = 60.0
# Home Assistant makes the row of an hour within five minutes of its end
COMPILED_MS = 6 * 60_000
# A day's outage is 24 rows of each series; the recorder has others to serve too
PAUSE_S = 0.05
# How far back an energy's last row before the gap may lie
BASE_SPAN = timedelta(days=30)


class LateHours:
    """The hours of a server that have to be computed anew."""

    def __init__(self, hass: HomeAssistant, coordinator: ServerCoordinator) -> None:
        """Start without any."""
        self._hass = hass
        self._coordinator = coordinator
        self._hours: set[int] = set()
        self._timer: CALLBACK_TYPE | None = None

    @callback
    def take(self, times: Iterable[int]) -> None:
        """Note the hours of late samples."""
        hours = {time // HOUR_MS * HOUR_MS for time in times}
        if hours:
            self._hours |= hours
            self._schedule(SETTLE_S)

    @callback
    def close(self) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer()
            self._timer = None

    @callback
    def _schedule(self, seconds: float) -> None:
        """Look again later."""
        self.close()
        self._timer = async_call_later(
            self._hass, seconds, HassJob(self._async_fill, cancel_on_shutdown=True)
        )

    async def _async_fill(self, now: datetime) -> None:
        """Fill the hours that are over."""
        self._timer = None
        now_ms = int(now.timestamp() * 1000)
        ready = sorted(h for h in self._hours if h + HOUR_MS + COMPILED_MS <= now_ms)
        self._hours.difference_update(ready)
        if ready:
            await self._async_import(ready)
        if self._hours:
            due = min(self._hours) + HOUR_MS + COMPILED_MS - now_ms
            self._schedule(max(SETTLE_S, due / 1000))

    async def _async_import(self, hours: Sequence[int]) -> None:
        """Fill these hours of every metric that has statistics."""
        entities = self._entities()
        recorder = get_instance(self._hass)
        known = await recorder.async_add_executor_job(
            lambda: get_metadata(self._hass, statistic_ids=set(entities))
        )
        for entity_id, (_, metadata) in known.items():
            key, gauge = entities[entity_id]
            try:
                rows = await self._async_rows(key, gauge, metadata, hours)
            except STORE_ERRORS as err:
                LOGGER.warning("Late samples of %s are left out: %s", entity_id, err)
                continue
            if rows:
                async_import_statistics(self._hass, metadata, rows)
            await asyncio.sleep(PAUSE_S)

    def _entities(self) -> dict[str, tuple[str, Gauge]]:
        """Return the metrics that have an entity."""
        registry = er.async_get(self._hass)
        entry = self._coordinator.config_entry
        found = {}
        for key, gauge in self._coordinator.gauges.items():
            entity_id = registry.async_get_entity_id(
                SENSOR_DOMAIN, DOMAIN, f"{entry.entry_id}_metric_{key}"
            )
            if entity_id is not None:
                found[entity_id] = (key, gauge)
        return found

    async def _async_rows(
        self,
        key: str,
        gauge: Gauge,
        metadata: StatisticMetaData,
        hours: Sequence[int],
    ) -> list[StatisticData]:
        """Return the rows of a metric."""
        samples = self._coordinator.samples
        wanted = set(hours)
        found: list[Hour] = await samples.async_run(
            samples.store.hours,
            self._coordinator.server_id,
            key,
            hours[0],
            hours[-1],
        )
        to_unit = converter(gauge, metadata["unit_of_measurement"])
        if gauge.description.state_class is SensorStateClass.TOTAL_INCREASING:
            # every hour from the first on: a sum goes on from the one before
            base = await self._async_base(metadata["statistic_id"], hours[0])
            return energy_rows(found, base, to_unit) if base else []
        return [
            StatisticData(
                start=_start(hour),
                mean=to_unit(hour.mean),
                min=to_unit(hour.minimum),
                max=to_unit(hour.maximum),
            )
            for hour in found
            if hour.start in wanted
        ]

    async def _async_base(
        self, statistic_id: str, first: int
    ) -> tuple[float, float] | None:
        """Return state and sum of the last row before the gap."""
        end = dt_util.utc_from_timestamp(first / 1000)
        rows = await get_instance(self._hass).async_add_executor_job(
            statistics_during_period,
            self._hass,
            end - BASE_SPAN,
            end,
            {statistic_id},
            "hour",
            None,
            {"state", "sum"},
        )
        if not (found := rows.get(statistic_id)):
            return None
        state, total = found[-1].get("state"), found[-1].get("sum")
        return None if state is None or total is None else (state, total)


def energy_rows(
    hours: Iterable[Hour], base: tuple[float, float], to_unit: Any
) -> list[StatisticData]:
    """Return the rows of a counter, whose sum goes on from the row before."""
    state, total = base
    rows = []
    for hour in hours:
        value = to_unit(hour.last)
        if value >= state:
            rows.append(
                StatisticData(
                    start=_start(hour), state=value, sum=total + value - state
                )
            )
    return rows


def converter(gauge: Gauge, unit: str | None) -> Any:
    """Return what turns a sample into the unit that the statistics are kept in."""
    native = gauge.description.native_unit_of_measurement
    found = STATISTIC_UNIT_TO_UNIT_CONVERTER.get(unit)
    if unit == native or found is None:
        return float
    return found.converter_factory(native, unit)


def _start(hour: Hour) -> datetime:
    """Return when an hour begins."""
    return dt_util.utc_from_timestamp(hour.start / 1000)
