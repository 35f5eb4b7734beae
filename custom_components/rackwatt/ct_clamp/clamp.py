"""What the voltage of a clamp says about the current through it, and what it cannot say."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from .rms import Wave, fit_wave

# The inputs as the converter's multiplexer numbers them (data sheet)
INPUTS: Mapping[str, int] = {
    "A0-A1": 0,
    "A0-A3": 1,
    "A1-A3": 2,
    "A2-A3": 3,
    "A0": 4,
    "A1": 5,
    "A2": 6,
    "A3": 7,
}
# Full scale of the amplifier (V) by its gain (data sheet)
GAINS: Mapping[float, float] = {
    2 / 3: 6.144,
    1: 4.096,
    2: 2.048,
    4: 1.024,
    8: 0.512,
    16: 0.256,
}

# A pin's diode conducts at 0.3 V below ground, and conversions show up to 6 % less than
# the peak of a 3 ms pulse.
_LOWEST_UNBIASED = -0.25
# Beyond the supply the diodes are near; what is measured there is about to be clipped.
_BEYOND_SUPPLY = 0.15
# Half of 5 V lies above this, half of 3.3 V below, each with some of the resistors' error
_BIAS_OF_5_V = 2.1
_LOWEST_BIAS, _HIGHEST_BIAS = 1.2, 3.0
_SUPPLIES = (3.3, 5.0)
# Between two biased pins, or on a clamp without bias, there is no constant part beyond
# leakage and the converter's offset.
_LARGEST_REST = 0.1
# The supply cannot be seen between two pins; half of 3.3 V and what is beyond it.
_LARGEST_DIFFERENCE = 1.8
# Head room for the next window: a load may rise by half without being taken again.
_HEAD_ROOM = 1.5
# Twice the floor: what stays below cannot be told from noise.
_SIGNIFICANT = 2.0
# The shape of a wave is worth telling from five times the floor.
_SHAPE_FROM = 5.0


class Wiring(StrEnum):
    """How a clamp is connected."""

    BIASED = "biased"
    UNBIASED = "unbiased"
    DIFFERENTIAL = "differential"


class Fault(StrEnum):
    """Why a voltage does not tell the current."""

    OUT_OF_RANGE = "out_of_range"
    CLIPPING = "clipping"
    WRONG_BIAS = "wrong_bias"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The samples of one input over a short time."""

    times: list[float]
    volts: list[float]
    conversion: float
    """How long a conversion took (s)."""
    full_scale: float
    saturated: bool = False
    dropped: int = 0
    """Samples whose moment was not known."""

    @property
    def step(self) -> float:
        """Return what one code is worth (V)."""
        return self.full_scale / 32768


@dataclass(frozen=True, slots=True, kw_only=True)
class ClampReading:
    """What one window says about a clamp."""

    current: float | None
    """Effective current (A); None where the voltage does not tell."""
    uncalibrated: float | None
    """The same before calibration."""
    volts: float
    """Effective voltage at the input, noise included."""
    offset: float
    """Constant voltage at the input."""
    noise: float
    """Effective voltage that no harmonic of the mains explains."""
    crest_factor: float | None
    distortion: float | None
    """Harmonics as a share of the fundamental."""
    fault: Fault | None
    time: float
    """The middle of the window on the clock of the samples (s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp:
    """A current clamp at an input of the converter."""

    source: str
    wiring: Wiring = Wiring.BIASED
    turns: float = 3000
    burden_ohm: float = 1000
    calibration: float = 1.0
    calibration_offset: float = 0.0
    """What is added after the factor (A)."""
    zero: float = 0.0
    """Effective voltage without a current (V)."""
    gain: float | None = None
    """The amplifier's gain; None: as the signal asks for."""

    @property
    def amps_per_volt(self) -> float:
        """Return the current that one volt across the burden stands for."""
        return self.turns / self.burden_ohm

    def read(self, window: Window, frequency: float) -> tuple[ClampReading, Wave]:
        """Return what a window says."""
        wave = fit_wave(
            window.times,
            window.volts,
            frequency=frequency,
            conversion=window.conversion,
        )
        floor = max(self.zero, window.step)
        fault = self.fault(window, wave)
        raw = None if fault else self._uncalibrated(wave, floor)
        shaped = raw and wave.rms > _SHAPE_FROM * floor
        reading = ClampReading(
            current=None if raw is None else self._calibrated(raw),
            uncalibrated=raw,
            volts=wave.rms,
            offset=wave.mean,
            noise=wave.noise,
            crest_factor=wave.crest_factor if shaped else None,
            distortion=wave.distortion if shaped else None,
            fault=fault,
            time=(window.times[0] + window.times[-1]) / 2,
        )
        return reading, wave

    def _uncalibrated(self, wave: Wave, floor: float) -> float:
        """Return the current of the formula; noise adds up as squares."""
        if wave.rms < _SIGNIFICANT * floor:
            return 0.0
        return sqrt(wave.rms**2 - self.zero**2) * self.amps_per_volt

    def _calibrated(self, raw: float) -> float:
        """Return the calibrated current; nothing stays nothing."""
        if not raw:
            return 0.0
        return max(0.0, raw * self.calibration + self.calibration_offset)

    def fault(self, window: Window, wave: Wave) -> Fault | None:
        """Return why the voltage does not tell the current."""
        if self.wiring is Wiring.UNBIASED:
            if abs(wave.mean) > _LOWEST_BIAS / 2:
                return Fault.WRONG_BIAS
            if wave.lowest < _LOWEST_UNBIASED or window.saturated:
                return Fault.OUT_OF_RANGE
            return Fault.WRONG_BIAS if abs(wave.mean) > _LARGEST_REST else None
        if self.wiring is Wiring.BIASED:
            if not _LOWEST_BIAS < wave.mean < _HIGHEST_BIAS:
                return Fault.WRONG_BIAS
            supply = _SUPPLIES[wave.mean > _BIAS_OF_5_V]
            inside = (
                wave.lowest > -_BEYOND_SUPPLY and wave.highest < supply + _BEYOND_SUPPLY
            )
            return None if inside and not window.saturated else Fault.CLIPPING
        if window.saturated or wave.peak > _LARGEST_DIFFERENCE:
            return Fault.CLIPPING
        return Fault.WRONG_BIAS if abs(wave.mean) > _LARGEST_REST else None

    def next_gain(self, wave: Wave) -> float:
        """Return the highest gain that leaves head room over what was just seen."""
        if self.gain is not None:
            return self.gain
        needed = abs(wave.mean) + _HEAD_ROOM * wave.peak
        return max(
            (gain for gain, scale in GAINS.items() if scale > needed),
            default=min(GAINS),
        )
