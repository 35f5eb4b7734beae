"""Constants of the clamps."""

from typing import Final

from .clamp import GAINS

CONF_BUS: Final = "bus"
CONF_MAINS_FREQUENCY: Final = "mains_frequency"

SUBENTRY_CHANNEL: Final = "ct_channel"

CONF_BURDEN: Final = "burden_ohm"
CONF_CALIBRATION: Final = "calibration"
CONF_CALIBRATION_OFFSET: Final = "calibration_offset"
CONF_INPUT: Final = "input"
CONF_MAINS_VOLTAGE: Final = "mains_voltage"
CONF_POWER_FACTOR: Final = "power_factor"
CONF_POWER_FACTOR_ENTITY: Final = "power_factor_entity"
CONF_RANGE: Final = "range"
CONF_TURNS: Final = "turns"
CONF_VOLTAGE_ENTITY: Final = "voltage_entity"
CONF_WIRING: Final = "wiring"
CONF_ZERO: Final = "zero"

# The amplifier's gains by their full scale in mV, as the form offers them
RANGE_AUTO: Final = "auto"
RANGES: Final = {
    RANGE_AUTO: None,
    **{f"{1000 * scale:.0f}": gain for gain, scale in GAINS.items()},
}

DOCUMENTATION: Final = (
    "https://github.com/rackwatt/rackwatt/blob/main/docs/ct_clamps.md"
)
