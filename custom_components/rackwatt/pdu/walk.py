"""Walk what an unknown PDU tells, so that somebody can write its profile."""

from .client import SnmpClient
from .message import Value, dotted, oid

ENTERPRISES = oid("1.3.6.1.4.1")
MOST_OBJECTS = 3000
"""A Raritan has 22,000; three thousand show what the tables look like."""


async def walk_enterprises(client: SnmpClient) -> dict[str, str]:
    """Return the maker's own objects in readable form."""
    cells = await client.bulk([], [ENTERPRISES], MOST_OBJECTS)
    return {dotted(name): _readable(value) for name, value in sorted(cells.items())}


def _readable(value: Value) -> str:
    """Return a value as snmpwalk would show it."""
    if isinstance(value, tuple):
        return f"OID: {dotted(value)}"
    if isinstance(value, bytes):
        text = value.decode("ascii", "replace")
        if text.isprintable() and "\ufffd" not in text:
            return f'STRING: "{text}"'
        return f"Hex-STRING: {value.hex(' ')}"
    return f"INTEGER: {value}"
