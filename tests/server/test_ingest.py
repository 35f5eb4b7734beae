"""What comes in over HTTP: stored once, acknowledged, shown; refused with a reason."""

import gzip
from http import HTTPStatus
import sqlite3
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.event import async_track_state_change_event

from .conftest import LAYOUT, VALUES, Agent, report
from custom_components.rackwatt.history.sample_writer import async_get_samples
from custom_components.rackwatt.server.ingest import Reception
from custom_components.rackwatt.server.report import (
    API,
    KEY_HEADER,
    MAX_BODY,
    Layout,
    Metric,
    QueueStatus,
    Sample,
)


def state(hass: HomeAssistant, entity: str) -> str | None:
    """Return a state."""
    found = hass.states.get(entity)
    return found.state if found else None


async def stored(hass: HomeAssistant, server: MockConfigEntry, key: str) -> list[Any]:
    """Return the values of a metric in the store."""
    samples = await async_get_samples(hass)
    points = await samples.async_run(
        samples.store.series, server.unique_id, key, 0, 1 << 52
    )
    return [value for _, value in points]


async def test_report_becomes_entities(hass: HomeAssistant, agent: Agent) -> None:
    """Empty before the first report; then on, with values."""
    assert state(hass, "sensor.web1_state") == "empty"
    assert state(hass, "binary_sensor.web1_connectivity") == "off"
    assert state(hass, "switch.web1_power") == "off"
    answer = await agent.report(1)
    assert answer["ack"] == 1
    assert answer["want"] == []
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_state") == "on"
    assert state(hass, "binary_sensor.web1_connectivity") == "on"
    assert state(hass, "switch.web1_power") == "on"
    assert state(hass, "sensor.web1_cpu_usage") == "12.5"
    assert state(hass, "sensor.web1_cpu_power") == "35.0"
    assert state(hass, "sensor.web1_cpu_energy") == "0.0015"
    assert state(hass, "sensor.web1_agent_version") == "0.1.0"
    power = hass.states.get("sensor.web1_cpu_power")
    assert power is not None
    assert power.attributes["scope"] == "cpu_package"
    assert power.attributes["source"] == "rapl"


async def test_doubled_report_is_stored_once(
    hass: HomeAssistant, agent: Agent, server: MockConfigEntry
) -> None:
    """An answer that got lost makes the agent send again; the numbers tell."""
    await agent.report(1, 2, 3)
    answer = await agent.report(2, 3, 4)
    assert answer["ack"] == 4
    answer = await agent.report(1, 2)
    assert answer["ack"] == 4
    assert len(await stored(hass, server, "cpu")) == 4


async def test_gap_is_refused_unless_declared(agent: Agent) -> None:
    """What is missing is asked for; what is declared as gone is not."""
    await agent.report(1)
    status, answer = await agent.post(report(4, 5))
    assert status == HTTPStatus.CONFLICT
    assert answer["error"] == "gap"
    assert answer["expect"] == 2
    status, answer = await agent.post(report(4, 5, skip=((3, 3),)))
    assert status == HTTPStatus.CONFLICT
    assert (await agent.report(4, 5, skip=((2, 3),)))["ack"] == 5
    # each run of an agent's queue counts by itself
    assert (await agent.report(7, epoch="e2"))["ack"] == 7


async def test_energy_goes_on_over_runs_of_the_agent(
    hass: HomeAssistant, agent: Agent
) -> None:
    """An agent counts from zero at each start; the counter never falls."""

    async def count(seq: int, epoch: str, energy: float | None) -> str | None:
        values = (1.0, 1.0, 1.0, energy, 1.0)
        await agent.report(seq, epoch=epoch, values=values)
        await hass.async_block_till_done()
        return state(hass, "sensor.web1_cpu_energy")

    assert await count(1, "e1", 1000.0) == "1.0"
    assert await count(2, "e1", 3000.0) == "3.0"
    assert await count(1, "e2", 500.0) == "3.5"
    assert await count(2, "e2", None) == "unavailable"
    assert await count(3, "e2", 400.0) == "3.5"
    assert await count(4, "e2", 2400.0) == "5.5"


