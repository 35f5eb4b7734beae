"""Test a board in Home Assistant."""

import threading

import pytest

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, issue_registry as ir

from .conftest import Rack, board_entry, channel, set_up, state, until, value
from .rig import ADDRESS, PATH, load
from custom_components.rackwatt.ct_clamp import coordinator as module, i2c
from custom_components.rackwatt.diagnostics import async_get_config_entry_diagnostics
from demo.rack.ads1115 import Ads1115, I2CBus, opener
from demo.rack.clock import RealClock

POWER = "sensor.server_power_estimate"


def issue_keys(hass: HomeAssistant) -> set[str | None]:
    """Return what the user is told under Repairs."""
    return {
        issue.translation_key
        for issue in ir.async_get(hass).issues.values()
        if issue.active
    }


async def press_zero(hass: HomeAssistant, rack: Rack) -> None:
    """Press the button, and let the sweeps that it waits for happen."""
    task = hass.async_create_task(
        hass.services.async_call(
            "button", "press", {"entity_id": "button.server_set_zero"}, blocking=True
        )
    )
    for _ in range(module.ZERO_SWEEPS + 1):
        if not task.done():
            rack.samplers[0].sweep_all()
            await _breathe(hass)
    await task
    await hass.async_block_till_done()


async def _breathe(hass: HomeAssistant) -> None:
    """Let what was called from the thread run."""
    done = hass.loop.create_future()
    hass.loop.call_soon(hass.loop.call_soon, done.set_result, None)
    await done


async def test_values(hass: HomeAssistant, rack: Rack) -> None:
    """Each channel shows current, apparent power, power and energy; the board totals."""
    entry = board_entry(
        channel(),
        channel(name="Switch", input="A1", power_factor=0.6, mains_voltage=120),
    )
    await set_up(hass, entry)
    assert value(hass, "sensor.server_current") == pytest.approx(1.0, rel=0.003)
    assert value(hass, "sensor.server_apparent_power") == pytest.approx(230, rel=0.003)
    assert value(hass, POWER) == pytest.approx(230, rel=0.003)
    assert value(hass, "sensor.switch_apparent_power") == pytest.approx(60, rel=0.003)
    assert value(hass, "sensor.switch_power_estimate") == pytest.approx(36, rel=0.003)
    total = "sensor.clamps_total_power_estimate"
    assert value(hass, total) == pytest.approx(266, rel=0.003)
    assert value(hass, "sensor.clamps_total_apparent_power") == pytest.approx(
        290, rel=0.003
    )
    assert value(hass, "sensor.clamps_mains_frequency") == pytest.approx(50, abs=0.02)
    assert state(hass, "binary_sensor.clamps_connectivity") == "on"
    assert state(hass, "binary_sensor.server_clipping") == "off"
    await rack.sweep(21)
    assert value(hass, "sensor.server_energy") == pytest.approx(
        230 * 10 / 3.6e6, rel=0.2
    )
    assert value(hass, "sensor.clamps_total_energy") == pytest.approx(
        value(hass, "sensor.server_energy") + value(hass, "sensor.switch_energy"),
        abs=2e-6,
    )


async def test_devices(hass: HomeAssistant, rack: Rack) -> None:
    """A channel is a device behind the board's."""
    entry = board_entry(channel())
    await set_up(hass, entry)
    devices = {
        device.name: device
        for device in dr.async_entries_for_config_entry(
            dr.async_get(hass), entry.entry_id
        )
    }
    assert devices["Clamps"].model == "ADS1115"
    assert devices["Server"].via_device_id == devices["Clamps"].id


async def test_small_changes_are_not_written_each_second(
    hass: HomeAssistant, rack: Rack
) -> None:
    """A steady load writes a state each 10 s; one that changes does at once."""
    await set_up(hass, board_entry(channel()))
    rack.chip.noise = 2
    before = hass.states.get("sensor.server_current")
    await rack.sweep(5)
    assert hass.states.get("sensor.server_current") is before
    rack.amps["A0"] = 1.05
    await rack.sweep()
    assert value(hass, "sensor.server_current") == pytest.approx(1.05, rel=0.003)
    await rack.sweep(11)
    assert hass.states.get("sensor.server_current").last_updated > before.last_updated


