"""Blip meter: many blips a second into a real hass, a day of three meters, and kills."""

import asyncio
import math
import os
from pathlib import Path
import sqlite3
import sys
import time
import tty

from benchmarks.measured_hass import MeasuredHass, measured_hass
from benchmarks.report import Figure, Report, at_least, at_most, progress, run
from custom_components.rackwatt.blip_meter.line import LineFormat, LineReader, Pulse
from custom_components.rackwatt.blip_meter.meter import Meter, MeterSettings
from custom_components.rackwatt.history.places import HOUR_MASK
from custom_components.rackwatt.history.reader import Reader

# an impulse constant that makes 1,000 blips/s a sane 3.6 kW
FAST = {"impulses_per_kwh": 1_000_000, "ratio": 1, "max_power": 100_000}
IMPULSES = "sensor.fast_impulses"


class Line:
    """A pty; its lines are sent at a steady rate."""

    def __init__(self, link: Path) -> None:
        """Plug it in."""
        self._master, slave = os.openpty()
        tty.setraw(slave)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(slave))
        # held open: a pty whose reader was killed must not hang up
        self._slave = slave
        self.sent = 0

    async def send(self, per_second: int, seconds: float) -> None:
        """Send blips in time, at most ten milliseconds' worth at once."""
        loop = asyncio.get_running_loop()
        start, already = loop.time(), self.sent
        while (elapsed := loop.time() - start) < seconds:
            due = already + int(elapsed * per_second) - self.sent
            ms = 1000 // per_second
            os.write(self._master, b"1 %d\n" % ms * due)
            self.sent += due
            await asyncio.sleep(0.01)

    def close(self) -> None:
        """Unplug it."""
        os.close(self._slave)
        os.close(self._master)


async def add_meter(measured: MeasuredHass, link: Path) -> None:
    """Add the meter as a user does."""
    await measured.client.create_entry(
        {"next_step_id": "blip_meter"},
        {"port": str(link), "baudrate": 9600, "parity": "N", "line_format": "id_ms"},
        {"meter_id": 1, "name": "Fast", **FAST},
    )


async def counted(measured: MeasuredHass, expected: int) -> int:
    """Return what the meter shows once it shows what is expected, or after a while."""
    deadline = time.monotonic() + 10
    shown = 0
    while shown < expected and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        state = await measured.client.state(IMPULSES)
        shown = int(state) if state.isdecimal() else 0
    return shown


def stored(config: Path) -> tuple[int, int, str]:
    """Return blips, the counter's impulses, and what an integrity check says."""
    db = sqlite3.connect(config / "rackwatt.db")
    try:
        # every meter's sums, and those of its open hour anew
        reader = Reader(db)
        blips = sum(
            sum(reader.hours(meter, 0, HOUR_MASK).events)
            for (meter,) in db.execute("SELECT id FROM meter").fetchall()
        )
        (impulses,) = db.execute("SELECT sum(impulses) FROM counter").fetchone()
        (sound,) = db.execute("PRAGMA integrity_check").fetchone()
    finally:
        db.close()
    return blips, impulses or 0, sound


async def measure_rate(report: Report, seconds: float) -> None:
    """1,000 blips/s on one port, with the recorder on."""
    async with measured_hass() as measured:
        link = measured.hass.config / "ttyBLIP"
        line = Line(link)
        await add_meter(measured, link)
        await asyncio.sleep(2)
        await measured.lag()
        progress(f"1,000 blips/s for {seconds:.0f} s")
        await line.send(1000, seconds)
        lag = await measured.lag()
        shown = await counted(measured, line.sent)
        await asyncio.sleep(1.5)
        blips, impulses, _ = stored(measured.hass.config)
        line.close()
    report.figures += [
        Figure(name="blips sent", value=line.sent, unit="blips"),
        Figure(
            name="lost on the way to the sensor",
            value=line.sent - shown,
            unit="blips",
            target=at_most(0),
        ),
        Figure(
            name="lost on the way to the history",
            value=max(line.sent - blips, line.sent - impulses),
            unit="blips",
            target=at_most(0),
        ),
        Figure(
            name="event-loop lag, p99",
            value=lag["p99"] * 1000,
            unit="ms",
            target=at_most(20),
        ),
        Figure(name="event-loop lag, longest", value=lag["max"] * 1000, unit="ms"),
        Figure(
            name="CPU of all of hass",
            value=lag["cpu"] / lag["wall"] * 100,
            unit="% of a core",
        ),
    ]