async def test_unknown_columns_are_asked_for(hass: HomeAssistant, agent: Agent) -> None:
    """Without a description nothing is stored; with it, everything."""
    answer = await agent.report(1, described=False)
    assert answer["want"] == ["desc"]
    assert answer["ack"] == 0
    assert (await agent.report(1))["ack"] == 1
    assert (await agent.report(2, described=False))["ack"] == 2


async def test_columns_that_do_not_fit_their_name(agent: Agent) -> None:
    """Other keys under a known name are asked for anew."""
    await agent.report(1)
    other = Layout(keys=("a", "b", "c", "d", "e"))
    answer = await agent.report(
        2, layout=other, digest=LAYOUT.digest(), described=False
    )
    assert answer["want"] == ["desc"]
    assert answer["ack"] == 1


async def test_backlog_shows_the_live_sample(hass: HomeAssistant, agent: Agent) -> None:
    """While old samples arrive, the newest is what is shown."""
    live = report(9, values=(99.0, *VALUES[1:])).samples[0]
    await agent.report(1, 2, age=3600, live=live, queue=QueueStatus(held=7))
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_cpu_usage") == "99.0"
    assert state(hass, "sensor.web1_queue_length") == "7"
    await agent.report(3, age=3000)
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_cpu_usage") == "99.0"


async def test_older_boot_counts_by_its_corrected_clock(
    hass: HomeAssistant, agent: Agent
) -> None:
    """A clock that is an hour slow is an hour slow for its samples too."""
    batch = report(1, up_ms=None)
    hour = 3_600_000
    slow = batch.samples[0]._replace(wall_ms=batch.samples[0].wall_ms - hour)
    status, _ = await agent.post(
        report(1, up_ms=None, samples=(slow,), now_ms=batch.now_ms - hour)
    )
    assert status == HTTPStatus.OK
    samples = await async_get_samples(hass)
    ((time, _),) = await samples.async_run(
        samples.store.series, "0" * 32, "cpu", 0, 1 << 52
    )
    assert abs(time - batch.now_ms) < 5000


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"v": 2}, HTTPStatus.UPGRADE_REQUIRED, "version"),
        ({"v": "1"}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"keys": []}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"keys": ["a"] * 5}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"keys": ["a\n", "b", "c", "d", "e"]}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"kh": "abc"}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"desc": {}}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"samples": [[1, 1, 1]]}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"samples": [[1, 1, 1, [1]]]}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"samples": [[1, 1, 1, [True] * 5]]}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"samples": [[-1, 1, 1, [1] * 5]]}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"samples": [[1.5, 1, 1, [1] * 5]]}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"samples": [[2, 1, 1, [1] * 5]] * 2}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"samples": [[1, 1, 1, [1] * 5]] * 301}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"skip": [[3, 1]]}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"events": [1]}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"events": {}}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"q": []}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"q": {"n": -1}}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"machine": None}, HTTPStatus.BAD_REQUEST, "bad_body"),
        ({"now": -1}, HTTPStatus.BAD_REQUEST, "bad_body"),
        (
            {"samples": [[1, 1, 10_000_900_000, [1] * 5]]},
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "bad_time",
        ),
        (
            {"samples": [[1, 1, 1, [1] * 5]], "unow": None},
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "bad_time",
        ),
    ],
)
async def test_bad_reports_make_nothing(
    hass: HomeAssistant,
    agent: Agent,
    changes: dict[str, Any],
    status: HTTPStatus,
    error: str,
) -> None:
    """A report that is refused says why, and leaves no entity."""
    before = len(hass.states.async_all())
    got, answer = await agent.post({**report(1).to_json(), **changes})
    assert (got, answer["error"]) == (status, error)
    assert answer["hint"].endswith(".")
    await hass.async_block_till_done()
    assert len(hass.states.async_all()) == before
    assert state(hass, "sensor.web1_state") == "empty"


