"""How a benchmark's figures are shown, and what the exit status says."""

import json
from pathlib import Path
import subprocess

import pytest

from benchmarks.report import Figure, Report, at_least, at_most, run

ROOT = Path(__file__).parents[2]
FAST = Figure(name="lag p99", value=12.5, unit="ms", target=at_most(20), peer=50.0)
SLOW = Figure(name="lag p99", value=25, unit="ms", target=at_most(20))
INFORMATION = Figure(name="rows", value=3, unit="")


def report(*figures: Figure) -> Report:
    """Return the report of a run."""
    return Report(bench="blip", figures=list(figures))


@pytest.mark.parametrize(
    ("figures", "status"),
    [
        ((FAST, INFORMATION), 0),
        ((FAST, SLOW), 1),
        ((), 1),
        ((Figure(name="x", value=float("nan"), unit="", target=at_least(1)),), 1),
        ((Figure(name="x", value=2, unit="", target=at_least(1)),), 0),
    ],
)
def test_status_says_whether_the_targets_are_met(
    figures: tuple[Figure, ...], status: int
) -> None:
    """One missed target, or no figure at all, fails the run."""
    assert run(lambda quick: report(*figures), []) == status


def test_json_is_one_object_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A program can read standard output as it is."""

    async def measure(quick: bool) -> Report:
        return report(FAST, Figure(name="x", value=float("nan"), unit="s"))

    assert run(measure, ["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "bench": "blip",
        "figures": [
            {
                "name": "lag p99",
                "value": 12.5,
                "unit": "ms",
                "target": "≤ 20",
                "ok": True,
            },
            {"name": "x", "value": None, "unit": "s", "target": None, "ok": True},
        ],
    }


def test_table_shows_the_peer_and_what_a_quick_run_leaves_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A reader sees ours, the peer's, the ratio, the target and the verdict."""

    def measure(quick: bool) -> Report:
        return Report(
            bench="blip", figures=[FAST, SLOW], left_out=["day"] if quick else []
        )

    assert run(measure, ["--quick"]) == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["figure", "ours", "peer", "ratio", "target"],
        ["lag", "p99", "12.5", "ms", "50", "ms", "0.25", "≤", "20", "ms", "ok"],
        ["lag", "p99", "25", "ms", "≤", "20", "ms", "MISSED"],
        ["Left", "out", "of", "the", "quick", "run:", "day"],
    ]


def test_unknown_benchmark_is_named() -> None:
    """The dispatcher says what there is, before it sets anything up."""
    done = subprocess.run(
        [ROOT / "script/bench", "nonsense"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "There is no benchmark nonsense" in done.stderr
