"""What the agent's tests share."""

from pathlib import Path

import pytest

from rackwatt_agent.backlog import Backlog
from rackwatt_agent.config import Config
from rackwatt_agent.server.report import Layout, Metric

LAYOUT = Layout(
    keys=("cpu", "energy:cpu_package"),
    metrics={
        "cpu": Metric(kind="cpu", unit="%"),
        "energy:cpu_package": Metric(kind="energy", unit="Wh", scope="cpu_package"),
    },
)


@pytest.fixture
def layout() -> Layout:
    """Return two columns, one of which counts up."""
    return LAYOUT


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return settings in a directory of the test's own."""
    machine = tmp_path / "machine-id"
    machine.write_text("0123456789abcdef0123456789abcdef\n")
    return Config(
        path=tmp_path / "agent.toml",
        state=tmp_path / "state",
        machine_id_file=machine,
    )


@pytest.fixture
def backlog(tmp_path: Path) -> Backlog:
    """Return an empty queue at the default interval."""
    return Backlog(tmp_path / "queue", "boot-1", 8.0)


def fill(backlog: Backlog, layout: Layout, count: int, start: int = 0) -> None:
    """Put samples 8 s apart, whose value is their number."""
    for n in range(start, start + count):
        up = 8_000 * n
        backlog.put(layout, 1_795_300_000_000 + up, up, (float(n), n / 10))


@pytest.fixture(autouse=True)
def verify_cleanup() -> None:
    """The agent has no event loop that a test could leave something in."""


@pytest.fixture
def _custom_integrations() -> None:
    """The agent knows no Home Assistant."""