@pytest.mark.parametrize(
    ("metric", "wrong"),
    [
        ({"kind": "UPPER"}, "kind"),
        ({"kind": "cpu", "unit": 5}, "unit"),
        ({"kind": "cpu", "name": "a\0b"}, "name"),
        ([], "description"),
    ],
)
async def test_bad_descriptions(agent: Agent, metric: Any, wrong: str) -> None:
    """A description that cannot be one is refused."""
    from custom_components.rackwatt.server.report import layout_digest  # noqa: PLC0415

    raw = report(1, layout=Layout(keys=("x",)), values=(1.0,)).to_json()
    desc = {"x": metric}
    got, answer = await agent.post(
        {**raw, "desc": desc, "kh": layout_digest(["x"], desc)}
    )
    assert got == HTTPStatus.BAD_REQUEST
    assert wrong in answer["hint"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"not json", {}, HTTPStatus.BAD_REQUEST),
        (b"[" * 100_000, {}, HTTPStatus.BAD_REQUEST),
        (b"\xff\xfe", {}, HTTPStatus.BAD_REQUEST),
        (b"", {}, HTTPStatus.BAD_REQUEST),
        (b"not gzip", {"Content-Encoding": "gzip"}, HTTPStatus.BAD_REQUEST),
        (
            gzip.compress(b"[]")[:-9],
            {"Content-Encoding": "gzip"},
            HTTPStatus.BAD_REQUEST,
        ),
        (
            gzip.compress(b" " * (200 << 20)),
            {"Content-Encoding": "gzip"},
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ),
        (b" " * (MAX_BODY + 1), {}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    ],
    ids=["text", "nested", "binary", "empty", "malformed", "torn", "bomb", "large"],
)
async def test_bad_bodies(
    agent: Agent, body: bytes, headers: dict[str, str], status: HTTPStatus
) -> None:
    """Whatever comes in is answered in JSON, never by a 500."""
    for path in ("ingest", "enroll"):
        answer = await agent.client.post(
            f"{API}/{path}", data=body, headers={KEY_HEADER: agent.key, **headers}
        )
        assert answer.status == status
        assert (await answer.json())["hint"]


async def test_wrong_keys_are_told_and_never_ban(
    hass: HomeAssistant,
    agent: Agent,
    reception: Reception,
    issue_registry: ir.IssueRegistry,
) -> None:
    """Counted and limited by us; a right key from the same address goes on."""
    for _ in range(10):
        status, answer = await agent.post(report(1), key="rwk_wrong")
        assert (status, answer["error"]) == (HTTPStatus.UNAUTHORIZED, "unknown_key")
    status, answer = await agent.post(report(1), key="rwk_wrong")
    assert (status, answer["error"]) == (HTTPStatus.TOO_MANY_REQUESTS, "too_many")
    issue = issue_registry.async_get_issue("rackwatt", "server_wrong_key")
    assert issue is not None
    assert issue.translation_placeholders == {"addresses": "127.0.0.1"}
    assert (await agent.report(1))["ack"] == 1
    answer = await agent.client.post(f"{API}/ingest", json={})
    assert answer.status == HTTPStatus.TOO_MANY_REQUESTS
    assert answer.headers["Retry-After"] == "60"
    reception.async_forgive()
    answer = await agent.client.post(f"{API}/ingest", json={})
    assert answer.status == HTTPStatus.UNAUTHORIZED


async def test_too_many_reports(agent: Agent) -> None:
    """An agent that runs wild is slowed down."""
    statuses = [(await agent.post(report(n)))[0] for n in range(1, 33)]
    assert statuses[:30] == [HTTPStatus.OK] * 30
    assert statuses[31] == HTTPStatus.TOO_MANY_REQUESTS


