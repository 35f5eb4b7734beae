"""A 1-Wire tree whose bus is five hundred times as fast as a real one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er

from custom_components.rackwatt.temperature_probe.coordinator import (
    TemperatureProbeCoordinator,
)
from demo.rack.one_wire import BusMaster, OneWireTree, Probe

SPEED = 500


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[OneWireTree]:
    """Return a tree without a bus."""
    with OneWireTree(tmp_path / "sys", speed=SPEED) as tree:
        yield tree


@pytest.fixture
def bus(tree: OneWireTree) -> BusMaster:
    """Return the first bus of the tree, which has no probe yet."""
    return tree.add_bus()


def probe(
    number: int, celsius: float = 21.5, family: str = "28", **changes: Any
) -> Probe:
    """Return a probe at a steady temperature."""
    return Probe(probe_id=f"{family}-{number:012x}", celsius=lambda: celsius, **changes)


async def add_tree(hass: HomeAssistant, path: Path, **options: Any) -> MockConfigEntry:
    """Set up a tree by its path."""
    entry = MockConfigEntry(
        domain="rackwatt",
        title="1-Wire",
        data={"kind": "temperature_probe", "path": str(path)},
        options=options,
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def set_up(
    hass: HomeAssistant, tree: OneWireTree, **options: Any
) -> MockConfigEntry:
    """Set up a tree."""
    return await add_tree(hass, tree.path, **options)


def coordinator_of(entry: MockConfigEntry) -> TemperatureProbeCoordinator:
    """Return the coordinator of an entry."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, TemperatureProbeCoordinator)
    return coordinator


async def refresh(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Read the tree once more."""
    await coordinator_of(entry).async_refresh()
    await hass.async_block_till_done()


def state_of(hass: HomeAssistant, unique_id: str) -> State | None:
    """Return the state of a sensor by its unique id, whatever its name."""
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id("sensor", "rackwatt", unique_id)
    return hass.states.get(entity_id) if entity_id else None


def value_of(hass: HomeAssistant, probe: Probe, key: str = "temperature") -> str | None:
    """Return what a sensor of a probe shows."""
    state = state_of(hass, f"{probe.probe_id}_{key}")
    return None if state is None else state.state
