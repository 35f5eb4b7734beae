"""Actions of Rackwatt."""

from typing import Final

import probatio

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, service
from homeassistant.helpers.entity import Entity

from .blip_meter.sensor import MeterSensor
from .blip_meter.transfer import async_export, async_import
from .const import DOMAIN

SERVICE_SET_METER_READING: Final = "set_meter_reading"
SERVICE_IMPORT_BLIPS: Final = "import_blips"
SERVICE_EXPORT_BLIPS: Final = "export_blips"
ATTR_READING: Final = "reading"
ATTR_PATH: Final = "path"
ATTR_SOURCE_ID: Final = "source_id"
ATTR_START: Final = "start"
ATTR_END: Final = "end"


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
    service.async_register_platform_entity_service(
        hass,
        DOMAIN,
        SERVICE_IMPORT_BLIPS,
        entity_domain=SENSOR_DOMAIN,
        schema={
            probatio.Required(ATTR_PATH): cv.string,
            probatio.Optional(ATTR_SOURCE_ID): cv.positive_int,
        },
        func=_async_import_blips,
        supports_response=SupportsResponse.OPTIONAL,
    )
    service.async_register_platform_entity_service(
        hass,
        DOMAIN,
        SERVICE_EXPORT_BLIPS,
        entity_domain=SENSOR_DOMAIN,
        schema={
            probatio.Required(ATTR_PATH): cv.string,
            probatio.Optional(ATTR_START): cv.datetime,
            probatio.Optional(ATTR_END): cv.datetime,
        },
        func=_async_export_blips,
        supports_response=SupportsResponse.OPTIONAL,
    )


def _energy_sensor(entity: Entity) -> MeterSensor:
    """Return the energy counter of a blip meter, which stands for the meter."""
    if isinstance(entity, MeterSensor) and entity.entity_description.key == "energy":
        return entity
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="not_a_meter",
        translation_placeholders={"entity": entity.entity_id},
    )


async def _async_set_meter_reading(entity: Entity, call: ServiceCall) -> None:
    """Make the energy counter show what the meter itself shows."""
    await _energy_sensor(entity).async_set_reading(call.data[ATTR_READING])


async def _async_import_blips(entity: Entity, call: ServiceCall) -> ServiceResponse:
    """Take over blips that something else has counted."""
    sensor = _energy_sensor(entity)
    return await async_import(
        sensor.hass,
        sensor.counted,
        call.data[ATTR_PATH],
        call.data.get(ATTR_SOURCE_ID),
        sensor.entity_id,
    )


async def _async_export_blips(entity: Entity, call: ServiceCall) -> ServiceResponse:
    """Write blips into a file."""
    sensor = _energy_sensor(entity)
    start, end = call.data.get(ATTR_START), call.data.get(ATTR_END)
    return await async_export(
        sensor.hass, sensor.counted, call.data[ATTR_PATH], start, end
    )
