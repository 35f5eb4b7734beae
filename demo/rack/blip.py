"""A pulse meter at the rack's feed, behind a serial line that is real to its reader."""

import asyncio
import contextlib
from datetime import UTC, datetime
import errno
import math
import os
from pathlib import Path
import select
import termios
import time
import tty
from typing import ClassVar

from .part import Consumer, Past
from demo.client import Client

IMPULSES_PER_KWH = 1000
_WS_PER_KWH = 3_600_000
_TICK = 0.05  # s; also how late a line can be


def watts_at(moment: datetime) -> float:
    """Return the rack's power at an instant: the same for live lines and history.

    A base load, more in working hours, a backup at night, fans that work harder in
    summer, and noise from sines whose periods have no common multiple.
    """
    local = moment.astimezone()
    hour = local.hour + local.minute / 60 + local.second / 3600
    day = local.timetuple().tm_yday
    stamp = moment.timestamp()
    work = 0.35 if local.weekday() >= 5 else 1.0
    base = 330 + 25 * math.cos((day - 200) / 365 * math.tau)
    office = 210 * work * math.exp(-(((hour - 14) / 4.2) ** 2))
    backup = 190 * math.exp(-(((hour - 2.5) / 0.6) ** 2))
    noise = sum(
        size * math.sin(stamp / period * math.tau)
        for size, period in ((28, 4021), (19, 947), (14, 233), (9, 71), (35, 250_007))
    )
    return min(900.0, max(150.0, base + office + backup + noise))


class BlipMeter:
    """Counts impulses and sends `id ms count` lines, as our own firmware does.

    The line is a pty. It lies under the same link through unplugging, and Home
    Assistant may come and go: the count goes on while nobody listens.
    """

    name: ClassVar[str] = "blip_meter"

    def __init__(self, directory: Path) -> None:
        """Describe a meter that follows the day's curve."""
        self.link = directory / "ttyBLIP0"
        self.pulses = 0  # counted since the simulation began: the truth to compare with
        self._count = 0  # what the board counted since it got power
        self._watts: float | None = None
        self._fraction = 0.0  # of the impulse under way
        self._since_pulse = 0.0
        self._master: int | None = None
        self._listened = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Plug the meter in and let it count."""
        self.plug()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop counting and take the line away."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self.unplug()

    async def create(self, client: Client) -> None:
        """Add the meter to Home Assistant."""
        await client.create_entry(
            {"next_step_id": "blip_meter"},
            {
                "port": str(self.link),
                "baudrate": 9600,
                "parity": "N",
                "line_format": "counted",
            },
            {
                "meter_id": 1,
                "name": "Rack feed",
                "impulses_per_kwh": IMPULSES_PER_KWH,
                "ratio": 1,
                "max_power": 25_000,
            },
        )

    def past(self) -> tuple[Past, ...]:
        """Return power and energy along the day's curve."""
        return (
            Past(
                entity_id="sensor.rack_feed_power",
                unit="W",
                unit_class="power",
                value=watts_at,
            ),
            Past(
                entity_id="sensor.rack_feed_energy",
                unit="kWh",
                unit_class="energy",
                value=lambda moment: watts_at(moment) / 1000,
                is_total=True,
            ),
        )

    def consumers(self) -> tuple[Consumer, ...]:
        """Return the feed of the rack."""
        return (
            Consumer(
                name="Rack feed",
                energy="sensor.rack_feed_energy",
                power="sensor.rack_feed_power",
                is_feed=True,
            ),
        )

    def set_power(self, watts: float | None) -> None:
        """Draw this much from now on; None returns to the day's curve."""
        self._watts = watts

    def plug(self) -> None:
        """Give the board power: its count starts at zero, under the same link."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.link.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.link.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(slave))
        fresh.rename(self.link)
        # held open by its reader only, so that we see it come and go
        os.close(slave)
        self._master = master
        self._count = 0
        self._listened = False

    def unplug(self) -> None:
        """Take the board's power and its line away, as pulling its USB plug does."""
        if self._master is not None:
            self.link.unlink(missing_ok=True)
            os.close(self._master)
            self._master = None

    async def _run(self) -> None:
        """Let time pass."""
        then = time.monotonic()
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            self.advance(now - then)
            then = now

    def advance(self, seconds: float) -> None:
        """Count and send what falls into the next seconds."""
        if self._master is None:
            return
        self._greet_listener(self._master)
        watts = watts_at(datetime.now(UTC)) if self._watts is None else self._watts
        per_second = watts * IMPULSES_PER_KWH / _WS_PER_KWH
        while per_second > 0 and self._fraction + seconds * per_second >= 1:
            step = (1 - self._fraction) / per_second
            seconds -= step
            self._since_pulse += step
            self._pulse(self._master)
        self._fraction += seconds * per_second
        self._since_pulse += seconds

    def _pulse(self, master: int) -> None:
        """Count an impulse and tell it to whoever listens."""
        self.pulses += 1
        self._count += 1
        milliseconds = round(self._since_pulse * 1000)
        self._fraction = self._since_pulse = 0.0
        self._send(master, f"1 {milliseconds} {self._count}")

    def _greet_listener(self, master: int) -> None:
        """Introduce the board when its line is opened."""
        poll = select.poll()
        poll.register(master, select.POLLIN)
        events = poll.poll(0)
        state = events[0][1] if events else 0
        listened = not state & select.POLLHUP
        if listened and state & select.POLLIN:
            os.read(master, 4096)  # a board without commands ignores what it is told
        if listened and not self._listened:
            self._listened = True
            self._send(master, "CONNECTED blip 1")
            self._send(master, "INFO 1 Rack feed")
        if self._listened and not listened:
            self._forget_unread()
        self._listened = listened

    def _forget_unread(self) -> None:
        """Drop what the last listener left unread, as the driver of a real port does."""
        handle = os.open(self.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        termios.tcflush(handle, termios.TCIFLUSH)
        os.close(handle)

    def _send(self, master: int, line: str) -> None:
        """Send a line; without a listener it is lost, as on a real serial line."""
        if not self._listened:
            return
        try:
            os.write(master, f"{line}\n".encode())
        except OSError as err:
            if err.errno not in (errno.EAGAIN, errno.EIO):
                raise
