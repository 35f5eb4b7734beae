"""Names of a server's settings."""

from typing import Final

CONF_BROADCAST_ADDRESS: Final = "broadcast_address"
CONF_SERVER_ID: Final = "server_id"

CONF_WRITE_INTERVAL: Final = "write_interval"
CONF_LINKED_POWER: Final = "linked_power"
CONF_LINKED_ENERGY: Final = "linked_energy"

DEFAULT_WRITE_INTERVAL: Final = 30

ISSUE_WRONG_KEY: Final = "server_wrong_key"
ISSUE_CLONED: Final = "server_cloned"
