"""What every family of metrics offers, and one sample of all of them."""

from collections.abc import Iterable
import logging
import math
from typing import Protocol

from ..server.report import MAX_METRICS, Layout, Metric

LOGGER = logging.getLogger("rackwatt_agent")

Values = dict[str, float | None]


class Collector(Protocol):
    """One family of metrics, which fails alone."""

    name: str
    metrics: dict[str, Metric]
    """What is there to measure; replaced, never changed in place."""

    def read(self) -> Values:
        """Return the values; what is missing was not measured now."""


class Sampler:
    """Read all families into one row."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        """Start with no layout."""
        self._collectors = tuple(collectors)
        self._seen: tuple[dict[str, Metric], ...] = ()
        self._layout = Layout(keys=())
        self._failing: set[str] = set()
        self.problems: dict[str, str] = {}

    def sample(self) -> tuple[Layout, tuple[float | None, ...]]:
        """Return the columns and one row."""
        values: Values = {}
        for collector in self._collectors:
            values |= self._read(collector)
        seen = tuple(collector.metrics for collector in self._collectors)
        if len(seen) != len(self._seen) or any(
            new is not old for new, old in zip(seen, self._seen, strict=True)
        ):
            self._seen = seen
            self._layout = _layout(seen)
        return self._layout, tuple(_plain(values.get(key)) for key in self._layout.keys)

    def _read(self, collector: Collector) -> Values:
        """Read one family; what breaks it costs the others nothing."""
        try:
            values = collector.read()
        # A driver of this machine may raise anything; it may not stop the others
        except Exception as err:  # noqa: BLE001
            if collector.name not in self._failing:
                self._failing.add(collector.name)
                LOGGER.warning("%s cannot be read: %s", collector.name, err)
            self.problems[collector.name] = str(err)
            return {}
        if collector.name in self._failing:
            self._failing.discard(collector.name)
            self.problems.pop(collector.name, None)
            LOGGER.warning("%s can be read again", collector.name)
        return values


def _layout(families: Iterable[dict[str, Metric]]) -> Layout:
    """Return the columns of all families, at most as many as a report may have."""
    metrics = {key: metric for family in families for key, metric in family.items()}
    kept = dict(list(metrics.items())[:MAX_METRICS])
    if len(kept) < len(metrics):
        LOGGER.warning(
            "%d of %d metrics are left out; switch some off in the settings",
            len(metrics) - len(kept),
            len(metrics),
        )
    return Layout(keys=tuple(kept), metrics=kept)


def _plain(value: float | None) -> float | None:
    """Return a value that JSON can carry, short."""
    if value is None or isinstance(value, int):
        return value
    return round(value, 4) if math.isfinite(value) else None
