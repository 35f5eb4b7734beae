"""Triggers of Rackwatt: a server went offline, a server came online."""

from homeassistant.components.binary_sensor import (
    DOMAIN as BINARY_SENSOR_DOMAIN,
    BinarySensorDeviceClass,
)
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import Trigger, make_entity_transition_trigger

SERVER_CONNECTION = {
    BINARY_SENSOR_DOMAIN: DomainSpec(device_class=BinarySensorDeviceClass.CONNECTIVITY)
}

TRIGGERS: dict[str, type[Trigger]] = {
    "server_came_online": make_entity_transition_trigger(
        SERVER_CONNECTION, from_states={STATE_OFF}, to_states={STATE_ON}
    ),
    "server_went_offline": make_entity_transition_trigger(
        SERVER_CONNECTION, from_states={STATE_ON}, to_states={STATE_OFF}
    ),
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers."""
    return TRIGGERS
