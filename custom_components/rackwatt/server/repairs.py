"""What a user can do about a wrong key and a cloned machine."""

from typing import Any, override

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN
from .ingest import async_open_reception


class WrongKeyRepairFlow(RepairsFlow):
    """The user has read of it: count anew."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Start."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Forget the addresses."""
        if user_input is not None:
            (await async_open_reception(self.hass)).async_forgive()
            return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="confirm", description_placeholders=self._placeholders
        )

    @property
    def _placeholders(self) -> dict[str, str]:
        """Return what the issue names."""
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        return dict(issue.translation_placeholders or {}) if issue else {}


class ClonedRepairFlow(WrongKeyRepairFlow):
    """The server is another machine now: take its reports."""

    def __init__(self, server_id: str, machine: str) -> None:
        """Remember which machine it is."""
        self._server_id = server_id
        self._machine = machine

    @override
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Bind the key to the new machine."""
        if user_input is not None:
            reception = await async_open_reception(self.hass)
            await reception.async_accept_machine(self._server_id, self._machine)
            return self.async_create_entry(data={})
        return await super().async_step_confirm()
