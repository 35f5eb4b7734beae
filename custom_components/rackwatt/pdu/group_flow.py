"""Config flow of a group of outlets."""

from collections.abc import Mapping
from typing import Any

import probatio

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from .const import CONF_OUTLETS
from .coordinator import PduCoordinator
from .entity import outlet_name
from .models import key_text


class OutletGroupFlow(ConfigSubentryFlow):
    """Put outlets together, or change which."""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Make a group."""
        return await self.async_step_outlet_group(user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a group."""
        return await self.async_step_outlet_group(user_input)

    async def async_step_outlet_group(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask for the name and the outlets."""
        entry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        options = _outlet_options(entry.runtime_data)
        if not options:
            return self.async_abort(reason="no_outlets")
        changed = None
        if self.source == SOURCE_RECONFIGURE:
            changed = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        if user_input is not None:
            if user_input[CONF_OUTLETS]:
                return self._finish(user_input)
            errors[CONF_OUTLETS] = "no_outlet_chosen"
        known: Mapping[str, Any] = user_input or (changed.data if changed else {})
        return self.async_show_form(
            step_id="outlet_group",
            data_schema=self.add_suggested_values_to_schema(_schema(options), known),
            errors=errors,
        )

    def _finish(self, user_input: dict[str, Any]) -> SubentryFlowResult:
        """Store the group; the entry reloads itself where it is loaded."""
        title = user_input[CONF_NAME]
        if self.source != SOURCE_RECONFIGURE:
            return self.async_create_entry(title=title, data=user_input)
        return self.async_update_and_abort(
            self._get_entry(),
            self._get_reconfigure_subentry(),
            title=title,
            data=user_input,
        )


def _outlet_options(coordinator: object) -> list[SelectOptionDict]:
    """Return the outlets that there are."""
    if not isinstance(coordinator, PduCoordinator):
        return []
    pdu = coordinator.data
    chained = len(pdu.modules) > 1
    return [
        SelectOptionDict(
            value=key_text(outlet.key),
            label=f"{outlet.module}: {outlet_name(outlet)}"
            if chained
            else outlet_name(outlet),
        )
        for outlet in pdu.outlets
    ]


def _schema(options: list[SelectOptionDict]) -> probatio.Schema:
    """Return the form."""
    return probatio.Schema(
        {
            probatio.Required(CONF_NAME): TextSelector(),
            probatio.Required(CONF_OUTLETS): SelectSelector(
                SelectSelectorConfig(
                    options=options, multiple=True, mode=SelectSelectorMode.DROPDOWN
                )
            ),
        }
    )