@pytest.mark.parametrize(
    ("attributes", "voltage", "expected"),
    [
        ({"unit_of_measurement": "V"}, "240", 240),
        ({"unit_of_measurement": "mV"}, "240000", 240),
        ({}, "225", 225),
        ({"unit_of_measurement": "V"}, "12", 230),
        ({"unit_of_measurement": "V"}, "unavailable", 230),
        ({"unit_of_measurement": "V"}, "about 240", 230),
    ],
)
async def test_voltage_entity(
    hass: HomeAssistant,
    rack: Rack,
    attributes: dict[str, str],
    voltage: str,
    expected: float,
) -> None:
    """The voltage is that of the entity, as far as it can be the mains."""
    hass.states.async_set("sensor.ups", voltage, attributes)
    await set_up(hass, board_entry(channel(voltage_entity="sensor.ups")))
    apparent = value(hass, "sensor.server_apparent_power")
    assert apparent == pytest.approx(expected, rel=0.003)


@pytest.mark.parametrize(
    ("factor", "unit", "expected", "estimated"),
    [
        ("0.9", None, 216, False),
        ("90", "%", 216, False),
        ("-0.9", None, 216, False),
        ("9", None, 240, True),
        ("unknown", None, 240, True),
    ],
)
async def test_power_is_an_estimate_unless_all_is_measured(
    hass: HomeAssistant,
    rack: Rack,
    factor: str,
    unit: str | None,
    expected: float,
    estimated: bool,
) -> None:
    """With voltage and power factor measured the power is not called an estimate."""
    hass.states.async_set("sensor.ups", "240", {"unit_of_measurement": "V"})
    hass.states.async_set("sensor.pf", factor, {"unit_of_measurement": unit})
    await set_up(
        hass,
        board_entry(
            channel(voltage_entity="sensor.ups", power_factor_entity="sensor.pf")
        ),
    )
    power = hass.states.get("sensor.server_power")
    assert float(power.state) == pytest.approx(expected, rel=0.003)
    assert power.attributes["estimated"] is estimated
    assert hass.states.get("sensor.clamps_total_power")


