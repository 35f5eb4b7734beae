"""A PDU over time: away and back, restarted, replaced, refused, grown."""

from dataclasses import replace
from datetime import timedelta
import threading
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .conftest import V2C, V3, SetUp, StartAgent, device_of, pdu_entry
from custom_components.rackwatt.const import DOMAIN
from custom_components.rackwatt.pdu.coordinator import PduCoordinator
from custom_components.rackwatt.pdu.errors import SnmpResponseError
from custom_components.rackwatt.pdu.repairs import PduReplacedRepairFlow
from custom_components.rackwatt.pdu.snmp import SnmpThread
from custom_components.rackwatt.repairs import async_create_fix_flow
from custom_components.rackwatt.requirements import PYSNMP, RequirementMissingError
from demo.rack.pdu_trees import RPDU2, rpdu2, unknown
from demo.rack.snmpd import User
from demo.rack.udp_proxy import Faults, UdpProxy

pytestmark = pytest.mark.usefixtures("impatient", "socket_enabled")

SERIAL = "ZA1700000001"
POWER = "sensor.rack_left_power"
TREE = rpdu2(outlets=2)


async def refresh(hass: HomeAssistant, entry: MockConfigEntry) -> PduCoordinator:
    """Poll once."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, PduCoordinator)
    await coordinator.async_refresh()
    await hass.async_block_till_done()
    return coordinator


def reauths(hass: HomeAssistant) -> list[Any]:
    """Return the flows that ask for credentials."""
    return [
        flow
        for flow in hass.config_entries.flow.async_progress()
        if flow["context"]["source"] == "reauth"
    ]


async def test_away_and_back(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """A PDU without power makes its entities unavailable, and never a reauth."""
    agent = await start_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL, V3))
    assert hass.states.get(POWER).state == "1140"  # type: ignore[union-attr]
    await agent.stop()
    for _ in range(2):
        await refresh(hass, entry)
        assert hass.states.get(POWER).state == "unavailable"  # type: ignore[union-attr]
    assert not reauths(hass)
    # back with a clock that starts anew, as after a power cut
    agent.tree = agent.tree | {f"{RPDU2}.4.3.1.5.1": ("integer", "50")}
    await agent.start()
    await refresh(hass, entry)
    assert hass.states.get(POWER).state == "500"  # type: ignore[union-attr]


async def test_unit_behind_the_same_serial_with_another_card(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """A replaced network card has another engine: the next poll works."""
    agent = await start_agent(TREE, engine_id="0x80001f888011111111")
    entry = await set_up(pdu_entry(agent, SERIAL, V3))
    agent.engine_id = "0x80001f888022222222"
    await agent.restart()
    await refresh(hass, entry)
    assert hass.states.get(POWER).state == "1140"  # type: ignore[union-attr]


async def test_another_pdu_in_its_place(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """Another serial number raises a repair issue, and its values are not taken."""
    agent = await start_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL))
    agent.tree = rpdu2(serial="ZA9999999999", outlets=2)
    await agent.restart()
    await refresh(hass, entry)
    assert hass.states.get(POWER).state == "unavailable"  # type: ignore[union-attr]
    issue_id = f"pdu_replaced_{entry.entry_id}"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["found"] == "ZA9999999999"

    flow = await async_create_fix_flow(hass, issue_id, issue.data)
    assert isinstance(flow, PduReplacedRepairFlow)
    flow.hass = hass
    assert (await flow.async_step_init())["type"] is FlowResultType.FORM
    await flow.async_step_confirm({})
    await hass.async_block_till_done()
    assert entry.unique_id == "ZA9999999999"
    assert entry.state is ConfigEntryState.LOADED
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_replacement_that_has_an_entry(
    hass: HomeAssistant, shared_agent: StartAgent, set_up: SetUp
) -> None:
    """A PDU is not taken over twice, and an entry that is gone not at all."""
    agent = await shared_agent(TREE)
    entry = await set_up(pdu_entry(agent, "ZA0000000000"))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    pdu_entry(agent, SERIAL).add_to_hass(hass)
    for entry_id, reason in (
        (entry.entry_id, "already_configured"),
        ("gone", "entry_gone"),
    ):
        flow = PduReplacedRepairFlow(entry_id, SERIAL, "AP8659")
        flow.hass = hass
        flow.handler, flow.flow_id = DOMAIN, "x"
        result = await flow.async_step_confirm({})
        assert result["reason"] == reason


async def test_replacement_of_an_entry_that_never_loaded(
    hass: HomeAssistant, shared_agent: StartAgent, set_up: SetUp
) -> None:
    """Confirming loads an entry that waits for its next try."""
    agent = await shared_agent(TREE)
    entry = await set_up(pdu_entry(agent, "ZA0000000000"))
    flow = PduReplacedRepairFlow(entry.entry_id, SERIAL, "AP8659")
    flow.hass = hass
    flow.handler, flow.flow_id = DOMAIN, "x"
    await flow.async_step_confirm({})
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


async def test_refused_in_two_polls_is_a_reauth(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """One poll that is refused is only a failure, the second asks the user."""
    agent = await start_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL, V3))
    agent.users = (User(auth_key="another passphrase"),)
    await agent.restart()
    await refresh(hass, entry)
    await refresh(hass, entry)
    assert len(reauths(hass)) == 1


async def test_refused_once_and_then_let_in(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """A refusal that does not repeat is forgotten."""
    agent = await start_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL, V3))
    for auth_key in ("another passphrase", V3.auth_key):
        agent.users = (User(auth_key=auth_key),)
        await agent.restart()
        await refresh(hass, entry)
    assert not reauths(hass)
    assert hass.states.get(POWER).state == "1140"  # type: ignore[union-attr]


async def test_refused_at_the_start(
    hass: HomeAssistant, shared_agent: StartAgent, set_up: SetUp
) -> None:
    """Wrong credentials at the start ask the user at once, after a second try."""
    agent = await shared_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL, replace(V3, username="nobody")))
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert len(reauths(hass)) == 1


async def test_changed_privacy_key_is_found_out(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """A changed privacy passphrase looks like silence; after a while it is named."""
    agent = await start_agent(TREE, engine_id="0x80001f888033333333")
    entry = await set_up(pdu_entry(agent, SERIAL, V3))
    agent.users = (User(priv_key="another passphrase"),)
    await agent.restart()
    await refresh(hass, entry)
    assert not reauths(hass)
    for _ in range(2):
        await refresh(hass, entry)
    assert len(reauths(hass)) == 1


async def test_silence_alone_is_never_a_reauth(
    hass: HomeAssistant, shared_agent: StartAgent, set_up: SetUp
) -> None:
    """An agent that is reachable but answers nothing keeps its credentials."""
    agent = await shared_agent(TREE)
    proxy = UdpProxy(target=("127.0.0.1", agent.port))
    port = await proxy.start()
    entry = await set_up(pdu_entry(agent, SERIAL, V2C, port=port))
    proxy.faults = Faults(silent=True)
    for _ in range(3):
        await refresh(hass, entry)
    assert not reauths(hass)
    proxy.faults = Faults()
    await refresh(hass, entry)
    assert hass.states.get(POWER).state == "1140"  # type: ignore[union-attr]
    await hass.config_entries.async_unload(entry.entry_id)
    proxy.stop()


async def test_table_that_grows(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """A PDU that is added to a chain appears without a restart."""
    agent = await start_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL))
    assert hass.states.get("sensor.rack_left_2_power") is None
    agent.tree = rpdu2(outlets=2, guests=("ZA1700000099",))
    await agent.restart()
    await refresh(hass, entry)
    assert hass.states.get("sensor.rack_left_2_power").state == "1140"  # type: ignore[union-attr]
    guest = device_of(hass, entry, "ZA1700000099")
    assert guest.via_device_id == device_of(hass, entry, SERIAL).id
    # and when it is taken away again it is unavailable, not 0
    agent.tree = TREE
    await agent.restart()
    await refresh(hass, entry)
    assert hass.states.get("sensor.rack_left_2_power").state == "unavailable"  # type: ignore[union-attr]


async def test_names_are_read_again(
    hass: HomeAssistant,
    start_agent: StartAgent,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Limits and other things that seldom change are read again now and then."""
    agent = await start_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL))
    await agent.set({f"{RPDU2}.6.1.1.7.1": 20})
    coordinator = await refresh(hass, entry)
    assert coordinator.data.phases[0].overload_limit == 32
    monkeypatch.setattr(
        "custom_components.rackwatt.pdu.coordinator.SURVEY_INTERVAL", timedelta(0)
    )
    coordinator = await refresh(hass, entry)
    assert coordinator.data.phases[0].overload_limit == 20