class DayMeter:
    """What a meter sent in a simulated day, and what came of it."""

    def __init__(self, phase: float) -> None:
        """Begin the day at some point of its course."""
        self.phase = phase
        self.meter = Meter(
            MeterSettings(impulses_per_kwh=60_000, max_power=100_000), None, None
        )
        self.sent = self.accepted = 0
        self.due = 0.0
        self.energy = [0.0] * 24
        self.integral = [0.0] * 24
        self.shown = (0.0, 0.0)

    def interval(self, now: float) -> int:
        """Return the ms to the next blip: about 50 blips/s, by the course of a day."""
        day = math.sin(2 * math.pi * now / 86_400 + self.phase)
        step = 1.4 if int(now / 1800) % 3 == 0 else 1.0
        return round(20 / (step * (1 + 0.4 * day)))

    def show(self, now: float) -> None:
        """Integrate the power that was shown, as a recorder does."""
        since, power = self.shown
        if self.meter.publish(now):
            hour = min(23, int(since // 3600))
            self.integral[hour] += power * (now - since) / 3600
            self.shown = (now, self.meter.power or 0.0)


def simulate_day(report: Report, hours: int) -> None:
    """Three meters on one bus at 50 blips/s each."""
    progress(f"{hours} h of three meters at 50 blips/s, simulated")
    reader = LineReader(LineFormat.ID_MS)
    meters = {number: DayMeter(number * 2.0) for number in (1, 2, 3)}
    end = hours * 3600
    stamp0 = 1_760_000_000_000
    while True:
        number, day = min(meters.items(), key=lambda item: item[1].due)
        now = day.due
        if now >= end:
            break
        ms = day.interval(now)
        (event,) = reader.feed(b"%d %d\n" % (number, ms))
        assert isinstance(event, Pulse)
        day.sent += 1
        accepted = day.meter.pulse(event, stamp0 + int(now * 1000), now)
        if accepted is not None:
            day.accepted += 1
            day.energy[int(now // 3600)] += 1000 / 60_000
        day.show(now)
        day.due = now + day.interval(now) / 1000
    wrong = sum(abs(day.sent - day.accepted) for day in meters.values())
    total = max(abs(sum(day.integral) / sum(day.energy) - 1) for day in meters.values())
    worst = max(
        abs(day.integral[hour] / day.energy[hour] - 1)
        for day in meters.values()
        for hour in range(hours)
    )
    report.figures += [
        Figure(
            name="blips of a day that are not counted",
            value=wrong,
            unit="blips",
            target=at_most(0),
        ),
        Figure(
            name="integral of power against energy",
            value=total * 100,
            unit="%",
            target=at_most(0.1),
        ),
        Figure(
            name="the same, worst hour",
            value=worst * 100,
            unit="%",
            target=at_most(1),
        ),
    ]


async def measure_kills(report: Report, kills: int) -> None:
    """Kill a real hass again and again during 200 blips/s."""
    sound = equal = 0
    longest = 0.0
    async with measured_hass() as measured:
        config = measured.hass.config
        line = Line(config / "ttyBLIP")
        await add_meter(measured, config / "ttyBLIP")
        for kill in range(kills):
            progress(f"kill {kill + 1} of {kills}")
            await asyncio.sleep(0.5)
            before, sent = stored(config)[0], line.sent
            await line.send(200, 3 + kill % 10 / 10)
            await measured.hass.kill()
            blips, impulses, check = stored(config)
            sound += check == "ok"
            equal += blips == impulses
            longest = max(longest, (line.sent - sent - (blips - before)) / 200)
            await measured.restart()
        line.close()
    report.figures += [
        Figure(
            name=f"store sound, of {kills} kills",
            value=sound,
            unit="kills",
            target=at_least(kills),
        ),
        Figure(
            name=f"counter equals a recount, of {kills} kills",
            value=equal,
            unit="kills",
            target=at_least(kills),
        ),
        Figure(
            name="most that a kill has cost",
            value=longest,
            unit="s of blips",
            target=at_most(1),
        ),
    ]


async def measure(quick: bool) -> Report:
    """Measure all of it."""
    report = Report(bench="blip")
    await measure_rate(report, 10 if quick else 60)
    simulate_day(report, 1 if quick else 24)
    if quick:
        report.left_out.append("50 kills of a real hass during 200 blips/s")
    else:
        await measure_kills(report, 50)
    return report


if __name__ == "__main__":
    sys.exit(run(measure))
