"""What coordinators share."""

from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import issue_registry as ir


def fail(hass, port):
    """Tell the user."""
    ir.async_create_issue(hass, "rackwatt", f"new_meter_{port}", translation_key="new_meter")
    raise ConfigEntryNotReady(
        translation_domain="rackwatt", translation_key="cannot_connect"
    )
