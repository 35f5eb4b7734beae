"""What all tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import custom_components.rackwatt  # noqa: F401  (before the plugin's own package)


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give each test a configuration directory of its own."""
    return str(tmp_path)


@pytest.fixture(autouse=True)
def _custom_integrations(enable_custom_integrations: None) -> Iterator[None]:
    """Let Home Assistant find Rackwatt."""
    return
