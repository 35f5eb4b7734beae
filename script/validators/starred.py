"""The modules that know nothing of Home Assistant and run on Python 3.11.

Their one list is ruff's table of older Pythons in pyproject.toml: ruff reads it
itself, everything else reads it from here.
"""

from collections.abc import Iterator
from pathlib import Path
import tomllib

PYTHON = "3.11"
PREFIX = "custom_components/rackwatt/"


def listed(root: Path) -> list[Path]:
    """Return the starred modules of the list, relative to the root."""
    with (root / "pyproject.toml").open("rb") as file:
        table = tomllib.load(file)["tool"]["ruff"]["per-file-target-version"]
    version = "py" + PYTHON.replace(".", "")
    return sorted(
        Path(path)
        for path, target in table.items()
        if target == version and path.startswith(PREFIX)
    )


def present(root: Path) -> list[Path]:
    """Return the starred modules that are there, relative to the root."""
    return [path for path in listed(root) if (root / path).exists()]


def with_packages(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of the agent's share and its place in the agent's package."""
    packages = set()
    for path in present(root):
        yield path, str(path).removeprefix(PREFIX)
        if path.parent != Path(PREFIX):
            packages.add(path.parent / "__init__.py")
    for path in sorted(packages):
        yield path, str(path).removeprefix(PREFIX)
