"""A board of simulated clamps in a real Home Assistant, in the test's own time."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
import threading
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant

from .rig import ADDRESS, BIAS, PATH
from custom_components.rackwatt.ct_clamp import coordinator, i2c
from custom_components.rackwatt.ct_clamp.coordinator import CtClampCoordinator
from custom_components.rackwatt.ct_clamp.sampler import Board, BusSampler
from custom_components.rackwatt.history.store import async_loaded_store
from demo.rack.ads1115 import Ads1115, I2CBus, opener
from demo.rack.clock import VirtualClock
from demo.rack.waveforms import SINE, ClampSignal, Level

CHANNEL = {
    "name": "Server",
    "input": "A0",
    "wiring": "biased",
    "turns": 3000,
    "burden_ohm": 1000,
    "mains_voltage": 230,
    "power_factor": 1.0,
    "calibration": 1.0,
}


@dataclass
class Rack:
    """A bus, its chip, the loads, and the threads that the test runs itself."""

    hass: HomeAssistant
    clock: VirtualClock
    chip: Ads1115
    bus: I2CBus
    amps: dict[str, float]
    samplers: list[BusSampler]

    async def sweep(self, times: int = 1) -> None:
        """Have every bus read, as its thread does each second."""
        for _ in range(times):
            for sampler in self.samplers:
                begin = self.clock.now
                sampler.sweep_all()
                self.clock.sleep(begin + 1 - self.clock.now)
            await self.hass.async_block_till_done()
            # the store's own writer works in real time
            if (store := async_loaded_store(self.hass)) is not None:
                await store.async_flush()

    def signal(self, source: str, bias: float = BIAS) -> ClampSignal:
        """Return the signal of an input, which follows the amps."""
        return ClampSignal(
            waveform=SINE, amps=lambda time: self.amps[source], bias=bias
        )


@pytest.fixture
def rack(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rack]:
    """Return a rack whose thread is the test itself, so that time is the test's."""
    clock = VirtualClock()
    rack = Rack(
        hass,
        clock,
        Ads1115([Level(BIAS)] * 4, clock, random=Random(1)),
        I2CBus({}, clock),
        {"A0": 1.0, "A1": 0.5, "A2": 0.1, "A3": 0.0},
        [],
    )
    rack.chip.inputs = [rack.signal(source) for source in rack.amps]
    rack.bus.chips[ADDRESS] = rack.chip
    monkeypatch.setattr(i2c, "open_node", opener({PATH: rack.bus}))
    monkeypatch.setattr(coordinator, "monotonic", clock.monotonic)
    add, remove = BusSampler.add, BusSampler.remove

    def add_and_sweep(sampler: BusSampler, board: Board) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", lambda thread: None)
            sampler._clock = clock
            add(sampler, board)
            sampler._thread = None
        if sampler not in rack.samplers:
            rack.samplers.append(sampler)
        hass.loop.call_soon(sampler.sweep_all)

    def remove_and_forget(sampler: BusSampler, board: Board) -> bool:
        ended = remove(sampler, board)
        if ended:
            rack.samplers.remove(sampler)
        return ended

    monkeypatch.setattr(BusSampler, "add", add_and_sweep)
    monkeypatch.setattr(BusSampler, "remove", remove_and_forget)
    yield rack
    assert rack.bus.chips


def channel(**changes: Any) -> ConfigSubentryData:
    """Return a channel."""
    data = CHANNEL | changes
    return ConfigSubentryData(
        data=data,
        subentry_type="ct_channel",
        title=data["name"],
        unique_id=data["input"],
    )


def board_entry(
    *channels: ConfigSubentryData, address: int = ADDRESS
) -> MockConfigEntry:
    """Return an entry with its channels."""
    return MockConfigEntry(
        domain="rackwatt",
        title="Clamps",
        data={
            "kind": "ct_clamp",
            "bus": PATH,
            "address": address,
            "mains_frequency": "50",
        },
        subentries_data=channels,
    )


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> CtClampCoordinator:
    """Set an entry up."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    coordinator = entry.runtime_data
    assert isinstance(coordinator, CtClampCoordinator)
    return coordinator


def state(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity."""
    found = hass.states.get(entity_id)
    assert found is not None, hass.states.async_entity_ids()
    return found.state


def value(hass: HomeAssistant, entity_id: str) -> float:
    """Return the state of an entity as a number."""
    return float(state(hass, entity_id))


async def until(condition: Callable[[], bool], timeout: float = 10) -> None:
    """Wait until something holds that a real thread does."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)