async def test_cloned_machine_is_refused(
    hass: HomeAssistant,
    agent: Agent,
    reception: Reception,
    issue_registry: ir.IssueRegistry,
    server: MockConfigEntry,
) -> None:
    """A key serves one machine, until the user says that it moved."""
    await agent.report(1)
    status, answer = await agent.post(report(1, machine="b" * 32, epoch="e9"))
    assert (status, answer["error"]) == (
        HTTPStatus.CONFLICT,
        "key_bound_to_other_machine",
    )
    issue = issue_registry.async_get_issue(
        "rackwatt", f"server_cloned_{server.unique_id}"
    )
    assert issue is not None
    assert issue.data == {"server_id": server.unique_id, "machine": "b" * 32}
    await reception.async_accept_machine(str(server.unique_id), "b" * 32)
    assert (await agent.post(report(1, machine="b" * 32, epoch="e9")))[0] == 200
    assert (await agent.post(report(2)))[0] == HTTPStatus.CONFLICT


async def test_rotated_key(
    agent: Agent, reception: Reception, server: MockConfigEntry
) -> None:
    """The old key lives until the new one is used."""
    await reception.keys.async_rotate(str(server.unique_id))
    fresh = (await agent.report(1))["newkey"]
    assert (await agent.report(2))["newkey"] == fresh
    status, answer = await agent.post(report(3), key=fresh)
    assert status == HTTPStatus.OK
    assert "newkey" not in answer
    assert (await agent.post(report(4)))[0] == HTTPStatus.UNAUTHORIZED


async def test_deleted_server(
    hass: HomeAssistant, agent: Agent, server: MockConfigEntry
) -> None:
    """Deleting the entry kills the key at once, and the samples with it."""
    await agent.report(1)
    assert await hass.config_entries.async_remove(server.entry_id)
    status, answer = await agent.post(report(2))
    assert (status, answer["error"]) == (HTTPStatus.UNAUTHORIZED, "unknown_key")
    assert await stored(hass, server, "cpu") == []


