"""The blip meter's sketch, compiled for its AVR and run on a simulated one.

Pulses go in on the pins, bytes come out of the serial line and go into our own parser.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import itertools
from pathlib import Path
import random
import shutil
import subprocess

import pytest

from custom_components.rackwatt.blip_meter.line import (
    Connected,
    Info,
    LineFormat,
    LineReader,
    Pulse,
)

ROOT = Path(__file__).parents[2]
SKETCH = ROOT / "firmware/blip"
NAMES = ("Hallen", "Ladestander \u00f8st \\ 1", "Varmepumpe")
METERS = '{2, "Hallen"}, {3, "Ladestander \\xc3\\xb8st \\\\ 1"}, {7, "Varmepumpe"},'
INPUTS = (2, 3, 7)
PULSE_US = 30_000
START_US = 300_000
"""By then the sketch has introduced itself."""


@dataclass(frozen=True)
class Edge:
    """A change of an input, at a time in microseconds."""

    us: int
    pin: int
    level: int


@dataclass(frozen=True)
class Sent:
    """What the sketch has sent, with the time of each byte in microseconds."""

    times: tuple[int, ...]
    data: bytes

    def events(self) -> list[Pulse | Connected | Info]:
        """Return what our own parser makes of it, and that it rejects nothing."""
        reader = LineReader(LineFormat.COUNTED)
        events = reader.feed(self.data)
        assert reader.rejected == 0
        assert self.data.endswith(b"\n")
        return events

    def pulses(self, meter_id: int) -> list[tuple[int, int | None]]:
        """Return interval and count of each blip of a meter."""
        return [
            (event.ms, event.count)
            for event in self.events()
            if isinstance(event, Pulse) and event.meter_id == meter_id
        ]


def pulse(us: int, pin: int, length: int = PULSE_US) -> list[Edge]:
    """Return a pulse: the input goes low, and high again."""
    return [Edge(us, pin, 0), Edge(us + length, pin, 1)]


def bouncing(us: int, pin: int) -> list[Edge]:
    """Return a pulse of a contact that bounces for 3 ms when it closes and opens."""
    edges = []
    for start, level in ((us, 0), (us + PULSE_US, 1)):
        edges += [
            Edge(start + step * 500, pin, level ^ (step & 1)) for step in range(7)
        ]
    return edges


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Compile the sketch and its simulator."""
    folder = tmp_path_factory.mktemp("firmware")
    subprocess.run(
        ["make", f"BUILD={folder}", f"METERS={METERS}"],
        cwd=SKETCH,
        check=True,
        capture_output=True,
    )
    subprocess.run(
        [
            *("gcc", "-O2", "-Wall", "-Wextra", "-Werror"),
            *(Path(__file__).parent / "simulate.c", "-o", folder / "simulate"),
            "-lsimavr",
        ],
        check=True,
        capture_output=True,
    )
    yield folder
    shutil.rmtree(folder)


