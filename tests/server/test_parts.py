"""Waking, triggers, repairs, the API, and the samples file."""

from datetime import datetime, timedelta
from http import HTTPStatus
import json
from pathlib import Path
import socket
import sqlite3
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.components.repairs import RepairsFlow
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .conftest import Agent, report
from custom_components.rackwatt.backup import async_post_backup, async_pre_backup
from custom_components.rackwatt.diagnostics import async_get_config_entry_diagnostics
from custom_components.rackwatt.history.samples import (
    HOUR_MS,
    Committed,
    Incoming,
    SampleStore,
)
from custom_components.rackwatt.repairs import async_create_fix_flow
from custom_components.rackwatt.server.ingest import Reception
from custom_components.rackwatt.server.kinds import describe
from custom_components.rackwatt.server.report import API, Metric
from custom_components.rackwatt.server.throttle import Throttle
from custom_components.rackwatt.server.wake import clean_broadcast, clean_mac, wake


# ---------------------------------------------------------------------------- waking
@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("02:1A:2b:3c:4d:5e", "02:1a:2b:3c:4d:5e"),
        ("02-1a-2b-3c-4d-5e", "02:1a:2b:3c:4d:5e"),
        ("021a.2b3c.4d5e", "02:1a:2b:3c:4d:5e"),
        (" 021a2b3c4d5e/010203040506", "02:1a:2b:3c:4d:5e/01:02:03:04:05:06"),
    ],
)
def test_mac(text: str, clean: str) -> None:
    """However it is typed."""
    assert clean_mac(text) == clean


@pytest.mark.parametrize("text", ["", "02:1a", "0g:1a:2b:3c:4d:5e", "a/b/c"])
def test_no_mac(text: str) -> None:
    """What is none is refused."""
    with pytest.raises(ValueError, match="MAC"):
        clean_mac(text)


def test_broadcast() -> None:
    """An address, or the last one of a network."""
    assert clean_broadcast(" 10.1.2.3 ") == "10.1.2.3"
    assert clean_broadcast("192.168.1.7/24") == "192.168.1.255"
    with pytest.raises(ValueError, match="hostname"):
        clean_broadcast("hostname")


def test_magic_packet(socket_enabled: None) -> None:
    """The packet that a network card waits for, three times, with the password."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as card:
        card.bind(("127.0.0.1", 0))
        card.settimeout(5)
        with patch("custom_components.rackwatt.server.wake.PAUSE_S", 0):
            wake(
                "02:00:00:00:00:01/11:22:33:44:55:66",
                "127.0.0.1",
                card.getsockname()[1],
            )
        packets = [card.recv(200) for _ in range(3)]
    assert packets[0] == b"\xff" * 6 + bytes.fromhex(
        "020000000001"
    ) * 16 + bytes.fromhex("112233445566")
    assert packets[1] == packets[2] == packets[0]


async def test_switch(hass: HomeAssistant, agent: Agent) -> None:
    """On sends the packet to the network's address; off is refused clearly."""
    target = {"entity_id": "switch.web1_power"}
    with patch("custom_components.rackwatt.server.switch.wake") as sent:
        await hass.services.async_call("switch", "turn_on", target, blocking=True)
    sent.assert_called_once_with("02:00:00:00:00:01", "127.255.255.255")
    state = hass.states.get("switch.web1_power")
    assert state is not None
    # on is what reports, not what was asked for
    assert state.state == "off"
    with (
        patch(
            "custom_components.rackwatt.server.switch.wake",
            side_effect=OSError("Network is unreachable"),
        ),
        pytest.raises(HomeAssistantError) as caught,
    ):
        await hass.services.async_call("switch", "turn_on", target, blocking=True)
    assert caught.value.translation_key == "cannot_wake"
    with pytest.raises(ServiceValidationError) as refused:
        await hass.services.async_call("switch", "turn_off", target, blocking=True)
    assert refused.value.translation_key == "cannot_turn_off"


