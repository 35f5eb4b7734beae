"""Names of a blip meter's settings."""

from typing import Final

CONF_BAUDRATE: Final = "baudrate"
CONF_PARITY: Final = "parity"
CONF_LINE_FORMAT: Final = "line_format"

SUBENTRY_METER: Final = "meter"
CONF_METER_ID: Final = "meter_id"
CONF_IMPULSES_PER_KWH: Final = "impulses_per_kwh"
CONF_RATIO: Final = "ratio"
CONF_MAX_POWER: Final = "max_power"

# Options of a line: read its blips without a login; how long they are kept
CONF_OPEN_API: Final = "open_api"
CONF_KEEP_DAYS: Final = "keep_days"