async def test_energy_goes_on_after_a_reset_and_a_restart(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """The counter of Home Assistant never falls, though the PDU's was reset."""
    agent = await start_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL))
    energy = "sensor.rack_left_energy"
    before = float(hass.states.get(energy).state)  # type: ignore[union-attr]
    assert before == 3512.8
    await agent.set({f"{RPDU2}.4.3.1.9.1": 0})
    for _ in range(2):
        await refresh(hass, entry)
    await agent.set({f"{RPDU2}.4.3.1.9.1": 1})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    after = float(hass.states.get(energy).state)  # type: ignore[union-attr]
    assert after == pytest.approx(before + 0.1, abs=0.02)


async def test_unknown_pdu(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    shared_agent: StartAgent,
    set_up: SetUp,
) -> None:
    """A PDU without a profile says what it saw, and shows it in the diagnostics."""
    await async_setup_component(hass, "diagnostics", {})
    agent = await shared_agent(unknown())
    entry = await set_up(pdu_entry(agent, "02:00:00:aa:bb:cc"))
    assert entry.state is ConfigEntryState.LOADED
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"pdu_unknown_{entry.entry_id}")
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["description"] == "Acme PowerStrip 3000"
    assert hass.states.get("sensor.acme_implausible_values") is not None
    assert hass.states.get("sensor.acme_power") is None
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    details: Any = found["details"]
    walk = details["walk"]
    assert walk["1.3.6.1.4.1.99999.3.1.1.0"] == 'STRING: "PS3000"'
    assert walk["1.3.6.1.4.1.99999.3.1.2.0"] == "INTEGER: 1234"
    assert walk["1.3.6.1.4.1.99999.3.1.3.0"] == "Hex-STRING: 00 01 ff fe"


