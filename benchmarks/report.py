"""How a benchmark is run and how its figures are shown."""

import argparse
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
import json
import math
import sys
from typing import Any, override


@dataclass(frozen=True, kw_only=True)
class Target:
    """A bound that a figure has to keep."""

    limit: float
    at_most: bool

    def is_met(self, value: float) -> bool:
        """Tell whether a value keeps the bound; no number keeps none."""
        if math.isnan(value):
            return False
        return value <= self.limit if self.at_most else value >= self.limit

    @override
    def __str__(self) -> str:
        """Return the bound as it is shown."""
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"


def at_most(limit: float) -> Target:
    """Return the bound of a figure that should be small."""
    return Target(limit=limit, at_most=True)


def at_least(limit: float) -> Target:
    """Return the bound of a figure that should be large."""
    return Target(limit=limit, at_most=False)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure, beside a peer's where there is one."""

    name: str
    value: float
    unit: str
    target: Target | None = None
    peer: float | None = None

    @property
    def ok(self) -> bool:
        """Tell whether the target is met; a figure for information always is."""
        return self.target is None or self.target.is_met(self.value)

    def as_dict(self) -> dict[str, Any]:
        """Return what a program reads."""
        return {
            "name": self.name,
            "value": None if math.isnan(self.value) else self.value,
            "unit": self.unit,
            "target": None if self.target is None else str(self.target),
            "ok": self.ok,
        }


@dataclass(kw_only=True)
class Report:
    """What one run of a benchmark has found."""

    bench: str
    figures: list[Figure] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Names of the figures that do not fit a quick run."""

    @property
    def ok(self) -> bool:
        """Tell whether every target is met; a run without a figure has shown nothing."""
        return bool(self.figures) and all(figure.ok for figure in self.figures)

    def as_json(self) -> str:
        """Return the figures for a program."""
        return json.dumps(
            {
                "bench": self.bench,
                "figures": [figure.as_dict() for figure in self.figures],
            },
            ensure_ascii=False,
            allow_nan=False,
        )

    def as_table(self) -> str:
        """Return the figures for a reader."""
        rows = [("figure", "ours", "peer", "ratio", "target", "")]
        rows += [_row(figure) for figure in self.figures]
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        lines = [
            "  ".join(
                cell.rjust(width) if 1 <= column <= 3 else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        if self.left_out:
            lines.append(f"Left out of the quick run: {', '.join(self.left_out)}")
        return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, str, str, str, str, str]:
    """Return the cells of a figure."""
    peer = ratio = ""
    if figure.peer is not None:
        peer = f"{figure.peer:.4g} {figure.unit}"
        ratio = f"{figure.value / figure.peer:.3g}" if figure.peer else "-"
    target = "" if figure.target is None else f"{figure.target} {figure.unit}"
    verdict = "" if figure.target is None else "ok" if figure.ok else "MISSED"
    ours = f"{figure.value:.4g} {figure.unit}"
    return figure.name, ours, peer, ratio, target, verdict


def progress(text: str) -> None:
    """Tell what is being measured; standard output belongs to the figures."""
    print(f"[bench] {text}", file=sys.stderr, flush=True)


def run(
    measure: Callable[[bool], Report | Coroutine[Any, Any, Report]],
    arguments: list[str] | None = None,
) -> int:
    """Run a benchmark from its command line and return the exit status.

    `measure` gets whether the run is a quick one.
    """
    parser = argparse.ArgumentParser(
        description=sys.modules[measure.__module__].__doc__
    )
    parser.add_argument("--quick", action="store_true", help="take under 50 s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    result = measure(options.quick)
    if not isinstance(result, Report):
        # asyncio only where it is needed: some benchmarks time a bare start
        import asyncio  # noqa: PLC0415

        result = asyncio.run(result)
    print(result.as_json() if options.json else result.as_table())
    return 0 if result.ok else 1
