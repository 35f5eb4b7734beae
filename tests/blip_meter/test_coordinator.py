"""The line, as it is read: counting, losing and finding the port, naming, judging."""

import asyncio
from datetime import timedelta
import logging
import sqlite3
import time
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.util import dt as dt_util

from .conftest import blip_entry, meter_subentry, set_up, state, until
from .line import SerialLine
from custom_components.rackwatt.blip_meter import coordinator as coordinator_module
from custom_components.rackwatt.blip_meter.coordinator import BlipMeterCoordinator
from custom_components.rackwatt.blip_meter.port import async_close_port, async_open_port
from custom_components.rackwatt.history.database import Database
from custom_components.rackwatt.history.store import async_loaded_store

POWER = "sensor.rack_feed_power"
ENERGY = "sensor.rack_feed_energy"
IMPULSES = "sensor.rack_feed_impulses"
REJECTED = "sensor.blip_meter_rejected_lines"
CONNECTION = "binary_sensor.blip_meter_connectivity"


async def test_blips_become_power_and_energy(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """Power is 3.6e9 / (1000 * ms), energy counts each blip."""
    await set_up(hass, blip_entry(line.port))
    assert state(hass, CONNECTION) == "on"
    assert state(hass, POWER) == "unknown"
    line.send(b"1 9999\n")
    await until(hass, lambda: state(hass, IMPULSES) == "1")
    # the first interval may be of before the connection
    assert state(hass, POWER) == "unknown"
    line.send(b"1 3600\n")
    await until(hass, lambda: state(hass, POWER) == "1000.0")
    await until(hass, lambda: state(hass, ENERGY) == "0.002")
    assert state(hass, "sensor.rack_feed_interval") == "3600"
    energy = hass.states.get(ENERGY)
    assert energy is not None
    assert energy.attributes["state_class"] == "total_increasing"
    assert energy.attributes["unit_of_measurement"] == "kWh"


async def test_power_falls_while_the_next_blip_is_late(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """Looked at each second."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    line.send(b"1 3600\n1 3600\n")
    await until(hass, lambda: state(hass, POWER) == "1000.0")
    coordinator = entry.runtime_data
    assert isinstance(coordinator, BlipMeterCoordinator)
    (counted,) = coordinator.meters.values()
    counted.meter._last_blip -= 36
    counted.meter._published -= 36
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=1.5))
    await hass.async_block_till_done()
    assert 95 <= float(state(hass, POWER)) <= 100


@pytest.mark.parametrize(
    ("line_format", "line_of_ms"),
    [
        ("ms", b"3600\n"),
        ("ms_temperature", b"3600 21.5\n"),
        ("counted", b"1 3600 %d\n"),
    ],
)
async def test_line_formats(
    hass: HomeAssistant, line: SerialLine, line_format: str, line_of_ms: bytes
) -> None:
    """Each format counts; a temperature is shown where the lines tell one."""
    await set_up(hass, blip_entry(line.port, line_format=line_format))
    for number in range(3):
        line.send(line_of_ms % number if b"%d" in line_of_ms else line_of_ms)
    await until(hass, lambda: state(hass, POWER) == "1000.0")
    await until(hass, lambda: _counted(hass) == 3)
    shown = hass.states.get("sensor.rack_feed_temperature")
    assert (shown is not None) == (line_format == "ms_temperature")
    assert shown is None or shown.state in ("21.5", "unknown")


def _counted(hass: HomeAssistant) -> int:
    """Return what the only meter has counted, shown or not yet."""
    (entry,) = hass.config_entries.async_entries("rackwatt")
    coordinator = entry.runtime_data
    assert isinstance(coordinator, BlipMeterCoordinator)
    (counted,) = coordinator.meters.values()
    return counted.counter.state.impulses


async def test_garbage_is_counted_and_costs_nothing(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """What cannot be understood changes only its counter."""
    await set_up(hass, blip_entry(line.port))
    line.send(b"1 3600\nhello\n\xff\x00\n1 0\n1 3600\n")
    await until(hass, lambda: state(hass, POWER) == "1000.0")
    await until(hass, lambda: state(hass, REJECTED) == "3")
    await until(hass, lambda: state(hass, ENERGY) == "0.002")


async def test_the_counter_goes_on_after_a_reload(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """Energy is exact over restarts; power is not made up."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    line.send(b"1 3600\n" * 5)
    await until(hass, lambda: _counted(hass) == 5)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, ENERGY) == "0.005"
    assert state(hass, POWER) == "unknown"
    line.send(b"1 3600\n")
    await until(hass, lambda: state(hass, ENERGY) == "0.006")


async def test_what_is_shown_is_stored(hass: HomeAssistant, line: SerialLine) -> None:
    """A kill must not make the counter fall; power need not wait for the disk."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    writing = asyncio.Lock()
    real = Database.write

    def write(*args: Any) -> None:
        while writing.locked():
            time.sleep(0.01)
        real(*args)

    async with writing:
        with patch.object(Database, "write", write):
            line.send(b"1 3600\n1 3600\n")
            await until(hass, lambda: state(hass, POWER) == "1000.0")
            await asyncio.sleep(0.1)
            assert state(hass, ENERGY) == "0.0"
            writing.release()
            await until(hass, lambda: state(hass, ENERGY) == "0.002")
            await writing.acquire()


async def test_a_full_disk_does_not_stop_the_counter(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """Live values go on, and are stored when there is room."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    full = sqlite3.OperationalError("database or disk is full")
    with patch.object(Database, "write", side_effect=full):
        line.send(b"1 3600\n1 3600\n")
        await until(hass, lambda: state(hass, ENERGY) == "0.002")


async def test_each_blip_is_in_the_history(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """With its stamp and interval, in one transaction with its counter."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    line.send(b"1 3600\n1 1200\n")
    await until(hass, lambda: _counted(hass) == 2)
    store = async_loaded_store(hass)
    assert store is not None
    (subentry_id,) = entry.subentries
    stored = await store.async_load_meter(subentry_id)
    assert stored.counter is not None and stored.counter.impulses == 2
    assert stored.last_stamp is not None
    rows = await store._run(
        lambda: store._opened._db.execute("SELECT ms FROM blip").fetchall()
    )
    assert rows == [(None,), (1200,)]


async def test_an_unplugged_port_is_unavailable_and_comes_back(
    hass: HomeAssistant, line: SerialLine, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log each way; energy goes on, the old power does not."""
    await set_up(hass, blip_entry(line.port))
    line.send(b"1 3600\n1 3600\n")
    await until(hass, lambda: state(hass, POWER) == "1000.0")
    line.unplug()
    await until(hass, lambda: state(hass, POWER) == "unavailable")
    assert state(hass, ENERGY) == "unavailable"
    assert state(hass, CONNECTION) == "off"
    await asyncio.sleep(0.1)
    line.plug()
    await until(hass, lambda: state(hass, CONNECTION) == "on")
    assert state(hass, POWER) == "unknown"
    assert state(hass, ENERGY) == "0.002"
    line.send(b"1 3600\n")
    await until(hass, lambda: state(hass, ENERGY) == "0.003")
    assert state(hass, POWER) == "unknown"
    assert caplog.text.count(" is lost: ") == 1
    assert caplog.text.count(" is back") == 1


@pytest.mark.usefixtures("socket_enabled", "line")
async def test_a_socket_that_ends_is_no_busy_loop(hass: HomeAssistant) -> None:
    """At the end of a stream a read returns at once, for ever: not ours."""
    connections: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.write(b"1 3600\n1 3600\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await set_up(hass, blip_entry(f"socket://127.0.0.1:{port}"))
    await until(hass, lambda: state(hass, POWER) == "1000.0")
    connections[0].close()
    # it comes back by itself, and counts what the server says anew
    await until(hass, lambda: len(connections) == 2)
    await until(hass, lambda: _counted(hass) == 4)
    server.close()
    connections[1].close()
    await until(hass, lambda: state(hass, CONNECTION) == "off")
    ticks = 0
    with patch.object(
        coordinator_module, "async_open_port", side_effect=ConnectionRefusedError
    ) as opening:
        for _ in range(20):
            await asyncio.sleep(0.01)
            ticks += 1
        assert opening.call_count <= 20
    assert ticks == 20
    (entry,) = hass.config_entries.async_entries("rackwatt")
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_port_that_is_not_there_at_the_start(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """The entry loads, tells that the port is away, and finds it within seconds."""
    line.unplug()
    await set_up(hass, blip_entry(line.port))
    assert state(hass, CONNECTION) == "off"
    assert state(hass, ENERGY) == "unavailable"
    line.plug()
    await until(hass, lambda: state(hass, CONNECTION) == "on")
    assert state(hass, ENERGY) == "0.0"


async def test_a_port_that_stays_away_is_worth_a_notice(
    hass: HomeAssistant, line: SerialLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the cause, and goes when the port is back."""
    monkeypatch.setattr(coordinator_module, "LOST_FOR_GOOD", 0.05)
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    issues = ir.async_get(hass)
    key = ("rackwatt", f"port_lost_{entry.entry_id}")
    line.unplug()
    await until(hass, lambda: issues.async_get_issue(*key) is not None)
    issue = issues.async_get_issue(*key)
    assert issue is not None and issue.translation_placeholders is not None
    assert "No such file" in issue.translation_placeholders["error"]
    line.plug()
    await until(hass, lambda: issues.async_get_issue(*key) is None)


async def test_a_proxy_that_is_not_ready_yet(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """An ESPHome proxy raises an error of Home Assistant's until it is loaded."""
    opened = await async_open_port(line.port, 9600, "N")
    with patch.object(
        coordinator_module,
        "async_open_port",
        side_effect=[ConfigEntryNotReady("not loaded"), opened],
    ):
        await set_up(hass, blip_entry(line.port))
        await until(hass, lambda: state(hass, CONNECTION) == "on")


async def test_the_arduino_names_the_meter(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """The device takes the name over, and keeps it after a restart."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    (subentry_id,) = entry.subentries
    line.send(rb"INFO 1 K\c3\b8kken" + b"\n")

    def name() -> str | None:
        device = dr.async_get(hass).async_get_device_by_identifier(
            ("rackwatt", subentry_id), entry.entry_id
        )
        return device and device.name

    await until(hass, lambda: name() == "Køkken")
    # the entity ids stay
    assert state(hass, ENERGY) == "0.0"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert name() == "Køkken"


async def test_an_arduino_that_starts_anew(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """The interval of its first blip is of before its start."""
    await set_up(hass, blip_entry(line.port))
    line.send(b"1 3600\n1 3600\n")
    await until(hass, lambda: state(hass, POWER) == "1000.0")
    line.send(b"CONNECTED blip 1\n1 700\n")
    await until(hass, lambda: _counted(hass) == 3)
    await until(hass, lambda: state(hass, POWER) == "unknown")


async def test_several_meters_on_a_line(hass: HomeAssistant, line: SerialLine) -> None:
    """Each counts its own."""
    await set_up(
        hass,
        blip_entry(
            line.port,
            meter_subentry(),
            meter_subentry(meter_id=7, name="Cooling", impulses_per_kwh=500, ratio=2),
        ),
    )
    line.send(b"1 3600\n7 3600\n7 3600\n")
    await until(hass, lambda: state(hass, "sensor.cooling_power") == "4000.0")
    await until(hass, lambda: state(hass, "sensor.cooling_energy") == "0.008")
    await until(hass, lambda: state(hass, ENERGY) == "0.001")


async def test_lines_that_never_fit_are_worth_a_notice(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """It shows one, and goes when the settings fit."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    issues = ir.async_get(hass)
    key = ("rackwatt", f"unreadable_lines_{entry.entry_id}")
    line.send(b"\xb1 3600\r\n" * 19)
    await until(hass, lambda: state(hass, REJECTED) == "19")
    assert issues.async_get_issue(*key) is None
    line.send(b"\xb1 3600\r\n")
    await until(hass, lambda: issues.async_get_issue(*key) is not None)
    issue = issues.async_get_issue(*key)
    assert issue is not None and issue.translation_placeholders is not None
    assert issue.translation_placeholders["line"] == r"\xb1 3600\r"
    line.send(b"1 3600\n")
    await until(hass, lambda: issues.async_get_issue(*key) is None)


async def test_unload_closes_the_port(
    hass: HomeAssistant, line: SerialLine, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing goes on reading; another program can open it."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    _, writer = await async_open_port(line.port, 9600, "N")
    await async_close_port(writer)
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


async def test_a_meter_that_is_not_set_up_is_offered_once(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """By its blips or by its name; it costs the others nothing."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    issues = ir.async_get(hass)
    line.send(b"INFO 3 Cooling\n3 3600\n3 3600\n4 3600\n1 3600\n")
    await until(hass, lambda: _counted(hass) == 1)
    offered = [
        issue.translation_placeholders
        for issue in issues.issues.values()
        if issue.translation_key == "new_meter"
    ]
    assert offered == [
        {"meter_id": "3", "name": "Blip meter"},
        {"meter_id": "4", "name": "Blip meter"},
    ]


async def test_asking_for_an_update_changes_nothing(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """Blips are pushed; there is nothing to poll."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    before = entry.runtime_data.data
    await entry.runtime_data.async_refresh()
    assert entry.runtime_data.data == before


async def test_a_line_whose_meter_was_removed(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """Its blips belong to nobody; the line is still read."""
    entry = blip_entry(line.port, line_format="ms")
    await set_up(hass, entry)
    hass.config_entries.async_remove_subentry(entry, next(iter(entry.subentries)))
    await hass.async_block_till_done()
    line.send(b"3600\n3600\nwhat?\n")
    await until(hass, lambda: state(hass, REJECTED) == "1")
    assert hass.states.get(ENERGY) is None
