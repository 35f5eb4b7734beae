"""A tree in Home Assistant: probes come, measure, fail and go."""

import asyncio
from datetime import timedelta
import logging
from pathlib import Path
import threading
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from homeassistant.components.diagnostics import REDACTED
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .conftest import coordinator_of, probe, refresh, set_up, state_of, value_of
from custom_components.rackwatt.requirements import (
    W1THERMSENSOR,
    RequirementMissingError,
)
from custom_components.rackwatt.temperature_probe import coordinator, worker
from demo.rack.one_wire import BusMaster, Fault, OneWireTree

MODULE = "custom_components.rackwatt.temperature_probe"


def issue(hass: HomeAssistant, key: str) -> ir.IssueEntry | None:
    """Return a repair issue by the beginning of its id."""
    issues = ir.async_get(hass).issues.values()
    return next((item for item in issues if item.issue_id.startswith(key)), None)


def bus_threads() -> list[str]:
    """Return the names of our threads."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("rackwatt-w1")
    ]


async def test_set_up(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """Each probe is a device below the tree."""
    one, two = probe(1, 21.4375), probe(2, -3.25, "10")
    bus.plug(one, two)
    entry = await set_up(hass, tree)
    assert entry.state is ConfigEntryState.LOADED
    assert value_of(hass, one) == "21.4375"
    assert value_of(hass, two) == "-3.25"
    assert value_of(hass, one, "crc_errors") == "0"
    assert value_of(hass, one, "refused_readings") == "0"
    assert value_of(hass, one, "last_fault") == "none"
    state = state_of(hass, f"{one.probe_id}_temperature")
    assert state is not None
    assert state.attributes["device_class"] == "temperature"
    assert state.attributes["state_class"] == "measurement"
    assert state.attributes["unit_of_measurement"] == "°C"
    registry = dr.async_get(hass)
    devices = {
        device.name: device
        for device in dr.async_entries_for_config_entry(registry, entry.entry_id)
    }
    assert devices.keys() == {
        "1-Wire",
        "DS18B20 28-000000000001",
        "DS18S20 10-000000000002",
    }
    device = devices["DS18B20 28-000000000001"]
    assert device.via_device_id == devices["1-Wire"].id
    assert (device.model, device.serial_number) == ("DS18B20", one.probe_id)
    probes = state_of(hass, f"{entry.entry_id}_probes")
    assert probes is not None
    assert probes.state == "2"


async def test_noisy_values_are_disabled(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """Times are there for whoever searches for a fault."""
    bus.plug(probe(1))
    entry = await set_up(hass, tree)
    registry = er.async_get(hass)
    disabled = {
        item.translation_key
        for item in er.async_entries_for_config_entry(registry, entry.entry_id)
        if item.disabled
    }
    assert disabled == {"read_time", "cycle_time"}


async def test_times(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """How long a probe and a cycle took is shown."""
    one = probe(1)
    bus.plug(one)
    enabled = "homeassistant.helpers.entity.Entity.entity_registry_enabled_default"
    with patch(enabled, True):
        entry = await set_up(hass, tree)
    assert 0 < float(value_of(hass, one, "read_time") or 0) < 5000
    state = state_of(hass, f"{entry.entry_id}_cycle_time")
    assert state is not None
    assert 0 <= float(state.state) < 5


async def test_one_bad_reading(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """One or two bad readings are counted; three in a row are an alarm."""
    bad = [Fault.OLD_CHECKSUM, Fault.POWER_ON, Fault.CHECKSUM]
    one = probe(1, faults=[None, *bad[:2], None, *bad, None])
    bus.plug(one)
    entry = await set_up(hass, tree)
    shown = [value_of(hass, one)]
    for _ in range(7):
        await refresh(hass, entry)
        shown.append(value_of(hass, one))
    assert shown == ["21.5"] * 6 + ["unavailable", "21.5"]
    assert value_of(hass, one, "refused_readings") == "5"
    assert value_of(hass, one, "crc_errors") == "3"
    assert value_of(hass, one, "last_fault") == "no_answer"


async def test_logged_once(
    hass: HomeAssistant,
    tree: OneWireTree,
    bus: BusMaster,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A probe that goes dark is logged once, and once when it is back."""
    caplog.set_level(logging.INFO)
    one = probe(1, faults=[None, *[Fault.POWER_FAULT] * 6, None])
    bus.plug(one)
    entry = await set_up(hass, tree)
    for _ in range(8):
        await refresh(hass, entry)
    lines = [line for line in caplog.messages if f"{one.probe_id} on " in line]
    assert lines == [
        "28-000000000001 on w1_bus_master1 is lost: power_fault",
        "28-000000000001 on w1_bus_master1 is back",
    ]
    bus.unplug(one)
    await refresh(hass, entry)
    assert "28-000000000001 on w1_bus_master1 is lost: pulled out" in caplog.messages


