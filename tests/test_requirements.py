"""Test packages that are installed on demand."""

import subprocess
import sys
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from custom_components.rackwatt import requirements
from custom_components.rackwatt.requirements import (
    ADS1X15,
    Requirement,
    RequirementMissingError,
    async_require,
)

MISSING = Requirement(package="rackwatt-is-not-there==1.0", module="rackwatt_not_there")
INSTALL = "homeassistant.util.package.install_package"


@pytest.fixture
def hass(hass: HomeAssistant) -> HomeAssistant:
    """Return a Home Assistant that installs packages (that of the tests skips it)."""
    hass.config.skip_pip = False
    return hass


async def test_installed_package_is_imported(hass: HomeAssistant) -> None:
    """What is there is not installed again."""
    with patch(INSTALL) as install:
        module = await async_require(hass, ADS1X15)
    install.assert_not_called()
    assert module.ADS1115


async def test_missing_package_is_installed(hass: HomeAssistant) -> None:
    """What is not there is installed with Home Assistant's constraints, then imported."""
    with (
        patch(INSTALL, return_value=True) as install,
        patch.object(requirements, "_import", return_value=sys) as imported,
    ):
        assert await async_require(hass, MISSING) is sys
    assert install.call_args.args[0] == MISSING.package
    assert "constraints" in install.call_args.kwargs
    imported.assert_called_once_with(MISSING.module)


async def test_failure_is_told_and_tried_again(hass: HomeAssistant) -> None:
    """Offline is a sentence, and the next try is a real one."""
    with patch(INSTALL, return_value=False) as install:
        with pytest.raises(RequirementMissingError) as caught:
            await async_require(hass, MISSING)
        tries = install.call_count
        with pytest.raises(RequirementMissingError):
            await async_require(hass, MISSING)
    assert tries > 0
    assert install.call_count == 2 * tries
    assert caught.value.translation_key == "requirement_missing"
    assert caught.value.translation_placeholders is not None
    assert caught.value.translation_placeholders["package"] == MISSING.package


async def test_package_that_does_not_import(hass: HomeAssistant) -> None:
    """A package that is installed but broken is the same to its user."""
    broken = Requirement(package="pip", module="rackwatt_not_there")
    with (
        patch.object(requirements, "async_process_requirements", AsyncMock()),
        pytest.raises(RequirementMissingError),
    ):
        await async_require(hass, broken)


async def test_skip_pip(hass: HomeAssistant) -> None:
    """Who installs packages himself is not interfered with."""
    hass.config.skip_pip = True
    with patch.object(requirements, "async_process_requirements") as process:
        assert await async_require(hass, ADS1X15)
        with pytest.raises(RequirementMissingError):
            await async_require(hass, MISSING)
    process.assert_not_called()


async def test_offline_costs_its_own_entry_only(hass: HomeAssistant) -> None:
    """The entry waits with a sentence; it loads when the package can be had."""
    clamps = MockConfigEntry(
        domain="rackwatt",
        data={
            "kind": "ct_clamp",
            "bus": "/dev/i2c-99",
            "address": 72,
            "mains_frequency": "50",
        },
    )
    clamps.add_to_hass(hass)
    with patch(
        "custom_components.rackwatt.ct_clamp.coordinator.async_require",
        side_effect=RequirementMissingError(ADS1X15, OSError("no network")),
    ):
        await hass.config_entries.async_setup(clamps.entry_id)
        await hass.async_block_till_done()
    assert clamps.state is ConfigEntryState.SETUP_RETRY
    assert clamps.error_reason_translation_key == "requirement_missing"
    assert await hass.config_entries.async_reload(clamps.entry_id)
    await hass.async_block_till_done()
    assert clamps.state is ConfigEntryState.LOADED
    await hass.config_entries.async_unload(clamps.entry_id)


def test_integration_loads_without_any_of_them() -> None:
    """Loading Rackwatt imports nothing that is installed on demand."""
    program = (
        "import sys; sys.modules['adafruit_ads1x15'] = None;"
        "import custom_components.rackwatt.config_flow,"
        " custom_components.rackwatt.sensor, custom_components.rackwatt.button"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
