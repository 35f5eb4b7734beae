"""Test the steps that add a board and its channels."""

from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData

from .conftest import CHANNEL, Rack, board_entry, channel, set_up, value
from .rig import PATH, load
from custom_components.rackwatt.ct_clamp import flow as module
from custom_components.rackwatt.requirements import ADS1X15, RequirementMissingError
from demo.rack.ads1115 import Ads1115

BOARD = {"bus": PATH, "address": "72", "mains_frequency": "50"}


@pytest.fixture(autouse=True)
def _found_buses(monkeypatch: pytest.MonkeyPatch, rack: Rack) -> None:
    """Let the machine have the rack's bus, and the probe the rack's time."""
    monkeypatch.setattr(module, "find_buses", lambda: [PATH])
    monkeypatch.setattr(
        module,
        "Converter",
        lambda i2c, address: _Converter(
            i2c, address, monotonic=rack.clock.monotonic, sleep=rack.clock.sleep
        ),
    )
    monkeypatch.setattr(
        module, "I2C", lambda path: _I2C(path, monotonic=rack.clock.monotonic)
    )


_Converter, _I2C = module.Converter, module.I2C


async def add_board(hass: HomeAssistant, **changes: Any) -> ConfigFlowResult:
    """Go through the menu to the board, and answer."""
    result = await hass.config_entries.flow.async_init(
        "rackwatt", context={"source": SOURCE_USER}
    )
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {"next_step_id": "ct_clamp"}
    )
    assert result["type"] is FlowResultType.FORM
    return await hass.config_entries.flow.async_configure(
        result["flow_id"], BOARD | changes
    )


@pytest.mark.parametrize("address", ["72", 72])
async def test_add_board(hass: HomeAssistant, rack: Rack, address: str | int) -> None:
    """A board that answers becomes an entry."""
    result = await add_board(hass, address=address)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "CT clamps i2c-1 0x48"
    assert result["data"] == {
        "kind": "ct_clamp",
        "bus": PATH,
        "address": 72,
        "mains_frequency": "50",
    }
    await hass.async_block_till_done()
    assert result["result"].state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    ("country", "frequency"), [("US", "60"), ("DK", "50"), (None, "50")]
)
async def test_suggestions(
    hass: HomeAssistant, country: str | None, frequency: str
) -> None:
    """The form suggests the bus that there is and the country's frequency."""
    hass.config.country = country
    result = await hass.config_entries.flow.async_init(
        "rackwatt", context={"source": SOURCE_USER}
    )
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {"next_step_id": "ct_clamp"}
    )
    assert result["data_schema"]({}) == BOARD | {"mains_frequency": frequency}


