"""Energy counters: what is counted, and what keeps it exact across restarts.

A counter never falls, never jumps and never counts a gap twice. Its state is stored
in one transaction with what it counts (see `history`), so that there is one truth.
"""

from dataclasses import dataclass, replace
import math

WH_PER_KWH = 1000.0
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterState:
    """What is stored of a counter.

    Energy in Wh is ``base_wh + impulses * wh_per_impulse``; a counter that is
    integrated over time has no impulses and keeps all of it in the base.
    """

    base_wh: float = 0.0
    impulses: int = 0
    # of these impulses, those that only the device's own count told of
    missed: int = 0
    wh_per_impulse: float = 0.0
    # the device's own counter when last seen, and when that was (ms since 1970)
    device_count: float | None = None
    stamp: int | None = None

    @property
    def energy_wh(self) -> float:
        """Return the energy in Wh."""
        return self.base_wh + self.impulses * self.wh_per_impulse


def wh_per_impulse(impulses_per_kwh: float, ratio: float) -> float:
    """Return the energy of an impulse in Wh, behind a transformer of some ratio."""
    return WH_PER_KWH * ratio / impulses_per_kwh


class ImpulseCounter:
    """Count impulses that each stand for the same energy."""

    def __init__(self, state: CounterState | None, energy_per_impulse: float) -> None:
        """Go on from a stored state, with what an impulse stands for now (Wh)."""
        state = state or CounterState(wh_per_impulse=energy_per_impulse)
        # Another meter constant or ratio holds from here on: the energy counted so
        # far stays what it is, so the base takes up the difference.
        changed = state.wh_per_impulse - energy_per_impulse
        self.state = replace(
            state,
            base_wh=state.base_wh + state.impulses * changed,
            wh_per_impulse=energy_per_impulse,
        )

    @property
    def energy_wh(self) -> float:
        """Return the energy in Wh."""
        return self.state.energy_wh

    def add(
        self, stamp: int, *, missed: int = 0, device_count: int | None = None
    ) -> None:
        """Count one impulse, and those before it that never arrived."""
        self.state = replace(
            self.state,
            impulses=self.state.impulses + 1 + missed,
            missed=self.state.missed + missed,
            device_count=device_count,
            stamp=stamp,
        )

    def set_reading(self, energy_wh: float) -> None:
        """Make the counter show what the meter itself shows, in Wh."""
        self.state = replace(
            self.state, base_wh=self.state.base_wh + energy_wh - self.energy_wh
        )


class EnergyIntegrator:
    """Integrate power over time by the trapezoidal rule.

    Between two samples further apart than `max_gap` seconds nothing is known, so
    nothing is counted; the gap is reported instead.
    """

    def __init__(self, state: CounterState | None, max_gap: float) -> None:
        """Go on from a stored state."""
        self.state = state or CounterState()
        self.gaps = 0
        self.gap_seconds = 0.0
        self._max_gap = max_gap
        self._last: tuple[float, float] | None = None

    @property
    def energy_wh(self) -> float:
        """Return the energy in Wh."""
        return self.state.energy_wh

    def add(self, time: float, watts: float, stamp: int | None = None) -> None:
        """Add a sample of power (W) taken at a monotonic time (s).

        Power that is negative, or no number, is no consumption: an energy counter
        of Home Assistant must not fall.
        """
        if not math.isfinite(watts):
            return
        watts = max(0.0, watts)
        last, self._last = self._last, (time, watts)
        if last is None:
            return
        seconds = time - last[0]
        if not 0 <= seconds <= self._max_gap:
            self.gaps += 1
            self.gap_seconds += max(0.0, seconds)
            return
        energy = (last[1] + watts) / 2 * seconds / SECONDS_PER_HOUR
        self.state = replace(
            self.state, base_wh=self.state.base_wh + energy, stamp=stamp
        )

    def interrupt(self) -> None:
        """Forget the last sample: what comes next does not join on to it."""
        self._last = None