async def test_unplugged_and_back(
    hass: HomeAssistant, rack: Rack, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its board a channel is unavailable; one line each way, a notice after 60 s."""
    await set_up(hass, board_entry(channel()))
    await rack.sweep(10)
    rack.chip.present = False
    await rack.sweep(2)
    assert state(hass, POWER) == "unavailable"
    assert state(hass, "sensor.server_energy") == "unavailable"
    assert state(hass, "sensor.clamps_total_energy") == "unavailable"
    assert state(hass, "binary_sensor.clamps_connectivity") == "off"
    assert issue_keys(hass) == set()
    await rack.sweep(70)
    assert issue_keys(hass) == {"ct_no_chip"}
    rack.bus.plugged = False
    await rack.sweep(10)
    assert issue_keys(hass) == {"ct_bus_missing"}
    rack.bus.plugged = rack.chip.present = True
    rack.chip.power_on()
    plugged = rack.clock.now
    while state(hass, POWER) == "unavailable":
        await rack.sweep()
    assert rack.clock.now - plugged < 10
    assert issue_keys(hass) == set()
    assert caplog.text.count("Clamps cannot be read") == 1
    assert caplog.text.count("Clamps is back") == 1


async def test_a_gap_is_not_bridged(hass: HomeAssistant, rack: Rack) -> None:
    """What was drawn while the board was away is not guessed, and never counted twice."""
    coordinator = await set_up(hass, board_entry(channel()))
    await rack.sweep(60)
    before = coordinator.total.energy_wh
    rack.chip.present = False
    await rack.sweep()
    rack.clock.sleep(3600)
    await rack.sweep()
    rack.chip.present = True
    await rack.sweep(66)
    added = coordinator.total.energy_wh - before
    assert added == pytest.approx(230 / 60, rel=0.15)


async def test_board_that_is_missing_at_the_start(
    hass: HomeAssistant, rack: Rack
) -> None:
    """The entry loads without its board, so that it is back soon after the plug."""
    rack.chip.present = False
    entry = board_entry(channel())
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert state(hass, POWER) == "unavailable"
    rack.chip.present = True
    await rack.sweep(6)
    assert value(hass, POWER) == pytest.approx(230, rel=0.003)


async def test_thread_that_hangs_does_not_hold_up_the_start(
    hass: HomeAssistant, rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bus that never answers leaves its entities unavailable."""
    monkeypatch.setattr(module, "FIRST_SWEEP_TIMEOUT", 0.01)
    monkeypatch.setattr(module.BusSampler, "sweep_all", lambda sampler: None)
    await set_up(hass, board_entry(channel()))
    assert state(hass, POWER) == "unavailable"


@pytest.mark.parametrize(
    ("key", "wiring", "bias", "amps"),
    [
        ("ct_out_of_range", "unbiased", 0.0, 2.0),
        ("ct_clipping", "biased", 1.65, 5.5),
        ("ct_wrong_bias", "biased", 0.0, 0.2),
    ],
)
async def test_fault_of_the_wiring(
    hass: HomeAssistant,
    rack: Rack,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    wiring: str,
    bias: float,
    amps: float,
) -> None:
    """What the voltage does not tell is not guessed; a notice says what to change."""
    monkeypatch.setattr(module, "MENDED_SWEEPS", 5)
    rack.chip.inputs[0] = rack.signal("A0", bias)
    rack.amps["A0"] = amps
    await set_up(hass, board_entry(channel(wiring=wiring)))
    await rack.sweep(2)
    assert state(hass, POWER) == "unknown"
    assert state(hass, "binary_sensor.server_clipping") == "on"
    assert issue_keys(hass) == {key}
    (issue,) = ir.async_get(hass).issues.values()
    assert issue.learn_more_url is not None
    assert issue.learn_more_url.endswith("#" + key[3:].replace("_", "-"))
    rack.chip.inputs[0] = rack.signal("A0", 1.65 if wiring == "biased" else 0.0)
    rack.amps["A0"] = 0.2
    await rack.sweep(4)
    assert value(hass, POWER) == pytest.approx(46, rel=0.003)
    assert issue_keys(hass) == {key}
    await rack.sweep(2)
    assert issue_keys(hass) == set()


async def test_counter_goes_on_after_a_reload(hass: HomeAssistant, rack: Rack) -> None:
    """A reload keeps what was counted, to the last sweep."""
    entry = board_entry(channel())
    coordinator = await set_up(hass, entry)
    await rack.sweep(40)
    counted = coordinator.total.energy_wh
    assert counted == pytest.approx(230 * 40 / 3600, rel=0.05)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.runtime_data is not coordinator
    assert entry.runtime_data.data.energy == counted
    (channel_,) = entry.runtime_data.channels.values()
    assert channel_.counter.energy_wh == pytest.approx(counted)


async def test_a_kill_costs_less_than_30_s(hass: HomeAssistant, rack: Rack) -> None:
    """At any moment the store knows all but the last 30 s."""
    entry = board_entry(channel())
    coordinator = await set_up(hass, entry)
    worst = 0.0
    for _ in range(30):
        await rack.sweep()
        assert coordinator.data.energy <= coordinator.total.energy_wh
        stored = await coordinator._store.async_load_counter(entry.entry_id)
        kept = stored.energy_wh if stored else 0.0
        # what is shown would be there after a kill: the counter never falls
        assert coordinator.data.energy <= kept
        missing = coordinator.total.energy_wh - kept
        worst = max(worst, missing / 230 * 3600)
    # the store itself writes within half a second
    assert 5 < worst < 15


async def test_stop_of_home_assistant(hass: HomeAssistant, rack: Rack) -> None:
    """When Home Assistant stops, the thread ends and the last state is stored."""
    entry = board_entry(channel())
    coordinator = await set_up(hass, entry)
    await rack.sweep(15)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    assert rack.samplers == []
    stored = await coordinator._store.async_load_counter(entry.entry_id)
    assert stored is not None
    assert stored.energy_wh == coordinator.total.energy_wh > 0
    await coordinator.async_close()


async def test_late_news_of_a_closed_board(hass: HomeAssistant, rack: Rack) -> None:
    """What the thread still had to say when the entry was unloaded is not heard."""
    entry = board_entry(channel())
    coordinator = await set_up(hass, entry)
    board = coordinator._board
    assert board is not None
    assert await hass.config_entries.async_unload(entry.entry_id)
    before = coordinator.total
    board.on_sweep(coordinator._sweep)
    board.on_failure(OSError())
    await hass.async_block_till_done()
    assert coordinator.total is before
    assert coordinator.connected


async def test_two_boards_share_a_thread(hass: HomeAssistant, rack: Rack) -> None:
    """Boards of one bus are read by one thread, which outlives either of them."""
    rack.bus.chips[0x49] = Ads1115([load(0.3)] * 4, rack.clock)
    first, second = (
        board_entry(channel()),
        board_entry(channel(name="Fan"), address=0x49),
    )
    await set_up(hass, first)
    await set_up(hass, second)
    assert len(rack.samplers) == 1
    assert await hass.config_entries.async_unload(first.entry_id)
    rack.amps["A0"] = 0.0
    await rack.sweep(11)
    assert value(hass, "sensor.fan_power_estimate") == pytest.approx(69, rel=0.003)
    assert await hass.config_entries.async_unload(second.entry_id)
    assert rack.samplers == []


async def test_set_zero(hass: HomeAssistant, rack: Rack) -> None:
    """The button takes what an open clamp shows for nothing."""
    signal = rack.signal("A0")
    signal.hum = 0.001
    rack.chip.inputs[0] = signal
    rack.amps["A0"] = 0.0
    entry = board_entry(channel())
    await set_up(hass, entry)
    assert value(hass, "sensor.server_current") == pytest.approx(0.003, rel=0.05)
    await press_zero(hass, rack)
    (subentry,) = entry.subentries.values()
    assert subentry.data["zero"] == pytest.approx(0.001, rel=0.02)
    assert value(hass, "sensor.server_current") == 0
    rack.amps["A0"] = 0.01
    await rack.sweep()
    assert value(hass, "sensor.server_current") == pytest.approx(0.01, rel=0.02)


async def test_set_zero_with_a_load(hass: HomeAssistant, rack: Rack) -> None:
    """A current is not taken for nothing."""
    entry = board_entry(channel())
    await set_up(hass, entry)
    with pytest.raises(HomeAssistantError) as caught:
        await press_zero(hass, rack)
    assert caught.value.translation_key == "zero_with_current"
    assert caught.value.translation_placeholders == {"current": "1.00"}


@pytest.mark.parametrize("silent", [True, False])
async def test_set_zero_without_a_reading(
    hass: HomeAssistant,
    rack: Rack,
    monkeypatch: pytest.MonkeyPatch,
    silent: bool,
) -> None:
    """Without a reading there is no zero."""
    if silent:
        monkeypatch.setattr(module, "ZERO_TIMEOUT", 0.01)
    rack.amps["A0"] = 6.0
    coordinator = await set_up(hass, board_entry(channel()))
    (key,) = coordinator.channels
    if silent:
        with pytest.raises(HomeAssistantError) as caught:
            await coordinator.async_set_zero(key)
    else:
        with pytest.raises(HomeAssistantError) as caught:
            await press_zero(hass, rack)
    assert caught.value.translation_key == "zero_without_reading"
    assert coordinator._waiting == []


async def test_diagnostics(hass: HomeAssistant, rack: Rack) -> None:
    """The file tells the last sweep and the gaps."""
    entry = board_entry(channel())
    await set_up(hass, entry)
    rack.chip.ready = False
    await rack.sweep(2)
    told = await async_get_config_entry_diagnostics(hass, entry)
    assert told["details"]["failure"] == "not_sound"
    (clamp,) = told["details"]["sweep"]["clamps"].values()
    assert clamp["current"] == pytest.approx(1, rel=0.003)
    assert told["details"]["gaps"] == {"Server": [0, 0.0]}


async def test_real_thread(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In real time the thread reads, and ends with the entry."""
    clock = RealClock()
    chip = Ads1115([load(1.0)] * 4, clock)
    monkeypatch.setattr(
        i2c, "open_node", opener({PATH: I2CBus({ADDRESS: chip}, clock)})
    )
    entry = board_entry(channel())
    coordinator = await set_up(hass, entry)
    names = [thread.name for thread in threading.enumerate()]
    assert f"rackwatt {PATH}" in names
    assert value(hass, POWER) == pytest.approx(230, rel=0.02)
    await until(lambda: coordinator.total.energy_wh > 0)
    assert await hass.config_entries.async_unload(entry.entry_id)
    names = [thread.name for thread in threading.enumerate()]
    assert f"rackwatt {PATH}" not in names