async def test_unloaded_and_disabled(
    hass: HomeAssistant, agent: Agent, server: MockConfigEntry
) -> None:
    """The agent keeps its samples while nobody takes them."""
    await agent.report(1)
    assert await hass.config_entries.async_unload(server.entry_id)
    status, answer = await agent.post(report(2))
    assert (status, answer["error"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "not_loaded")
    from homeassistant.config_entries import ConfigEntryDisabler  # noqa: PLC0415

    await hass.config_entries.async_set_disabled_by(
        server.entry_id, ConfigEntryDisabler.USER
    )
    status, answer = await agent.post(report(2))
    assert (status, answer["error"]) == (HTTPStatus.FORBIDDEN, "disabled")


async def test_full_disk_keeps_live_values(
    hass: HomeAssistant, agent: Agent, issue_registry: ir.IssueRegistry
) -> None:
    """What cannot be stored is not acknowledged, but shown; the user is told."""
    await agent.report(1)
    samples = await async_get_samples(hass)
    full = sqlite3.OperationalError("database or disk is full")
    with patch.object(samples.store, "commit", side_effect=full):
        status, answer = await agent.post(report(2, values=(77.0, *VALUES[1:])))
    assert (status, answer["error"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "store")
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_cpu_usage") == "77.0"
    assert issue_registry.async_get_issue("rackwatt", "samples_cannot_write")
    assert (await agent.report(2))["ack"] == 2
    assert not issue_registry.async_get_issue("rackwatt", "samples_cannot_write")


async def test_goodbye_and_silence(
    hass: HomeAssistant, agent: Agent, freezer: FrozenDateTimeFactory
) -> None:
    """Off at a goodbye, and after three intervals of silence; no value stays."""
    await agent.report(1)
    await agent.report(2, bye="shutdown")
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_state") == "off"
    assert state(hass, "sensor.web1_cpu_usage") == "unavailable"
    assert state(hass, "switch.web1_power") == "off"
    await agent.report(3)
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_state") == "on"
    assert state(hass, "sensor.web1_cpu_usage") == "12.5"
    with patch.object(hass.loop, "time", return_value=hass.loop.time() + 25):
        freezer.tick(25)
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
    assert state(hass, "sensor.web1_state") == "off"
    assert state(hass, "sensor.web1_cpu_usage") == "unavailable"
    assert state(hass, "sensor.web1_last_report") not in {None, "unavailable"}


async def test_dead_band(hass: HomeAssistant, agent: Agent) -> None:
    """Every sample is stored; a small change is not worth a row in the recorder."""
    written = []
    async_track_state_change_event(
        hass,
        "sensor.web1_cpu_usage",
        lambda event: written.append(event.data["new_state"].state),
    )
    for seq, cpu in enumerate((10.0, 10.5, 11.0, 11.1, 11.2, 13.0), 1):
        await agent.report(seq, values=(cpu, *VALUES[1:]))
        await hass.async_block_till_done()
    assert written == ["10.0", "11.1", "13.0"]


async def test_small_changes_are_written_after_a_while(
    hass: HomeAssistant, agent: Agent
) -> None:
    """After the write interval a small change is written too."""
    await agent.report(1, values=(10.0, *VALUES[1:]))
    with patch.object(hass.loop, "time", return_value=hass.loop.time() + 31):
        await agent.report(2, values=(10.2, *VALUES[1:]))
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_cpu_usage") == "10.2"


async def test_metrics_come_and_go(
    hass: HomeAssistant, agent: Agent, entity_registry: er.EntityRegistry
) -> None:
    """A new mount is a new entity; one that vanished is left to be deleted."""
    await agent.report(1)
    await hass.async_block_till_done()
    metrics = {
        "cpu": LAYOUT.metrics["cpu"],
        "disk:/data": Metric(kind="disk", unit="%", mount="/data"),
        "x": Metric(kind="newest", unit="V", name="Rail 12"),
        "custom:jobs": Metric(kind="custom", name="Jobs"),
    }
    layout = Layout(keys=tuple(metrics), metrics=metrics)
    await agent.report(2, layout=layout, values=(1.0, 2.0, 12.1, 5))
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_disk_usage_data") == "2.0"
    assert state(hass, "sensor.web1_jobs") == "5"
    # a kind that this version does not know: there, by its unit, but not in the way
    rail = entity_registry.async_get("sensor.web1_rail_12")
    assert rail is not None
    assert rail.disabled
    assert rail.original_device_class == "voltage"
    gone = hass.states.get("sensor.web1_cpu_power")
    assert gone is not None
    assert gone.state == "unavailable"
    assert gone.attributes.get("restored") is True
    await agent.report(3, layout=layout, described=False, values=(1.0, None, 1.0, 6))
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_disk_usage_data") == "unavailable"
    assert state(hass, "sensor.web1_jobs") == "6"


async def test_restart_goes_on(
    hass: HomeAssistant, agent: Agent, server: MockConfigEntry
) -> None:
    """After a start the server is as it was, its metrics are not known yet."""
    await agent.report(1)
    await hass.config_entries.async_reload(server.entry_id)
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_state") == "on"
    assert state(hass, "sensor.web1_cpu_usage") == "unavailable"
    await agent.report(2, described=False)
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_cpu_usage") == "12.5"
    await agent.report(3, bye="stop")
    await hass.config_entries.async_reload(server.entry_id)
    await hass.async_block_till_done()
    assert state(hass, "sensor.web1_state") == "off"


async def test_hello(agent: Agent, client: TestClient) -> None:
    """An agent can ask whether its key is valid."""
    answer = await client.get(f"{API}/hello", headers={KEY_HEADER: agent.key})
    assert await answer.json() == {"v": 1, "name": "web1", "adopted": True}
    answer = await client.get(f"{API}/hello")
    assert answer.status == HTTPStatus.UNAUTHORIZED


def test_sample_is_a_row() -> None:
    """A sample travels as a list."""
    assert Sample.from_json([1, 2, 3, [None, 4]], 2) == Sample(1, 2, 3, (None, 4))
