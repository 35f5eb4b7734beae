"""Adding, changing and tuning a 1-Wire tree."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr

from .conftest import probe, refresh, set_up, value_of
from custom_components.rackwatt.requirements import (
    W1THERMSENSOR,
    RequirementMissingError,
)
from demo.rack.one_wire import BusMaster, OneWireTree

KIND = "temperature_probe"


async def choose(hass: HomeAssistant) -> ConfigFlowResult:
    """Choose the source from the menu."""
    flow = await hass.config_entries.flow.async_init(
        "rackwatt", context={"source": "user"}
    )
    assert flow["type"] is FlowResultType.MENU
    return await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"next_step_id": KIND}
    )


async def submit(
    hass: HomeAssistant, flow: ConfigFlowResult, path: Path | str
) -> ConfigFlowResult:
    """Give a path."""
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"path": str(path)}
    )
    await hass.async_block_till_done()
    return result


async def test_add(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """A tree is added by its path."""
    one = probe(1)
    bus.plug(one)
    form = await choose(hass)
    assert form["type"] is FlowResultType.FORM
    assert form["data_schema"] is not None
    assert form["data_schema"]({}) == {"path": "/sys/bus/w1/devices"}
    # a slash at the end is the same folder
    result = await submit(hass, form, f" {tree.path}/ ")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "1-Wire"
    assert result["data"] == {"kind": KIND, "path": str(tree.path)}
    assert value_of(hass, one) == "21.5"
    again = await submit(hass, await choose(hass), tree.path)
    assert again["type"] is FlowResultType.ABORT
    assert again["reason"] == "already_configured"


def missing(tree: OneWireTree) -> Path:
    """No such path."""
    return tree.path / "missing"


def no_folder(tree: OneWireTree) -> Path:
    """A path that is no folder."""
    (tree.path / "file").touch()
    return tree.path / "file"


def other_folder(tree: OneWireTree) -> Path:
    """A folder that is no 1-Wire tree."""
    return tree.path.parent


def no_master(tree: OneWireTree) -> Path:
    """The driver's own folder, before a bus is there."""
    return tree.path


def empty_bus(tree: OneWireTree) -> Path:
    """A bus without probes."""
    tree.add_bus()
    return tree.path


def only_phantoms(tree: OneWireTree) -> Path:
    """A bus that finds noise."""
    tree.add_bus().add_phantoms("00-400000000000")
    return tree.path


def no_driver(tree: OneWireTree) -> Path:
    """Probes that w1_therm has not taken over."""
    folder = tree.add_bus().folder / "28-000000000001"
    folder.mkdir()
    (folder / "rw").touch()
    return tree.path


@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        (missing, "no_such_path"),
        (no_folder, "no_bus_master"),
        (other_folder, "no_bus_master"),
        (no_master, "no_bus_master"),
        (empty_bus, "no_probes"),
        (only_phantoms, "only_phantoms"),
        (no_driver, "driver_missing"),
    ],
)
async def test_wrong_path(
    hass: HomeAssistant, tree: OneWireTree, prepare: Any, error: str
) -> None:
    """Each wrong path has its sentence, and the form can be corrected."""
    flow = await submit(hass, await choose(hass), prepare(tree))
    assert flow["type"] is FlowResultType.FORM
    assert flow["errors"] == {"path": error}
    bus = tree.add_bus()
    bus.plug(probe(2))
    result = await submit(hass, flow, tree.path)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (PermissionError(13, "Permission denied"), "path_forbidden"),
        (OSError(5, "Input/output error"), "path_unreadable"),
    ],
)
async def test_unreadable_path(
    hass: HomeAssistant, tree: OneWireTree, raised: OSError, error: str
) -> None:
    """What root never sees in a test: a folder that may not, or cannot, be read."""
    module = "custom_components.rackwatt.temperature_probe.flow"
    with patch(f"{module}.find_buses", side_effect=raised):
        flow = await submit(hass, await choose(hass), tree.path)
    assert flow["errors"] == {"path": error}


async def test_library_missing(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """Without the library nothing can be read, and the form says so."""
    bus.plug(probe(1))
    with patch(
        "custom_components.rackwatt.temperature_probe.flow.async_require",
        side_effect=RequirementMissingError(W1THERMSENSOR, OSError("no network")),
    ):
        flow = await submit(hass, await choose(hass), tree.path)
    assert flow["errors"] == {"base": "requirement_missing"}
    assert flow["description_placeholders"] == {
        "package": "w1thermsensor>=2.3,<3",
        "reason": "no network",
    }


async def test_reconfigure(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """The path can be changed; a wrong one changes nothing."""
    one = probe(1)
    bus.plug(one)
    entry = await set_up(hass, tree)
    form = await entry.start_reconfigure_flow(hass)
    assert form["step_id"] == KIND
    wrong = await submit(hass, form, tree.path / "missing")
    assert wrong["errors"] == {"path": "no_such_path"}
    assert entry.data["path"] == str(tree.path)
    result = await submit(hass, wrong, bus.folder)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {"kind": KIND, "path": str(bus.folder)}
    assert value_of(hass, one) == "21.5"


async def test_options(hass: HomeAssistant, tree: OneWireTree, bus: BusMaster) -> None:
    """Interval, resolution and an offset for each probe can be set, and unset."""
    one, two = probe(1), probe(2)
    bus.plug(one, two)
    entry = await set_up(hass, tree, offsets={"28-00000000dead": 2.0})
    registry = dr.async_get(hass)
    device = registry.async_get_device_by_identifier(
        ("rackwatt", one.probe_id), entry.entry_id
    )
    assert device is not None
    registry.async_update_device(device.id, name_by_user="Top of the rack")
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert form["step_id"] == KIND
    top = f"Top of the rack ({one.probe_id})"
    result = await hass.config_entries.options.async_configure(
        form["flow_id"],
        {
            "poll_interval": 45.0,
            "resolution": "11",
            "offsets": {top: -0.5, two.probe_id: 0, "28-00000000dead": 2.0},
        },
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {
        "poll_interval": 45,
        "resolution": 11,
        "offsets": {one.probe_id: -0.5, "28-00000000dead": 2.0},
    }
    await refresh(hass, entry)
    assert value_of(hass, one) == "21.0"
    form = await hass.config_entries.options.async_init(entry.entry_id)
    await hass.config_entries.options.async_configure(
        form["flow_id"],
        {"poll_interval": 30, "resolution": "12", "offsets": {}},
    )
    await hass.async_block_till_done()
    assert entry.options["offsets"] == {}
    assert value_of(hass, one) == "21.5"


async def test_options_without_probes(
    hass: HomeAssistant, tree: OneWireTree, bus: BusMaster
) -> None:
    """An empty bus has an interval and a resolution all the same."""
    entry = await set_up(hass, tree)
    form = await hass.config_entries.options.async_init(entry.entry_id)
    await hass.config_entries.options.async_configure(
        form["flow_id"], {"poll_interval": 5, "resolution": "9"}
    )
    assert entry.options == {"poll_interval": 5, "resolution": 9, "offsets": {}}