async def test_triggers(hass: HomeAssistant, agent: Agent) -> None:
    """Automations run when a server goes and when it comes."""
    calls: list[str] = []

    async def note(call: ServiceCall) -> None:
        calls.append(call.data["what"])

    hass.services.async_register("test", "note", note)
    automations = [
        {
            "alias": what,
            "triggers": {
                "trigger": f"rackwatt.{what}",
                "target": {"entity_id": "binary_sensor.web1_connectivity"},
            },
            "actions": {"action": "test.note", "data": {"what": what}},
        }
        for what in ("server_came_online", "server_went_offline")
    ]
    assert await async_setup_component(hass, "automation", {"automation": automations})
    await agent.report(1)
    await hass.async_block_till_done()
    assert calls == ["server_came_online"]
    await agent.report(2, bye="shutdown")
    await hass.async_block_till_done()
    assert calls == ["server_came_online", "server_went_offline"]


# --------------------------------------------------------------------------- repairs
async def follow(hass: HomeAssistant, issue: ir.IssueEntry) -> None:
    """Submit the flow of an issue."""
    flow = await async_create_fix_flow(hass, issue.issue_id, issue.data)
    assert isinstance(flow, RepairsFlow)
    flow.hass, flow.issue_id, flow.handler = hass, issue.issue_id, "rackwatt"
    form = await flow.async_step_init()
    assert form["type"] == "form"
    assert form["description_placeholders"] == issue.translation_placeholders
    assert (await flow.async_step_confirm({}))["type"] == "create_entry"


async def test_repair_of_a_moved_server(
    hass: HomeAssistant, agent: Agent, issue_registry: ir.IssueRegistry
) -> None:
    """Confirmed: the new machine's reports are taken."""
    await agent.report(1)
    moved = report(1, machine="d" * 32, epoch="e5")
    assert (await agent.post(moved))[0] == HTTPStatus.CONFLICT
    issue = issue_registry.async_get_issue("rackwatt", f"server_cloned_{'0' * 32}")
    assert issue is not None
    await follow(hass, issue)
    assert (await agent.post(moved))[0] == HTTPStatus.OK


async def test_repair_of_wrong_keys(
    hass: HomeAssistant,
    agent: Agent,
    reception: Reception,
    issue_registry: ir.IssueRegistry,
) -> None:
    """Read and confirmed: counted anew."""
    for _ in range(3):
        await agent.post(report(1), key="wrong")
    issue = issue_registry.async_get_issue("rackwatt", "server_wrong_key")
    assert issue is not None
    await follow(hass, issue)
    assert reception._wrong_addresses == {}


# ------------------------------------------------------------------------------- API
async def test_api(
    hass: HomeAssistant, agent: Agent, hass_client: ClientSessionGenerator
) -> None:
    """Devices, latest metrics, list of metrics, pages of a series."""
    await agent.report(*range(1, 11))
    user = await hass_client()

    async def ask(path: str, status: int = 200) -> Any:
        answer = await user.get(f"{API}/devices{path}")
        assert answer.status == status
        return await answer.json()

    (device,) = (await ask(""))["devices"]
    assert (device["name"], device["state"]) == ("web1", "on")
    latest = await ask(f"/{device['id']}/latest")
    assert latest["values"]["cpu"] == 12.5
    metrics = (await ask(f"/{device['id']}/metrics"))["metrics"]
    assert {
        "key": "disk:/",
        "kind": "disk",
        "unit": "%",
        "mount": "/",
        "current": True,
    } in (metrics)
    page = await ask(f"/{device['id']}/series/disk:/?limit=4")
    points = page["points"]
    assert len(points) == 4
    while page["next"]:
        page = await ask(f"/{device['id']}/series/disk:/?limit=4&start={page['next']}")
        points += page["points"]
    assert len(points) == 10
    assert [time for time, _ in points] == sorted({time for time, _ in points})
    assert (await ask(f"/{device['id']}/series/none"))["points"] == []
    soon = (datetime.now().astimezone() + timedelta(hours=1)).isoformat()
    later = await ask(f"/{device['id']}/series/cpu?start={soon.replace('+', '%2B')}")
    assert later["points"] == []
    for bad in ("start=x", "end=-1", "limit=0", "limit=x", "limit=99999"):
        assert (await ask(f"/{device['id']}/series/cpu?{bad}", 400))["hint"]
    assert (await ask("/none/latest", 404))["error"] == "unknown_device"
    broken = patch.object(SampleStore, "series", side_effect=sqlite3.OperationalError)
    with broken:
        assert (await ask(f"/{device['id']}/series/cpu", 503))["error"] == "store"


