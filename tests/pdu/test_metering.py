"""Energy with steps: smooth between them, true at them, never backwards."""

import pytest

from custom_components.rackwatt.pdu.metering import MeterState, SteppedMeter

HOUR = 3600.0


def test_power_fills_the_steps() -> None:
    """At 20 W a step of 100 Wh takes five hours; each hour shows its 20 Wh."""
    meter = SteppedMeter(100)
    shown = [meter.read(5000, 20, hour * HOUR) for hour in range(5)]
    assert shown == pytest.approx([5000, 5020, 5040, 5060, 5080])
    assert meter.read(5100, 20, 5 * HOUR) == pytest.approx(5100)


def test_counter_is_the_truth() -> None:
    """Power that reads too high waits at the step, too low catches up at it."""
    meter = SteppedMeter(100)
    meter.read(0, 1000, 0)
    assert meter.read(0, 1000, HOUR) == pytest.approx(99.9)
    assert meter.read(0, 1000, 2 * HOUR) == pytest.approx(99.9)
    assert meter.read(100, 0, 3 * HOUR) == pytest.approx(100)
    assert meter.read(300, 0, 4 * HOUR) == pytest.approx(300)


def test_never_backwards() -> None:
    """What was shown is not taken back, whatever power and counter do."""
    meter, shown = SteppedMeter(100), [0.0]
    for minute in range(2000):
        counted = minute * 31 // 600 * 100
        power = 310 if minute % 7 else None
        shown.append(meter.read(counted, power, minute * 60.0))
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(counted, abs=100)


def test_reset_at_the_device() -> None:
    """A counter that starts anew goes on from what was shown."""
    meter = SteppedMeter(100)
    meter.read(50_000, 500, 0)
    before = meter.read(50_000, 500, 60)
    assert meter.read(0, 500, 120) == before  # believed when it is said twice
    assert meter.read(0, 500, 180) == before
    assert meter.resets == 1
    assert meter.read(100, 500, 900) == pytest.approx(before + 100)


def test_damaged_value_is_not_believed() -> None:
    """One reading far off changes nothing."""
    meter = SteppedMeter(100)
    meter.read(50_000, 500, 0)
    before = meter.read(50_000, 500, 30)
    assert meter.read(9_050_000, 500, 60) == before
    assert meter.read(3, 500, 90) == before
    assert meter.read(50_000, 500, 120) > before
    assert (meter.doubted, meter.resets) == (2, 0)


def test_leap_that_stays_is_not_counted() -> None:
    """Another counter at the same place is followed, its past is not ours."""
    meter = SteppedMeter(100)
    before = meter.read(50_000, 0, 0)
    meter.read(9_000_000, 0, 30)
    assert meter.read(9_000_000, 0, 60) == before
    assert meter.read(9_000_100, 0, 90) == pytest.approx(before + 100)


def test_restart_loses_and_adds_nothing() -> None:
    """What was counted while we were away is counted, once."""
    meter = SteppedMeter(100)
    meter.read(5000, 20, 0)
    before = meter.read(5000, 20, HOUR)
    again = SteppedMeter(100, meter.state)
    assert again.read(5000, 20, HOUR + 30) == pytest.approx(before + 20 / 120)
    away = SteppedMeter(100, again.state)
    assert away.read(6000, 20, 100 * HOUR) == pytest.approx(6000, abs=100)
    assert away.state is not None
    assert away.state.energy - away.state.device == pytest.approx(0)


def test_reset_while_away() -> None:
    """A counter that was reset while we were away goes on from what was shown."""
    meter = SteppedMeter(100, MeterState(energy=7000, device=5000, stamp=0))
    assert meter.read(300, 20, 10 * HOUR) == 7000
    assert meter.read(300, 20, 10 * HOUR + 30) == 7300
