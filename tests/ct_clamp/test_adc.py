"""Test the converter on a chip that is simulated register by register."""

from collections.abc import Callable
from functools import partial
from random import Random

from adafruit_ads1x15.ads1x15 import Mode
from adafruit_ads1x15.ads1115 import ADS1115
import pytest

from .rig import ADDRESS, load, make_rig
from custom_components.rackwatt.ct_clamp.adc import (
    READY_WITHIN,
    ChipDisturbed,
    TooFewSamples,
)
from custom_components.rackwatt.ct_clamp.clamp import GAINS, INPUTS
from custom_components.rackwatt.ct_clamp.i2c import DeadlinePassed, NoAnswer
from demo.rack.ads1115 import CONFIG, POWER_ON
from demo.rack.waveforms import Level

LEVELS = (Level(0.5), Level(1.0), Level(1.5), Level(2.0))


def test_channels_right_after_power_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first reading of each input is that input's, single-ended and differential."""
    rig = make_rig(monkeypatch, *LEVELS)
    assert rig.chip._registers[CONFIG] == POWER_ON[CONFIG]
    converter = rig.converter()
    expected = {
        "A0": 0.5,
        "A1": 1.0,
        "A2": 1.5,
        "A3": 2.0,
        "A0-A1": -0.5,
        "A0-A3": -1.5,
        "A1-A3": -1.0,
        "A2-A3": -0.5,
    }
    rig.chip.power_on()
    for source, volts in expected.items():
        window = converter.sample(source, 1, 0.07)
        assert window.volts == [pytest.approx(volts, abs=1e-4)] * len(window.volts), (
            source
        )


@pytest.mark.parametrize("gain", GAINS)
def test_same_codes_as_the_library(
    monkeypatch: pytest.MonkeyPatch, gain: float
) -> None:
    """Our windows and the library's own single-shot readings return the same codes."""
    rig = make_rig(monkeypatch, Level(0.1234), Level(-0.2), Level(0.01), Level(3.0))
    converter = rig.converter()
    library = ADS1115(rig.i2c(), address=ADDRESS, gain=gain)
    for source, pin in INPUTS.items():
        window = converter.sample(source, gain, 0.07)
        codes = {round(volts / window.step) for volts in window.volts}
        assert codes == {library.read(pin)}, source


def test_defects_of_the_library_that_we_avoid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's continuous mode reads the wrong input; ours does not use it.

    Should a release mend it, this test says so.
    """
    rig = make_rig(monkeypatch, *LEVELS)
    library = ADS1115(rig.i2c(), address=ADDRESS, mode=Mode.CONTINUOUS, data_rate=860)
    monkeypatch.setattr(
        "adafruit_ads1x15.ads1x15.time.sleep", lambda s: rig.clock.sleep(s)
    )
    volts = [library.read(pin) * 4.096 / 32768 for pin in (4, 5, 6, 7)]
    assert volts == [pytest.approx(-0.5)] * 4  # A0-A1, as after power-on

    library.mode = Mode.SINGLE
    library.read(4)
    library.mode = Mode.CONTINUOUS
    stale = library.read(4)
    assert stale & 0xFFFF == rig.chip._registers[CONFIG] | 0x8000 * (stale < 0)

    # What was left in continuous mode by another program is ours after one reading
    converter = rig.converter()
    assert [converter.read(pin, 1) for pin in ("A0", "A1", "A2", "A3")] == [
        pytest.approx(level.volts, abs=1e-4) for level in LEVELS
    ]


@pytest.mark.parametrize("rate_error", [-0.1, 0.0, 0.1])
@pytest.mark.parametrize("hiccups", [0.0, 0.1])
def test_data_rate_is_measured(
    monkeypatch: pytest.MonkeyPatch, rate_error: float, hiccups: float
) -> None:
    """The true rate of a chip is found to half a percent, on a busy machine to one."""
    converter = make_rig(
        monkeypatch, rate_error=rate_error, hiccups=hiccups
    ).converter()
    band = 0.01 if hiccups else 0.005
    assert converter.data_rate == pytest.approx(860 * (1 + rate_error), rel=band)


@pytest.mark.parametrize("rate_error", [-0.1, 0.1])
def test_every_sample_is_a_new_conversion(
    monkeypatch: pytest.MonkeyPatch, rate_error: float
) -> None:
    """No sample is read before its conversion is over, none belongs to the one before."""
    rig = make_rig(monkeypatch, rate_error=rate_error)
    begun: list[float] = []

    def ramp(begin: float, end: float) -> float:
        begun.append(begin)
        return begin % 1.0

    rig.chip.inputs[0] = ramp
    window = rig.converter().sample("A0", 1, 0.25)
    assert len(window.volts) > 90
    for time, volts in zip(window.times, window.volts, strict=True):
        assert volts == pytest.approx(time % 1.0, abs=3e-4)


def test_dither_spreads_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps between samples differ, so that no harmonic of the mains hides between."""
    window = make_rig(monkeypatch).converter().sample("A0", 1, 0.25)
    steps = [b - a for a, b in zip(window.times, window.times[1:], strict=False)]
    assert max(steps) - min(steps) > 0.0003


