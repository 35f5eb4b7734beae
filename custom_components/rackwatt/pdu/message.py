"""What goes to an SNMP agent and what comes back, in plain Python."""

from dataclasses import dataclass
from enum import Enum

Oid = tuple[int, ...]
Value = int | bytes | Oid | None
"""An integer of any SNMP type, octets, an object identifier; None where nothing is."""
VarBind = tuple[Oid, Value]


class Operation(Enum):
    """What an agent can be asked to do."""

    GET = "get"
    NEXT = "next"
    BULK = "bulk"
    SET = "set"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where an agent listens, resolved."""

    host: str
    port: int
    ipv6: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """One message to an agent."""

    operation: Operation
    varbinds: tuple[VarBind, ...]
    non_repeaters: int = 0
    max_repetitions: int = 0
    timeout: float = 1.5
    retries: int = 3


@dataclass(frozen=True, kw_only=True)
class Response:
    """One answer; `indication` names why there is none."""

    indication: str = ""
    status: int = 0
    index: int = 0
    varbinds: tuple[VarBind, ...] = ()


def oid(text: str) -> Oid:
    """Return an object identifier from its dotted form."""
    return tuple(int(part) for part in text.strip(".").split("."))


def dotted(value: Oid) -> str:
    """Return the dotted form of an object identifier."""
    return ".".join(map(str, value))


SYS_UPTIME = oid("1.3.6.1.2.1.1.3.0")
