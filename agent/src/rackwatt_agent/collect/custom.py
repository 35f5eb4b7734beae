"""Metrics of the owner's own: the number that a command prints or a file holds."""

from pathlib import Path
import re
import subprocess
import time

from ..config import Custom
from ..server.report import Metric
from .collector import LOGGER, Values

TIMEOUT_S = 2.0  # the agent has one thread, and the next sample is due soon
READ_MAX = 4096
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


class CustomCollector:
    """All of them, each at its own interval and each failing alone."""

    name = "custom"

    def __init__(self, items: tuple[Custom, ...]) -> None:
        """Describe them."""
        self._items = items
        self._values: Values = {}
        self._due: dict[str, float] = {}
        self._failing: set[str] = set()
        self.metrics: dict[str, Metric] = {
            f"custom:{item.name}": Metric(
                kind=item.kind, unit=item.unit, name=item.name, source="custom"
            )
            for item in items
        }

    def read(self) -> Values:
        """Run what is due; return the last value of each."""
        now = time.monotonic()
        for item in self._items:
            if now >= self._due.get(item.name, now):
                self._due[item.name] = now + item.interval
                self._values[f"custom:{item.name}"] = self._value(item)
        return dict(self._values)

    def _value(self, item: Custom) -> float | None:
        """Return the number, None where there is none; say so once."""
        try:
            value = first_number(measure(item)) * item.scale
        except (OSError, ValueError, subprocess.SubprocessError) as err:
            if item.name not in self._failing:
                self._failing.add(item.name)
                LOGGER.warning("the metric %s has no value: %s", item.name, err)
            return None
        self._failing.discard(item.name)
        return value


def measure(item: Custom) -> str:
    """Return what the command prints or the file holds."""
    if item.path is not None:
        with Path(item.path).open("rb") as file:
            return file.read(READ_MAX).decode("utf-8", "replace")
    done = subprocess.run(
        item.command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return done.stdout[:READ_MAX].decode("utf-8", "replace")


def first_number(text: str) -> float:
    """Return the first number in a text."""
    if match := _NUMBER.search(text):
        return float(match[0])
    raise ValueError("no number in what it gives")
