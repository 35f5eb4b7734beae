"""Counters of the kernel turned into rates."""

from collections.abc import Mapping
import time


class Rates:
    """Remember counters, return what they gained a second."""

    def __init__(self) -> None:
        """Start without a last reading."""
        self._last: dict[str, int] = {}
        self._at: float | None = None

    def update(self, counters: Mapping[str, int]) -> dict[str, float | None]:
        """Return the rates since the last reading; a counter that fell has none."""
        now = time.monotonic()
        passed = 0.0 if self._at is None else now - self._at
        rates: dict[str, float | None] = {}
        for key, count in counters.items():
            gained = count - self._last.get(key, count + 1)
            rates[key] = gained / passed if passed > 0 and gained >= 0 else None
        self._last, self._at = dict(counters), now
        return rates
