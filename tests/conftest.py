"""What all tests share."""

from pathlib import Path

import pytest

import custom_components.rackwatt  # noqa: F401  (before the plugin's own package)


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give each test a configuration directory of its own."""
    return str(tmp_path)


@pytest.fixture(autouse=True)
def _custom_integrations(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant find Rackwatt, in the tests that have one."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")
