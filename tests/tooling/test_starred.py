"""The modules that the agent shares are held to the Python of its hosts."""

from pathlib import Path
import shutil
import subprocess

import pytest

from script.validators.shared_types import check
from script.validators.starred import listed, with_packages

ROOT = Path(__file__).parents[2]
SHARED = "custom_components/rackwatt/meter/blip.py"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Return a checkout with two sources, and this project's rules of types."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "tests/tooling/sample", root)
    rules = (ROOT / "pyproject.toml").read_text()
    types = rules[rules.index("[tool.mypy]") : rules.index("[tool.pytest")]
    with (root / "pyproject.toml").open("a") as file:
        file.write(f"\n{types}")
    return root


def test_list_is_that_of_ruff() -> None:
    """This project's own list holds what is there of the blip meter."""
    starred = [str(path) for path in listed(ROOT)]
    assert "custom_components/rackwatt/blip_meter/meter.py" in starred
    places = {place for _, place in with_packages(ROOT)}
    assert {"blip_meter/__init__.py", "blip_meter/meter.py"} <= places


def test_types_of_a_newer_python_are_found(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What came with Python 3.12 is named with its real file."""
    assert check(sample) == 0
    module = sample / SHARED
    module.write_text(
        module.read_text().replace(
            "import re\n", "import re\nfrom typing import override\n"
        )
    )
    capsys.readouterr()
    assert check(sample) == 1
    assert capsys.readouterr().out.startswith(f'{SHARED}:4: error: Module "typing"')


def test_syntax_of_a_newer_python_is_found(sample: Path) -> None:
    """Ruff reads the same list."""
    module = sample / SHARED
    module.write_text(module.read_text() + "\n\ntype Watts = float\n")
    done = subprocess.run(
        [ROOT / ".venv/bin/ruff", "check", "--no-cache", SHARED],
        cwd=sample,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "`type` alias statement on Python 3.11" in done.stdout


def test_agent_is_checked_with_what_it_shares(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The agent's own modules see the shared ones where the wheel puts them."""
    agent = sample / "agent/src/rackwatt_agent"
    (agent / "watch.py").write_text(
        '"""Watch."""\n\nfrom .meter.blip import parse\n\nWATTS: str = parse("1").watts\n'
    )
    assert check(sample) == 1
    out = capsys.readouterr().out
    assert out.startswith(
        "agent/src/rackwatt_agent/watch.py:5: error: Incompatible types"
    )
