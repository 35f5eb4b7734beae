"""A server is added, enrolled, changed, linked."""

from http import HTTPStatus
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .conftest import MACHINE, Agent, report
from custom_components.rackwatt.server import flow as module
from custom_components.rackwatt.server.ingest import Reception
from custom_components.rackwatt.server.report import API, KEY_HEADER, MACHINE_HEADER


async def start(hass: HomeAssistant, **answers: Any) -> Any:
    """Go through the menu and the first form."""
    step = await hass.config_entries.flow.async_init(
        "rackwatt", context={"source": SOURCE_USER}
    )
    step = await hass.config_entries.flow.async_configure(
        step["flow_id"], {"next_step_id": "server"}
    )
    assert step["step_id"] == "server"
    return await hass.config_entries.flow.async_configure(step["flow_id"], answers)


async def go_on(hass: HomeAssistant, step: Any, answer: Any = None) -> Any:
    """Answer a step."""
    return await hass.config_entries.flow.async_configure(step["flow_id"], answer)


async def enroll(client: TestClient, code: str, **changes: Any) -> tuple[int, Any]:
    """Hand in a code, as an agent does."""
    raw = {
        "v": 1,
        "code": code,
        "machine": MACHINE,
        "hostname": "web1.lan",
        "agent": "0.1.0",
        "macs": ["02:00:00:00:00:09"],
    }
    answer = await client.post(f"{API}/enroll", json=raw | changes)
    return answer.status, await answer.json()


async def test_one_server(hass: HomeAssistant, client: TestClient) -> None:
    """A code on the screen, a command on the host; the flow ends by itself."""
    step = await start(hass, name="web1")
    assert step["step_id"] == "server_code"
    shown = step["description_placeholders"]
    assert shown["command"].endswith(shown["code"])
    assert shown["overheard"] == "⚠️"
    step = await go_on(hass, step, {})
    assert step["type"] is FlowResultType.SHOW_PROGRESS
    status, answer = await enroll(client, shown["code"].lower())
    assert status == HTTPStatus.OK
    agent = Agent(client, answer["key"])
    # a code serves once
    assert (await enroll(client, shown["code"]))[0] == HTTPStatus.UNAUTHORIZED
    status, refused = await agent.post(report(1))
    assert (status, refused["error"]) == (HTTPStatus.FORBIDDEN, "waiting")
    await hass.async_block_till_done()
    step = await go_on(hass, step)
    assert step["type"] is FlowResultType.CREATE_ENTRY
    entry = step["result"]
    assert entry.unique_id == answer["server"]
    # the network card is the one that the agent told of
    assert dict(entry.data) == {
        "kind": "server",
        "name": "web1",
        "mac": "02:00:00:00:00:09",
        "broadcast_address": "255.255.255.255",
    }
    assert "rwk_" not in str(entry.as_dict())
    await hass.async_block_till_done()
    assert (await agent.report(1))["ack"] == 1


