"""Real agents enrol at a real Home Assistant, and outlive its stops and kills."""

import asyncio
from pathlib import Path
import sqlite3

import pytest

from .conftest import Home
from demo.rack.server import Host, add_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]


def stored(home: Home) -> tuple[int, int, int]:
    """Return how many samples were numbered, are stored, and differ in time."""
    path = home.hass.config / "rackwatt_samples.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (host,) = db.execute(
            "SELECT id FROM host WHERE json_extract(state, '$.agent') NOT NULL"
            " ORDER BY last DESC LIMIT 1"
        ).fetchone()
        (numbered,) = db.execute(
            "SELECT sum(seq) FROM mark WHERE host = ?", (host,)
        ).fetchone()
        count, times = db.execute(
            "SELECT count(*), count(DISTINCT time) FROM tail WHERE host = ?", (host,)
        ).fetchone()
    return numbered, count, times


async def test_nothing_is_lost_or_doubled(home: Home, tmp_path: Path) -> None:
    """Enrol by the flow; stop Home Assistant for a minute; kill it; count."""
    host = Host(tmp_path, "web1", interval=1)
    host.prepare()
    async with home.client() as client:
        await add_server(client, host)
    await home.wait_for("sensor.web1_state", "on")
    await host.start()
    try:
        await asyncio.sleep(4)
        # connected: nothing is written at the host
        assert not host.queue.exists()
        await home.hass.stop()
        await asyncio.sleep(60)
        assert list(host.queue.iterdir())
        await home.hass.start()
        await home.wait_running()
        await until_empty(host)
        await home.hass.kill()
        await asyncio.sleep(5)
        await home.hass.start()
        await home.wait_running()
        await until_empty(host)
        assert host.returncode is None
    finally:
        await host.stop()
    await home.wait_for("sensor.web1_state", "off")
    await home.wait_for("sensor.web1_cpu_usage", "unavailable")
    assert not list(host.queue.iterdir())
    numbered, count, times = stored(home)
    assert count > 70
    assert numbered == count == times
    assert "Traceback" not in host.log.read_text()


async def until_empty(host: Host) -> None:
    """Wait until the host has written a queue and got rid of it."""
    async with asyncio.timeout(120):
        while not host.queue.exists() or list(host.queue.iterdir()):
            await asyncio.sleep(0.5)