async def test_api_wants_a_login(client: TestClient, server: MockConfigEntry) -> None:
    """Samples are for users of Home Assistant; the document is for everybody."""
    assert (await client.get(f"{API}/devices")).status == HTTPStatus.UNAUTHORIZED
    answer = await client.get("/api/rackwatt/openapi.json")
    document = await answer.json()
    assert document["openapi"] == "3.1.0"
    assert f"{API}/ingest" in document["paths"]


async def test_diagnostics(
    hass: HomeAssistant, agent: Agent, server: MockConfigEntry
) -> None:
    """What helps to find a fault, without addresses and keys."""
    await agent.report(1)
    found = json.dumps(
        await async_get_config_entry_diagnostics(hass, server), default=str
    )
    assert '"cpu": 12.5' in found
    assert "02:00:00:00:00:01" not in found
    assert "rwk_" not in found


async def test_backup(hass: HomeAssistant, agent: Agent) -> None:
    """Reports go on while the files are copied."""
    await async_pre_backup(hass)
    assert (await agent.report(1))["ack"] == 1
    await async_post_backup(hass)
    assert (await agent.report(2))["ack"] == 2


# ------------------------------------------------------------------------------ kinds
def test_kinds() -> None:
    """A known kind has its description; a unit that does not fit has its own."""
    assert describe("x", Metric(kind="cpu", unit="%")).translation_key == "cpu"
    odd = describe("x", Metric(kind="cpu", unit="V"))
    assert odd.translation_key is None
    assert odd.device_class == "voltage"
    assert not odd.entity_registry_enabled_default
    energy = describe("x", Metric(kind="energy", unit="Wh", scope="rack", name="Rack"))
    assert energy.state_class == "total_increasing"
    assert describe("x", Metric(kind="new", unit="Wh")).state_class is None
    assert describe("x", Metric(kind="uptime", unit="d")).device_class is None


def test_throttle() -> None:
    """A sliding window per name, and a bound on the names."""
    throttle = Throttle(2, 10, names=2)
    assert [throttle.hit("a", t) for t in (0, 1, 2)] == [1, 2, 3]
    assert throttle.is_over(3)
    assert throttle.hit("a", 12.5) == 1
    throttle.hit("b", 13)
    throttle.hit("c", 14)
    assert throttle.hit("a", 15) == 1
    throttle.forget("a")
    assert throttle.hit("a", 16) == 1