def test_interrupted_samples_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample whose moment is not known does not count; the others stay."""
    rig = make_rig(monkeypatch, hiccups=0.05)
    window = rig.converter().sample("A0", 1, 0.25)
    assert window.dropped > 2
    assert len(window.times) > 50


def test_window_without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that hardly ran has no reading rather than a wrong one."""
    rig = make_rig(monkeypatch)
    converter = rig.converter()
    rig.clock._share = 0.7
    with pytest.raises(TooFewSamples):
        converter.sample("A0", 1, 0.05)


def test_window_of_a_busy_program_is_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is often put aside takes its time for enough samples."""
    rig = make_rig(monkeypatch, load(1.0), hiccups=0.2)
    window = rig.converter().sample("A0", 1, 0.15)
    assert window.times[-1] - window.times[0] > 0.15
    assert len(window.times) >= 30


def test_program_that_was_put_aside_blames_no_chip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An interruption longer than the deadline is not a chip that is not ready."""
    rig = make_rig(monkeypatch, Level(1.0))
    converter = rig.converter()
    write = rig.bus.write

    def interrupted(address: int, data: bytes) -> None:
        write(address, data)
        rig.clock.sleep(0.1)

    monkeypatch.setattr(rig.bus, "write", interrupted)
    assert converter.read("A0", 1) == pytest.approx(1.0, abs=1e-3)


def test_missing_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chip that does not acknowledge is told, and is there again when it does."""
    rig = make_rig(monkeypatch)
    rig.chip.present = False
    with pytest.raises(NoAnswer):
        rig.converter()
    rig.chip.present = True
    converter = rig.converter()
    rig.chip.present = False
    with pytest.raises(NoAnswer):
        converter.sample("A0", 1, 0.25)


@pytest.mark.parametrize("from_start", [True, False])
def test_silent_chip_fails_within_50_ms(
    monkeypatch: pytest.MonkeyPatch, from_start: bool
) -> None:
    """A chip that never gets ready ends in an error, though the library waits for ever."""
    rig = make_rig(monkeypatch)
    if from_start:
        use: Callable[[], object] = rig.converter
    else:
        use = partial(rig.converter().sample, "A0", 1, 0.25)
    rig.chip.ready = False
    begin = rig.clock.now
    with pytest.raises(DeadlinePassed):
        use()
    assert READY_WITHIN < rig.clock.now - begin < 0.05


def test_chip_that_falls_silent_within_a_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Old results are not taken for new ones."""
    rig = make_rig(monkeypatch)
    converter = rig.converter()

    def fall_silent(begin: float, end: float) -> float:
        rig.chip.ready = rig.clock.now < fails_at
        return 1.0

    fails_at = rig.clock.now + 0.1
    rig.chip.inputs[0] = fall_silent
    with pytest.raises(OSError):
        converter.sample("A0", 1, 0.25)


def test_chip_that_another_program_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that is not ours at the end of a window voids it."""
    rig = make_rig(monkeypatch)
    converter = rig.converter()
    original = rig.chip.read
    monkeypatch.setattr(
        rig.chip,
        "read",
        lambda length: b"\xc5\x83" if rig.chip._pointer == CONFIG else original(length),
    )
    monkeypatch.setattr(converter, "read", lambda source, gain: 0.0)
    with pytest.raises(ChipDisturbed, match="reconfigured"):
        converter.sample("A0", 1, 0.25)


def test_chip_that_became_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moved is noticed at the end of the window and measured anew."""
    rig = make_rig(monkeypatch, rate_error=0.1)
    converter = rig.converter()
    rig.chip.rate_error = -0.08
    with pytest.raises(ChipDisturbed, match="slower"):
        converter.sample("A0", 1, 0.25)
    assert converter.data_rate == pytest.approx(860 * 0.92, rel=0.005)
    assert len(converter.sample("A0", 1, 0.25).volts) > 90


def test_saturation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that touches full scale says so."""
    converter = make_rig(monkeypatch, load(1.0)).converter()
    assert converter.sample("A0", 2, 0.25).saturated
    assert not converter.sample("A0", 1, 0.25).saturated


def test_bus_time_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three transfers a sample, and more than twice the rate of readings one by one."""
    rig = make_rig(monkeypatch)
    converter = rig.converter()
    before = rig.bus.transfers
    window = converter.sample("A0", 1, 0.25)
    assert rig.bus.transfers - before < 3.3 * len(window.times)
    assert len(window.times) / 0.25 > 400


def test_random_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two converters do not dither alike."""
    rig = make_rig(monkeypatch)
    rig.random = Random(7)
    first = rig.converter().sample("A0", 1, 0.1).times
    rig.random = Random(8)
    second = rig.converter().sample("A0", 1, 0.1).times
    assert [t - first[0] for t in first] != [t - second[0] for t in second]
