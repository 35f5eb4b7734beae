"""Config flow steps of a board of clamps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, override

import probatio

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_ADDRESS
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import CONF_KIND, CT_CLAMP
from ..flow import SourceFlow
from ..requirements import ADS1X15, RequirementMissingError, async_require
from .adc import Converter
from .const import CONF_BUS, CONF_MAINS_FREQUENCY
from .failure import BUS_DENIED, BUS_MISSING, failure_key
from .i2c import I2C

# By what the pin ADDR is connected to (data sheet)
ADDRESSES = {72: "GND", 73: "VDD", 74: "SDA", 75: "SCL"}
# Countries whose mains have 60 Hz; Japan has both
COUNTRIES_60_HZ = frozenset(
    [
        "BR",
        "CA",
        "CO",
        "CR",
        "CU",
        "DO",
        "EC",
        "GT",
        "HN",
        "KR",
        "MX",
        "NI",
        "PA",
        "PE",
        "PH",
        "PR",
        "SA",
        "SV",
        "TW",
        "US",
        "VE",
    ]
)
DEFAULT_BUS = "/dev/i2c-1"


class NumberOrTextSelector(SelectSelector):
    """A choice of numbers; a script may give the number itself."""

    @override
    def __call__(self, data: Any) -> Any:
        """Validate the choice."""
        return super().__call__(str(data))


def find_buses() -> list[str]:
    """Return the I2C buses of this machine."""
    return sorted(str(path) for path in Path("/dev").glob("i2c-*"))


def board_schema(buses: list[str], mains_frequency: str) -> probatio.Schema:
    """Return what is asked about a board."""
    return probatio.Schema(
        {
            probatio.Required(
                CONF_BUS, default=buses[0] if buses else DEFAULT_BUS
            ): SelectSelector(
                SelectSelectorConfig(
                    options=buses,
                    custom_value=True,
                    mode=SelectSelectorMode.DROPDOWN,
                )
            ),
            probatio.Required(CONF_ADDRESS, default="72"): NumberOrTextSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(
                            value=str(address), label=f"0x{address:02x} (ADDR – {pin})"
                        )
                        for address, pin in ADDRESSES.items()
                    ],
                    mode=SelectSelectorMode.DROPDOWN,
                )
            ),
            probatio.Required(
                CONF_MAINS_FREQUENCY, default=mains_frequency
            ): NumberOrTextSelector(
                SelectSelectorConfig(
                    options=["50", "60"], translation_key="mains_frequency"
                )
            ),
        }
    )


def probe_board(bus: str, address: int) -> None:
    """Look for the chip; blocks for half a second.

    Raises:
        OSError: there is no such bus, or no such chip on it.
    """
    i2c = I2C(bus)
    try:
        Converter(i2c, address)
    finally:
        i2c.close()


class CtClampFlow(SourceFlow):
    """Ask for the bus and the address of a board."""

    async def async_step_ct_clamp(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the board, and see whether it answers."""
        errors: dict[str, str] = {}
        placeholders = {"package": ADS1X15.package, "reason": "", "bus": ""}
        entry = self.reconfigured_entry
        if user_input is not None:
            data = {**user_input, CONF_ADDRESS: int(user_input[CONF_ADDRESS])}
            self._async_abort_entries_match(
                {
                    CONF_KIND: CT_CLAMP,
                    CONF_BUS: data[CONF_BUS],
                    CONF_ADDRESS: data[CONF_ADDRESS],
                }
            )
            placeholders["bus"] = data[CONF_BUS]
            errors = await self._async_test_board(data, entry, placeholders)
            if not errors:
                title = (
                    f"CT clamps {Path(data[CONF_BUS]).name} 0x{data[CONF_ADDRESS]:02x}"
                )
                return await self.async_finish(
                    CT_CLAMP, entry.title if entry else title, data
                )
        return self.async_show_form(
            step_id="ct_clamp",
            data_schema=self.add_suggested_values_to_schema(
                await self._async_schema(),
                user_input or (_as_input(entry.data) if entry else None),
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_schema(self) -> probatio.Schema:
        """Return what is asked, with what this house probably has."""
        buses = await self.hass.async_add_executor_job(find_buses)
        is_60 = self.hass.config.country in COUNTRIES_60_HZ
        return board_schema(buses, "60" if is_60 else "50")

    async def _async_test_board(
        self,
        data: Mapping[str, Any],
        entry: Any,
        placeholders: dict[str, str],
    ) -> dict[str, str]:
        """Return what is wrong with a board; the one that we read ourselves is right."""
        same = entry is not None and all(
            entry.data[key] == data[key] for key in (CONF_BUS, CONF_ADDRESS)
        )
        if same:
            return {}
        try:
            await async_require(self.hass, ADS1X15)
            await self.hass.async_add_executor_job(
                probe_board, data[CONF_BUS], data[CONF_ADDRESS]
            )
        except RequirementMissingError as err:
            placeholders |= err.translation_placeholders or {}
            return {"base": "requirement_missing"}
        except OSError as err:
            key = failure_key(err)
            return {CONF_BUS if key in (BUS_MISSING, BUS_DENIED) else CONF_ADDRESS: key}
        return {}


def _as_input(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored settings as the form shows them."""
    return {**data, CONF_ADDRESS: str(data[CONF_ADDRESS])}