def run(build: Path, edges: list[Edge], end: int | None = None) -> Sent:
    """Run the sketch while the inputs change, and a second longer."""
    lines = [f"0 {pin} 1" for pin in INPUTS]
    lines += [
        f"{edge.us} {edge.pin} {edge.level}"
        for edge in sorted(edges, key=lambda edge: edge.us)
    ]
    last = max((edge.us for edge in edges), default=0)
    lines.append(f"{end or last + 1_000_000} end")
    done = subprocess.run(
        [build / "simulate", build / "blip.elf"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    sent = [line.split() for line in done.stdout.splitlines()]
    return Sent(
        times=tuple(int(us) for us, _ in sent),
        data=bytes(int(byte) for _, byte in sent),
    )


def test_introduces_itself_and_its_meters(build: Path) -> None:
    """Power-on and the names, those with bytes beyond ASCII as well."""
    assert run(build, [], end=START_US).events() == [
        Connected(),
        *(Info(meter_id, name) for meter_id, name in enumerate(NAMES, 1)),
    ]


def test_counts_each_pulse_with_its_interval(build: Path) -> None:
    """Three meters at once, at random: every blip, every interval to the millisecond."""
    draw = random.Random(20261121)
    edges: list[Edge] = []
    fed: dict[int, list[int]] = {}
    for meter_id, pin in enumerate(INPUTS, 1):
        us = START_US + meter_id * 137
        times = []
        for _ in range(30):
            us += draw.randrange(100_000, 2_000_000)
            times.append(us)
            edges += pulse(us, pin)
        fed[meter_id] = times
    sent = run(build, edges)
    for meter_id, times in fed.items():
        found = sent.pulses(meter_id)
        assert [count for _, count in found] == list(range(1, 31))
        # each instant is cut to whole milliseconds, so that no error adds up
        whole = [us // 1000 for us in times]
        wanted = [later - earlier for earlier, later in itertools.pairwise(whole)]
        assert all(
            abs(ms - want) <= 1 for (ms, _), want in zip(found[1:], wanted, strict=True)
        )
        assert abs(sum(ms for ms, _ in found[1:]) - sum(wanted)) <= 1


def test_interval_has_32_bits(build: Path) -> None:
    """Two minutes without a blip are two minutes; the original wrapped after 65.5 s."""
    edges = pulse(START_US, 2) + pulse(START_US + 120_000_000, 2)
    assert run(build, edges).pulses(1)[1:] == [(120_000, 2)]


def test_bouncing_contact_is_one_pulse(build: Path) -> None:
    """Neither closing nor opening counts twice."""
    edges: list[Edge] = []
    for number in range(10):
        edges += bouncing(START_US + number * 250_000, 2)
    found = run(build, edges).pulses(1)
    assert [count for _, count in found] == list(range(1, 11))
    assert {ms for ms, _ in found[1:]} == {250}


def test_glitch_is_no_pulse(build: Path) -> None:
    """What is shorter than the debouncing changes neither count nor interval."""
    edges = pulse(START_US, 2) + pulse(START_US + 1_000_000, 2)
    for us in range(START_US + 100_000, START_US + 900_000, 90_000):
        edges += pulse(us, 2, length=3_000)
    # and a gap in the middle of a pulse
    edges += pulse(START_US + 2_000_000, 2, length=60_000)
    edges += [Edge(START_US + 2_030_000, 2, 1), Edge(START_US + 2_033_000, 2, 0)]
    assert [ms for ms, _ in run(build, edges).pulses(1)][1:] == [1000, 1000]


def test_input_that_is_active_at_power_on_is_no_pulse(build: Path) -> None:
    """A meter may be standing on its contact."""
    edges = [Edge(0, 2, 0), Edge(START_US, 2, 1), *pulse(START_US + 500_000, 2)]
    assert [count for _, count in run(build, edges).pulses(1)] == [1]


def test_count_tells_of_lines_that_did_not_fit(build: Path) -> None:
    """Blips faster than the line: lines are missing, their count is not."""
    edges: list[Edge] = []
    for number in range(150):
        for pin in INPUTS:
            edges += pulse(START_US + number * 20_000, pin, length=10_000)
    # when it is quiet again, one more
    for pin in INPUTS:
        edges += pulse(START_US + 150 * 20_000 + 1_500_000, pin)
    sent = run(build, edges)
    assert len(sent.events()) < 3 * 151
    for meter_id in (1, 2, 3):
        counts = [count for _, count in sent.pulses(meter_id)]
        assert counts == sorted(set(counts))
        assert counts[-1] == 151


def test_line_is_sent_soon_after_the_pulse(build: Path) -> None:
    """Debouncing and 9600 baud: the first byte within 10 ms, at one byte a millisecond."""
    us = START_US + 500_000
    sent = run(build, pulse(us, 2))
    times = [time for time in sent.times if time > us]
    assert times[0] - us < 10_000
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # 10 bits at 9600 baud take 1042 us
    assert all(950 < gap < 1150 for gap in gaps)


def test_arduino_ide_takes_the_sketch(tmp_path: Path) -> None:
    """With the IDE's own main, the sketch brings setup and loop and no main."""
    compiled = tmp_path / "blip.o"
    subprocess.run(
        [
            *("avr-g++", "-std=gnu++11", "-Os", "-mmcu=atmega328p", "-Wall", "-Werror"),
            *("-DF_CPU=16000000UL", "-DARDUINO=10819", "-x", "c++", "-c"),
            *(SKETCH / "blip.ino", "-o", compiled),
        ],
        check=True,
        capture_output=True,
    )
    symbols = subprocess.run(
        ["avr-nm", "--defined-only", "--extern-only", compiled],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert {"_Z5setupv", "_Z4loopv"} <= set(symbols.split())
    assert "main" not in symbols.split()
