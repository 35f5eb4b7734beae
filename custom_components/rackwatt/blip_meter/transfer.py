"""Import and export blips; each is an action."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
import sqlite3
import time
from typing import Any
import zlib

from homeassistant.components import persistent_notification
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import EnergyConverter

from ..const import DOMAIN
from ..history.block import HOUR_MS, DamagedBlockError, Hours
from ..history.dump import Dump, Imported, export_lines
from ..history.reader import Reader
from ..history.store import HistoryStore, async_get_store
from .coordinator import CountedMeter

# How often the notification tells how far an import is, in s
TOLD_EVERY = 2.0
EXPORT_PAGE = 20_000
# Rows of statistics that go to the recorder at once
STATISTICS_PAGE = 1000


def allowed_path(hass: HomeAssistant, path: str) -> Path:
    """Return a path that Home Assistant may use.

    Raises:
        ServiceValidationError: the user has not allowed it.
    """
    if not hass.config.is_allowed_path(path):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="path_not_allowed",
            translation_placeholders={"path": path},
        )
    return Path(path)


async def async_import(
    hass: HomeAssistant,
    counted: CountedMeter,
    path: str,
    source: int | None,
    entity_id: str,
) -> dict[str, Any]:
    """Import a dump into a meter's blips, and into its statistics.

    A dump that is imported again, whole or from where it was left, adds only what is
    not there yet.
    """
    allowed = await hass.async_add_executor_job(allowed_path, hass, path)
    store = await async_get_store(hass)
    try:
        dump = await hass.async_add_executor_job(Dump, allowed, source)
    except OSError as err:
        raise _unreadable(path, err) from err
    told = 0.0
    try:
        while await store.async_run(dump.step, counted.place):
            if time.monotonic() - told >= TOLD_EVERY:
                told = time.monotonic()
                _tell(hass, counted, entity_id, f"{dump.progress:.0%}", dump.done)
    except (OSError, EOFError, zlib.error, sqlite3.Error, DamagedBlockError) as err:
        raise _unreadable(path, err) from err
    finally:
        await hass.async_add_executor_job(dump.close)
    rows = await _async_fill_statistics(hass, store, counted, entity_id)
    _tell(hass, counted, entity_id, "100%", dump.done)
    return {
        "blips": dump.done.blips,
        "new": dump.done.new,
        "unknown_intervals": dump.done.unknown,
        "malformed": dump.done.malformed,
        "malformed_lines": dump.done.lines,
        "statistics": rows,
    }


def _unreadable(path: str, err: Exception) -> ServiceValidationError:
    """Return the sentence for a dump that cannot be read."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="dump_unreadable",
        translation_placeholders={"path": path, "error": str(err)},
    )


def _tell(
    hass: HomeAssistant,
    counted: CountedMeter,
    entity_id: str,
    share: str,
    done: Imported,
) -> None:
    """Show how far an import is."""
    lines = ", ".join(map(str, done.lines))
    text = f"{share} · {done.blips:,} blips · +{done.new:,}"
    if done.malformed:
        text += f" · ✗ {done.malformed:,} ({lines})"
    persistent_notification.async_create(
        hass, text, f"Rackwatt: {entity_id}", f"{DOMAIN}_import_{counted.key}"
    )


