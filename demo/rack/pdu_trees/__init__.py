"""What PDUs answer over SNMP: trees of objects made from the makers' MIBs.

Each function returns a tree as net-snmp's `override` takes it. No tree is a recording of
a real unit; names and figures are ours.
"""

from .apc import RPDU, RPDU2, rpdu, rpdu2
from .apc_easy import CPDU, EPDU, cpdu, epdu
from .dell import DELL, dell
from .objects import (
    APC,
    Tree,
    gauge,
    integer,
    outlet_watts,
    rows,
    system,
    text,
    unknown,
)
from .raritan import DELTA, RARITAN, WYE, raritan

__all__ = [
    "APC",
    "CPDU",
    "DELL",
    "DELTA",
    "EPDU",
    "RARITAN",
    "RPDU",
    "RPDU2",
    "WYE",
    "Tree",
    "cpdu",
    "dell",
    "epdu",
    "gauge",
    "integer",
    "outlet_watts",
    "raritan",
    "rows",
    "rpdu",
    "rpdu2",
    "system",
    "text",
    "unknown",
]
