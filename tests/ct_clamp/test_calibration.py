"""Test gain and offset from known points."""

import pytest

from custom_components.rackwatt.ct_clamp.calibration import Point, fit_points


def points(*pairs: tuple[float, float]) -> list[Point]:
    """Return points of (measured, true)."""
    return [Point(measured=measured, true=true) for measured, true in pairs]


def test_one_point_tells_the_factor() -> None:
    """One known load is one factor, met exactly."""
    fit = fit_points(points((1.0, 1.05)))
    assert (fit.gain, fit.offset) == (pytest.approx(1.05), 0)
    assert fit.residual == pytest.approx(0)
    assert fit.plausible


def test_close_points_tell_the_factor() -> None:
    """Points at nearly the same load say nothing of an offset."""
    fit = fit_points(points((1.0, 1.04), (1.1, 1.166)))
    assert fit.offset == 0
    assert fit.gain == pytest.approx(1.05, abs=0.005)
    assert 0 < fit.residual < 0.01


def test_several_points_tell_a_line() -> None:
    """Gain and offset are found, and what is left is told."""
    exact = fit_points(points((0.2, 0.24), (1.0, 1.12), (3.0, 3.32)))
    assert exact.gain == pytest.approx(1.1)
    assert exact.offset == pytest.approx(0.02)
    assert exact.residual == pytest.approx(0, abs=1e-9)
    scattered = fit_points(points((0.2, 0.25), (1.0, 1.10), (3.0, 3.40)))
    assert 0.005 < scattered.residual < 0.05


def test_small_loads_count_as_much_as_large_ones() -> None:
    """Relative errors are least: 1 W at 20 W weighs more than at 2 kW."""
    fit = fit_points(points((0.1, 0.11), (10.0, 10.3)))
    assert fit.gain * 0.1 + fit.offset == pytest.approx(0.11)


def test_implausible_gain() -> None:
    """A factor of ten is a mistake, not a calibration."""
    assert not fit_points(points((0.1, 1.0))).plausible
