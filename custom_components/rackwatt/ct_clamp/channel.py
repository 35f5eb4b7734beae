"""A channel of a board: from the current of its clamp to power and energy."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    PERCENTAGE,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    UnitOfElectricPotential,
)
from homeassistant.core import HomeAssistant
from homeassistant.util.unit_conversion import ElectricPotentialConverter

from ..counter import CounterState, EnergyIntegrator
from ..history.store import HistoryStore
from .clamp import Clamp, ClampReading, Wiring
from .const import (
    CONF_BURDEN,
    CONF_CALIBRATION,
    CONF_CALIBRATION_OFFSET,
    CONF_INPUT,
    CONF_MAINS_VOLTAGE,
    CONF_POWER_FACTOR,
    CONF_POWER_FACTOR_ENTITY,
    CONF_RANGE,
    CONF_TURNS,
    CONF_VOLTAGE_ENTITY,
    CONF_WIRING,
    CONF_ZERO,
    RANGE_AUTO,
    RANGES,
)

# A sweep takes 1 s, of 16 channels 3.5 s; what is longer is a gap and not bridged
MAX_GAP = 15.0
# A voltage that is further from the mains than this is of something else
PLAUSIBLE_VOLTAGE = (0.7, 1.3)
# A change that is worth a state at once: 1 VA, and 2 % of large loads
SHOWN_CHANGE_VA, SHOWN_CHANGE = 1.0, 0.02
# Readings that a calibration averages
RECENT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReading:
    """What a channel shows: A, VA, W, Wh, and whether W is an estimate."""

    current: float | None
    apparent_power: float | None
    power: float | None
    energy: float
    estimated: bool
    noise: float | None
    """Effective current that is no harmonic of the mains."""
    clamp: ClampReading | None


def clamp_of(settings: Mapping[str, Any]) -> Clamp:
    """Return the clamp that a subentry describes."""
    return Clamp(
        source=settings[CONF_INPUT],
        wiring=Wiring(settings[CONF_WIRING]),
        turns=settings[CONF_TURNS],
        burden_ohm=settings[CONF_BURDEN],
        calibration=settings[CONF_CALIBRATION],
        calibration_offset=settings.get(CONF_CALIBRATION_OFFSET, 0.0),
        zero=settings.get(CONF_ZERO, 0.0),
        gain=RANGES[settings.get(CONF_RANGE, RANGE_AUTO)],
    )


class Channel:
    """A clamp, what its load is supplied with, and its energy."""

    def __init__(
        self,
        hass: HomeAssistant,
        subentry: ConfigSubentry,
        state: CounterState | None,
        store: HistoryStore,
    ) -> None:
        """Go on from a stored counter."""
        self.key = subentry.subentry_id
        self.subentry = subentry
        self.clamp = clamp_of(subentry.data)
        self.counter = EnergyIntegrator(state, MAX_GAP)
        self.recent: deque[ClampReading] = deque(maxlen=RECENT)
        self._hass = hass
        self._store = store
        self._settings = subentry.data
        self._last: ClampReading | None = None
        self._shown: float | None = None

    def take(self, reading: ClampReading, stamp: int) -> float:
        """Take a reading at a time (ms since 1970); return the energy it adds (Wh)."""
        before = self.counter.energy_wh
        self._last = reading
        if reading.current is None:
            self.interrupt()
            return 0.0
        self.recent.append(reading)
        volts, power_factor, _ = self.supply()
        self.counter.add(reading.time, reading.current * volts * power_factor, stamp)
        return self.counter.energy_wh - before

    @property
    def assumes_supply(self) -> bool:
        """Return whether voltage or power factor is never measured."""
        return not (
            self._settings.get(CONF_VOLTAGE_ENTITY)
            and self._settings.get(CONF_POWER_FACTOR_ENTITY)
        )

    def interrupt(self) -> None:
        """Nothing is known from here on."""
        self.recent.clear()
        self.counter.interrupt()

    def changed(self) -> bool:
        """Return whether the current has changed since last shown, and take it as shown."""
        now = None if self._last is None else self._last.current
        now = None if now is None else now * self._settings[CONF_MAINS_VOLTAGE]
        shown = self._shown
        if now is None or shown is None:
            differs = now is not shown
        else:
            differs = abs(now - shown) > max(SHOWN_CHANGE_VA, SHOWN_CHANGE * shown)
        if differs:
            self._shown = now
        return differs

    def supply(self) -> tuple[float, float, bool]:
        """Return voltage, power factor, and whether one of them is assumed."""
        assumed_volts = float(self._settings[CONF_MAINS_VOLTAGE])
        volts = self._measured_voltage(assumed_volts)
        power_factor = self._measured_power_factor()
        return (
            assumed_volts if volts is None else volts,
            float(self._settings[CONF_POWER_FACTOR])
            if power_factor is None
            else power_factor,
            volts is None or power_factor is None,
        )

    def _measured_voltage(self, assumed: float) -> float | None:
        """Return what the voltage entity says, if that can be the mains."""
        value, unit = self._value_of(CONF_VOLTAGE_ENTITY)
        if value is None:
            return None
        if unit in ElectricPotentialConverter.VALID_UNITS:
            value = ElectricPotentialConverter.convert(
                value, unit, UnitOfElectricPotential.VOLT
            )
        least, most = PLAUSIBLE_VOLTAGE
        return value if least * assumed <= value <= most * assumed else None

    def _measured_power_factor(self) -> float | None:
        """Return what the power factor entity says, as a share."""
        value, unit = self._value_of(CONF_POWER_FACTOR_ENTITY)
        if value is None:
            return None
        value = abs(value) / (100 if unit == PERCENTAGE else 1)
        return value if value <= 1 else None

    def _value_of(self, setting: str) -> tuple[float | None, str | None]:
        """Return value and unit of the entity that a setting names."""
        state = self._hass.states.get(self._settings.get(setting) or "")
        if state is None or state.state in (STATE_UNAVAILABLE, STATE_UNKNOWN):
            return None, None
        try:
            return float(state.state), state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        except ValueError:
            return None, None

    def mean_uncalibrated(self) -> float | None:
        """Return the mean of the recent currents before calibration (A)."""
        values = [reading.uncalibrated or 0.0 for reading in self.recent]
        return mean(values) if len(values) >= RECENT // 2 else None

    def present_reading(self) -> ChannelReading:
        """Return what the channel shows."""
        volts, power_factor, estimated = self.supply()
        last = self._last
        current = None if last is None else last.current
        apparent = None if current is None else current * volts
        return ChannelReading(
            current=current,
            apparent_power=apparent,
            power=None if apparent is None else apparent * power_factor,
            energy=self._store.shown(self.key, self.counter.state).energy_wh,
            estimated=estimated,
            noise=last.noise * self.clamp.amps_per_volt if last else None,
            clamp=last,
        )
