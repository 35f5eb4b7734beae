"""Sensors of a meter."""

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription

SENSORS = (
    SensorEntityDescription(key="interval", translation_key="interval"),
    *(
        SensorEntityDescription(key=f"input_{n}", translation_key=f"input_{n}")
        for n in range(2)
    ),
)


class MeterStateSensor(SensorEntity):
    """The state of a meter."""

    _attr_translation_key = "meter_state"
    _attr_options = ["open", "lost"]


async def async_setup_entry(hass, entry, async_add_entities):
    """Set up the sensors."""
