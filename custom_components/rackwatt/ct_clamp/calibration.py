"""Gain and offset of a clamp from points where the true current is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

# Points closer together than this share of the largest tell a factor, not a line.
_SMALLEST_SPREAD = 0.2
# What a clamp, a burden or a wrong number of turns can explain. Beyond it the typed
# power belongs to something else.
PLAUSIBLE_GAIN = (0.2, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A current that the clamp measured, uncalibrated, and what it was in truth (A)."""

    measured: float
    true: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How to get from the measured to the true current."""

    gain: float
    offset: float
    residual: float
    """Effective relative error that is left at the points."""

    @property
    def plausible(self) -> bool:
        """Tell whether a clamp can be off by as much."""
        return PLAUSIBLE_GAIN[0] <= self.gain <= PLAUSIBLE_GAIN[1]


def fit_points(points: Sequence[Point]) -> Calibration:
    """Fit gain and offset such that the relative errors are least.

    Least relative errors: an error of 1 W matters at 20 W, not at 2 kW.
    """
    largest = max(point.measured for point in points)
    spread = largest - min(point.measured for point in points)
    if spread < _SMALLEST_SPREAD * largest:
        gain, offset = _factor(points), 0.0
    else:
        gain, offset = _line(points)
    errors = [(gain * p.measured + offset) / p.true - 1 for p in points]
    residual = sqrt(sum(error**2 for error in errors) / len(errors))
    return Calibration(gain=gain, offset=offset, residual=residual)


def _factor(points: Sequence[Point]) -> float:
    """Return the factor with the least relative errors."""
    ratios = [point.measured / point.true for point in points]
    return sum(ratios) / sum(ratio**2 for ratio in ratios)


def _line(points: Sequence[Point]) -> tuple[float, float]:
    """Return the factor and the offset with the least relative errors."""
    weights = [1 / point.true**2 for point in points]
    total = sum(weights)
    x = sum(w * p.measured for w, p in zip(weights, points, strict=True)) / total
    y = sum(w * p.true for w, p in zip(weights, points, strict=True)) / total
    top = sum(
        w * (p.measured - x) * (p.true - y)
        for w, p in zip(weights, points, strict=True)
    )
    bottom = sum(
        w * (p.measured - x) ** 2 for w, p in zip(weights, points, strict=True)
    )
    gain = top / bottom
    return gain, y - gain * x
