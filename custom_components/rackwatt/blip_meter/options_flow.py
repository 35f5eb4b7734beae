"""Options of a blip meter: who may read its blips, and how long they are kept."""

from typing import Any

import probatio

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)

from .const import CONF_KEEP_DAYS, CONF_OPEN_API

# A century is for ever enough; 0 says for ever
KEEP_DAYS_MAX = 36_500


class BlipMeterOptionsFlow(OptionsFlow):
    """Ask what becomes of the blips."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Begin with the step that is named for this source."""
        return await self.async_step_blip_options()

    async def async_step_blip_options(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for everything at once."""
        if user_input is not None:
            return self.async_create_entry(
                data={
                    CONF_KEEP_DAYS: int(user_input[CONF_KEEP_DAYS]),
                    CONF_OPEN_API: user_input[CONF_OPEN_API],
                }
            )
        options = self.config_entry.options
        return self.async_show_form(
            step_id="blip_options",
            data_schema=probatio.Schema(
                {
                    probatio.Required(
                        CONF_KEEP_DAYS, default=options.get(CONF_KEEP_DAYS, 0)
                    ): NumberSelector(
                        NumberSelectorConfig(
                            min=0,
                            max=KEEP_DAYS_MAX,
                            step=1,
                            mode=NumberSelectorMode.BOX,
                            unit_of_measurement=UnitOfTime.DAYS,
                        )
                    ),
                    probatio.Required(
                        CONF_OPEN_API, default=options.get(CONF_OPEN_API, False)
                    ): BooleanSelector(),
                }
            ),
        )
