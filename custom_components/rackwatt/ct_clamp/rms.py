"""The effective value of a mains-frequency signal, from samples at known times.

Samples come too slowly (about 430 a second), too unevenly, and each is a mean over one
conversion. So the mean and the harmonics are fitted by least squares at the real times,
each harmonic is corrected for what the averaging takes from it, and what no harmonic
explains counts as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sin, sqrt

from .harmonics import HARMONICS, HarmonicSums, pairs

# Above this share of a conversion the correction would be more than 3.3-fold in amplitude
# and would magnify noise, not signal.
_HIGHEST_CYCLES_PER_CONVERSION = 0.75
# Samples per unknown; fewer fit the noise.
_SAMPLES_PER_UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """What the samples of one window say."""

    rms: float
    """Effective value of the alternating part, corrected for the averaging."""
    mean: float
    """The constant part."""
    lowest: float
    highest: float
    noise: float
    """What no harmonic explains, as an effective value."""
    fundamental: float
    """Amplitude of the fundamental."""
    harmonics: float
    """Effective value of all harmonics but the first."""
    frequency_step: float
    """By how much the frequency lies beside the assumed one (Hz)."""
    frequency_variance: float
    """How uncertain that is (Hz²)."""

    @property
    def peak(self) -> float:
        """Return the largest distance from the mean."""
        return max(self.highest - self.mean, self.mean - self.lowest)

    @property
    def crest_factor(self) -> float | None:
        """Return peak over effective value."""
        return self.peak / self.rms if self.rms else None

    @property
    def distortion(self) -> float | None:
        """Return the harmonics as a share of the fundamental, if there is one."""
        if self.fundamental < self.noise:
            return None
        return self.harmonics * sqrt(2) / self.fundamental


def averaging_loss(cycles: float) -> float:
    """Return what a mean over so many cycles leaves of an amplitude."""
    angle = pi * cycles
    return sin(angle) / angle if angle else 1.0


def fit_wave(
    times: Sequence[float],
    values: Sequence[float],
    *,
    frequency: float,
    conversion: float,
) -> Wave:
    """Fit mean and harmonics to samples, each a mean over one conversion (s)."""
    count = len(times)
    middle = (times[0] + times[-1]) / 2
    level = sum(values) / count
    sums = HarmonicSums(
        [time - middle for time in times],
        [value - level for value in values],
        frequency,
    )
    orders = [
        order
        for order in HARMONICS
        if order * frequency * conversion < _HIGHEST_CYCLES_PER_CONVERSION
    ][: (count // _SAMPLES_PER_UNKNOWN - 1) // 2]
    while (unknowns := sums.solve(orders)) is None:
        orders.pop()
    return _wave(sums, orders, unknowns, level, values, frequency * conversion)


def _wave(
    sums: HarmonicSums,
    orders: list[int],
    unknowns: list[float],
    level: float,
    values: Sequence[float],
    cycles: float,
) -> Wave:
    """Return what the fitted unknowns mean."""
    count = len(values)
    rest = sums.left_over(orders, unknowns)
    variance = rest / max(1, count - len(unknowns))
    parts = dict(zip(orders, pairs(unknowns), strict=True))
    # Noise leaks into each fitted harmonic (2 of the count's degrees of freedom); taken
    # out, or the correction would magnify it at every order that is not there.
    powers = {
        order: ((a * a + b * b) / 2 - 2 * variance / count)
        / averaging_loss(order * cycles) ** 2
        for order, (a, b) in parts.items()
    }
    first = parts.get(1, (0.0, 0.0))
    step, step_variance = sums.frequency_step(orders, unknowns, first, variance)
    return Wave(
        rms=sqrt(max(0.0, sum(powers.values()) + variance)),
        mean=level + unknowns[0],
        lowest=min(values),
        highest=max(values),
        noise=sqrt(variance),
        fundamental=sqrt(2 * max(0.0, powers.get(1, 0.0))),
        harmonics=sqrt(max(0.0, sum(powers.values()) - powers.get(1, 0.0))),
        frequency_step=step,
        frequency_variance=step_variance,
    )


class MainsFrequency:
    """The frequency of the mains, followed from window to window."""

    # Interconnected grids wander by some 10 mHz within a second (variance per s);
    # a generator settles within seconds.
    _WANDER = 1e-4
    # Further off than this it is noise, not the mains.
    _REACH = 5.0

    def __init__(self, nominal: float) -> None:
        """Start at the nominal frequency."""
        self.nominal = nominal
        self.value = nominal
        self._variance = 1.0

    @property
    def measured(self) -> float | None:
        """Return the frequency once a current told it."""
        return self.value if self._variance < 0.01 else None

    def update(self, wave: Wave, seconds: float) -> None:
        """Follow the step that a window asks for, as far as it is sure of it."""
        self._variance = min(1.0, self._variance + self._WANDER * seconds)
        share = self._variance / (self._variance + wave.frequency_variance)
        value = self.value + share * wave.frequency_step
        if abs(value - self.nominal) > self._REACH:
            self.value, self._variance = self.nominal, 1.0
            return
        self.value = value
        self._variance *= 1 - share
