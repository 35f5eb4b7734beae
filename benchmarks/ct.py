"""Clamps: how right the effective value is, beside plain RMS and ESPHome's ct_clamp.

Our code, the Adafruit library under it, and a converter simulated register by register:
its averaging, its clock off by up to 10 %, one code of noise, a bus of 100 kHz, and a
program that is put aside for 0.5 to 12 ms at 1 % of its steps.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import pi, sin, sqrt
from pathlib import Path
from random import Random
from statistics import mean, pstdev, quantiles
import sys
import threading
import time

from adafruit_ads1x15.ads1115 import ADS1115

from .report import Figure, Report, at_least, at_most, progress, run
from custom_components.rackwatt.counter import EnergyIntegrator
from custom_components.rackwatt.ct_clamp import i2c
from custom_components.rackwatt.ct_clamp.adc import Converter
from custom_components.rackwatt.ct_clamp.clamp import Clamp, Window, Wiring
from custom_components.rackwatt.ct_clamp.rms import MainsFrequency
from custom_components.rackwatt.ct_clamp.sampler import (
    SAMPLED_SECONDS,
    Board,
    BusSampler,
)
from demo.rack.ads1115 import CONFIG, Ads1115, I2CBus, Signal, opener
from demo.rack.clock import HiccupingClock, VirtualClock
from demo.rack.waveforms import DIMMER, PFC, SINE, ClampSignal, Level, Waveform, pulses

PATH, ADDRESS = "/dev/i2c-bench", 0x48
VOLTS_PER_AMP = 1000 / 3000
WINDOW = SAMPLED_SECONDS / 4
ESPHOME_WINDOW = 0.2  # s; its default sample_duration
HICCUPS = 0.01

WAVES: dict[str, Callable[[float], Waveform]] = {
    "sine": lambda frequency: SINE,
    "PFC supply": lambda frequency: PFC,
    "3 ms pulses": lambda frequency: pulses(3, frequency),
    "dimmer": lambda frequency: DIMMER,
}
# The largest error in % from 5 % of the range on; a dimmer has no bound
BANDS = {"sine": 0.3, "PFC supply": 0.6, "3 ms pulses": 3.0}
BAND_AT_1_PERCENT = 3.0
# Input, bias, and the peak that the wiring can measure (V)
WIRINGS = {
    Wiring.BIASED: ("A0", 1.65, 1.65),
    Wiring.UNBIASED: ("A0", 0.0, 0.25),
    Wiring.DIFFERENTIAL: ("A0-A1", 1.65, 1.65),
}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The conditions of a run."""

    levels: Sequence[float]
    frequencies: Sequence[float]
    rate_errors: Sequence[float]
    windows: int


FULL = Grid(
    levels=(0.01, 0.05, 0.2, 0.6, 0.95, 2.0),
    frequencies=(49.8, 50, 50.2, 59.9, 60),
    rate_errors=(-0.1, 0.0, 0.1),
    windows=12,
)
QUICK = Grid(
    levels=(0.01, 0.05, 0.6, 2.0),
    frequencies=(49.8, 60),
    rate_errors=(-0.1, 0.1),
    windows=4,
)


@dataclass
class Errors:
    """Relative errors in %, a list per condition."""

    ours: list[list[float]] = field(default_factory=list)
    plain: list[list[float]] = field(default_factory=list)
    esphome: list[list[float]] = field(default_factory=list)


def worst_mean(errors: list[list[float]]) -> float:
    """Return the largest mean error of a condition."""
    return max(abs(mean(condition)) for condition in errors)


def worst_spread(errors: list[list[float]]) -> float:
    """Return the largest standard deviation of a condition."""
    return max(pstdev(condition) for condition in errors)


def plain_rms(window: Window) -> float:
    """Return the effective value of the samples without their mean."""
    return pstdev(window.volts)


def esphome_rms(window: Window) -> float:
    """Return what ESPHome's ct_clamp makes of the samples.

    It leaves out a sample that equals the one before, and subtracts the square of the
    mean from the mean of the squares.
    """
    last, kept = 0.0, []
    for volts in window.volts:
        if volts != last:
            kept.append(volts)
            last = volts
    if not kept:
        return float("nan")
    return sqrt(max(0.0, mean(v * v for v in kept) - mean(kept) ** 2))