async def test_diagnostics_hide_what_opens_the_pdu(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    shared_agent: StartAgent,
    set_up: SetUp,
) -> None:
    """Diagnostics hold the readings, and neither passphrase nor serial number."""
    await async_setup_component(hass, "diagnostics", {})
    agent = await shared_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL, V3))
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert found["data"]["modules"][0]["power"] == 1140  # type: ignore[index, call-overload]
    for secret in (V3.auth_key, V3.priv_key, SERIAL):
        assert secret not in str(found)


async def test_requests_that_cannot_be_read(
    hass: HomeAssistant,
    start_agent: StartAgent,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer that makes no sense is a failed poll, not a traceback."""
    agent = await start_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL))
    coordinator = await refresh(hass, entry)
    await agent.set({f"{RPDU2}.9.1.0": 3})

    async def odd(*_: object) -> None:
        raise SnmpResponseError(13, 0)

    monkeypatch.setattr(coordinator.client, "_ask", odd)
    await refresh(hass, entry)
    assert hass.states.get(POWER).state == "unavailable"  # type: ignore[union-attr]


async def test_devices_that_are_gone_can_be_deleted(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """A device may be deleted when its part is not there any more."""
    agent = await start_agent(rpdu2(outlets=2, guests=("ZA1700000099",)))
    entry = await set_up(pdu_entry(agent, SERIAL))
    guest = device_of(hass, entry, "ZA1700000099")
    assert not entry.runtime_data.async_forget_device(guest)
    agent.tree = TREE
    await agent.restart()
    coordinator = await refresh(hass, entry)
    assert coordinator.async_forget_device(guest)
    assert not coordinator.async_forget_device(device_of(hass, entry, SERIAL))


async def test_library_that_cannot_be_installed(
    hass: HomeAssistant,
    shared_agent: StartAgent,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the library the entry tries again later."""
    agent = await shared_agent(TREE)

    async def missing(*_: object) -> None:
        raise RequirementMissingError(PYSNMP, OSError("no network"))

    monkeypatch.setattr(
        "custom_components.rackwatt.pdu.coordinator.async_require", missing
    )
    entry = await set_up(pdu_entry(agent, SERIAL))
    assert entry.state is ConfigEntryState.SETUP_RETRY


async def test_thread_lives_as_long_as_the_entries(
    hass: HomeAssistant,
    shared_agent: StartAgent,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first PDU starts a thread of its own for SNMP, the last one stops it."""
    monkeypatch.setattr(
        "custom_components.rackwatt.pdu.snmp_thread.SnmpThread", SnmpThread
    )
    agent = await shared_agent(TREE)
    entry = await set_up(pdu_entry(agent, SERIAL))
    other = await set_up(pdu_entry(agent, None))
    named = [thread.name for thread in threading.enumerate()]
    assert named.count("rackwatt-snmp") == 2  # ours, and that of the other tests
    assert entry.runtime_data.client.thread is other.runtime_data.client.thread
    entry.runtime_data.client.thread.renew()
    await refresh(hass, entry)
    entry.runtime_data.client.thread.end_trials()
    for loaded in (entry, other):
        await hass.config_entries.async_unload(loaded.entry_id)
    named = [thread.name for thread in threading.enumerate()]
    assert named.count("rackwatt-snmp") == 1
