"""A serial line whose other end is in the test's hands."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant

from .line import SerialLine
from custom_components.rackwatt.blip_meter import coordinator, meter
from custom_components.rackwatt.history import store

METER = {
    "meter_id": 1,
    "name": "Rack feed",
    "impulses_per_kwh": 1000,
    "ratio": 1,
    "max_power": 25000,
}


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SerialLine]:
    """Return a serial line that is plugged in, read by an impatient coordinator."""
    monkeypatch.setattr(store, "COMMIT_DELAY", 0.005)
    monkeypatch.setattr(coordinator, "TICK", timedelta(seconds=0.02))
    monkeypatch.setattr(coordinator, "RETRY_DELAYS", (0.02,))
    monkeypatch.setattr(coordinator, "REJECTED_INTERVAL", 0)
    monkeypatch.setattr(meter, "PUBLISH_SOONEST", 0.02)
    line = SerialLine(tmp_path / "blip")
    line.plug()
    yield line
    line.unplug()


def meter_subentry(**changes: Any) -> ConfigSubentryData:
    """Return a meter."""
    data = METER | changes
    return ConfigSubentryData(
        data=data,
        subentry_type="meter",
        title=data["name"],
        unique_id=str(data["meter_id"]),
    )


def blip_entry(
    port: str, *meters: ConfigSubentryData, line_format: str = "id_ms"
) -> MockConfigEntry:
    """Return an entry with its meters."""
    return MockConfigEntry(
        domain="rackwatt",
        title="Blip meter",
        data={
            "kind": "blip_meter",
            "port": port,
            "baudrate": 9600,
            "parity": "N",
            "line_format": line_format,
        },
        subentries_data=meters or (meter_subentry(),),
    )


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set an entry up."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def until(hass: HomeAssistant, condition: Any, timeout: float = 5) -> None:
    """Wait until something holds; bytes take their time through a pty."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.005)
            await hass.async_block_till_done()


def state(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity."""
    found = hass.states.get(entity_id)
    assert found is not None, hass.states.async_entity_ids()
    return found.state
