"""Who a PDU is: by its serial number, else its network card, else its SNMP engine."""

from dataclasses import dataclass
import re

from .client import Cells, SnmpClient
from .message import SYS_UPTIME, Oid, dotted, oid
from .models import Identity, Module, Pdu, Role
from .profile import Profile

SYS_DESCR = oid("1.3.6.1.2.1.1.1.0")
SYS_OBJECT_ID = oid("1.3.6.1.2.1.1.2.0")
SYS_NAME = oid("1.3.6.1.2.1.1.5.0")
ENGINE_ID = oid("1.3.6.1.6.3.10.2.1.1.0")
IF_PHYS_ADDRESS = oid("1.3.6.1.2.1.2.2.1.6")

_NO_SERIAL = re.compile(r"|[Ff]+|0+|[Nn]/?[Aa]|<.*>")
"""Two public walks show cards that were never given a serial number: FFFFFFFFFFFF."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """What any SNMP agent tells of itself."""

    description: str
    object_id: str
    name: str
    uptime: int | None
    mac: str | None
    engine_id: str | None


async def read_agent(client: SnmpClient) -> Agent:
    """Return what the agent tells of itself."""
    cells = await client.get(
        [SYS_DESCR, SYS_OBJECT_ID, SYS_UPTIME, SYS_NAME, ENGINE_ID]
    )
    cards = await client.bulk([], [IF_PHYS_ADDRESS], 8)
    macs = [value for _, value in sorted(cards.items()) if _is_mac(value)]
    object_id, uptime = cells.get(SYS_OBJECT_ID), cells.get(SYS_UPTIME)
    engine_id = cells.get(ENGINE_ID)
    return Agent(
        description=_text(cells, SYS_DESCR),
        object_id=dotted(object_id) if isinstance(object_id, tuple) else "",
        name=_text(cells, SYS_NAME),
        uptime=uptime if isinstance(uptime, int) else None,
        mac=macs[0].hex(":") if macs and isinstance(macs[0], bytes) else None,
        engine_id=engine_id.hex() if isinstance(engine_id, bytes) else None,
    )


def identity_of(profile: Profile, pdu: Pdu, agent: Agent) -> Identity:
    """Return who a PDU is; a chain is who its first module is."""
    first = pdu.modules[0]
    serial = first.serial or _tagged(agent.description, "SN")
    if serial and _NO_SERIAL.fullmatch(serial):
        serial = None
    firmware = first.firmware or _tagged(agent.description, "AF1")
    return Identity(
        unique_id=serial or agent.mac or agent.engine_id or "",
        manufacturer=profile.manufacturer,
        model=first.model or _tagged(agent.description, "MN") or profile.title,
        serial=serial,
        mac=agent.mac,
        firmware=firmware.removeprefix("v") if firmware else None,
        name=first.name or agent.name or None,
        family=profile.key,
    )


def unknown_identity(agent: Agent) -> Identity:
    """Return who a PDU is that no profile fits."""
    return Identity(
        unique_id=agent.mac or agent.engine_id or "",
        manufacturer="?",
        model=agent.description or agent.object_id or "?",
        serial=None,
        mac=agent.mac,
        firmware=None,
        name=agent.name or None,
        family="",
    )


def module_id(unique_id: str, pdu: Pdu, number: int) -> str:
    """Return what tells a module from all others, wherever it stands in a chain."""
    if number == pdu.modules[0].number:
        return unique_id
    part = pdu.part(Role.MODULE, (number, number))
    serial = part.serial if isinstance(part, Module) else None
    if serial and not _NO_SERIAL.fullmatch(serial):
        return serial
    return f"{unique_id}_{number}"


def _tagged(description: str, tag: str) -> str | None:
    """Return a value from APC's description, such as MN:AP7900B."""
    found = re.search(rf"\b{tag}: ?([^\s)]+)", description)
    return found[1] if found else None


def _text(cells: Cells, name: Oid) -> str:
    """Return a text, empty where there is none."""
    value = cells.get(name)
    if not isinstance(value, bytes):
        return ""
    return value.decode("utf-8", "replace").strip(" \0")


def _is_mac(value: object) -> bool:
    """Return if octets are the address of a network card."""
    return isinstance(value, bytes) and len(value) == 6 and any(value)
