"""Energy that a PDU counts in steps of 100 Wh, smoothed by the power between the steps.

At 20 W a step takes five hours: hourly statistics of the bare counter would show nothing
and then all of it. Power fills the steps, the counter stays the truth.
"""

from dataclasses import dataclass

SECONDS_PER_HOUR = 3600.0
MOST_POWER = 100_000.0
"""Watts that no rack PDU carries: faster counting is a damaged or foreign value."""
ALMOST = 0.999
"""How full a step may look before the counter says that it is."""


@dataclass(frozen=True, kw_only=True)
class MeterState:
    """What must outlive a restart.

    `energy` is what we show; `device` is where the device's counter would stand by now
    if it had no steps. Their difference only changes when the device was reset.
    """

    energy: float
    device: float
    stamp: float
    """When that was, in seconds since 1970."""


class SteppedMeter:
    """Follow a counter that has steps, and may be reset at the device."""

    def __init__(self, step: float, state: MeterState | None = None) -> None:
        """Go on from a stored state."""
        self.step = step
        self.state = state
        self.resets = 0
        self.doubted = 0
        self._doubtful: float | None = None

    def read(self, counted: float, power: float | None, now: float) -> float:
        """Take a reading of the device's counter (Wh) and return the energy (Wh)."""
        if self.state is None:
            self.state = MeterState(energy=counted, device=counted, stamp=now)
            return counted
        state = self.state
        elapsed = max(0.0, now - state.stamp)
        possible = MOST_POWER * elapsed / SECONDS_PER_HOUR + 2 * self.step
        if not state.device - self.step <= counted <= state.device + possible:
            return self._doubt(counted, possible, now)
        self._doubtful = None
        grown = state.device + (power or 0.0) * elapsed / SECONDS_PER_HOUR
        device = min(max(grown, counted), counted + self.step * ALMOST)
        self._move(max(device, state.device), now)
        return self.state.energy

    def _move(self, device: float, now: float) -> None:
        """Show what the device counted since."""
        assert self.state is not None
        energy = self.state.energy + (device - self.state.device)
        self.state = MeterState(energy=energy, device=device, stamp=now)

    def _doubt(self, counted: float, possible: float, now: float) -> float:
        """Believe a counter that fell or leapt only when it says so twice."""
        assert self.state is not None
        before, self._doubtful = self._doubtful, counted
        if before is None or not before <= counted <= before + possible:
            self.doubted += 1
            return self.state.energy
        self._doubtful = None
        self.resets += 1
        # What it counted since the reset was used; more than can have been was not
        used = counted if counted <= possible else 0.0
        self.state = MeterState(
            energy=self.state.energy + used, device=counted, stamp=now
        )
        return self.state.energy
