"""The devices of a 1-Wire tree: the tree, and each probe on it."""

from typing import override

from homeassistant.const import CONF_PATH
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription

from ..const import DOMAIN
from ..coordinator import RackwattConfigEntry
from ..entity import RackwattEntity
from .coordinator import TemperatureProbeCoordinator
from .probe_state import ProbeState


def tree_device(entry: RackwattConfigEntry) -> DeviceInfo:
    """Return the device of a tree."""
    return DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        model=entry.data[CONF_PATH],
    )


@callback
def async_tree_device_id(hass: HomeAssistant, entry: RackwattConfigEntry) -> str:
    """Register the tree, so that its probes can refer to it."""
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, **tree_device(entry)
    )
    return device.id


class TreeEntity(RackwattEntity[TemperatureProbeCoordinator]):
    """A value of the tree itself."""

    def __init__(
        self, coordinator: TemperatureProbeCoordinator, description: EntityDescription
    ) -> None:
        """Initialize the entity."""
        entry = coordinator.config_entry
        super().__init__(coordinator, description, entry.entry_id, tree_device(entry))


class ProbeEntity(RackwattEntity[TemperatureProbeCoordinator]):
    """A value of a probe."""

    def __init__(
        self,
        coordinator: TemperatureProbeCoordinator,
        description: EntityDescription,
        probe_id: str,
        tree_device_id: str,
    ) -> None:
        """Initialize the entity."""
        self.probe: ProbeState = coordinator.data.probes[probe_id]
        super().__init__(
            coordinator,
            description,
            probe_id,
            DeviceInfo(
                identifiers={(DOMAIN, probe_id)},
                name=f"{self.probe.model} {probe_id}",
                model=self.probe.model,
                serial_number=probe_id,
                via_device_id=tree_device_id,
            ),
        )

    @property
    @override
    def available(self) -> bool:
        """Return whether the probe is plugged in."""
        return super().available and self.probe.is_present

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Take over what the last cycle has found."""
        # A probe that was removed by hand is unknown just before its entities go
        if probe := self.coordinator.data.probes.get(self.probe.probe_id):
            self.probe = probe
            super()._handle_coordinator_update()
