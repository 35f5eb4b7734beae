"""How often an address may fail, and a host may ask."""

from collections import deque


class Throttle:
    """Count what happens per name within a sliding window."""

    def __init__(self, limit: int, window: float, names: int = 1000) -> None:
        """Allow so many within so many seconds, for so many names."""
        self._limit = limit
        self._window = window
        self._names = names
        self._times: dict[str, deque[float]] = {}

    def hit(self, name: str, now: float) -> int:
        """Count one; return how many there were within the window."""
        times = self._times.pop(name, None)
        if times is None:
            times = deque(maxlen=self._limit + 1)
            if len(self._times) >= self._names:  # the one that was quiet longest
                self._times.pop(next(iter(self._times)))
        self._times[name] = times
        times.append(now)
        while times[0] <= now - self._window:
            times.popleft()
        return len(times)

    def is_over(self, count: int) -> bool:
        """Tell whether that many are too many."""
        return count > self._limit

    def forget(self, name: str) -> None:
        """Start a name anew."""
        self._times.pop(name, None)
