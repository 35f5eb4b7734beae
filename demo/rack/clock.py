"""Clocks that simulated hardware runs on."""

from random import Random
import time
from typing import Protocol, override


class Clock(Protocol):
    """What tells the time and lets it pass."""

    def monotonic(self) -> float:
        """Return the time in seconds."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class RealClock:
    """The clock on the wall."""

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds))


class VirtualClock:
    """A clock that jumps where others wait."""

    def __init__(self, now: float = 1000.0) -> None:
        """Start at a time."""
        self.now = now

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Jump."""
        self.now += max(0.0, seconds)


class HiccupingClock(VirtualClock):
    """A clock whose program is put aside now and then, as by a scheduler."""

    def __init__(self, random: Random, share: float, now: float = 1000.0) -> None:
        """Start at a time; the share of steps that are late."""
        super().__init__(now)
        self._random = random
        self._share = share

    @override
    def sleep(self, seconds: float) -> None:
        """Jump, sometimes too far."""
        super().sleep(seconds)
        self.hiccup()

    def hiccup(self) -> None:
        """Be put aside for 0.5 to 12 ms, sometimes."""
        if self._random.random() < self._share:
            self.now += self._random.uniform(0.0005, 0.012)
