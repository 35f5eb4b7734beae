"""Test the effective value and what else a fit tells."""

from dataclasses import replace
from math import cos, pi, sin
from random import Random

import pytest

from custom_components.rackwatt.ct_clamp.harmonics import solve
from custom_components.rackwatt.ct_clamp.rms import (
    MainsFrequency,
    averaging_loss,
    fit_wave,
)
from demo.rack.waveforms import DIMMER, PFC, SINE, Waveform, pulses

CONVERSION = 1 / 860


def samples(
    waveform: Waveform, frequency: float, *, count: int = 108, seed: int = 1
) -> tuple[list[float], list[float]]:
    """Return samples as the converter takes them: uneven, each a mean."""
    random = Random(seed)
    times, values, time = [], [], 100.0 + random.random()
    for _ in range(count):
        time += 0.0021 + random.random() * 0.0004
        times.append(time)
        values.append(
            waveform.mean(
                (time - CONVERSION / 2) * frequency, (time + CONVERSION / 2) * frequency
            )
        )
    return times, values


@pytest.mark.parametrize("frequency", [49.8, 50, 50.2, 59.9, 60])
@pytest.mark.parametrize(
    ("name", "band"),
    [("sine", 0.003), ("pfc", 0.006), ("pulses", 0.03), ("dimmer", 0.04)],
)
def test_effective_value(name: str, band: float, frequency: float) -> None:
    """Each load's effective value is 1, whatever the converter's averaging takes."""
    waveform = {"sine": SINE, "pfc": PFC, "dimmer": DIMMER}.get(name) or pulses(
        3, frequency
    )
    for seed in range(10):
        times, values = samples(waveform, frequency, seed=seed)
        wave = fit_wave(times, values, frequency=frequency, conversion=CONVERSION)
        assert wave.rms == pytest.approx(1, rel=band)


def test_shape() -> None:
    """Crest factor, distortion, mean and noise are those of the wave."""
    times, values = samples(PFC, 50)
    wave = fit_wave(
        times, [value + 3 for value in values], frequency=50, conversion=CONVERSION
    )
    assert wave.mean == pytest.approx(3, abs=1e-3)
    assert wave.crest_factor == pytest.approx(PFC.crest_factor, rel=0.06)
    assert wave.distortion == pytest.approx(0.159, rel=0.03)
    assert wave.noise < 0.01


def test_noise_is_not_magnified() -> None:
    """White noise keeps its effective value; the correction acts on what is there."""
    random = Random(5)
    found = []
    for seed in range(40):
        times, _ = samples(SINE, 50, seed=seed)
        values = [random.gauss(0, 1) for _ in times]
        found.append(fit_wave(times, values, frequency=50, conversion=CONVERSION).rms)
    assert sum(found) / len(found) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("rate", [300, 360, 400, 420, 480, 600])
def test_equal_steps_at_a_multiple_of_the_mains(rate: int) -> None:
    """Where samples cannot tell harmonics apart, fewer are fitted; no result explodes."""
    times = [step / rate for step in range(100)]
    values = [
        sin(2 * pi * 60 * time) + 0.3 * cos(2 * pi * 180 * time) for time in times
    ]
    wave = fit_wave(times, values, frequency=60, conversion=1e-6)
    assert wave.rms == pytest.approx((0.5 + 0.045) ** 0.5, rel=0.1)


def test_few_samples_fit_few_harmonics() -> None:
    """With a handful of samples only the plain value is left."""
    wave = fit_wave(
        [0.0, 0.003, 0.007, 0.011, 0.016],
        [1.0, -1.0, 1.0, -1.0, 0.0],
        frequency=50,
        conversion=CONVERSION,
    )
    assert wave.fundamental == 0
    assert wave.rms == pytest.approx(1, rel=0.1)


def test_frequency_is_followed() -> None:
    """The mains frequency is found within a few windows, from 50 also a generator's 52."""
    for true in (49.8, 50.0, 50.2, 52.0):
        mains = MainsFrequency(50)
        assert mains.measured is None
        for seed in range(6):
            times, values = samples(SINE, true, seed=seed)
            mains.update(
                fit_wave(times, values, frequency=mains.value, conversion=CONVERSION), 1
            )
        assert mains.measured == pytest.approx(true, abs=0.01)


def test_what_is_not_the_mains_is_not_followed() -> None:
    """A step far from the mains sends the frequency back to the nominal one."""
    mains = MainsFrequency(50)
    times, values = samples(SINE, 50.5)
    wave = fit_wave(times, values, frequency=50, conversion=CONVERSION)
    mains.update(wave, 1)
    assert mains.value == pytest.approx(50.5, abs=0.05)
    mains.update(replace(wave, frequency_step=60, frequency_variance=0), 1)
    assert (mains.value, mains.measured) == (50, None)


def test_averaging_loss_of_the_data_sheet() -> None:
    """The loss at 860 SPS is that of a mean over a conversion."""
    assert averaging_loss(0) == 1
    assert averaging_loss(50 / 860) - 1 == pytest.approx(-0.0056, abs=1e-4)
    assert averaging_loss(350 / 860) - 1 == pytest.approx(-0.251, abs=1e-3)


def test_solve() -> None:
    """The solver solves, and refuses what has no single solution."""
    assert solve([[4.0, 2.0], [2.0, 3.0]], [10.0, 8.0]) == [
        pytest.approx(1.75),
        pytest.approx(1.5),
    ]
    assert solve([[1.0, 1.0], [1.0, 1.0]], [1.0, 1.0]) is None
