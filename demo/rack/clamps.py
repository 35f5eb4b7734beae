"""Four clamps on an ADS1115: a server, a switch, a fan and a spare cable.

The converter and its bus live inside Home Assistant's process, where the device file of
a real bus would be (see `demo.inside`); what reads them there is the ordinary code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
import time
from typing import ClassVar

from .ads1115 import Ads1115, I2CBus, I2CNode, opener
from .blip import watts_at
from .clock import RealClock
from .part import Consumer, Past
from .waveforms import PFC, SINE, ClampSignal, Waveform, pulses
from demo.client import Client

BUS = "/dev/i2c-1"
ADDRESS = 72
MAINS_VOLTAGE = 230.0
# Chips are off by up to 10 %; this one is slow
RATE_ERROR = -0.043


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a cable feeds."""

    name: str
    source: str
    waveform: Waveform
    power_factor: float
    watts: Callable[[datetime], float]

    @property
    def slug(self) -> str:
        """Return the name as entity ids have it."""
        return self.name.lower().replace(" ", "_")

    def amps_now(self, monotonic: float) -> float:
        """Return the effective current at a time of the machine's clock."""
        stamp = time.time() - time.monotonic() + monotonic
        watts = self.watts(datetime.fromtimestamp(stamp, UTC))
        return watts / MAINS_VOLTAGE / self.power_factor


LOADS = (
    Load(
        name="Server supply",
        source="A0",
        waveform=PFC,
        power_factor=0.98,
        watts=lambda moment: 0.62 * watts_at(moment),
    ),
    Load(
        name="Switch supply",
        source="A1",
        waveform=pulses(3, 50),
        power_factor=0.6,
        watts=lambda moment: 18 + 0.012 * watts_at(moment),
    ),
    Load(
        name="Fan supply",
        source="A2",
        waveform=SINE,
        power_factor=0.9,
        watts=lambda moment: 6 + 0.02 * watts_at(moment),
    ),
    Load(
        name="Spare cable",
        source="A3",
        waveform=SINE,
        power_factor=1.0,
        watts=lambda moment: 0.0,
    ),
)


def clamp_bus() -> Callable[[str], I2CNode]:
    """Return what opens the bus that the clamps' converter is on."""
    clock = RealClock()
    inputs = [
        ClampSignal(
            waveform=load.waveform,
            amps=load.amps_now,
            bias=1.65,
            frequency=50.02,
            phase=place / 7,
            hum=0.0002,
        )
        for place, load in enumerate(LOADS)
    ]
    chip = Ads1115(inputs, clock, rate_error=RATE_ERROR, noise=1, random=Random())
    return opener({BUS: I2CBus({ADDRESS: chip}, clock)})


class Clamps:
    """The board of the clamps, as far as its entries go: it needs no process."""

    name: ClassVar[str] = "ct_clamp"

    def __init__(self, directory: Path) -> None:
        """Take no directory: nothing of it lies in the file system."""

    async def start(self) -> None:
        """Need nothing: the bus comes up with Home Assistant."""

    async def stop(self) -> None:
        """Leave nothing: the bus went down with Home Assistant."""

    async def create(self, client: Client) -> None:
        """Add the board and its channels to Home Assistant."""
        created = await client.create_entry(
            {"next_step_id": "ct_clamp"},
            {"bus": BUS, "address": str(ADDRESS), "mains_frequency": "50"},
        )
        if created["type"] != "create_entry":
            return
        for load in LOADS:
            await client.create_subentry(
                created["result"]["entry_id"],
                "ct_channel",
                {
                    "name": load.name,
                    "input": load.source,
                    "wiring": "biased",
                    "turns": 3000,
                    "burden_ohm": 1000,
                    "mains_voltage": MAINS_VOLTAGE,
                    "power_factor": load.power_factor,
                    "calibration": 1.0,
                },
            )

    def past(self) -> tuple[Past, ...]:
        """Return power and energy of each load along the day."""
        powers = (
            Past(
                entity_id=f"sensor.{load.slug}_power_estimate",
                unit="W",
                unit_class="power",
                value=load.watts,
            )
            for load in LOADS
        )
        energies = (
            Past(
                entity_id=f"sensor.{load.slug}_energy",
                unit="kWh",
                unit_class="energy",
                value=_kilowatts(load),
                is_total=True,
            )
            for load in LOADS
        )
        return (*powers, *energies)

    def consumers(self) -> tuple[Consumer, ...]:
        """Return the loads as devices behind the rack's feed."""
        return tuple(
            Consumer(
                name=load.name,
                energy=f"sensor.{load.slug}_energy",
                power=f"sensor.{load.slug}_power_estimate",
            )
            for load in LOADS[:-1]
        )


def _kilowatts(load: Load) -> Callable[[datetime], float]:
    """Return what a load adds to its energy per hour."""
    return lambda moment: load.watts(moment) / 1000
