"""Fill the recorder and the energy dashboard, so that graphs are not empty."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from .client import Client, CommandError
from .hass import HassError
from .rack.part import Consumer, Past

SPAN = timedelta(days=396)  # thirteen months: a year's graph has a year before it
_HOUR = timedelta(hours=1)
_SAMPLES = 12  # per hour, as Home Assistant's own five-minute statistics
_PATIENCE = 300  # s; two series take 4 s on a small virtual machine
_CHUNK = 2500  # rows a command; more would hold up the event loop for longer


def rows_of(past: Past, now: datetime) -> list[dict[str, Any]]:
    """Return a row for each full hour of the span.

    A total's sums end at zero, where the sum of a new entity starts: were they higher,
    the first live hour would show their whole height as a drop.
    """
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    start = last - SPAN
    rows = []
    total = 0.0
    while start < last:
        values = [past.value(start + _HOUR / _SAMPLES * n) for n in range(_SAMPLES)]
        mean = sum(values) / _SAMPLES
        row: dict[str, Any] = {"start": start.isoformat()}
        if past.is_total:
            total += mean
            row["sum"] = total
        else:
            row |= {"mean": mean, "min": min(values), "max": max(values)}
        rows.append(row)
        start += _HOUR
    for row in rows if past.is_total else ():
        row["sum"] = round(row["sum"] - total, 4)
    return rows


async def import_past(client: Client, pasts: Iterable[Past]) -> None:
    """Import the statistics of entities and wait until they are stored."""
    now = datetime.now(UTC)
    wanted = set()
    for past in pasts:
        wanted.add(past.entity_id)
        metadata = {
            "statistic_id": past.entity_id,
            "source": "recorder",
            "name": None,
            "has_sum": past.is_total,
            # StatisticMeanType: none of a total, arithmetic of a measurement
            "mean_type": 0 if past.is_total else 1,
            "unit_class": past.unit_class,
            "unit_of_measurement": past.unit,
        }
        rows = await asyncio.to_thread(rows_of, past, now)
        for chunk in batched(rows, _CHUNK, strict=False):
            await client.call(
                "recorder/import_statistics", metadata=metadata, stats=list(chunk)
            )
    await _wait_stored(client, wanted)


async def _wait_stored(client: Client, wanted: set[str]) -> None:
    """Wait until the recorder has worked through the import, which it only queued."""
    try:
        async with asyncio.timeout(_PATIENCE):
            while not await _is_stored(client, wanted):
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise HassError(
            f"The history was not stored within {_PATIENCE} s. Start again."
        ) from None


async def _is_stored(client: Client, wanted: set[str]) -> bool:
    """Tell whether the recorder has all that was imported."""
    known = await client.call("recorder/list_statistic_ids")
    info = await client.call("recorder/info")
    return wanted <= {row["statistic_id"] for row in known} and not info["backlog"]


async def set_up_energy(client: Client, consumers: Sequence[Consumer]) -> None:
    """Set up the energy dashboard, unless somebody has done so already."""
    if await _has_energy(client) or not consumers:
        return
    sources = [
        {
            "type": "grid",
            "stat_energy_from": feed.energy,
            "stat_rate": feed.power,
            "cost_adjustment_day": 0,
        }
        for feed in consumers
        if feed.is_feed
    ]
    devices = [
        {
            "stat_consumption": device.energy,
            "stat_rate": device.power,
            "name": device.name,
        }
        for device in consumers
        if not device.is_feed
    ]
    await client.call(
        "energy/save_prefs", energy_sources=sources, device_consumption=devices
    )


async def _has_energy(client: Client) -> bool:
    """Tell whether the energy dashboard is set up."""
    try:
        prefs = await client.call("energy/get_prefs")
    except CommandError as err:
        if err.code != "not_found":
            raise
        return False
    return bool(prefs["energy_sources"] or prefs["device_consumption"])
