"""Add a meter that blinks on a line but is not set up."""

from types import MappingProxyType
from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigSubentry

from .const import CONF_METER_ID
from .flow import METER_SCHEMA, meter_subentry


class NewMeterRepairFlow(RepairsFlow):
    """Ask what stands on the new meter, and add it."""

    def __init__(self, entry_id: str, meter_id: int) -> None:
        """Initialize the flow."""
        self._entry_id = entry_id
        self._meter_id = meter_id

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Start."""
        return await self.async_step_meter()

    async def async_step_meter(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask for what stands on the meter."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            return self.async_abort(reason="entry_gone")
        if user_input is not None:
            meter = meter_subentry(user_input)
            if not any(
                other.unique_id == meter["unique_id"]
                for other in entry.subentries.values()
            ):
                self.hass.config_entries.async_add_subentry(
                    entry,
                    ConfigSubentry(
                        data=MappingProxyType(dict(meter["data"])),
                        subentry_type=meter["subentry_type"],
                        title=meter["title"],
                        unique_id=meter["unique_id"],
                    ),
                )
            return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="meter",
            data_schema=self.add_suggested_values_to_schema(
                METER_SCHEMA, {CONF_METER_ID: self._meter_id}
            ),
        )
