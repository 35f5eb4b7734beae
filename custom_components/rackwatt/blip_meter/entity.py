"""The devices of a blip meter: the line, and each meter on it."""

from typing import override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription

from ..const import DOMAIN
from ..coordinator import RackwattConfigEntry
from ..entity import RackwattEntity
from .const import CONF_IMPULSES_PER_KWH
from .coordinator import BlipMeterCoordinator, MeterReading
from .port import printable_port


def line_device(entry: RackwattConfigEntry) -> DeviceInfo:
    """Return the device of a serial line."""
    return DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        model=printable_port(entry.data[CONF_PORT]),
    )


class LineEntity(RackwattEntity[BlipMeterCoordinator]):
    """A value of the line itself."""

    def __init__(
        self, coordinator: BlipMeterCoordinator, description: EntityDescription
    ) -> None:
        """Initialize the entity."""
        entry = coordinator.config_entry
        super().__init__(coordinator, description, entry.entry_id, line_device(entry))


class MeterEntity(RackwattEntity[BlipMeterCoordinator]):
    """A value of a meter."""

    def __init__(
        self,
        coordinator: BlipMeterCoordinator,
        description: EntityDescription,
        subentry: ConfigSubentry,
        line_device_id: str,
    ) -> None:
        """Initialize the entity."""
        self._key = subentry.subentry_id
        super().__init__(
            coordinator,
            description,
            self._key,
            DeviceInfo(
                identifiers={(DOMAIN, self._key)},
                name=subentry.title,
                hw_version=f"{subentry.data[CONF_IMPULSES_PER_KWH]:g} imp/kWh",
                via_device_id=line_device_id,
            ),
        )

    @property
    def reading(self) -> MeterReading:
        """Return what the meter shows."""
        return self.coordinator.data.meters[self._key]

    @property
    @override
    def available(self) -> bool:
        """Return whether the line is there."""
        return super().available and self.coordinator.data.connected


@callback
def async_line_device_id(hass: HomeAssistant, entry: RackwattConfigEntry) -> str:
    """Register the line, so that its meters can refer to it."""
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, **line_device(entry)
    )
    return device.id