def open_converter(
    signal: ClampSignal, rate_error: float, seed: int
) -> tuple[Converter, HiccupingClock]:
    """Return a converter whose first input has a signal, and its clock."""
    clock = HiccupingClock(Random(seed), HICCUPS)
    inputs: list[Signal] = [signal, *[Level(signal.bias)] * 3]
    chip = Ads1115(
        inputs, clock, rate_error=rate_error, noise=1, random=Random(seed + 1)
    )
    found = opener({PATH: I2CBus({ADDRESS: chip}, clock)})
    setattr(i2c, "open_node", found)  # noqa: B010  (a function, to its module)
    bus = i2c.I2C(PATH, monotonic=clock.monotonic)
    converter = Converter(
        bus,
        ADDRESS,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
        random=Random(seed + 2),
    )
    return converter, clock


def readings(
    converter: Converter, clamp: Clamp, nominal: float, count: int
) -> Iterator[tuple[float | None, Window, Window]]:
    """Return readings as the sampler takes them, their windows, and one for ESPHome."""
    mains = MainsFrequency(nominal)
    gain = 1.0
    for place in range(count + 2):
        window = converter.sample(clamp.source, gain, WINDOW)
        reading, wave = clamp.read(window, mains.value)
        gain = clamp.next_gain(wave)
        if reading.current:
            mains.update(wave, 1.0)
        if place >= 2:
            longer = converter.sample(clamp.source, gain, ESPHOME_WINDOW)
            yield reading.current, window, longer


def measure_condition(
    make: Callable[[float], Waveform],
    wiring: Wiring,
    condition: tuple[float, float, float],
    windows: int,
) -> tuple[list[float], list[float], list[float], int]:
    """Return the errors of ours, plain RMS and ESPHome, and how often there was none."""
    level, frequency, rate_error = condition
    source, bias, peak = WIRINGS[wiring]
    waveform = make(frequency)
    amps = level * peak / waveform.crest_factor / VOLTS_PER_AMP
    signal = ClampSignal(
        waveform=waveform, amps=lambda _: amps, bias=bias, frequency=frequency
    )
    converter, _ = open_converter(signal, rate_error, hash(condition) & 0xFFFF)
    clamp = Clamp(source=source, wiring=wiring)
    ours, plain, esphome, none = [], [], [], 0
    nominal = round(frequency, -1)
    for current, window, longer in readings(converter, clamp, nominal, windows):
        plain.append(100 * (plain_rms(window) / VOLTS_PER_AMP / amps - 1))
        esphome.append(100 * (esphome_rms(longer) / VOLTS_PER_AMP / amps - 1))
        if current is None:
            none += 1
        else:
            ours.append(100 * (current / amps - 1))
    return ours, plain, esphome, none


def measure_accuracy(report: Report, grid: Grid) -> None:
    """Measure every load with every wiring."""
    for (name, make), wiring in product(WAVES.items(), WIRINGS):
        progress(f"{name}, {wiring}")
        small, large, told, beyond = Errors(), Errors(), 0, 0
        for condition in product(grid.levels, grid.frequencies, grid.rate_errors):
            ours, plain, esphome, none = measure_condition(
                make, wiring, condition, grid.windows
            )
            if condition[0] > 1:
                told, beyond = told + none, beyond + none + len(ours)
                continue
            errors = small if condition[0] < 0.05 else large
            # A reading that is withheld within the range would be an error of 100 %
            errors.ours.append([*ours, *[-100.0] * none])
            errors.plain.append(plain)
            errors.esphome.append(esphome)
        report.figures += _figures(f"{name}, {wiring}", name, small, large)
        report.figures.append(
            Figure(
                name=f"{name}, {wiring}: told as out of range at 200 %",
                value=100 * told / beyond,
                unit="%",
                target=at_least(100),
            )
        )


