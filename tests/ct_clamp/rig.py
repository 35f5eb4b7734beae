"""A board of simulated clamps under the real library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from custom_components.rackwatt.ct_clamp import i2c
from custom_components.rackwatt.ct_clamp.adc import Converter
from custom_components.rackwatt.ct_clamp.clamp import Clamp, ClampReading
from custom_components.rackwatt.ct_clamp.rms import MainsFrequency
from demo.rack.ads1115 import Ads1115, I2CBus, Signal, opener
from demo.rack.clock import HiccupingClock
from demo.rack.waveforms import SINE, ClampSignal, Level, Waveform

PATH = "/dev/i2c-1"
ADDRESS = 0x48
BIAS = 1.65


@dataclass
class Rig:
    """A bus with one chip, on a clock that jumps."""

    clock: HiccupingClock
    chip: Ads1115
    bus: I2CBus
    random: Random = field(default_factory=lambda: Random(3))

    def i2c(self) -> i2c.I2C:
        """Open the bus."""
        return i2c.I2C(PATH, monotonic=self.clock.monotonic)

    def converter(self) -> Converter:
        """Open the bus and the chip."""
        return Converter(
            self.i2c(),
            ADDRESS,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
            random=self.random,
        )


type MakeRig = Callable[..., Rig]


def make_rig(
    monkeypatch: pytest.MonkeyPatch,
    *inputs: Signal,
    hiccups: float = 0.0,
    rate_error: float = 0.0,
    noise: float = 0.0,
    hertz: float = 100_000,
) -> Rig:
    """Return a rig whose bus is found at its path."""
    signals: Sequence[Signal] = [*inputs, *[Level(BIAS)] * 4][:4]
    clock = HiccupingClock(Random(1), hiccups)
    chip = Ads1115(signals, clock, rate_error=rate_error, noise=noise, random=Random(2))
    bus = I2CBus({ADDRESS: chip}, clock, hertz=hertz)
    monkeypatch.setattr(i2c, "open_node", opener({PATH: bus}))
    return Rig(clock, chip, bus)


def load(
    amps: float,
    waveform: Waveform = SINE,
    *,
    bias: float = BIAS,
    frequency: float = 50,
    hum: float = 0.0,
) -> ClampSignal:
    """Return the signal of a steady load at a burden of 1 kilohm."""
    return ClampSignal(
        waveform=waveform,
        amps=lambda time: amps,
        bias=bias,
        frequency=frequency,
        hum=hum,
    )


def read(
    converter: Converter, clamp: Clamp, count: int = 1, gain: float = 1
) -> list[ClampReading]:
    """Return readings of a clamp, the frequency followed as the sampler does."""
    frequency = MainsFrequency(50)
    readings = []
    for _ in range(count):
        reading, wave = clamp.read(
            converter.sample(clamp.source, gain, 0.25), frequency.value
        )
        frequency.update(wave, 1.0)
        readings.append(reading)
    return readings
