"""A 1-Wire tree whose bus is a hundred times as fast as a real one."""

from collections.abc import Generator
from pathlib import Path

import pytest

from demo.rack.one_wire import BusMaster, OneWireTree

SPEED = 100


@pytest.fixture
def tree(tmp_path: Path) -> Generator[OneWireTree]:
    """Return a tree without a bus."""
    with OneWireTree(tmp_path / "sys", speed=SPEED) as tree:
        yield tree


@pytest.fixture
def bus(tree: OneWireTree) -> BusMaster:
    """Return the first bus of the tree, which has no probe yet."""
    return tree.add_bus()