async def test_polls(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """The tree is read by itself, also while none of its entities is enabled."""
    entry = await set_up(hass, tree, poll_interval=45)
    registry = er.async_get(hass)
    for item in er.async_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_entity(
            item.entity_id, disabled_by=er.RegistryEntryDisabler.USER
        )
    one = probe(1)
    bus.plug(one)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=46))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert value_of(hass, one) == "21.5"


async def test_never_read(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """The 85 degrees of a probe that has just got power are never shown."""
    one = probe(1, faults=[Fault.POWER_ON, None])
    bus.plug(one)
    entry = await set_up(hass, tree)
    assert value_of(hass, one) == "unavailable"
    assert value_of(hass, one, "last_fault") == "power_on"
    await refresh(hass, entry)
    assert value_of(hass, one) == "21.5"


async def test_hot_plug(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """Probes come, go and come back while Home Assistant runs."""
    one, two = probe(1), probe(2, 30.0)
    bus.plug(one)
    entry = await set_up(hass, tree)
    assert value_of(hass, two) is None
    bus.plug(two)
    await refresh(hass, entry)
    assert value_of(hass, two) == "30.0"
    bus.unplug(one)
    await refresh(hass, entry)
    assert value_of(hass, one) == "unavailable"
    assert value_of(hass, one, "crc_errors") == "unavailable"
    assert value_of(hass, two) == "30.0"
    bus.plug(one)
    await refresh(hass, entry)
    assert value_of(hass, one) == "21.5"


async def test_moves_to_another_bus(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """A probe keeps its entities on whatever bus it is."""
    second = tree.add_bus()
    one, two = probe(1), probe(2)
    bus.plug(one)
    second.plug(two)
    entry = await set_up(hass, tree)
    assert [value_of(hass, item) for item in (one, two)] == ["21.5", "21.5"]
    bus.unplug(one)
    second.plug(one)
    await refresh(hass, entry)
    assert coordinator_of(entry).data.probes[one.probe_id].bus == second.name
    assert value_of(hass, one) == "21.5"
    assert len(bus_threads()) == 2
    second.remove()
    await refresh(hass, entry)
    assert [value_of(hass, item) for item in (one, two)] == ["unavailable"] * 2
    assert len(bus_threads()) == 1


async def test_remove_by_hand(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster, hass_ws_client
) -> None:
    """A probe that is gone can be removed; one that is plugged in cannot."""
    assert await async_setup_component(hass, "config", {})
    one = probe(1)
    bus.plug(one)
    entry = await set_up(hass, tree)
    registry = dr.async_get(hass)
    client = await hass_ws_client(hass)

    async def remove(identifier: str) -> bool:
        """Remove a device as the user does."""
        device = registry.async_get_device_by_identifier(
            ("rackwatt", identifier), entry.entry_id
        )
        assert device is not None
        await client.send_json_auto_id(
            {
                "type": "config/device_registry/remove_config_entry",
                "config_entry_id": entry.entry_id,
                "device_id": device.id,
            }
        )
        answer = await client.receive_json()
        await hass.async_block_till_done()
        return bool(answer["success"])

    assert not await remove(one.probe_id)
    assert not await remove(entry.entry_id)
    bus.unplug(one)
    await refresh(hass, entry)
    assert await remove(one.probe_id)
    assert value_of(hass, one) is None
    assert one.probe_id not in coordinator_of(entry).data.probes
    bus.plug(one)
    await refresh(hass, entry)
    assert value_of(hass, one) == "21.5"


async def test_gone_since_start(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """A probe that was never seen since the start can be removed too."""
    bus.plug(probe(1))
    entry = await set_up(hass, tree)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("rackwatt", "28-0000000000ff")}
    )
    assert coordinator_of(entry).async_forget_device(device)


async def test_options(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """Interval, resolution and offsets are what the user has set."""
    one, two = probe(1, 20.0), probe(2, 20.0)
    bus.plug(one, two)
    entry = await set_up(
        hass, tree, poll_interval=60, resolution=10, offsets={one.probe_id: -0.75}
    )
    interval = coordinator_of(entry).update_interval
    assert interval is not None
    assert interval.total_seconds() == 60
    assert (bus.folder / one.probe_id / "resolution").read_text() == "10\n"
    assert value_of(hass, one) == "19.25"
    assert value_of(hass, two) == "20.0"


async def test_changed_options_are_taken_over(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """An entry whose options change is loaded anew."""
    one = probe(1, 20.0)
    bus.plug(one)
    entry = await set_up(hass, tree)
    hass.config_entries.async_update_entry(
        entry, options={"offsets": {one.probe_id: 1.5}}
    )
    await hass.async_block_till_done()
    assert value_of(hass, one) == "21.5"


async def test_missing_pull_up(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """Phantoms raise an issue that names them, and take it back when they go."""
    bus.plug(probe(1))
    entry = await set_up(hass, tree)
    assert issue(hass, "missing_pull_up") is None
    bus.add_phantoms("00-400000000000", "00-800000000000")
    await refresh(hass, entry)
    raised = issue(hass, "missing_pull_up")
    assert raised is not None
    assert raised.translation_placeholders == {
        "name": "1-Wire",
        "path": str(tree.path),
        "details": "00-400000000000, 00-800000000000",
    }
    bus.remove_phantoms()
    await refresh(hass, entry)
    assert issue(hass, "missing_pull_up") is None


async def test_no_permission(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """Without the right to trigger, probes are read by themselves, with a hint."""
    one, two = probe(1), probe(2)
    bus.plug(one, two)
    bus.deny_trigger()
    entry = await set_up(hass, tree)
    raised = issue(hass, "one_wire_read_only")
    assert raised is not None
    assert raised.translation_placeholders is not None
    assert raised.translation_placeholders["details"] == "w1_bus_master1"
    assert [value_of(hass, item) for item in (one, two)] == ["21.5", "21.5"]
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert issue(hass, "one_wire_read_only") is None


async def test_tree_goes_and_comes_back(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """The driver may be unloaded and loaded again."""
    one = probe(1)
    bus.plug(one)
    entry = await set_up(hass, tree)
    hidden = tree.path.with_name("unloaded")
    tree.path.rename(hidden)
    await refresh(hass, entry)
    assert value_of(hass, one) == "unavailable"
    tree.path.mkdir()
    await refresh(hass, entry)
    assert value_of(hass, one) == "unavailable"
    tree.path.rmdir()
    hidden.rename(tree.path)
    await refresh(hass, entry)
    assert value_of(hass, one) == "21.5"


@pytest.mark.parametrize(
    ("is_there", "reason"),
    [
        (False, "tree_unreadable"),
        (True, "no_bus_master"),
    ],
)
async def test_no_tree_at_start(
    hass: HomeAssistant, tree: OneWireTree, is_there: bool, reason: str
) -> None:
    """Set-up waits for the driver, and says what it waits for."""
    if not is_there:
        tree.path.rmdir()
    entry = await set_up(hass, tree)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == reason
    assert str(tree.path) in (entry.reason or "")


async def test_library_missing_at_start(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """A new container without the library, and without a network, is tried again."""
    bus.plug(probe(1))
    with patch(
        f"{MODULE}.coordinator.async_require",
        side_effect=RequirementMissingError(W1THERMSENSOR, OSError("no network")),
    ):
        entry = await set_up(hass, tree)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "requirement_missing"


async def test_empty_bus_at_start(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """A bus without probes is set up; they come when they are plugged in."""
    entry = await set_up(hass, tree)
    assert entry.state is ConfigEntryState.LOADED
    one = probe(1)
    bus.plug(one)
    await refresh(hass, entry)
    assert value_of(hass, one) == "21.5"


async def test_stuck_bus(
    hass: HomeAssistant,
    tree: OneWireTree,
    bus: BusMaster,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bus that hangs up costs its own probes only, and nobody waits for it."""
    second = tree.add_bus()
    one, two = probe(1, faults=[None, Fault.SILENT]), probe(2)
    bus.plug(one)
    second.plug(two)
    entry = await set_up(hass, tree)
    with (
        patch.object(coordinator, "WAIT_FOR_BUSES", 0.05),
        patch.object(coordinator, "WAIT_FOR_END", 0.05),
        patch.object(worker, "PATIENCE", -10),
    ):
        shown = []
        for _ in range(4):
            await refresh(hass, entry)
            shown.append((value_of(hass, one), value_of(hass, two)))
        assert shown == [("21.5", "21.5")] * 3 + [("unavailable", "21.5")]
        assert coordinator_of(entry).diagnostics()[bus.name]["is_stuck"]
        assert await hass.config_entries.async_unload(entry.entry_id)
    assert "w1_bus_master1 of" in caplog.text
    assert "stuck in the kernel" in caplog.text
    bus.unplug(one)
    async with asyncio.timeout(5):
        while bus_threads():
            await asyncio.sleep(0.01)


async def test_slow_bus(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """A bus that takes longer hands its probes in when it has them."""
    tree.speed = 4
    one = probe(1)
    bus.plug(one)
    with patch.object(coordinator, "WAIT_FOR_BUSES", 0.01):
        entry = await set_up(hass, tree)
    assert value_of(hass, one) == "unavailable"
    async with asyncio.timeout(5):
        while value_of(hass, one) == "unavailable":
            await asyncio.sleep(0.01)
    assert value_of(hass, one) == "21.5"
    assert coordinator_of(entry).data.cycle_seconds is not None


async def test_pulled_out_in_a_slow_cycle(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """What a cycle says of a probe that is gone meanwhile counts for nothing."""
    one, two = probe(1), probe(2)
    bus.plug(one, two)
    entry = await set_up(hass, tree)
    tree.speed = 4
    with patch.object(coordinator, "WAIT_FOR_BUSES", 0.01):
        await refresh(hass, entry)
        bus.unplug(one)
        await refresh(hass, entry)
    assert value_of(hass, one) == "unavailable"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert value_of(hass, one) == "unavailable"
    assert coordinator_of(entry).data.probes[one.probe_id].refused_readings == 0
    assert value_of(hass, two) == "21.5"


async def test_loop_is_free(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """Home Assistant goes on while a probe does not answer at all."""
    one = probe(1, faults=[None, Fault.SILENT])
    bus.plug(one)
    entry = await set_up(hass, tree)
    reading = hass.async_create_task(coordinator_of(entry).async_refresh())
    for _ in range(20):
        await asyncio.sleep(0.001)
        hass.states.async_set("sensor.other", str(hass.loop.time()))
    assert not reading.done()
    bus.unplug(one)
    await reading


async def test_unload(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """Nothing is left running."""
    bus.plug(probe(1), probe(2))
    tree.add_bus().plug(probe(3), probe(4))
    entry = await set_up(hass, tree)
    assert sorted(bus_threads()) == [
        "rackwatt-w1_bus_master1_0",
        "rackwatt-w1_bus_master2_0",
    ]
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert bus_threads() == []


async def test_unload_in_a_cycle(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """A cycle that is under way ends before the entry is gone."""
    bus.plug(*(probe(number, is_powered=False) for number in range(4)))
    bus.deny_trigger()
    entry = await set_up(hass, tree)
    reading = hass.async_create_task(coordinator_of(entry).async_refresh())
    await asyncio.sleep(0.01)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert bus_threads() == []
    await asyncio.gather(reading, return_exceptions=True)


async def test_a_thousand_and_more_cycles_leave_nothing(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """Neither threads nor files pile up (the benchmark does a thousand)."""
    bus.plug(probe(1), probe(2))
    tree.add_bus().plug(probe(3), probe(4))
    entry = await set_up(hass, tree)
    threads = len(threading.enumerate())
    files = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        await refresh(hass, entry)
    assert len(threading.enumerate()) == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == files


async def test_diagnostics(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster, hass_client
) -> None:
    """The download tells how each bus was read."""
    assert await async_setup_component(hass, "diagnostics", {})
    bus.plug(probe(1), probe(2, faults=[Fault.CHECKSUM]))
    entry = await set_up(hass, tree)
    client = await hass_client()
    url = f"/api/diagnostics/config_entry/{entry.entry_id}"
    answer = (await (await client.get(url)).json())["data"]
    assert answer["details"][bus.name]["method"] == "bulk"
    assert answer["data"]["probes"]["28-000000000002"]["crc_errors"] == 1
    assert REDACTED not in str(answer["data"]["probes"])
