"""Options of a blip meter."""

from datetime import timedelta
from pathlib import Path
import time
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util

from .conftest import blip_entry, set_up, state, until
from .line import SerialLine
from custom_components.rackwatt.history.database import Blip, Database
from custom_components.rackwatt.history.store import async_get_store


async def test_options(hass: HomeAssistant, tmp_path: Path) -> None:
    """By default every blip is kept, and nobody reads it without a login."""
    entry = blip_entry(str(tmp_path / "blip"))
    await set_up(hass, entry)
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    assert flow["step_id"] == "blip_options"
    assert flow["data_schema"]({}) == {"keep_days": 0, "open_api": False}
    done = await hass.config_entries.options.async_configure(
        flow["flow_id"], {"keep_days": 30, "open_api": True}
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {"keep_days": 30, "open_api": True}
    await hass.async_block_till_done()


async def test_what_is_too_old_is_forgotten(
    hass: HomeAssistant, line: SerialLine, caplog: pytest.LogCaptureFixture
) -> None:
    """By the hour, and the sensors tell what is left."""
    entry = blip_entry(line.port)
    (subentry,) = entry.subentries.values()
    store = await async_get_store(hass)
    meter = (await store.async_load_meter(subentry.subentry_id)).meter
    now = int(time.time() * 1000)
    ages = {age: now - age * 86_400_000 for age in (90, 60, 31, 29, 0)}
    blips = [Blip(meter, stamp, 1000) for stamp in ages.values()]
    await store._run(Database.write, store._opened, blips, {})
    await set_up(hass, entry)
    for keep, oldest in ((0, 90), (30, 29), (7, 0)):
        hass.config_entries.async_update_entry(entry, options={"keep_days": keep})
        await hass.async_block_till_done()
        expected = dt_util.utc_from_timestamp(ages[oldest] // 1000).isoformat()
        await until(
            hass,
            lambda: state(hass, "sensor.rack_feed_oldest_blip") == expected,  # noqa: B023
        )
    assert 0 < float(state(hass, "sensor.blip_meter_history_size")) < 1
    # a disk that fails is told of, and the rest goes on
    with patch.object(Database, "size", side_effect=OSError("gone")):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=1, seconds=1))
        await until(hass, lambda: "could not be looked after" in caplog.text)
    assert await hass.config_entries.async_unload(entry.entry_id)
