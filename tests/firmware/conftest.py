"""The firmware knows no Home Assistant that runs."""

import pytest


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Start none."""
