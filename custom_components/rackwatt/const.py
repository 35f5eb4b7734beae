"""Constants of Rackwatt."""

import logging
from typing import Final

DOMAIN: Final = "rackwatt"
LOGGER: Final = logging.getLogger(__package__)

# Which source an entry is: the name of its folder. (`source` is a webcam's own field.)
CONF_KIND: Final = "kind"

BLIP_METER: Final = "blip_meter"
CT_CLAMP: Final = "ct_clamp"
PDU: Final = "pdu"
TEMPERATURE_PROBE: Final = "temperature_probe"
SERVER: Final = "server"