# ---------------------------------------------------------------------- samples file
@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Return an open file."""
    store = SampleStore(tmp_path / "samples.db")
    store.open()
    yield store
    store.close()


def incoming(
    *rows: tuple[int, int, float | None], host: str = "h", **changes: Any
) -> Incoming:
    """Return a report of one metric."""
    fields: dict[str, Any] = {
        "host": host,
        "epoch": "e",
        "digest": "d",
        "keys": ("cpu",),
        "metrics": {"cpu": {"kind": "cpu"}},
        "rows": [(seq, time, (value,)) for seq, time, value in rows],
        "received": rows[-1][1] if rows else 0,
    }
    return Incoming(**(fields | changes))


def one(store: SampleStore, item: Incoming) -> Committed:
    """Commit one report."""
    return store.commit([item])[0]


def test_hours_are_packed(store: SampleStore) -> None:
    """An hour that is over is compressed; what is read stays the same."""
    rows = [(n + 1, n * 8000, n / 7 if n % 5 else None) for n in range(1000)]
    one(store, incoming(*rows))
    one(store, incoming(*rows, host="other"))
    before = store.series("h", "cpu", 0, 1 << 50)
    hours = store.hours("h", "cpu", 0, 8_000_000)
    while store.pack(3 * HOUR_MS + 600_000):
        pass
    assert store._db.execute("SELECT count(*) FROM tail").fetchone() == (0,)
    assert store.series("h", "cpu", 0, 1 << 50) == before
    assert store.hours("h", "cpu", 0, 8_000_000) == hours
    # late samples of a packed hour are a block of their own
    one(store, incoming((1001, 4, 1.0), (1002, 3, 2.0)))
    assert store.pack(3 * HOUR_MS + 600_000)
    assert store.series("h", "cpu", 0, 10)[:3] == [(0, None), (3, 2.0), (4, 1.0)]
    assert (
        store.series("h", "cpu", 0, 1 << 50, 5)
        == sorted(store.series("h", "cpu", 0, 1 << 50))[:5]
    )


def test_hour() -> None:
    """The mean is weighted by time; a hole weighs nothing."""
    from custom_components.rackwatt.history.samples import summarise  # noqa: PLC0415

    hour = summarise(0, [(0, 10.0), (60_000, 20.0), (1_800_000, 30.0)])
    # one minute of 10, five of 20, five of 30: what is longer is a hole
    assert hour.mean == pytest.approx((10 + 5 * 20 + 5 * 30) / 11)
    assert (hour.minimum, hour.maximum, hour.last) == (10, 30, 30)
    assert hour.covered == pytest.approx(11 / 60)


def test_old_samples_go(tmp_path: Path) -> None:
    """Days and bytes bound the file; the newest stays."""
    store = SampleStore(tmp_path / "s.db", keep_days=1, max_bytes=200_000)
    store.open()
    for hour in range(40):
        rows = [
            (
                hour * 500 + n + 1,
                hour * HOUR_MS + n * 7000,
                (n * hour * 7919) % 1000 / 7,
            )
            for n in range(500)
        ]
        one(store, incoming(*rows))
    now = 40 * HOUR_MS
    while store.pack(now + 600_000):
        pass
    store.purge(now)
    times = [time for time, _ in store.series("h", "cpu", 0, 1 << 50)]
    assert min(times) >= 16 * HOUR_MS
    assert max(times) > 39 * HOUR_MS
    assert store._used_bytes() <= 200_000
    store.purge(now + 60 * 86_400_000)
    assert store.series("h", "cpu", 0, 1 << 50) == []
    assert store.known("h") is not None
    store.close()


def test_nothing_of_a_failed_transaction_stays(store: SampleStore) -> None:
    """All of a transaction, or none."""
    one(store, incoming((1, 1, 1.0)))
    bad = incoming((2, 2, 2.0), state={"not": object()})
    with pytest.raises(TypeError):
        store.commit([incoming((1, 1, 1.0), host="new"), bad])
    assert store.known("new") is None
    assert len(store.series("h", "cpu", 0, 10)) == 1
    assert one(store, incoming((2, 2, 2.0), (3, 3, 3.0))).fresh == (2, 3)


def test_reopened(tmp_path: Path) -> None:
    """What was committed is there after a kill; a file of the future is left alone."""
    first = SampleStore(tmp_path / "s.db")
    first.open()
    one(first, incoming((1, 1, 1.0), (2, 2, 2.0)))
    second = SampleStore(tmp_path / "s.db")
    second.open()
    assert one(second, incoming((2, 2, 2.0), (3, 3, 3.0))).fresh == (3,)
    assert one(second, incoming((5, 5, 5.0))).expected == 4
    known = second.known("h")
    assert known is not None
    assert known.keys == ("cpu",)
    second._db.execute("PRAGMA user_version = 99")
    second.close()
    first.close()
    with pytest.raises(sqlite3.DatabaseError, match="newer"):
        SampleStore(tmp_path / "s.db").open()


def test_forgotten_host(store: SampleStore) -> None:
    """A deleted server leaves nothing."""
    one(store, incoming((1, 1, 1.0)))
    store.forget("h")
    store.forget("never there")
    assert store.known("h") is None
    for table in ("host", "layout", "mark", "tail"):
        assert store._db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608
    assert one(store, incoming((1, 1, 1.0))).fresh == (1,)