def test_find_buses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The buses are the device files; without any the usual name is suggested."""
    for name in ("i2c-1", "i2c-0", "video0"):
        (tmp_path / name).touch()
    monkeypatch.undo()
    monkeypatch.setattr(module, "Path", lambda path: tmp_path)
    assert module.find_buses() == [str(tmp_path / "i2c-0"), str(tmp_path / "i2c-1")]
    assert module.board_schema([], "50")({})["bus"] == module.DEFAULT_BUS


@pytest.mark.parametrize(
    ("fault", "field", "error"),
    [
        ("unplugged", "bus", "bus_missing"),
        ("denied", "bus", "bus_denied"),
        ("owned", "address", "address_busy"),
        ("absent", "address", "no_chip"),
        ("silent", "address", "not_sound"),
        ("offline", "base", "requirement_missing"),
    ],
)
async def test_what_goes_wrong_is_told_and_can_be_mended(
    hass: HomeAssistant,
    rack: Rack,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    field: str,
    error: str,
) -> None:
    """Each failure is a sentence at its field, and the form goes on."""

    def deny(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    async def be_offline(*args: Any) -> None:
        raise RequirementMissingError(ADS1X15, OSError("no network"))

    with monkeypatch.context() as patch:
        if fault == "unplugged":
            patch.setattr(rack.bus, "plugged", False)
        elif fault == "denied":
            patch.setattr("custom_components.rackwatt.ct_clamp.i2c.open_node", deny)
        elif fault == "owned":
            patch.setattr(rack.bus, "owned", {72})
        elif fault == "absent":
            patch.setattr(rack.chip, "present", False)
        elif fault == "silent":
            patch.setattr(rack.chip, "ready", False)
        else:
            patch.setattr(module, "async_require", be_offline)
        result = await add_board(hass)
    assert result["errors"] == {field: error}
    if fault == "offline":
        assert result["description_placeholders"]["reason"] == "no network"
    result = await hass.config_entries.flow.async_configure(result["flow_id"], BOARD)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_board_twice(hass: HomeAssistant, rack: Rack) -> None:
    """A board is set up once; another address on the bus is another board."""
    await set_up(hass, board_entry())
    result = await add_board(hass)
    assert (result["type"], result["reason"]) == (
        FlowResultType.ABORT,
        "already_configured",
    )
    rack.bus.chips[0x49] = Ads1115([load(1)] * 4, rack.clock)
    result = await add_board(hass, address="73")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_reconfigure(hass: HomeAssistant, rack: Rack) -> None:
    """Another address is tried first; another frequency alone is not."""
    entry = board_entry(channel())
    await set_up(hass, entry)
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], BOARD | {"address": "73"}
    )
    assert result["errors"] == {"address": "no_chip"}
    rack.bus.chips[0x49] = Ads1115([load(0.5)] * 4, rack.clock)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], BOARD | {"address": "73"}
    )
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["address"] == 73
    assert value(hass, "sensor.server_current") == pytest.approx(0.5, rel=0.003)

    result = await entry.start_reconfigure_flow(hass)
    assert result["data_schema"]({"bus": PATH})["address"] == "72"
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], BOARD | {"address": "73", "mains_frequency": "60"}
    )
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["mains_frequency"] == "60"


async def start_channel(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Begin to add a channel."""
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, "ct_channel"), context={"source": SOURCE_USER}
    )