async def _async_fill_statistics(
    hass: HomeAssistant, store: HistoryStore, counted: CountedMeter, entity_id: str
) -> int:
    """Fill the hours before the first one that the recorder has; return how many."""
    if "recorder" not in hass.config.components:
        return 0
    recorder = get_instance(hass)
    known = await recorder.async_add_executor_job(
        lambda: get_metadata(hass, statistic_ids={entity_id})
    )
    unit: str | None = UnitOfEnergy.KILO_WATT_HOUR
    if entity_id in known:
        # the user may have chosen another one
        unit = known[entity_id][1]["unit_of_measurement"]
    found = await recorder.async_add_executor_job(_first_row, hass, entity_id)
    wh = counted.counter.state.wh_per_impulse
    this_hour = int(time.time() * 1000) // HOUR_MS
    first, total, state = this_hour, 0.0, counted.counter.energy_wh
    if found is not None:
        first, total, state = found
    hours = await store.async_ask(Reader.hours, counted.place, 0, first)
    # what the first row itself counted comes after what is filled in
    if hours.hours and hours.hours[-1] == first:
        total -= hours.events[-1] * wh
        state -= hours.events[-1] * wh
        hours.put(first, None)
    to_unit = EnergyConverter.converter_factory(UnitOfEnergy.WATT_HOUR, unit)
    rows = statistics_rows(hours, wh, total, state, to_unit)
    metadata = StatisticMetaData(
        mean_type=StatisticMeanType.NONE,
        has_sum=True,
        name=None,
        source="recorder",
        statistic_id=entity_id,
        unit_class=EnergyConverter.UNIT_CLASS,
        unit_of_measurement=unit,
    )
    for page in range(0, len(rows), STATISTICS_PAGE):
        async_import_statistics(hass, metadata, rows[page : page + STATISTICS_PAGE])
    return len(rows)


def statistics_rows(
    hours: Hours,
    wh: float,
    total: float,
    state: float,
    to_unit: Callable[[float], float],
) -> list[StatisticData]:
    """Return rows whose sums end where the live sum starts (Wh)."""
    rows = []
    for hour, events in zip(reversed(hours.hours), reversed(hours.events), strict=True):
        start = dt_util.utc_from_timestamp(hour * HOUR_MS / 1000)
        rows.append(
            StatisticData(start=start, state=to_unit(state), sum=to_unit(total))
        )
        total -= events * wh
        state -= events * wh
    rows.reverse()
    return rows


def _first_row(hass: HomeAssistant, entity_id: str) -> tuple[int, float, float] | None:
    """Return hour, sum and state (Wh) of the first row of a statistic."""
    found = statistics_during_period(
        hass,
        dt_util.utc_from_timestamp(0),
        None,
        {entity_id},
        "hour",
        {"energy": UnitOfEnergy.WATT_HOUR},
        {"sum", "state"},
    ).get(entity_id)
    if not found:
        return None
    row = found[0]
    return int(row["start"] * 1000) // HOUR_MS, row["sum"] or 0.0, row["state"] or 0.0


async def async_export(
    hass: HomeAssistant,
    counted: CountedMeter,
    path: str,
    start: datetime | None,
    end: datetime | None,
) -> dict[str, Any]:
    """Write a meter's blips as CSV: id, stamp, ms."""
    allowed = await hass.async_add_executor_job(allowed_path, hass, path)
    store = await async_get_store(hass)
    first = 0 if start is None else int(start.timestamp() * 1000)
    last = 10**15 if end is None else int(end.timestamp() * 1000)
    # whoever reads the file sees all of it or none
    partial = allowed.with_name(allowed.name + ".part")
    blips = 0
    try:
        await hass.async_add_executor_job(partial.write_text, "id,stamp,ms\n")
        async for lines, number in _pages(store, counted, first, last):
            await hass.async_add_executor_job(_append, partial, lines)
            blips += number
        await hass.async_add_executor_job(partial.replace, allowed)
    except OSError as err:
        with suppress(OSError):
            await hass.async_add_executor_job(partial.unlink)
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="export_failed",
            translation_placeholders={"path": path, "error": str(err)},
        ) from err
    return {"blips": blips}


async def _pages(
    store: HistoryStore, counted: CountedMeter, first: int, last: int
) -> AsyncIterator[tuple[str, int]]:
    """Yield the lines of an export and how many they are."""
    question: Callable[..., Any] = Reader.points
    while (
        points := await store.async_ask(
            question, counted.place, first, last, EXPORT_PAGE
        )
    ).stamps:
        yield "".join(export_lines(points, counted.number)), len(points.stamps)
        first = points.stamps[-1] + 1


def _append(path: Path, text: str) -> None:
    """Append to a file."""
    with path.open("a") as file:
        file.write(text)
