"""Config flow of a channel: its clamp, and its calibration."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import probatio

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    CONF_NAME,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfPower,
)
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.util.unit_conversion import PowerConverter

from .calibration import Calibration, Point, fit_points
from .channel import Channel
from .clamp import INPUTS, Wiring
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
from .coordinator import CtClampCoordinator

CONF_TRUE_POWER = "true_power"
CONF_REFERENCE_ENTITY = "reference_entity"


def _number(least: float, most: float, unit: str | None = None) -> NumberSelector:
    """Return a number to type in."""
    config = NumberSelectorConfig(
        min=least, max=most, step="any", mode=NumberSelectorMode.BOX
    )
    if unit is not None:
        config["unit_of_measurement"] = unit
    return NumberSelector(config)


def _sensor(device_class: SensorDeviceClass) -> EntitySelector:
    """Return a sensor to pick."""
    return EntitySelector(
        EntitySelectorConfig(domain="sensor", device_class=device_class)
    )


CHANNEL_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_NAME): TextSelector(),
        probatio.Required(CONF_INPUT, default="A0"): SelectSelector(
            SelectSelectorConfig(
                options=sorted(INPUTS, key=lambda name: (len(name), name)),
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
        probatio.Required(CONF_WIRING, default=Wiring.BIASED): SelectSelector(
            SelectSelectorConfig(options=list(Wiring), translation_key="wiring")
        ),
        probatio.Required(CONF_TURNS, default=3000): _number(1, 1_000_000),
        probatio.Required(CONF_BURDEN, default=1000): _number(0.01, 1_000_000, "Ω"),
        probatio.Required(CONF_MAINS_VOLTAGE, default=230): _number(
            1, 1000, UnitOfElectricPotential.VOLT
        ),
        probatio.Optional(CONF_VOLTAGE_ENTITY): _sensor(SensorDeviceClass.VOLTAGE),
        probatio.Required(CONF_POWER_FACTOR, default=1.0): _number(0.01, 1),
        probatio.Optional(CONF_POWER_FACTOR_ENTITY): _sensor(
            SensorDeviceClass.POWER_FACTOR
        ),
        probatio.Required(CONF_CALIBRATION, default=1.0): _number(0.01, 100),
        probatio.Optional(CONF_CALIBRATION_OFFSET, default=0.0): _number(
            -100, 100, UnitOfElectricCurrent.AMPERE
        ),
        probatio.Optional(CONF_RANGE, default=RANGE_AUTO): SelectSelector(
            SelectSelectorConfig(
                options=list(RANGES),
                translation_key="range",
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
    }
)

CALIBRATE_SCHEMA = probatio.Schema(
    {
        probatio.Optional(CONF_TRUE_POWER): _number(0.1, 1_000_000, UnitOfPower.WATT),
        probatio.Optional(CONF_REFERENCE_ENTITY): _sensor(SensorDeviceClass.POWER),
    }
)


class ChannelFlow(ConfigSubentryFlow):
    """Add a channel to a board, change it, or calibrate it."""

    def __init__(self) -> None:
        """Initialize the flow."""
        self._points: list[Point] = []

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Add a channel."""
        return await self.async_step_channel(user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a channel, or calibrate it."""
        return self.async_show_menu(
            step_id="reconfigure", menu_options=["channel", "calibrate"]
        )

    async def async_step_channel(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask how the clamp is connected."""
        changed = None
        if self.source == SOURCE_RECONFIGURE:
            changed = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = self._errors(user_input, changed.subentry_id if changed else None)
            if not errors and changed is None:
                return self.async_create_entry(
                    title=user_input[CONF_NAME],
                    data=user_input,
                    unique_id=user_input[CONF_INPUT],
                )
            if not errors and changed is not None:
                return self._async_update_channel(
                    {**user_input, CONF_ZERO: _kept_zero(changed.data, user_input)}
                )
        return self.async_show_form(
            step_id="channel",
            data_schema=self.add_suggested_values_to_schema(
                CHANNEL_SCHEMA, user_input or (changed.data if changed else None)
            ),
            errors=errors,
        )

    def _errors(
        self, user_input: Mapping[str, Any], subentry_id: str | None
    ) -> dict[str, str]:
        """Return what cannot be."""
        source: str = user_input[CONF_INPUT]
        if any(
            other.unique_id == source and other.subentry_id != subentry_id
            for other in self._get_entry().subentries.values()
        ):
            return {CONF_INPUT: "input_taken"}
        if ("-" in source) != (user_input[CONF_WIRING] == Wiring.DIFFERENTIAL):
            return {CONF_WIRING: "wiring_mismatch"}
        return {}

    async def async_step_calibrate(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask for the true power of what the clamp measures now."""
        channel = self._channel()
        errors: dict[str, str] = {}
        if user_input is not None:
            true_power = self._true_power(user_input)
            measured = channel.mean_uncalibrated() if channel else None
            if true_power is None:
                errors["base"] = "no_reference"
            elif channel is None or not measured:
                errors["base"] = "no_reading"
            else:
                point = _point(channel, measured, true_power)
                if fit_points([*self._points, point]).plausible:
                    self._points.append(point)
                    return await self.async_step_calibrated()
                errors["base"] = "implausible"
        return self.async_show_form(
            step_id="calibrate",
            data_schema=CALIBRATE_SCHEMA,
            errors=errors,
            description_placeholders=self._present(channel),
        )

    async def async_step_calibrated(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show what the points tell, and ask whether to go on."""
        fit = fit_points(self._points)
        return self.async_show_menu(
            step_id="calibrated",
            menu_options=["calibrate", "save_calibration"],
            description_placeholders={
                "count": str(len(self._points)),
                "points": _table(self._points, fit),
                "gain": f"{fit.gain:.4f}",
                "offset": f"{1000 * fit.offset:+.1f}",
                "residual": f"{100 * fit.residual:.2f}",
            },
        )

    async def async_step_save_calibration(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Keep what the points tell."""
        fit = fit_points(self._points)
        return self._async_update_channel(
            {
                **self._get_reconfigure_subentry().data,
                CONF_CALIBRATION: round(fit.gain, 6),
                CONF_CALIBRATION_OFFSET: round(fit.offset, 6),
            }
        )

    def _channel(self) -> Channel | None:
        """Return the channel, where its board is read."""
        entry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return None
        coordinator = entry.runtime_data
        assert isinstance(coordinator, CtClampCoordinator)
        return coordinator.channels.get(self._get_reconfigure_subentry().subentry_id)

    def _true_power(self, user_input: Mapping[str, Any]) -> float | None:
        """Return what was typed, or what the reference shows (W)."""
        if (typed := user_input.get(CONF_TRUE_POWER)) is not None:
            return float(typed)
        state = self.hass.states.get(user_input.get(CONF_REFERENCE_ENTITY) or "")
        if state is None:
            return None
        try:
            power = PowerConverter.convert(
                float(state.state),
                state.attributes.get(ATTR_UNIT_OF_MEASUREMENT),
                UnitOfPower.WATT,
            )
        except ValueError:
            return None
        return power if isfinite(power) and power > 0 else None

    def _present(self, channel: Channel | None) -> dict[str, str]:
        """Return what the channel shows now."""
        reading = channel.present_reading() if channel else None
        if reading is None or reading.power is None or reading.current is None:
            return {"power": "–", "current": "–"}
        return {
            "power": f"{reading.power:.1f} W",
            "current": f"{reading.current:.3f} A",
        }

    def _async_update_channel(self, data: Mapping[str, Any]) -> SubentryFlowResult:
        """Store what was changed; the entry reloads itself where it is loaded."""
        entry = self._get_entry()
        update = (
            self.async_update_and_abort
            if entry.update_listeners
            else self.async_update_reload_and_abort
        )
        return update(
            entry,
            self._get_reconfigure_subentry(),
            title=data[CONF_NAME],
            data=data,
            unique_id=data[CONF_INPUT],
        )


def _kept_zero(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """Return the zero, which is of the wires: another input has none yet."""
    same = all(before[key] == after[key] for key in (CONF_INPUT, CONF_WIRING))
    return float(before.get(CONF_ZERO, 0.0)) if same else 0.0


def _point(channel: Channel, measured: float, true_power: float) -> Point:
    """Return a point of a calibration, with the supply as it is now."""
    volts, power_factor, _ = channel.supply()
    return Point(measured=measured, true=true_power / volts / power_factor)


def _table(points: list[Point], fit: Calibration) -> str:
    """Return the points and what is left of their errors, as a list."""
    return "\n".join(
        f"- {point.measured:.3f} A → {point.true:.3f} A"
        f" ({100 * ((fit.gain * point.measured + fit.offset) / point.true - 1):+.2f} %)"
        for point in points
    )
