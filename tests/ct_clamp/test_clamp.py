"""Test what a clamp's voltage says, and what it does not."""

from math import sqrt
from statistics import mean

import pytest

from .rig import load, make_rig, read
from custom_components.rackwatt.ct_clamp.clamp import GAINS, Clamp, Fault, Wiring
from demo.rack.waveforms import PFC, SINE, Level, Waveform, pulses

SOURCES = {
    Wiring.BIASED: "A0",
    Wiring.UNBIASED: "A0",
    Wiring.DIFFERENTIAL: "A0-A1",
}


def clamp(wiring: Wiring = Wiring.BIASED, **kwargs: float) -> Clamp:
    """Return a clamp at its usual input."""
    return Clamp(source=SOURCES[wiring], wiring=wiring, **kwargs)


@pytest.mark.parametrize("wiring", list(Wiring))
@pytest.mark.parametrize("rate_error", [-0.1, 0.1])
@pytest.mark.parametrize(("waveform", "band"), [(SINE, 0.003), (PFC, 0.006)])
def test_current(
    monkeypatch: pytest.MonkeyPatch,
    wiring: Wiring,
    rate_error: float,
    waveform: Waveform,
    band: float,
) -> None:
    """Every wiring tells the current within its range, whatever the chip's clock."""
    bias = 0.0 if wiring is Wiring.UNBIASED else 1.65
    rig = make_rig(
        monkeypatch,
        load(0.5, waveform, bias=bias),
        rate_error=rate_error,
        hiccups=0.01,
        noise=1,
    )
    for reading in read(rig.converter(), clamp(wiring), 4)[1:]:
        assert reading.fault is None
        assert reading.current == pytest.approx(0.5, rel=band)


def test_formula_follows_turns_and_burden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the turns or twice the burden is half the current."""
    converter = make_rig(monkeypatch, load(1.0)).converter()
    (reading,) = read(converter, clamp(turns=1500))
    assert reading.current == pytest.approx(0.5, rel=0.003)
    (reading,) = read(converter, clamp(burden_ohm=2000))
    assert reading.current == pytest.approx(0.5, rel=0.003)


@pytest.mark.parametrize("amps", [1.0, 2.0, 4.0])
def test_unbiased_beyond_its_range(
    monkeypatch: pytest.MonkeyPatch, amps: float
) -> None:
    """Where the input's diode conducts there is no reading, and the reason is told."""
    converter = make_rig(monkeypatch, load(amps, bias=0.0)).converter()
    (reading,) = read(converter, clamp(Wiring.UNBIASED))
    assert reading.current is None
    assert reading.uncalibrated is None
    assert reading.fault is Fault.OUT_OF_RANGE


def test_unbiased_pulses_beyond_its_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow pulses reach the diode at less current."""
    signal = load(0.4, pulses(3, 50), bias=0.0)
    converter = make_rig(monkeypatch, signal).converter()
    (reading,) = read(converter, clamp(Wiring.UNBIASED))
    assert reading.fault is Fault.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("wiring", "bias"),
    [
        (Wiring.BIASED, 0.0),
        (Wiring.BIASED, 0.9),
        (Wiring.BIASED, 3.2),
        (Wiring.UNBIASED, 1.65),
        (Wiring.UNBIASED, 0.2),
        (Wiring.DIFFERENTIAL, 2.0),
    ],
)
def test_wrong_bias(
    monkeypatch: pytest.MonkeyPatch, wiring: Wiring, bias: float
) -> None:
    """A constant part that the wiring cannot have gives no reading."""
    converter = make_rig(monkeypatch, load(0.3, bias=bias)).converter()
    (reading,) = read(converter, clamp(wiring))
    assert reading.fault is Fault.WRONG_BIAS
    assert reading.current is None


@pytest.mark.parametrize("wiring", [Wiring.BIASED, Wiring.DIFFERENTIAL])
@pytest.mark.parametrize(
    ("amps", "waveform"), [(4.6, SINE), (6.0, SINE), (3.0, pulses(3, 50))]
)
def test_clipping(
    monkeypatch: pytest.MonkeyPatch, wiring: Wiring, amps: float, waveform: Waveform
) -> None:
    """A wave that the diodes cut gives no reading."""
    converter = make_rig(monkeypatch, load(amps, waveform)).converter()
    (reading,) = read(converter, clamp(wiring))
    assert reading.fault is Fault.CLIPPING
    assert reading.current is None


@pytest.mark.parametrize("wiring", [Wiring.BIASED, Wiring.DIFFERENTIAL])
@pytest.mark.parametrize(("amps", "waveform"), [(3.3, SINE), (3.4, PFC)])
def test_large_but_whole(
    monkeypatch: pytest.MonkeyPatch, wiring: Wiring, amps: float, waveform: Waveform
) -> None:
    """Up to the supply nothing is cut, and nothing is called clipped."""
    converter = make_rig(monkeypatch, load(amps, waveform), noise=1).converter()
    for reading in read(converter, clamp(wiring), 4)[1:]:
        assert reading.fault is None
        assert reading.current == pytest.approx(amps, rel=0.006)


def test_supply_of_5_volts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With half of 5 V as bias the range is that of 5 V."""
    signal = load(4.5, bias=2.5)
    signal.highest = 5.3
    converter = make_rig(monkeypatch, signal).converter()
    (reading,) = read(converter, clamp(), gain=2 / 3)
    assert reading.fault is None
    assert reading.current == pytest.approx(4.5, rel=0.004)