def _figures(title: str, name: str, small: Errors, large: Errors) -> list[Figure]:
    """Return the figures of a load with a wiring."""
    band = at_most(BANDS[name]) if name in BANDS else None
    single = quantiles([abs(e) for c in large.ours for e in c], n=20)[-1]
    figures = [
        Figure(name=f"{title}: {what}", value=value, unit="%", target=target, peer=peer)
        for what, value, target, peer in (
            (
                "worst mean, beside plain RMS",
                worst_mean(large.ours),
                band,
                worst_mean(large.plain),
            ),
            (
                "worst mean, beside ESPHome",
                worst_mean(large.ours),
                band,
                worst_mean(large.esphome),
            ),
            (
                "worst spread, beside plain RMS",
                worst_spread(large.ours),
                band,
                worst_spread(large.plain),
            ),
            (
                "worst spread, beside ESPHome",
                worst_spread(large.ours),
                band,
                worst_spread(large.esphome),
            ),
            ("95 % of single readings", single, band, None),
        )
    ]
    if name == "sine":
        at_1_percent = at_most(BAND_AT_1_PERCENT)
        figures.append(
            Figure(
                name=f"{title}: worst mean at 1 % of range",
                value=worst_mean(small.ours),
                unit="%",
                target=at_1_percent,
                peer=worst_mean(small.plain),
            )
        )
    return figures


class QuickNode:
    """A device file that costs next to nothing: ready in time, the codes of a sine."""

    transfers = 0

    def __init__(self, path: str) -> None:
        """Prepare the codes."""
        self._codes = [
            int(13200 + 8000 * sin(2 * pi * step / 9.1)).to_bytes(2, signed=True)
            for step in range(997)
        ]
        self._pointer = 0
        self._word = 0
        self._ready = 0.0
        self._next = 0

    def ioctl(self, request: int, argument: int) -> None:
        """Take any address."""

    def write(self, data: bytes) -> None:
        """Take what starts a conversion."""
        QuickNode.transfers += 1
        time.sleep((11 + 9 * len(data)) / 100_000)
        self._pointer = data[0]
        if len(data) == 3 and self._pointer == CONFIG:
            self._word = int.from_bytes(data[1:])
            rate = (8, 16, 32, 64, 128, 250, 475, 860)[self._word >> 5 & 7]
            self._ready = time.monotonic() + 1 / rate

    def read(self, length: int) -> bytes:
        """Return the next code, or the configuration."""
        QuickNode.transfers += 1
        time.sleep((11 + 9 * length) / 100_000)
        if length == 1:
            return b"\x00"
        if self._pointer == CONFIG:
            ready = 0x8000 * (time.monotonic() >= self._ready)
            return (self._word & 0x7FFF | ready).to_bytes(2)
        self._next = (self._next + 1) % len(self._codes)
        return self._codes[self._next]

    def close(self) -> None:
        """Close nothing."""


def thread_cpu(native_id: int) -> float:
    """Return the processor time of a thread in s, as the scheduler counts it."""
    schedstat = Path(f"/proc/self/task/{native_id}/schedstat").read_text()
    return int(schedstat.split()[0]) / 1e9


def measure_cpu(report: Report, seconds: float) -> None:
    """Measure what one board costs in real time, beside the library's reading in a row."""
    progress("processor time of one board")
    setattr(i2c, "open_node", QuickNode)  # noqa: B010  (a function, to its module)
    sampler = BusSampler(PATH)
    swept = threading.Event()
    failures: list[OSError] = []
    board = Board(
        address=ADDRESS,
        clamps={source: Clamp(source=source) for source in ("A0", "A1", "A2", "A3")},
        mains_frequency=50,
        on_sweep=lambda sweep: swept.set(),
        on_failure=failures.append,
    )
    sampler.add(board)
    assert swept.wait(30), failures
    (thread,) = (t for t in threading.enumerate() if t.name.startswith("rackwatt"))
    ours, ours_transfers = _cpu_while(thread, seconds)
    sampler.remove(board)

    stop = threading.Event()

    def read_in_a_row() -> None:
        chip = ADS1115(i2c.I2C(PATH), address=ADDRESS, data_rate=860)
        while not stop.is_set():
            chip.read(4)

    thread = threading.Thread(target=read_in_a_row)
    thread.start()
    library, library_transfers = _cpu_while(thread, min(seconds, 5))
    stop.set()
    thread.join()
    report.figures += [
        Figure(
            name="CPU of one board with four channels, beside the library in a row",
            value=100 * ours,
            unit="% of a core",
            target=at_most(5),
            peer=100 * library,
        ),
        Figure(
            name="transfers on the bus, beside the library in a row",
            value=ours_transfers,
            unit="1/s",
            peer=library_transfers,
        ),
    ]


