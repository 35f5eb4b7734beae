"""Names of a 1-Wire tree's settings."""

from typing import Final

CONF_POLL_INTERVAL: Final = "poll_interval"
CONF_RESOLUTION: Final = "resolution"
CONF_OFFSETS: Final = "offsets"

DEFAULT_PATH: Final = "/sys/bus/w1/devices"
DEFAULT_POLL_INTERVAL: Final = 30  # s; air in a rack does not change faster
DEFAULT_RESOLUTION: Final = 12  # bits