def test_noise_is_subtracted_in_quadrature(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the hum known, 20 mA are right to 2 %, and no current is none."""
    idle = make_rig(monkeypatch, load(0, hum=0.001), noise=3).converter()
    zero = sqrt(mean(r.volts**2 for r in read(idle, clamp(), 8, gain=2)))
    assert zero == pytest.approx(0.00102, rel=0.05)
    calm = read(idle, clamp(zero=zero), 8, gain=2)
    assert {reading.current for reading in calm} == {0.0}
    assert all(reading.crest_factor is None for reading in calm)
    loud = read(idle, clamp(), 1, gain=2)
    assert loud[0].current == pytest.approx(0.003, rel=0.1)

    loaded = make_rig(monkeypatch, load(0.02, hum=0.001), noise=3).converter()
    readings = read(loaded, clamp(zero=zero), 12, gain=2)
    assert mean(r.current or 0 for r in readings) == pytest.approx(0.02, rel=0.02)


def test_calibration_leaves_nothing_at_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Gain and offset apply to a current, not to none; a current is never negative."""
    converter = make_rig(monkeypatch, load(1.0)).converter()
    scaled = clamp(calibration=1.1, calibration_offset=0.05)
    (reading,) = read(converter, scaled)
    assert reading.uncalibrated == pytest.approx(1.0, rel=0.003)
    assert reading.current == pytest.approx(1.15, rel=0.003)
    (reading,) = read(converter, clamp(calibration_offset=-2))
    assert reading.current == 0
    idle = make_rig(monkeypatch, Level(1.65)).converter()
    (reading,) = read(idle, scaled)
    assert reading.current == 0


@pytest.mark.parametrize(
    ("wiring", "amps", "gain"),
    [
        (Wiring.BIASED, 3.0, 1),
        (Wiring.BIASED, 0.3, 2),
        (Wiring.UNBIASED, 0.4, 8),
        (Wiring.DIFFERENTIAL, 0.01, 16),
        (Wiring.DIFFERENTIAL, 2.5, 2),
    ],
)
def test_gain_follows_the_signal(
    monkeypatch: pytest.MonkeyPatch, wiring: Wiring, amps: float, gain: float
) -> None:
    """The highest gain that leaves head room is next."""
    bias = 0.0 if wiring is Wiring.UNBIASED else 1.65
    converter = make_rig(monkeypatch, load(amps, bias=bias)).converter()
    window = converter.sample(SOURCES[wiring], 1, 0.25)
    _, wave = clamp(wiring).read(window, 50)
    assert clamp(wiring).next_gain(wave) == gain
    assert clamp(wiring, gain=4).next_gain(wave) == 4


def test_gain_beyond_all() -> None:
    """What no range holds is read with the widest."""
    converter_scale = max(GAINS.values())
    assert GAINS[min(GAINS)] == converter_scale
