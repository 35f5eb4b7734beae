"""Actions of Rackwatt."""

from typing import Final

import probatio

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import service
from homeassistant.helpers.entity import Entity

from .blip_meter.sensor import MeterSensor
from .const import DOMAIN

SERVICE_SET_METER_READING: Final = "set_meter_reading"
ATTR_READING: Final = "reading"


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    service.async_register_platform_entity_service(
        hass,
        DOMAIN,
        SERVICE_SET_METER_READING,
        entity_domain=SENSOR_DOMAIN,
        schema={
            probatio.Required(ATTR_READING): probatio.All(
                probatio.Coerce(float), probatio.Range(min=0, max=1e9)
            )
        },
        func=_async_set_meter_reading,
    )


async def _async_set_meter_reading(entity: Entity, call: ServiceCall) -> None:
    """Make the energy counter show what the meter itself shows."""
    if not isinstance(entity, MeterSensor) or entity.entity_description.key != "energy":
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="not_a_meter",
            translation_placeholders={"entity": entity.entity_id},
        )
    await entity.async_set_reading(call.data[ATTR_READING])
