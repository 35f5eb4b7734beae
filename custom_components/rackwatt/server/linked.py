"""The true power and energy of a server: of the outlets or clamps that feed it."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfEnergy, UnitOfPower
from homeassistant.core import Event, EventStateChangedData, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.restore_state import ExtraStoredData, RestoreEntity
from homeassistant.util.unit_conversion import EnergyConverter, PowerConverter

from .const import CONF_LINKED_ENERGY, CONF_LINKED_POWER
from .coordinator import ServerCoordinator
from .entity import ServerEntity

POWER = SensorEntityDescription(
    key="linked_power",
    device_class=SensorDeviceClass.POWER,
    native_unit_of_measurement=UnitOfPower.WATT,
    state_class=SensorStateClass.MEASUREMENT,
    suggested_display_precision=1,
)
ENERGY = SensorEntityDescription(
    key="linked_energy",
    device_class=SensorDeviceClass.ENERGY,
    native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
    suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    suggested_display_precision=3,
    state_class=SensorStateClass.TOTAL_INCREASING,
)


def async_linked_sensors(coordinator: ServerCoordinator) -> Iterator[SensorEntity]:
    """Yield the sensors of a server that is linked to what feeds it."""
    options = coordinator.config_entry.options
    if feeds := options.get(CONF_LINKED_POWER):
        yield LinkedPower(coordinator, POWER, feeds)
    if feeds := options.get(CONF_LINKED_ENERGY):
        yield LinkedEnergy(coordinator, ENERGY, feeds)


class Linked(ServerEntity, SensorEntity):
    """The sum over several feeds; it is known only where each of them is."""

    def __init__(
        self,
        coordinator: ServerCoordinator,
        description: SensorEntityDescription,
        feeds: list[str],
    ) -> None:
        """Initialize the sensor."""
        super().__init__(coordinator, description)
        self._feeds = feeds
        self._attr_available = False
        self._attr_extra_state_attributes = {"source": "linked", "feeds": feeds}

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the feeds; a server's reports change nothing here."""
        self.async_on_remove(
            async_track_state_change_event(self.hass, self._feeds, self._async_changed)
        )
        self._take({feed: self.hass.states.get(feed) for feed in self._feeds})

    @callback
    def _async_changed(self, event: Event[EventStateChangedData]) -> None:
        """A feed changed."""
        self._take({feed: self.hass.states.get(feed) for feed in self._feeds})
        self.async_write_ha_state()

    @property
    @override
    def available(self) -> bool:
        """Return whether every feed is known; the server itself may be off."""
        return self._attr_available

    @abstractmethod
    def _take(self, states: dict[str, State | None]) -> None:
        """Take the states of the feeds."""


class LinkedPower(Linked):
    """The power of all feeds together."""

    @override
    def _take(self, states: dict[str, State | None]) -> None:
        """Add the powers up."""
        watts = [
            in_unit(state, PowerConverter, UnitOfPower.WATT)
            for state in states.values()
        ]
        known = [value for value in watts if value is not None]
        self._attr_available = len(known) == len(watts)
        self._attr_native_value = sum(known) if self._attr_available else None


class LinkedEnergy(Linked, RestoreEntity):
    """What the feeds gained since they were linked.

    Counted by what each feed gains, so that linking another one, or a feed that is
    replaced and starts at zero, makes no jump.
    """

    _total = 0.0

    def __init__(
        self,
        coordinator: ServerCoordinator,
        description: SensorEntityDescription,
        feeds: list[str],
    ) -> None:
        """Initialize the sensor."""
        super().__init__(coordinator, description, feeds)
        self._last: dict[str, float] = {}

    @override
    async def async_added_to_hass(self) -> None:
        """Go on from what was counted."""
        if (stored := await self.async_get_last_extra_data()) is not None:
            raw = stored.as_dict()
            self._total = float(raw["total"])
            self._last = {k: v for k, v in raw["last"].items() if k in self._feeds}
        await super().async_added_to_hass()

    @override
    def _take(self, states: dict[str, State | None]) -> None:
        """Add what each feed gained."""
        self._attr_available = True
        for feed, state in states.items():
            value = in_unit(state, EnergyConverter, UnitOfEnergy.WATT_HOUR)
            if value is None:
                self._attr_available = False
                continue
            self._total += max(0.0, value - self._last.get(feed, value))
            self._last[feed] = value
        self._attr_native_value = round(self._total, 3)

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        """Return what has to survive a restart."""
        return LinkedEnergyData(self._total, self._last)


class LinkedEnergyData(ExtraStoredData):
    """What was counted, and where each feed was."""

    def __init__(self, total: float, last: dict[str, float]) -> None:
        """Keep both."""
        self._raw = {"total": total, "last": dict(last)}

    @override
    def as_dict(self) -> dict[str, object]:
        """Return what is stored."""
        return self._raw


def in_unit(
    state: State | None, converter: type[PowerConverter | EnergyConverter], unit: str
) -> float | None:
    """Return a state as a number in a unit, None where it is none."""
    if state is None:
        return None
    try:
        return converter.convert(
            float(state.state), state.attributes.get(ATTR_UNIT_OF_MEASUREMENT), unit
        )
    except ValueError, HomeAssistantError:
        return None  # unknown, unavailable, or in no unit of this quantity
