"""What blips mean: power, intervals, glitches, and what must never happen."""

from itertools import pairwise
import math
import random

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.rackwatt.blip_meter.line import LineFormat, LineReader, Pulse
from custom_components.rackwatt.blip_meter.meter import Accepted, Meter, MeterSettings

SETTINGS = MeterSettings(impulses_per_kwh=1000, max_power=25_000)
T0 = 1_700_000_000_000


class Clock:
    """A meter and the two clocks that it lives by."""

    def __init__(self, meter: Meter) -> None:
        """Start now."""
        self.meter = meter
        self.now = 1000.0
        self.stamp = T0

    def wait(self, seconds: float) -> None:
        """Let time pass, looking at the power each second as the coordinator does."""
        for _ in range(int(seconds)):
            self._pass(1.0)
            self.meter.publish(self.now)
        self._pass(seconds - int(seconds))

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self.stamp += round(seconds * 1000)

    def blip(
        self, ms: int, count: int | None = None, after: float | None = None
    ) -> Accepted | None:
        """Let a blip come after its interval, or after another time."""
        self.wait(ms / 1000 if after is None else after)
        accepted = self.meter.pulse(Pulse(1, ms, count), self.stamp, self.now)
        self.meter.publish(self.now)
        return accepted


def running(settings: MeterSettings = SETTINGS, count: int | None = None) -> Clock:
    """Return a meter that has had its first blip since the connection."""
    clock = Clock(Meter(settings))
    assert clock.blip(5000, count) == Accepted(T0 + 5000, None)
    return clock


@pytest.mark.parametrize(
    ("constant", "ratio", "ms", "watts"),
    [(1000, 1, 3600, 1000), (600, 1, 3600, 1666.667), (600, 4, 3600, 6666.667)],
)
def test_power_is_energy_by_time(
    constant: float, ratio: float, ms: int, watts: float
) -> None:
    """P = 3.6e9 * ratio / (constant * ms)."""
    clock = running(
        MeterSettings(impulses_per_kwh=constant, ratio=ratio, max_power=25_000)
    )
    clock.blip(ms)
    assert clock.meter.power == pytest.approx(watts, rel=1e-6)


def test_the_interval_of_the_first_blip_is_dropped() -> None:
    """It is counted, but its interval may be of before the connection."""
    clock = running()
    assert clock.meter.power is None
    clock.wait(30)
    assert clock.meter.power is None
    clock.blip(3600)
    clock.meter.restart()
    assert clock.meter.power is None
    accepted = clock.blip(3600)
    assert accepted is not None and accepted.ms is None


def test_power_falls_along_the_bound_while_the_next_blip_is_late() -> None:
    """Never a stale plateau, never a jump to 0."""
    clock = running()
    clock.blip(3600)
    seen = []
    for _ in range(3600):
        clock.wait(1)
        assert clock.meter.power is not None
        seen.append(clock.meter.power)
    assert seen[1] == 1000
    for second, power in enumerate(seen, 1):
        bound = min(1000, 3600 / second)
        assert bound * 0.999 <= power <= bound / 0.95 * 1.001
    assert seen == sorted(seen, reverse=True)
    # the interval of the silence is the mean power of it
    clock.blip(3_601_000, after=1)
    assert clock.meter.power == pytest.approx(1000 / 1000.28, rel=0.001)


def test_small_changes_wait_large_ones_do_not() -> None:
    """A change of 5 % is shown within a second, a smaller one within five."""
    clock = running()
    clock.blip(1000)
    assert clock.meter.power == 3600
    clock.blip(1020)
    assert clock.meter.power == 3600
    for _ in range(4):
        clock.blip(1020)
    assert clock.meter.power == pytest.approx(3600 / 1.02)
    for _ in range(4):
        clock.blip(500)
    assert clock.meter.power == 7200


def test_blips_that_are_too_fast_are_glitches() -> None:
    """They do not count, and their time goes to the next interval."""
    clock = running()
    clock.blip(3600)
    assert clock.blip(100) is None
    assert clock.blip(40) is None
    assert clock.meter.glitches == 2
    accepted = clock.blip(3460)
    assert accepted is not None and accepted.ms == 3600
    assert clock.meter.power == 1000


def test_ten_megabytes_of_noise_count_nothing() -> None:
    """By chance noise holds lines of a digit: no meter blinks that fast."""
    noise = random.Random(20261121).randbytes(10_000_000)
    reader = LineReader(LineFormat.MS)
    meter = Meter(SETTINGS)
    chance = 0
    for start in range(0, len(noise), 4096):
        for event in reader.feed(noise[start : start + 4096]):
            assert isinstance(event, Pulse)
            assert meter.pulse(event, T0, start / 1000) is None
            chance += 1
    assert 0 < chance == meter.glitches < 30
    assert reader.rejected > 38_000


@pytest.mark.parametrize(
    ("true_ms", "sent"),
    [(75_000, 9464), (60_000, 60_000), (140_000, 8928), (65_536 * 3 + 10, 10)],
)
def test_16_bits_that_were_too_few(true_ms: int, sent: int) -> None:
    """The host's clock tells how often the original firmware's counter wrapped."""
    clock = running()
    accepted = clock.blip(sent, after=true_ms / 1000 + 0.8)
    assert accepted is not None and accepted.ms == true_ms


