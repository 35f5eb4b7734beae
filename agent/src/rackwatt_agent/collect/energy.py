"""Energy counters of hardware, which wrap and reset."""


class EnergyCount:
    """Count what a hardware counter gained since this run began, in watt-hours.

    A wrap and a reset look alike. A fall is taken for one wrap only where the time
    since the last reading allows no second one and the power that it means is
    possible; everything else is a gap, and a gap counts nothing.
    """

    def __init__(self, joules_per_count: float, wrap: int | None = None) -> None:
        """Start at zero."""
        self._scale = joules_per_count
        self._wrap = wrap
        self._last: int | None = None
        self._at = 0.0
        self.wh = 0.0
        self.gaps = 0

    def update(self, count: int, now: float, limit_watts: float | None) -> float | None:
        """Take a reading; return the mean power since the last one."""
        last, at = self._last, self._at
        self._last, self._at = count, now
        if last is None or now <= at:
            return None
        gained = count - last
        if gained < 0:
            unwrapped = self._unwrapped(gained, now - at, limit_watts)
            if unwrapped is None:
                self.gaps += 1
                return None
            gained = unwrapped
        joules = gained * self._scale
        self.wh += joules / 3600
        return joules / (now - at)

    def _unwrapped(
        self, gained: int, passed: float, limit_watts: float | None
    ) -> int | None:
        """Return the gain over one wrap, None where that is not provable."""
        if self._wrap is None or limit_watts is None:
            return None
        whole = (
            self._wrap * self._scale / limit_watts
        )  # seconds for a wrap at the limit
        gained += self._wrap
        watts = gained * self._scale / passed
        return gained if passed < whole / 2 and 0 <= watts <= 2 * limit_watts else None
