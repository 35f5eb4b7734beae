"""Steps of a meter."""

import probatio

from homeassistant.const import CONF_PORT
from homeassistant.helpers.selector import SelectSelector, SelectSelectorConfig

FORMATS = SelectSelector(
    SelectSelectorConfig(options=["ms", "counted"], translation_key="line_format")
)


class MeterFlow:
    """Ask for the port."""

    async def async_step_meter(self, user_input=None):
        """Ask."""
        errors = {}
        if user_input:
            errors["base"] = "cannot_open"
        if user_input == {}:
            return self.async_abort(reason="no_port")
        return self.async_show_form(
            step_id="meter",
            data_schema=probatio.Schema(
                {probatio.Required(CONF_PORT): str, probatio.Optional("line_format"): FORMATS}
            ),
            errors=errors,
        )
