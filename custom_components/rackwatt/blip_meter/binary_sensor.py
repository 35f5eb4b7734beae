"""Binary sensors of a blip meter."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..coordinator import RackwattConfigEntry
from .coordinator import BlipMeterCoordinator
from .entity import LineEntity

CONNECTION = BinarySensorEntityDescription(
    key="connection",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RackwattConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of a blip meter."""
    coordinator = entry.runtime_data
    assert isinstance(coordinator, BlipMeterCoordinator)
    async_add_entities([ConnectionSensor(coordinator, CONNECTION)])


class ConnectionSensor(LineEntity, BinarySensorEntity):
    """Whether the serial port is open."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the port is open."""
        return self.coordinator.data.connected