def test_an_interval_is_not_repaired_where_that_would_be_a_guess() -> None:
    """Blips may have been lost in between: then nothing fits, and nothing is done."""
    clock = running()
    accepted = clock.blip(3600, after=40)
    assert accepted is not None and accepted.ms == 3600
    own = running(MeterSettings(impulses_per_kwh=1000, max_power=25_000, wraps=False))
    accepted = own.blip(9464, after=75)
    assert accepted is not None and accepted.ms == 9464


def test_stamps_increase_when_the_clock_is_set_back() -> None:
    """Two blips never share a stamp."""
    clock = running()
    first = clock.blip(3600)
    assert first is not None
    clock.stamp -= 3_600_000
    for step in (1, 2):
        accepted = clock.blip(3600)
        assert accepted is not None
        assert accepted.stamp == first.stamp + step


def test_stamps_go_on_after_those_in_the_history() -> None:
    """Also where the clock was set back while Home Assistant was down."""
    meter = Meter(SETTINGS, last_stamp=T0 + 99_999)
    accepted = meter.pulse(Pulse(1, 3600), T0, 0)
    assert accepted == Accepted(T0 + 100_000, None)


def test_the_running_count_tells_of_lost_lines() -> None:
    """Energy is exact also where a line was garbled."""
    clock = running(count=17)
    accepted = clock.blip(3600, count=20, after=3 * 3.6)
    assert accepted is not None
    assert (accepted.ms, accepted.missed) == (3600, 2)


def test_a_glitch_does_not_hide_what_was_missed() -> None:
    """The count that came with it tells of blips before; they count with the next."""
    clock = running(count=17)
    assert clock.blip(100, count=20, after=3 * 3.6) is None
    accepted = clock.blip(3600, count=21)
    assert accepted is not None and accepted.missed == 2


def test_the_running_count_goes_round() -> None:
    """It has 32 bits."""
    clock = running(count=2**32 - 1)
    accepted = clock.blip(3600, count=1, after=7.2)
    assert accepted is not None and accepted.missed == 1


def test_the_running_count_tells_what_came_while_the_host_was_down() -> None:
    """An hour at 1 kW is a thousand blips."""
    meter = Meter(SETTINGS, last_stamp=T0, device_count=500)
    accepted = meter.pulse(Pulse(1, 3600, 1500), T0 + 3_600_000, 0)
    assert accepted is not None and accepted.missed == 999


def test_an_arduino_that_was_started_anew_counts_from_one() -> None:
    """What it has counted since its start was missed; what before is unknown."""
    meter = Meter(SETTINGS, last_stamp=T0, device_count=500)
    accepted = meter.pulse(Pulse(1, 3600, 11), T0 + 3_600_000, 0)
    assert accepted is not None and accepted.missed == 10


def test_a_count_that_cannot_be_true_is_not_believed() -> None:
    """No more than the maximum power allows since the last blip."""
    clock = running(count=500)
    accepted = clock.blip(3600, count=900_000)
    assert accepted is not None and accepted.missed == 0
    accepted = clock.blip(3600, count=900_001)
    assert accepted is not None and accepted.missed == 0


def test_the_same_blip_told_twice_counts_once() -> None:
    """The running count tells a repeated line."""
    clock = running(count=500)
    assert clock.blip(3600, count=500, after=0.01) is None
    assert clock.meter.glitches == 1


def test_the_first_line_of_the_running_count_is_where_it_begins() -> None:
    """Nothing is known of what came before the meter was set up."""
    accepted = Meter(SETTINGS).pulse(Pulse(1, 3600, 123_456), T0, 0)
    assert accepted == Accepted(T0, None)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 2**32 - 1), st.floats(0, 200), st.integers(-(10**7), 10**7)
        ),
        max_size=60,
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_comes_stamps_increase_and_power_is_sane(
    blips: list[tuple[int, float, int]],
) -> None:
    """Nonsense intervals and clock steps break no rule."""
    clock = Clock(Meter(SETTINGS))
    stamps = []
    for ms, after, step in blips:
        clock.stamp += step
        accepted = clock.blip(ms, after=after)
        if accepted is not None:
            stamps.append(accepted.stamp)
        assert clock.meter.power is None or 0 < clock.meter.power <= 25_000.1
    assert all(later > earlier for earlier, later in pairwise(stamps))
    assert len(stamps) + clock.meter.glitches == len(blips)


def test_the_integral_of_power_is_energy() -> None:
    """Over a day's course and in each of its hours, at up to 50 blips/s.

    A minute stands for an hour; `script/bench blip` runs the whole day.
    """
    settings_ = MeterSettings(impulses_per_kwh=10_000, max_power=50_000)
    clock = Clock(Meter(settings_))
    clock.blip(30)
    clock.blip(30)
    energy = [0.0] * 24
    integral = [0.0] * 24
    start = clock.now
    while (hour := int((clock.now - start) / 60)) < 24:
        day = math.sin(2 * math.pi * (clock.now - start) / 1440)
        ms = round(30 + 10 * day) + (25 if hour % 5 == 0 else 0)
        before = clock.now
        power = clock.meter.power
        assert power is not None
        assert clock.blip(ms) is not None
        energy[hour] += 0.1
        integral[hour] += power * (clock.now - before) / 3600
    assert sum(integral) == pytest.approx(sum(energy), rel=0.001)
    for got, true in zip(integral, energy, strict=True):
        # at a minute an hour, a second's delay of a step weighs sixty times
        assert got == pytest.approx(true, rel=0.03)
