"""What the tests of the demo share."""

import pytest


@pytest.fixture
def _custom_integrations() -> None:
    """Do without a Home Assistant in the test's own process."""
