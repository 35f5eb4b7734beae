"""Repairs of Rackwatt: hand over to the source that raised the issue."""

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.core import HomeAssistant

from .blip_meter.repairs import NewMeterRepairFlow
from .pdu.repairs import PduReplacedRepairFlow
from .server.const import ISSUE_CLONED, ISSUE_WRONG_KEY
from .server.repairs import ClonedRepairFlow, WrongKeyRepairFlow


async def async_create_fix_flow(
    hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return the steps that mend what an issue tells of."""
    if issue_id.startswith("new_meter_") and data is not None:
        return NewMeterRepairFlow(str(data["entry_id"]), int(data["meter_id"] or 0))
    if issue_id.startswith("pdu_replaced_") and data is not None:
        return PduReplacedRepairFlow(
            str(data["entry_id"]), str(data["found"]), str(data["model"])
        )
    if issue_id == ISSUE_WRONG_KEY:
        return WrongKeyRepairFlow()
    if issue_id.startswith(ISSUE_CLONED) and data is not None:
        return ClonedRepairFlow(str(data["server_id"]), str(data["machine"]))
    return ConfirmRepairFlow()