async def test_add_channel(hass: HomeAssistant, rack: Rack) -> None:
    """A channel is added while the board is read; what cannot be is told."""
    entry = board_entry(channel())
    await set_up(hass, entry)
    configure = hass.config_entries.subentries.async_configure
    result = await start_channel(hass, entry)
    answer = CHANNEL | {"name": "Switch"}
    result = await configure(result["flow_id"], answer)
    assert result["errors"] == {"input": "input_taken"}
    result = await configure(result["flow_id"], answer | {"input": "A0-A1"})
    assert result["errors"] == {"wiring": "wiring_mismatch"}
    result = await configure(
        result["flow_id"], answer | {"input": "A1", "wiring": "differential"}
    )
    assert result["errors"] == {"wiring": "wiring_mismatch"}
    result = await configure(result["flow_id"], answer | {"input": "A1"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["range"] == "auto"
    await hass.async_block_till_done()
    assert value(hass, "sensor.switch_current") == pytest.approx(0.5, rel=0.003)


async def test_channel_without_a_name(hass: HomeAssistant, rack: Rack) -> None:
    """A field that is missing is no traceback."""
    entry = board_entry()
    await set_up(hass, entry)
    result = await start_channel(hass, entry)
    with pytest.raises(InvalidData):
        await hass.config_entries.subentries.async_configure(
            result["flow_id"], {"input": "A0"}
        )


async def change(
    hass: HomeAssistant, entry: MockConfigEntry, step: str
) -> dict[str, Any]:
    """Begin to change or calibrate the first channel."""
    (subentry_id,) = entry.subentries
    result = await entry.start_subentry_reconfigure_flow(hass, subentry_id)
    assert result["menu_options"] == ["channel", "calibrate"]
    return await hass.config_entries.subentries.async_configure(
        result["flow_id"], {"next_step_id": step}
    )


async def test_change_channel(hass: HomeAssistant, rack: Rack) -> None:
    """Settings are changed; the zero stays with its input and goes with another."""
    entry = board_entry(channel(zero=0.0005))
    await set_up(hass, entry)
    configure = hass.config_entries.subentries.async_configure
    result = await change(hass, entry, "channel")
    result = await configure(
        result["flow_id"], CHANNEL | {"turns": 1500, "range": "4096"}
    )
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    (subentry,) = entry.subentries.values()
    assert subentry.data["zero"] == 0.0005
    assert value(hass, "sensor.server_current") == pytest.approx(0.5, rel=0.003)

    result = await change(hass, entry, "channel")
    await configure(result["flow_id"], CHANNEL | {"input": "A1"})
    await hass.async_block_till_done()
    (subentry,) = entry.subentries.values()
    assert (subentry.data["zero"], subentry.unique_id) == (0.0, "A1")


async def test_calibrate(hass: HomeAssistant, rack: Rack) -> None:
    """Several known loads give factor and offset, and the error that is left."""
    entry = board_entry(channel())
    await set_up(hass, entry)
    await rack.sweep(11)
    configure = hass.config_entries.subentries.async_configure
    result = await change(hass, entry, "calibrate")
    assert result["description_placeholders"]["current"] == "1.000 A"
    result = await configure(result["flow_id"], {"true_power": 1.1 * 230 + 4.6})
    assert result["type"] is FlowResultType.MENU
    placeholders = result["description_placeholders"]
    assert float(placeholders["gain"]) == pytest.approx(1.12, abs=0.003)
    assert placeholders["offset"] == "+0.0"

    for amps in (0.2, 3.0):
        rack.amps["A0"] = amps
        await rack.sweep(11)
        hass.states.async_set(
            "sensor.plug",
            (1.1 * amps * 230 + 4.6) / 1000,
            {"unit_of_measurement": "kW"},
        )
        result = await configure(result["flow_id"], {"next_step_id": "calibrate"})
        result = await configure(result["flow_id"], {"reference_entity": "sensor.plug"})
    placeholders = result["description_placeholders"]
    assert placeholders["count"] == "3"
    assert placeholders["points"].count("→") == 3
    assert float(placeholders["residual"]) < 0.3
    result = await configure(result["flow_id"], {"next_step_id": "save_calibration"})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    (subentry,) = entry.subentries.values()
    assert subentry.data["calibration"] == pytest.approx(1.1, abs=0.003)
    assert subentry.data["calibration_offset"] == pytest.approx(0.02, abs=0.001)
    assert value(hass, "sensor.server_current") == pytest.approx(3.32, rel=0.003)


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        ({}, None, "no_reference"),
        ({"reference_entity": "sensor.plug"}, None, "no_reference"),
        ({"reference_entity": "sensor.plug"}, "unavailable", "no_reference"),
        ({"reference_entity": "sensor.plug"}, "0", "no_reference"),
        ({"reference_entity": "sensor.plug"}, "nan", "no_reference"),
        ({"true_power": 5000}, None, "implausible"),
    ],
)
async def test_calibrate_with_a_bad_reference(
    hass: HomeAssistant,
    rack: Rack,
    answer: dict[str, Any],
    state: str | None,
    error: str,
) -> None:
    """What cannot be a reference is told, and costs no point."""
    entry = board_entry(channel())
    await set_up(hass, entry)
    await rack.sweep(11)
    if state is not None:
        hass.states.async_set("sensor.plug", state, {"unit_of_measurement": "W"})
    result = await change(hass, entry, "calibrate")
    result = await hass.config_entries.subentries.async_configure(
        result["flow_id"], answer
    )
    assert result["errors"] == {"base": error}


@pytest.mark.parametrize("fault", ["no load", "board away", "not loaded"])
async def test_calibrate_without_a_reading(
    hass: HomeAssistant, rack: Rack, fault: str
) -> None:
    """Without a current there is nothing to calibrate."""
    rack.amps["A0"] = 0.0
    entry = board_entry(channel())
    await set_up(hass, entry)
    if fault == "board away":
        rack.chip.present = False
        await rack.sweep()
    if fault == "not loaded":
        assert await hass.config_entries.async_unload(entry.entry_id)
    result = await change(hass, entry, "calibrate")
    if fault == "not loaded":
        assert result["description_placeholders"] == {"power": "–", "current": "–"}
    result = await hass.config_entries.subentries.async_configure(
        result["flow_id"], {"true_power": 100}
    )
    assert result["errors"] == {"base": "no_reading"}


async def test_change_channel_of_an_entry_that_is_not_loaded(
    hass: HomeAssistant, rack: Rack
) -> None:
    """A change loads the entry at once, rather than at its next try."""
    entry = board_entry(channel())
    await set_up(hass, entry)
    assert await hass.config_entries.async_unload(entry.entry_id)
    result = await change(hass, entry, "channel")
    await hass.config_entries.subentries.async_configure(result["flow_id"], CHANNEL)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
