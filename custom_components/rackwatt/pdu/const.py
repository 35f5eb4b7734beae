"""Names of a PDU's settings."""

from datetime import timedelta
from typing import Final

CONF_VERSION: Final = "version"
CONF_COMMUNITY: Final = "community"
CONF_AUTH_PROTOCOL: Final = "auth_protocol"
CONF_AUTH_KEY: Final = "auth_key"
CONF_PRIV_PROTOCOL: Final = "priv_protocol"
CONF_PRIV_KEY: Final = "priv_key"
CONF_KEY_EXTENSION: Final = "key_extension"
CONF_MAC: Final = "mac"
CONF_COPY_FROM: Final = "copy_from"
CONF_POLL_INTERVAL: Final = "poll_interval"

SUBENTRY_OUTLET_GROUP: Final = "outlet_group"
CONF_OUTLETS: Final = "outlets"

DEFAULT_PORT: Final = 161
DEFAULT_POLL_INTERVAL: Final = 30
SURVEY_INTERVAL: Final = timedelta(hours=1)
"""How often names, limits and the number of outlets are read again."""