def _cpu_while(thread: threading.Thread, seconds: float) -> tuple[float, float]:
    """Return the share of a core and the transfers per second of a thread."""
    assert thread.native_id is not None
    time.sleep(0.5)
    begin, cpu, transfers = (
        time.monotonic(),
        thread_cpu(thread.native_id),
        QuickNode.transfers,
    )
    time.sleep(seconds)
    passed = time.monotonic() - begin
    used = thread_cpu(thread.native_id) - cpu
    return used / passed, (QuickNode.transfers - transfers) / passed


def measure_rate(report: Report) -> None:
    """Measure samples per second on a bus whose program takes no time."""
    for kilohertz in (100, 400):
        clock = VirtualClock()
        chip = Ads1115([Level(1.65)] * 4, clock)
        bus = I2CBus({ADDRESS: chip}, clock, hertz=1000 * kilohertz)
        setattr(i2c, "open_node", opener({PATH: bus}))  # noqa: B010
        opened = i2c.I2C(PATH, monotonic=clock.monotonic)
        converter = Converter(
            opened, ADDRESS, monotonic=clock.monotonic, sleep=clock.sleep
        )
        before = bus.transfers
        samples = len(converter.sample("A0", 1, 2.0).times)
        transfers = (bus.transfers - before) / samples
        library = ADS1115(opened, address=ADDRESS, data_rate=860)
        before, begin = bus.transfers, clock.now
        for _ in range(500):
            library.read(4)
        rate = 500 / (clock.now - begin)
        report.figures += [
            Figure(
                name=f"samples at {kilohertz} kHz, beside the library in a row",
                value=samples / 2,
                unit="1/s",
                peer=rate,
            ),
            Figure(
                name=f"transfers a sample at {kilohertz} kHz, beside the library",
                value=transfers,
                unit="",
                peer=(bus.transfers - before) / 500,
            ),
        ]


def measure_energy(report: Report, step: float) -> None:
    """Measure the energy of a day of a load that varies and jumps."""
    progress(f"energy of a day, a reading each {step:g} s")
    random = Random(4)
    jumps = [random.uniform(0.2, 1.6) for _ in range(24 * 12 + 1)]

    def amps(moment: float) -> float:
        """Return a slow wave on jumps each five minutes."""
        return jumps[int(moment / 300) % len(jumps)] + 0.1 * sin(moment / 700)

    signal = ClampSignal(waveform=PFC, amps=lambda now: amps(now - start), bias=1.65)
    start = 0.0
    converter, clock = open_converter(signal, 0.03, 5)
    start = clock.now
    clamp = Clamp(source="A0")
    counter = EnergyIntegrator(None, 2 * step)
    mains = MainsFrequency(50)
    while clock.now < start + 86400:
        reading, wave = clamp.read(converter.sample("A0", 1, WINDOW), mains.value)
        assert reading.current is not None
        mains.update(wave, step)
        counter.add(reading.time, 230 * reading.current)
        clock.sleep(step - WINDOW)
    truth = sum(230 * amps(second + 0.5) for second in range(86400)) / 3600
    report.figures.append(
        Figure(
            name=f"energy of a day, a reading each {step:g} s",
            value=100 * abs(counter.energy_wh / truth - 1),
            unit="%",
            target=at_most(0.5),
        )
    )


def measure(quick: bool) -> Report:
    """Measure all."""
    report = Report(bench="ct")
    measure_accuracy(report, QUICK if quick else FULL)
    measure_rate(report)
    measure_cpu(report, 4 if quick else 15)
    measure_energy(report, 60 if quick else 20)
    return report


if __name__ == "__main__":
    sys.exit(run(measure))
