"""Currents as loads draw them, and what a pin of a converter makes of them."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

_STEPS = 4096


class Waveform:
    """One cycle of a current with an effective value of 1, and its running integral."""

    def __init__(self, name: str, shape: Callable[[float], float]) -> None:
        """Tabulate a shape over the cycle from 0 to 1."""
        self.name = name
        raw = [shape((step + 0.5) / _STEPS) for step in range(_STEPS)]
        mean = sum(raw) / _STEPS
        scale = sqrt(sum((value - mean) ** 2 for value in raw) / _STEPS)
        self.values = [(value - mean) / scale for value in raw]
        self._integral = [0.0]
        for value in self.values:
            self._integral.append(self._integral[-1] + value / _STEPS)

    @property
    def crest_factor(self) -> float:
        """Return peak over effective value."""
        return max(map(abs, self.values))

    def at(self, cycles: float) -> float:
        """Return the value at a time in cycles."""
        return self.values[int(cycles % 1 * _STEPS)]

    def mean(self, begin: float, end: float) -> float:
        """Return the mean between two times in cycles."""
        return (self._area(end) - self._area(begin)) / (end - begin)

    def _area(self, cycles: float) -> float:
        """Return the integral from 0; a whole cycle has none."""
        place = cycles % 1 * _STEPS
        step = int(place)
        return self._integral[step] + (place - step) * self.values[step] / _STEPS


def _power_factor_corrected(phase: float) -> float:
    """Return the current of a server's supply: crest 1.38, distortion 16 %."""
    angle = 2 * pi * phase
    return (
        sin(angle)
        + 0.13 * sin(3 * angle + 1)
        + 0.08 * sin(5 * angle + 1)
        + 0.045 * sin(7 * angle + 1)
    )


def _rectifier(width: float) -> Callable[[float], float]:
    """Return pulses of a supply without correction, as wide as a share of the cycle."""

    def shape(phase: float) -> float:
        """Return a half sine around each peak of the voltage."""
        half = phase % 0.5
        sign = 1 if phase < 0.5 else -1
        if abs(half - 0.25) >= width / 2:
            return 0.0
        return sign * cos((half - 0.25) / width * pi)

    return shape


def _dimmer(phase: float) -> float:
    """Return a sine that is switched on in the middle of each half wave."""
    return sin(2 * pi * phase) if phase % 0.5 >= 0.25 else 0.0


SINE = Waveform("sine", lambda phase: sin(2 * pi * phase))
PFC = Waveform("supply with PFC", _power_factor_corrected)
DIMMER = Waveform("dimmer", _dimmer)


def pulses(milliseconds: float, frequency: float) -> Waveform:
    """Return the current of a supply that draws pulses of a length."""
    return Waveform(
        f"pulses of {milliseconds:g} ms", _rectifier(milliseconds / 1000 * frequency)
    )


@dataclass(slots=True, kw_only=True)
class ClampSignal:
    """The voltage of a clamp at a pin, as the pin's diodes and a conversion leave it."""

    waveform: Waveform
    amps: Callable[[float], float]
    """Effective current at a time."""
    frequency: float = 50.0
    volts_per_amp: float = 1000 / 3000
    bias: float = 0.0
    phase: float = 0.0
    hum: float = 0.0
    """Effective voltage of the hum that the wires pick up (V), a quarter cycle late."""
    lowest: float = -0.3
    highest: float = 3.6
    """Where the pin's diodes conduct: 0.3 V beyond ground and a supply of 3.3 V."""

    def __call__(self, begin: float, end: float) -> float:
        """Return the mean voltage between two times."""
        scale = self.amps((begin + end) / 2) * self.volts_per_amp
        peak = scale * self.waveform.crest_factor + self.hum * sqrt(2)
        first, last = (time * self.frequency + self.phase for time in (begin, end))
        apart = 0.25 - self.phase
        if self.bias - peak >= self.lowest and self.bias + peak <= self.highest:
            return (
                self.bias
                + scale * self.waveform.mean(first, last)
                + self.hum * SINE.mean(first + apart, last + apart)
            )
        steps = 32
        width = (last - first) / steps
        places = [first + (step + 0.5) * width for step in range(steps)]
        return sum(self._clamped(scale, place) for place in places) / steps

    def _clamped(self, scale: float, place: float) -> float:
        """Return the voltage at a time in cycles, between the diodes."""
        volts = scale * self.waveform.at(place)
        volts += self.hum * SINE.at(place + 0.25 - self.phase)
        return min(self.highest, max(self.lowest, self.bias + volts))


@dataclass(slots=True)
class Level:
    """A voltage that stays."""

    volts: float = 0.0

    def __call__(self, begin: float, end: float) -> float:
        """Return the mean voltage between two times."""
        return self.volts


def profile(points: list[tuple[float, float]]) -> Callable[[float], float]:
    """Return a value over the day, straight between points of (hour, value)."""
    hours = [hour for hour, _ in points]

    def value(time: float) -> float:
        """Return the value at a time (s)."""
        hour = time / 3600 % 24
        after = bisect_right(hours, hour)
        first = points[after - 1]
        last = points[after % len(points)]
        span = (last[0] - first[0]) % 24 or 24
        share = (hour - first[0]) % 24 / span
        return first[1] + share * (last[1] - first[1])

    return value
