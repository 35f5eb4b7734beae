"""The simulated pulse meter, read through its serial line."""

from array import array
import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
import fcntl
import os
from pathlib import Path
import select
import termios

import pytest

from demo.rack.blip import BlipMeter, watts_at

GREETING = ["CONNECTED blip 1", "INFO 1 Rack feed"]
TEN_A_SECOND = 36_000  # W at 1000 impulses per kWh


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[BlipMeter]:
    """Return a meter with power that stands still in time."""
    meter = BlipMeter(tmp_path / "rack")
    meter.plug()
    meter.set_power(TEN_A_SECOND)
    meter.advance(0.01)  # impulses fall between the ends of the tests' steps
    yield meter
    meter.unplug()


class Listener:
    """A program that has the serial line open."""

    def __init__(self, meter: BlipMeter) -> None:
        """Open the line and let the meter notice."""
        self._handle = os.open(meter.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        meter.advance(0)

    def lines(self, count: int) -> list[str]:
        """Return as many lines; the kernel hands them over a moment after the write."""
        data = b""
        while data.count(b"\n") < count and select.select([self._handle], [], [], 5)[0]:
            data += os.read(self._handle, 4096)
        return data.decode().splitlines()

    def wait_for(self, size: int) -> None:
        """Wait until that many bytes lie unread."""
        waiting = array("i", [0])
        while waiting[0] < size:
            fcntl.ioctl(self._handle, termios.FIONREAD, waiting)

    def is_hung_up(self) -> bool:
        """Tell whether the line is gone."""
        return os.read(self._handle, 4096) == b""

    def write(self, data: bytes) -> None:
        """Send something to the meter."""
        os.write(self._handle, data)

    def close(self) -> None:
        """Close the line."""
        os.close(self._handle)


def test_lines_carry_interval_and_count(meter: BlipMeter) -> None:
    """A listener gets the greeting and then a line for each impulse."""
    listener = Listener(meter)
    meter.advance(0.35)
    assert listener.lines(5) == [*GREETING, "1 100 1", "1 100 2", "1 100 3"]
    meter.advance(0.04)
    meter.advance(0.02)
    assert listener.lines(1) == ["1 100 4"]
    assert meter.pulses == 4
    listener.close()


def test_a_change_of_power_counts_from_its_moment(meter: BlipMeter) -> None:
    """An interval that saw two powers has the length that both make together."""
    listener = Listener(meter)
    meter.advance(0.04)
    meter.set_power(TEN_A_SECOND / 10)
    meter.advance(0.5)
    assert listener.lines(3) == [*GREETING, "1 550 1"]
    meter.set_power(0)
    meter.advance(3600)
    assert meter.pulses == 1
    listener.close()


def test_count_goes_on_while_nobody_listens(meter: BlipMeter) -> None:
    """Lines without a listener are lost; their impulses are not."""
    meter.advance(1)
    listener = Listener(meter)
    meter.advance(0.1)
    listener.wait_for(len("\n".join([*GREETING, "1 100 11", ""])))
    listener.close()  # without having read
    meter.advance(2)
    listener = Listener(meter)
    meter.advance(0.1)
    assert listener.lines(3) == [*GREETING, "1 100 32"]
    listener.write(b"hello?\n")
    meter.advance(0.1)
    assert listener.lines(1) == ["1 100 33"]
    listener.close()


def test_a_full_line_loses_lines_only(meter: BlipMeter) -> None:
    """A listener that does not read costs lines, neither the count nor the meter."""
    listener = Listener(meter)
    meter.advance(1000)
    assert meter.pulses == 10_000
    assert listener.lines(3)[:3] == [*GREETING, "1 100 1"]
    listener.close()


def test_unplugged_and_plugged_in_again(meter: BlipMeter) -> None:
    """The line hangs up and comes back under its link, with the board's count at zero."""
    listener = Listener(meter)
    meter.advance(0.5)
    listener.lines(7)
    meter.unplug()
    assert listener.is_hung_up()
    assert not meter.link.is_symlink()
    listener.close()
    meter.advance(10)
    assert meter.pulses == 5

    meter.plug()
    listener = Listener(meter)
    meter.advance(0.2)
    assert listener.lines(4) == [*GREETING, "1 100 1", "1 100 2"]
    assert meter.pulses == 7
    listener.close()


async def test_runs_by_itself(tmp_path: Path) -> None:
    """Started, it counts; stopped, it leaves nothing behind."""
    meter = BlipMeter(tmp_path)
    meter.set_power(TEN_A_SECOND * 100)
    await meter.start()
    while not meter.pulses:
        await asyncio.sleep(0.01)
    await meter.stop()
    assert not any(tmp_path.iterdir())
    await meter.stop()


def test_the_day_is_plausible() -> None:
    """A year of power stays within the rack's limits and rises by day."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    year = [watts_at(start + timedelta(hours=n)) for n in range(365 * 24)]
    assert min(year) >= 150
    assert max(year) <= 900
    assert 300 < sum(year) / len(year) < 500
    day = datetime(2026, 3, 4).astimezone()
    assert watts_at(day.replace(hour=14)) > watts_at(day.replace(hour=22)) + 100
