"""Counters never fall, never jump and count no gap twice."""

import math

from hypothesis import given, strategies as st
import pytest

from custom_components.rackwatt.counter import (
    CounterState,
    EnergyIntegrator,
    ImpulseCounter,
    wh_per_impulse,
)


def test_an_impulse_is_worth_what_the_meter_says() -> None:
    """1000 imp/kWh is 1 Wh; behind 200:5 transformers 40 of them."""
    assert wh_per_impulse(1000, 1) == 1
    assert wh_per_impulse(600, 1) == pytest.approx(1.6667, rel=1e-4)
    assert wh_per_impulse(1000, 40) == 40


def test_impulses_are_counted_from_where_the_counter_was() -> None:
    """A restart goes on."""
    counter = ImpulseCounter(None, 0.5)
    counter.add(1000)
    counter.add(2000, missed=3, device_count=17)
    assert counter.energy_wh == 2.5
    assert counter.state == CounterState(
        impulses=5, missed=3, wh_per_impulse=0.5, device_count=17, stamp=2000
    )
    again = ImpulseCounter(counter.state, 0.5)
    assert again.energy_wh == 2.5


def test_another_constant_does_not_change_what_was_counted() -> None:
    """Only what comes after is worth something else."""
    state = CounterState(impulses=1000, wh_per_impulse=1.0)
    counter = ImpulseCounter(state, 2.0)
    assert counter.energy_wh == 1000
    counter.add(1)
    assert counter.energy_wh == 1002
    assert ImpulseCounter(counter.state, 0.1).energy_wh == pytest.approx(1002)


def test_the_counter_shows_what_the_meter_shows() -> None:
    """The reading is typed in; impulses stay what they were."""
    counter = ImpulseCounter(CounterState(impulses=7, wh_per_impulse=1.0), 1.0)
    counter.set_reading(54_321_000)
    assert counter.energy_wh == 54_321_000
    assert counter.state.impulses == 7
    counter.add(1)
    assert counter.energy_wh == 54_321_001


@given(
    st.lists(
        st.one_of(
            st.integers(1, 5),
            st.floats(0.001, 1e4).map(lambda value: ("constant", value)),
        ),
        max_size=40,
    )
)
def test_it_never_falls(steps: list) -> None:
    """Through impulses and changes of the constant in any order."""
    counter = ImpulseCounter(None, 1.0)
    impulses = 0
    for step in steps:
        before = counter.energy_wh
        if isinstance(step, tuple):
            counter = ImpulseCounter(counter.state, step[1])
            assert counter.energy_wh == pytest.approx(before, rel=1e-9, abs=1e-6)
        else:
            counter.add(1, missed=step - 1)
            impulses += step
            assert counter.energy_wh > before
    assert counter.state.impulses == impulses


def test_power_is_integrated_by_trapezoids() -> None:
    """A ramp from 0 to 3600 W in 10 s is 5 Wh."""
    integrator = EnergyIntegrator(None, max_gap=30)
    integrator.add(0, 0)
    integrator.add(10, 3600, stamp=5)
    assert integrator.energy_wh == pytest.approx(5)
    assert integrator.state.stamp == 5


def test_a_gap_is_reported_not_bridged() -> None:
    """Nothing is known of it."""
    integrator = EnergyIntegrator(CounterState(base_wh=100), max_gap=30)
    integrator.add(0, 1000)
    integrator.add(31, 1000)
    assert integrator.energy_wh == 100
    assert (integrator.gaps, integrator.gap_seconds) == (1, 31)
    integrator.add(32, 1000)
    assert integrator.energy_wh == pytest.approx(100 + 1000 / 3600)
    integrator.interrupt()
    integrator.add(33, 1000)
    assert integrator.energy_wh == pytest.approx(100 + 1000 / 3600)


@given(
    st.lists(
        st.tuples(st.floats(-10, 100), st.floats(allow_nan=True, allow_infinity=True))
    )
)
def test_the_integral_never_falls(samples: list[tuple[float, float]]) -> None:
    """Not by negative power, no number at all, or a clock that goes back."""
    integrator = EnergyIntegrator(None, max_gap=60)
    now = before = 0.0
    for step, watts in samples:
        now += step
        integrator.add(now, watts if abs(watts) < 1e9 else math.nan)
        assert integrator.energy_wh >= before
        before = integrator.energy_wh
