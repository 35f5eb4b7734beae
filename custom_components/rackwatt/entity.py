"""Base entity of Rackwatt."""

from typing import Any

from homeassistant.helpers.device_registry import ChildDeviceInfo, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import RackwattCoordinator


class RackwattEntity[_CoordinatorT: RackwattCoordinator[Any]](
    CoordinatorEntity[_CoordinatorT]
):
    """A value of a device of a source."""

    _attr_has_entity_name = True

    def __init__(
        self,
        coordinator: _CoordinatorT,
        description: EntityDescription,
        device_key: str,
        device_info: DeviceInfo | ChildDeviceInfo,
    ) -> None:
        """Initialize the entity.

        `device_key` never changes for a device: the id of its entry or subentry,
        or a serial number.
        """
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_unique_id = f"{device_key}_{description.key}"
        self._attr_device_info = device_info
