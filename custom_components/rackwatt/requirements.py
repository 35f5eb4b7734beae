"""Packages that only some sources need: installed when an entry needs them.

The manifest would install them for everybody, and where one cannot be installed, the
whole integration would not load. So each stands here, once, and costs its own source.
"""

from dataclasses import dataclass
import importlib
from types import ModuleType

from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.requirements import (
    RequirementsNotFound,
    async_clear_install_history,
    async_process_requirements,
)

from .const import DOMAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A package and what is imported of it."""

    package: str
    """As pip takes it; a range, for Home Assistant's own pins come first."""
    module: str


# The one list; docs/requirements.md tells users the same
ADS1X15 = Requirement(
    package="adafruit-circuitpython-ads1x15>=3.0.5,<4",
    module="adafruit_ads1x15.ads1115",
)
# core's `snmp` and `brother` pin 7.1.27
PYSNMP = Requirement(package="pysnmp>=7.1.27,<8", module="pysnmp.entity.engine")
W1THERMSENSOR = Requirement(package="w1thermsensor>=2.3,<3", module="w1thermsensor")


class RequirementMissingError(UpdateFailed):
    """A package is not installed and cannot be; the next try may find it."""

    def __init__(self, requirement: Requirement, reason: Exception) -> None:
        """Tell which."""
        super().__init__(
            translation_domain=DOMAIN,
            translation_key="requirement_missing",
            translation_placeholders={
                "package": requirement.package,
                "reason": str(reason) or type(reason).__name__,
            },
        )


async def async_require(hass: HomeAssistant, requirement: Requirement) -> ModuleType:
    """Install a package unless it is there, and import it.

    To be called at each set-up: a new container has lost what was installed.

    Raises:
        RequirementMissingError: no network, no wheel for this machine, or a broken one.
    """
    try:
        if not hass.config.skip_pip:
            await _async_install(hass, requirement)
        return await hass.async_add_import_executor_job(_import, requirement.module)
    except RequirementsNotFound as err:
        # Home Assistant remembers a failure until it is restarted; without a network
        # at the start that would be for good
        async_clear_install_history(hass)
        raise RequirementMissingError(requirement, err) from err
    except ImportError as err:
        raise RequirementMissingError(requirement, err) from err


async def _async_install(hass: HomeAssistant, requirement: Requirement) -> None:
    """Install a package; time that this takes is not the set-up's own."""
    async with hass.timeout.async_freeze(DOMAIN):
        await async_process_requirements(
            hass, DOMAIN, [requirement.package], is_built_in=False
        )


def _import(module: str) -> ModuleType:
    """Import a module that may just have been installed."""
    importlib.invalidate_caches()
    return importlib.import_module(module)
