"""Clamps in a real Home Assistant, from the flow to a power cut."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from .conftest import Home
from demo.client import Client
from demo.rack.clamps import LOADS, Clamps

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

SERVER, SPARE = LOADS[0], LOADS[-1]
ENTRIES = "/api/config/config_entries/entry"
COUNTED_FOR = 35.0  # s; longer than the counters are kept back


async def number(client: Client, entity_id: str) -> float:
    """Return the state of an entity as soon as it is a number."""
    async with asyncio.timeout(60):
        while (state := await client.state(entity_id)) in ("unavailable", "unknown"):
            await asyncio.sleep(0.1)
    return float(state)


@pytest_asyncio.fixture(loop_scope="session")
async def clamps(home: Home, tmp_path: Path) -> AsyncIterator[Home]:
    """Add the board and its channels through the flows; remove them afterwards."""
    async with home.client() as client:
        await Clamps(tmp_path).create(client)
    yield home
    async with home.client() as client:
        for entry in await client.request("GET", ENTRIES):
            if entry["title"].startswith("CT clamps"):
                await client.request("DELETE", f"{ENTRIES}/{entry['entry_id']}")


async def test_power_and_a_kill(clamps: Home) -> None:
    """The loads are shown as they are, and kill -9 takes back nothing that was shown."""
    power_id, energy_id = (
        f"sensor.{SERVER.slug}_{what}" for what in ("power_estimate", "energy")
    )
    async with clamps.client() as client:
        power = await number(client, power_id)
        assert power == pytest.approx(SERVER.watts(datetime.now(UTC)), rel=0.03)
        # hum of its wires, for its zero was never set
        assert await number(client, f"sensor.{SPARE.slug}_power_estimate") < 0.5
        await asyncio.sleep(COUNTED_FOR)
        before = await number(client, energy_id)
    assert before * 3.6e6 / power > COUNTED_FOR - 25

    await clamps.hass.kill()
    await clamps.hass.start()
    await clamps.wait_running()
    async with clamps.client() as client:
        after = await number(client, energy_id)
    # what was shown was stored; what was not shown yet may be there too
    assert before <= after < before + power * 30 / 3.6e6
