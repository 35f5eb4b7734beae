"""A reception, servers and reports."""

from http import HTTPStatus
import time
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.rackwatt.server.ingest import Reception, async_reception
from custom_components.rackwatt.server.report import (
    API,
    KEY_HEADER,
    Batch,
    Layout,
    Metric,
    Sample,
)

MACHINE = "a" * 32
METRICS = {
    "cpu": Metric(kind="cpu", unit="%"),
    "disk:/": Metric(kind="disk", unit="%", mount="/"),
    "power:cpu_package": Metric(
        kind="power", unit="W", scope="cpu_package", source="rapl"
    ),
    "energy:cpu_package": Metric(
        kind="energy", unit="Wh", scope="cpu_package", source="rapl"
    ),
    "uptime": Metric(kind="uptime", unit="s"),
}
LAYOUT = Layout(keys=tuple(METRICS), metrics=METRICS)
VALUES = (12.5, 41.0, 35.0, 1.5, 3600.0)


def report(
    *seqs: int,
    values: tuple[float | None, ...] = VALUES,
    layout: Layout = LAYOUT,
    age: float = 0,
    step: float = 8,
    **changes: Any,
) -> Batch:
    """Return a report whose last sample was taken `age` seconds ago."""
    now = time.time_ns() // 1_000_000
    up = changes.pop("up", 10_000_000_000)
    last = seqs[-1] if seqs else 0
    samples = tuple(
        Sample(
            seq,
            now - int(1000 * (age + (last - seq) * step)),
            up - int(1000 * (age + (last - seq) * step)),
            values,
        )
        for seq in seqs
    )
    fields: dict[str, Any] = {
        "machine": MACHINE,
        "agent": "0.1.0",
        "epoch": "e1",
        "boot": "boot-1",
        "now_ms": now,
        "up_ms": up,
        "interval_ms": 8000,
        "layout": layout,
        "digest": layout.digest(),
        "described": True,
        "samples": samples,
    }
    return Batch(**(fields | changes))


class Agent:
    """What an agent does, over HTTP."""

    def __init__(self, client: TestClient, key: str) -> None:
        """Keep the key."""
        self.client = client
        self.key = key

    async def post(
        self, batch: Batch | Any, key: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send a report; return status and answer."""
        raw = batch.to_json() if isinstance(batch, Batch) else batch
        answer = await self.client.post(
            f"{API}/ingest", json=raw, headers={KEY_HEADER: key or self.key}
        )
        return answer.status, await answer.json()

    async def report(self, *seqs: int, **changes: Any) -> dict[str, Any]:
        """Send a report that is taken."""
        status, answer = await self.post(report(*seqs, **changes))
        assert status == HTTPStatus.OK, answer
        return answer


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit at once: a test has nobody to share a transaction with."""
    monkeypatch.setattr("custom_components.rackwatt.history.sample_writer.GATHER", 0.0)


@pytest.fixture
async def reception(hass: HomeAssistant) -> Reception:
    """Return the reception."""
    assert await async_setup_component(hass, "rackwatt", {})
    return async_reception(hass)


@pytest.fixture
async def client(
    hass: HomeAssistant,
    reception: Reception,
    hass_client_no_auth: ClientSessionGenerator,
) -> TestClient:
    """Return somebody who has no login."""
    return await hass_client_no_auth()


@pytest.fixture
def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a server."""
    return MockConfigEntry(
        domain="rackwatt",
        title="web1",
        unique_id="0" * 32,
        data={
            "kind": "server",
            "name": "web1",
            "mac": "02:00:00:00:00:01",
            "broadcast_address": "127.255.255.255",
        },
    )


@pytest.fixture
async def server(
    hass: HomeAssistant, entry: MockConfigEntry, reception: Reception
) -> MockConfigEntry:
    """Return a server that is set up."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture
async def agent(
    client: TestClient, server: MockConfigEntry, reception: Reception
) -> Agent:
    """Return the agent of the server."""
    assert server.unique_id
    return Agent(client, await reception.keys.async_issue(server.unique_id))
