"""The entities of PDUs: names, devices, states, switches, buttons, groups."""

import asyncio
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import pytest

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import ATTR_ENTITY_ID, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .conftest import V3, SetUp, StartAgent, device_of, pdu_entry
from custom_components.rackwatt.pdu.binary_sensor import near_overload, overload
from custom_components.rackwatt.pdu.errors import (
    AuthFailure,
    SnmpAuthenticationError,
    SnmpError,
    SnmpResponseError,
    SnmpTimeoutError,
)
from custom_components.rackwatt.pdu.models import Circuit, Module
from demo.rack import pdu_trees
from demo.rack.pdu_trees import RPDU2, outlet_watts
from demo.rack.pdu_unit import RPDU2_WIRING, Unit

pytestmark = pytest.mark.usefixtures("impatient", "socket_enabled")

SERIAL = "ZA1700000001"


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a switched outlet sooner."""
    monkeypatch.setattr(
        "custom_components.rackwatt.pdu.switching.LOOKS", (0.02, 0.05, 0.1, 0.3)
    )


def state(hass: HomeAssistant, entity_id: str) -> str | None:
    """Return a state, None where there is no such entity."""
    found = hass.states.get(entity_id)
    return found.state if found else None


async def test_everything_of_a_metered_pdu(
    hass: HomeAssistant,
    shared_agent: StartAgent,
    set_up: SetUp,
    entity_registry: er.EntityRegistry,
) -> None:
    """Device, phase, banks, outlets, probe and contact have their entities."""
    agent = await shared_agent(pdu_trees.rpdu2(outlets=3))
    await set_up(pdu_entry(agent, SERIAL, V3))
    for entity_id, value in {
        "sensor.rack_left_power": "1140",
        "sensor.rack_left_apparent_power": "1190",
        "sensor.rack_left_power_factor": "0.96",
        "sensor.rack_left_energy": "3512.8",
        "sensor.rack_left_peak_power": "1430",
        "sensor.rack_left_load_state": "normal",
        "sensor.rack_left_phase_1_current": "4.9",
        "sensor.rack_left_phase_1_voltage": "242",
        "sensor.rack_left_phase_1_power": "1140",
        "sensor.rack_left_bank_2_current": "4.7",
        "sensor.rack_left_rack_top_temperature": "24.0",
        "sensor.rack_left_rack_top_humidity": "41",
        "sensor.rack_left_implausible_values": "0",
        "sensor.rack_left_outlet_2_server_02_power": "26",
        "sensor.rack_left_outlet_2_server_02_current": "0.1",
        "sensor.rack_left_outlet_2_server_02_energy": "13.4",
        "binary_sensor.rack_left_outlet_2_server_02_state": "on",
        "binary_sensor.rack_left_bank_1_near_overload": "off",
        "binary_sensor.rack_left_bank_2_near_overload": "on",
        "binary_sensor.rack_left_bank_2_overload": "off",
        "binary_sensor.rack_left_power_supply_1": "off",
        "binary_sensor.rack_left_power_supply_alarm": "off",
        "binary_sensor.rack_left_front": "off",
    }.items():
        assert (entity_id, state(hass, entity_id)) == (entity_id, value)
    # what it lacks does not appear
    assert state(hass, "binary_sensor.rack_left_power_supply_2") is None
    assert state(hass, "sensor.rack_left_bank_1_power") is None
    # what is dangerous or noisy waits to be enabled
    for entity_id in (
        "switch.rack_left_outlet_2_server_02_outlet",
        "button.rack_left_outlet_2_server_02_power_cycle",
        "sensor.rack_left_phase_1_peak_current",
    ):
        entity = entity_registry.async_get(entity_id)
        assert entity is not None, entity_id
        assert entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    energy = hass.states.get("sensor.rack_left_energy")
    assert energy is not None
    assert energy.attributes["state_class"] == "total_increasing"
    assert energy.attributes["unit_of_measurement"] == "kWh"


async def test_devices(
    hass: HomeAssistant, shared_agent: StartAgent, set_up: SetUp
) -> None:
    """A chain is one device a module, with outlets as devices below them."""
    agent = await shared_agent(pdu_trees.rpdu2(outlets=2, guests=("ZA1700000099",)))
    entry = await set_up(pdu_entry(agent, SERIAL))
    host = device_of(hass, entry, SERIAL)
    assert host is not None
    assert (host.manufacturer, host.model, host.name) == ("APC", "AP8659", "rack-left")
    assert (host.serial_number, host.sw_version) == (SERIAL, "6.8.0")
    assert (dr.CONNECTION_NETWORK_MAC, "00:c0:b7:10:20:30") in host.connections
    outlet = device_of(hass, entry, "ZA1700000099_outlet_2")
    guest = device_of(hass, entry, "ZA1700000099")
    assert outlet is not None
    assert guest is not None
    assert getattr(outlet, "parent_device_id", None) == guest.id
    assert outlet.name == "Outlet 2 server-02"
    registry = dr.async_get(hass)
    assert len(dr.async_entries_for_config_entry(registry, entry.entry_id)) == 2
    assert len(dr.async_child_entries_for_config_entry(registry, entry.entry_id)) == 4
    assert state(hass, "sensor.rack_left_2_power") == "1140"


async def test_estimate_is_called_one(
    hass: HomeAssistant, shared_agent: StartAgent, set_up: SetUp
) -> None:
    """Power that the PDU does not measure says so in its name."""
    agent = await shared_agent(pdu_trees.rpdu())
    await set_up(pdu_entry(agent, "ZA0500000002"))
    assert state(hass, "sensor.rack_old_power_estimate") == "667"
    assert state(hass, "sensor.rack_old_power") is None
    assert state(hass, "sensor.rack_old_energy") is None
    assert state(hass, "binary_sensor.rack_old_power_supply_alarm") == "on"


def test_limits_without_a_state() -> None:
    """Where a PDU tells no load state, its limits decide; a limit of 0 is none."""
    limits: dict[str, Any] = {"near_overload_limit": 8, "overload_limit": 10}
    assert near_overload(Circuit(current=8.0, **limits)) is True
    assert overload(Circuit(current=8.0, **limits)) is False
    assert overload(Circuit(current=8.0, overload_limit=0)) is None
    assert overload(Circuit(**limits)) is None
    assert overload(Module(power=11, current=1, **limits)) is True


@pytest.fixture
async def unit(start_agent: StartAgent) -> AsyncIterator[Unit]:
    """Start a switched and metered PDU with four outlets."""
    agent = await start_agent(pdu_trees.rpdu2(outlets=4))
    unit = Unit(card=agent, wiring=RPDU2_WIRING, outlets=4, off_seconds=0.2)
    unit.start(every=0.02)
    yield unit
    await unit.stop()


@pytest.mark.usefixtures("all_enabled")
async def test_switch_and_buttons(
    hass: HomeAssistant, unit: Unit, set_up: SetUp
) -> None:
    """Outlets are switched and cycled, and the peak is reset."""
    entry = await set_up(pdu_entry(unit.card, SERIAL, V3))
    switch = "switch.rack_left_outlet_2_server_02_outlet"
    assert state(hass, switch) == "on"
    await act(hass, "switch", "turn_off", switch)
    assert not unit.on[2]
    await entry.runtime_data.async_refresh()
    assert state(hass, switch) == "off"
    assert state(hass, "sensor.rack_left_outlet_2_server_02_power") == "0"
    await act(hass, "switch", "turn_on", switch)
    assert unit.on[2]
    await act(
        hass, "button", "press", "button.rack_left_outlet_3_server_03_power_cycle"
    )
    while not unit.cycles:
        await asyncio.sleep(0.01)
    await act(hass, "button", "press", "button.rack_left_reset_peak_power")
    assert await unit.card.get(f"{RPDU2}.4.1.1.10.1") == ["2"]


async def act(hass: HomeAssistant, domain: str, service: str, entity_id: str) -> None:
    """Do what a user would do."""
    await hass.services.async_call(
        domain, service, {ATTR_ENTITY_ID: entity_id}, blocking=True
    )


@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize(
    ("error", "key"),
    [
        (SnmpTimeoutError("no answer"), "command_lost"),
        (SnmpResponseError(6, 1), "command_refused"),
        (SnmpAuthenticationError(AuthFailure.AUTHORIZATION), "may_not_switch"),
    ],
)
async def test_commands_that_fail(
    hass: HomeAssistant,
    shared_agent: StartAgent,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
    error: SnmpError,
    key: str,
) -> None:
    """What went wrong with a command is told as a sentence."""
    agent = await shared_agent(pdu_trees.rpdu2(outlets=1))
    entry = await set_up(pdu_entry(agent, SERIAL))

    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(entry.runtime_data.client, "set", fail)
    with pytest.raises(HomeAssistantError) as raised:
        await act(
            hass, "switch", "turn_off", "switch.rack_left_outlet_1_server_01_outlet"
        )
    assert raised.value.translation_key == key


@pytest.mark.usefixtures("all_enabled")
async def test_unconfirmed_and_unknown(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """An outlet that does not follow is reported, and so is a command without object."""
    agent = await start_agent(pdu_trees.rpdu2(outlets=1))
    entry = await set_up(pdu_entry(agent, SERIAL))
    switch = "switch.rack_left_outlet_1_server_01_outlet"
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, "switch", "turn_off", switch)
    assert raised.value.translation_key == "outlet_unconfirmed"
    entry.runtime_data.structure.commands.clear()
    with pytest.raises(HomeAssistantError) as raised:
        await act(hass, "switch", "turn_on", switch)
    assert raised.value.translation_key == "command_unknown"


def group(*outlets: str) -> ConfigSubentry:
    """Return a group of outlets."""
    return ConfigSubentry(
        data=MappingProxyType({"name": "Server A", "outlets": list(outlets)}),
        subentry_type="outlet_group",
        title="Server A",
        unique_id=None,
        subentry_id="group1",
    )


async def test_group(hass: HomeAssistant, unit: Unit, set_up: SetUp) -> None:
    """A group sums power and energy, and one switch turns all of it."""
    entry = pdu_entry(unit.card, SERIAL)
    entry.subentries = MappingProxyType({"group1": group("1.2", "1.4")})  # type: ignore[misc]
    await set_up(entry)
    watts = outlet_watts(2) + outlet_watts(4)
    assert state(hass, "sensor.server_a_power") == str(watts)
    assert state(hass, "sensor.server_a_energy") == "30.2"
    assert state(hass, "switch.server_a_outlets") == "on"
    await act(hass, "switch", "turn_off", "switch.server_a_outlets")
    assert unit.on == {1: True, 2: False, 3: True, 4: False}
    await entry.runtime_data.async_refresh()
    assert state(hass, "switch.server_a_outlets") == "off"
    await act(hass, "switch", "turn_on", "switch.server_a_outlets")
    assert all(unit.on.values())
    await unit.card.set({f"{RPDU2}.9.4.3.1.11.2": 135})
    await entry.runtime_data.async_refresh()
    assert float(state(hass, "sensor.server_a_energy") or 0) == pytest.approx(
        30.3, abs=0.02
    )


async def test_group_whose_outlet_is_gone(
    hass: HomeAssistant, start_agent: StartAgent, set_up: SetUp
) -> None:
    """A sum without one of its parts would be wrong, so it is unavailable."""
    agent = await start_agent(pdu_trees.rpdu2(outlets=3))
    entry = pdu_entry(agent, SERIAL)
    entry.subentries = MappingProxyType({"group1": group("1.2", "1.3")})  # type: ignore[misc]
    await set_up(entry)
    agent.tree = pdu_trees.rpdu2(outlets=2)
    await agent.restart()
    await entry.runtime_data.async_refresh()
    assert state(hass, "sensor.server_a_power") == STATE_UNAVAILABLE


async def test_group_that_partly_fails(
    hass: HomeAssistant,
    shared_agent: StartAgent,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One outlet that fails does not keep the others from being switched."""
    agent = await shared_agent(pdu_trees.rpdu2(outlets=2))
    entry = pdu_entry(agent, SERIAL)
    entry.subentries = MappingProxyType({"group1": group("1.1", "1.2")})  # type: ignore[misc]
    await set_up(entry)
    asked = []

    async def turn(key: tuple[int, int], on: bool) -> None:
        asked.append(key)
        raise HomeAssistantError("no")

    monkeypatch.setattr(entry.runtime_data, "async_turn", turn)
    with pytest.raises(HomeAssistantError):
        await act(hass, "switch", "turn_off", "switch.server_a_outlets")
    assert asked == [(1, 1), (1, 2)]
