"""Take over a PDU that was put in another's place."""

from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult


class PduReplacedRepairFlow(RepairsFlow):
    """Ask whether the entry shall go on with the PDU that is there now."""

    def __init__(self, entry_id: str, found: str, model: str) -> None:
        """Initialize the flow."""
        self._entry_id = entry_id
        self._found = found
        self._model = model

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Start."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask, then take the new PDU."""
        entries = self.hass.config_entries
        entry = entries.async_get_entry(self._entry_id)
        if entry is None:
            return self.async_abort(reason="entry_gone")
        if entries.async_entry_for_domain_unique_id(entry.domain, self._found):
            return self.async_abort(reason="already_configured")
        if user_input is not None:
            entries.async_update_entry(entry, unique_id=self._found)
            if not entry.update_listeners:
                entries.async_schedule_reload(entry.entry_id)
            return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="confirm",
            description_placeholders={
                "name": entry.title,
                "found": self._found,
                "model": self._model,
            },
        )