async def test_flow_ends_without_a_browser(
    hass: HomeAssistant, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever closed the page finds the server all the same."""
    monkeypatch.setattr(module, "BROWSER_S", 0)
    step = await start(hass, name="web1")
    await go_on(hass, step, {})
    _, answer = await enroll(client, step["description_placeholders"]["code"])
    await Agent(client, answer["key"]).post(report(1))
    await hass.async_block_till_done(wait_background_tasks=True)
    async_entries = hass.config_entries.async_entries
    for _ in range(50):
        if async_entries("rackwatt"):
            break
        await hass.async_block_till_done()
        import asyncio  # noqa: PLC0415

        await asyncio.sleep(0.01)
    assert async_entries("rackwatt")


async def test_closed_dialog(
    hass: HomeAssistant, client: TestClient, reception: Reception
) -> None:
    """A code dies with its dialog; a host that used it before is offered."""
    step = await start(hass, name="web1")
    code = step["description_placeholders"]["code"]
    hass.config_entries.flow.async_abort(step["flow_id"])
    await hass.async_block_till_done()
    assert (await enroll(client, code))[0] == HTTPStatus.UNAUTHORIZED
    step = await start(hass, name="web1")
    await enroll(client, step["description_placeholders"]["code"])
    hass.config_entries.flow.async_abort(step["flow_id"])
    await hass.async_block_till_done()
    (offered,) = hass.config_entries.flow.async_progress_by_handler("rackwatt")
    assert offered["step_id"] == "server_adopt"


async def test_silent_host(
    hass: HomeAssistant, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code that ran out is replaced by another one."""
    step = await start(hass, name="web1")
    code = step["description_placeholders"]["code"]
    monkeypatch.setattr(module, "CODE_LIFETIME", module.timedelta(0))
    step = await go_on(hass, step, {})
    while step["type"] is FlowResultType.SHOW_PROGRESS:
        await hass.async_block_till_done()
        step = await go_on(hass, step)
    assert step["step_id"] == "server_silent"
    step = await go_on(hass, step, {})
    assert step["step_id"] == "server_code"
    assert step["description_placeholders"]["code"] != code
    assert (await enroll(client, code))[0] == HTTPStatus.UNAUTHORIZED


async def test_pasted_key(hass: HomeAssistant, client: TestClient) -> None:
    """A key shown once works when it is pasted by hand."""
    step = await start(
        hass,
        name="web1",
        mac="02-00-00-00-00-01/112233445566",
        broadcast_address="192.168.7.0/24",
        enrolment="key",
    )
    key = step["description_placeholders"]["key"]
    assert key in step["description_placeholders"]["command"]
    step = await go_on(hass, step, {})
    assert step["type"] is FlowResultType.CREATE_ENTRY
    assert step["data"]["mac"] == "02:00:00:00:00:01/11:22:33:44:55:66"
    assert step["data"]["broadcast_address"] == "192.168.7.255"
    await hass.async_block_till_done()
    assert (await Agent(client, key).report(1))["ack"] == 1


async def test_wrong_settings(hass: HomeAssistant, reception: Reception) -> None:
    """Each wrong field is named."""
    step = await start(hass, name=" ", mac="02:00", broadcast_address="example")
    assert step["errors"] == {
        "name": "no_name",
        "mac": "no_mac",
        "broadcast_address": "no_broadcast_address",
    }


async def test_many_servers(
    hass: HomeAssistant, client: TestClient, reception: Reception
) -> None:
    """One code for three; each appears as discovered and is adopted with one click."""
    step = await start(hass, name="any", enrolment="many")
    step = await go_on(hass, step, {"count": 3, "hours": 24})
    assert step["reason"] == "server_many_ready"
    code = step["description_placeholders"]["code"]
    keys = []
    for n in range(3):
        _, answer = await enroll(client, code, machine=f"{n:032x}", hostname=f"h{n}")
        keys.append(answer["key"])
    assert (await enroll(client, code))[0] == HTTPStatus.UNAUTHORIZED
    await hass.async_block_till_done()
    flows = hass.config_entries.flow.async_progress_by_handler("rackwatt")
    assert {flow["context"]["title_placeholders"]["name"] for flow in flows} == {
        "h0",
        "h1",
        "h2",
    }
    agent = Agent(client, keys[1])
    status, answer = await agent.post(report(1, machine=f"{1:032x}"))
    assert (status, answer["error"]) == (HTTPStatus.FORBIDDEN, "waiting")
    assert answer["adopt"] is True
    for flow in flows:
        done = await go_on(hass, flow, {})
        assert done["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert (await agent.post(report(1, machine=f"{1:032x}")))[0] == HTTPStatus.OK
    assert {entry.title for entry in hass.config_entries.async_entries("rackwatt")} == {
        "h0",
        "h1",
        "h2",
    }


async def test_waiting_hosts_are_offered_after_a_restart(
    hass: HomeAssistant, reception: Reception
) -> None:
    """What nobody has adopted is offered again."""
    code = await reception.keys.async_new_code(None)
    assert await reception.keys.async_redeem(code, MACHINE, "h1", None)
    again = Reception(hass)
    await again.keys.async_load()
    again.async_discover_waiting()
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress_by_handler("rackwatt")
    assert flow["context"]["title_placeholders"] == {"name": "h1"}


async def test_wrong_codes_are_limited(client: TestClient) -> None:
    """A code is short, so guessing is slow."""
    statuses = [(await enroll(client, f"AAAA{n:04}"))[0] for n in range(25)]
    assert statuses[:10] == [HTTPStatus.UNAUTHORIZED] * 10
    assert statuses[10:] == [HTTPStatus.TOO_MANY_REQUESTS] * 15


@pytest.mark.parametrize(
    "changes", [{"v": 2}, {"machine": "XYZ"}, {"hostname": ""}, {"macs": 1}, {"os": 1}]
)
async def test_bad_enrolments(client: TestClient, changes: dict[str, Any]) -> None:
    """A message that is wrong is refused with a reason."""
    status, answer = await enroll(client, "AAAABBBB", **changes)
    assert status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UPGRADE_REQUIRED}
    assert answer["hint"]


async def test_reconfigure(
    hass: HomeAssistant, agent: Agent, server: MockConfigEntry
) -> None:
    """Another name and address; a new key is handed over with the next report."""
    step = await server.start_reconfigure_flow(hass)
    step = await go_on(
        hass,
        step,
        {"name": "db1", "broadcast_address": "10.0.0.255", "enrolment": "rotate"},
    )
    assert step["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert server.data["broadcast_address"] == "10.0.0.255"
    assert (await agent.report(1))["newkey"].startswith("rwk_")


async def test_reauth(
    hass: HomeAssistant, agent: Agent, server: MockConfigEntry
) -> None:
    """An agent that lost its key gets another one for the same server."""
    await agent.report(1)
    headers = {KEY_HEADER: "rwk_other", MACHINE_HEADER: MACHINE}
    await agent.client.post(f"{API}/ingest", json={}, headers=headers)
    await hass.async_block_till_done()
    (step,) = hass.config_entries.flow.async_progress_by_handler("rackwatt")
    assert step["context"]["source"] == SOURCE_REAUTH
    assert step["step_id"] == "server_reauth"
    step = await go_on(hass, step, {})
    code = step["description_placeholders"]["code"]
    step = await go_on(hass, step, {})
    _, answer = await enroll(agent.client, code)
    assert answer["server"] == server.unique_id
    assert (await agent.post(report(2), key=answer["key"]))[0] == HTTPStatus.OK
    await hass.async_block_till_done()
    step = await go_on(hass, step)
    assert step["reason"] == "reauth_successful"
    assert (await agent.post(report(3)))[0] == HTTPStatus.UNAUTHORIZED


async def test_options_link_a_server(
    hass: HomeAssistant, agent: Agent, server: MockConfigEntry
) -> None:
    """The outlets that feed a server are its true power and energy."""
    units = {"power": "W", "energy": "kWh"}

    def feed(name: str, kind: str, value: str, unit: str | None = None) -> None:
        hass.states.async_set(
            f"sensor.{name}_{kind}", value, {"unit_of_measurement": unit or units[kind]}
        )

    for name, watts, kwh in (("a", "100", "5"), ("b", "0.05", "7")):
        feed(name, "power", watts, "kW" if name == "b" else None)
        feed(name, "energy", kwh)
    step = await hass.config_entries.options.async_init(server.entry_id)
    options = {
        "linked_power": ["sensor.a_power", "sensor.b_power"],
        "linked_energy": ["sensor.a_energy", "sensor.b_energy"],
        "write_interval": 10,
    }
    step = await hass.config_entries.options.async_configure(step["flow_id"], options)
    assert step["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()

    def shown(kind: str) -> str:
        state = hass.states.get(f"sensor.web1_{kind}")
        assert state is not None
        return state.state

    assert shown("power") == "150.0"
    assert float(shown("energy")) == 0
    feed("a", "energy", "5.5")
    feed("b", "energy", "7.25")
    await hass.async_block_till_done()
    assert float(shown("energy")) == 0.75
    # one feed unknown: the sum is unknown, and it goes on without a jump
    feed("b", "power", "unavailable")
    feed("b", "energy", "unavailable")
    await hass.async_block_till_done()
    assert (shown("power"), shown("energy")) == ("unavailable", "unavailable")
    feed("b", "energy", "0.5")  # another meter, which begins anew
    await hass.async_block_till_done()
    assert float(shown("energy")) == 0.75
    feed("b", "energy", "0.75")
    await hass.async_block_till_done()
    assert float(shown("energy")) == 1.0
