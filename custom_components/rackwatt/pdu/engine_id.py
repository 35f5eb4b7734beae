"""Ask whether somebody speaks SNMPv3 at an address, and who, without credentials.

Discovery (RFC 3414, section 4) is one unauthenticated message; the agent must answer it
with a report that carries its engine id. A closed port shows at once, as the socket is
connected. pysnmp has no way to ask only this.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
import os
import socket

_INTEGER, _OCTETS, _SEQUENCE, _GET = 0x02, 0x04, 0x30, 0xA0
ATTEMPTS = (0.2, 0.4, 0.6)
"""Seconds to wait for each answer: the whole leaves time for more trials in a form."""


class AgentPortClosedError(Exception):
    """The host is there, and refuses the port."""


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """Who answered."""

    engine_id: bytes
    boots: int
    seconds: int


async def discover_engine(host: str, port: int) -> EngineInfo | None:
    """Return who answers, None when nobody does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        try:
            await loop.sock_connect(probe, (host, port))
            for seconds in ATTEMPTS:
                await loop.sock_sendall(probe, discovery_message())
                if info := await _answer(probe, seconds):
                    return info
        except ConnectionRefusedError as err:
            raise AgentPortClosedError from err
    return None


async def _answer(probe: socket.socket, seconds: float) -> EngineInfo | None:
    """Return the first answer that can be read, None if none comes in time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            while True:
                if info := parse_report(await loop.sock_recv(probe, 65535)):
                    return info
    except TimeoutError:
        return None


def discovery_message() -> bytes:
    """Return an SNMPv3 message without a user that asks to be reported on."""
    number = int.from_bytes(os.urandom(4), "big") >> 1
    header = _integer(number) + _integer(65507) + _item(_OCTETS, b"\x04") + _integer(3)
    security = _item(
        _SEQUENCE,
        _item(_OCTETS, b"") + _integer(0) + _integer(0) + _item(_OCTETS, b"") * 3,
    )
    get = _item(
        _GET, _integer(number) + _integer(0) + _integer(0) + _item(_SEQUENCE, b"")
    )
    return _item(
        _SEQUENCE,
        _integer(3)
        + _item(_SEQUENCE, header)
        + _item(_OCTETS, security)
        + _item(_SEQUENCE, _item(_OCTETS, b"") * 2 + get),
    )


def parse_report(data: bytes) -> EngineInfo | None:
    """Return who sent a message, None if it is no SNMPv3."""
    try:
        message = [*_items(next(_items(data))[1])]
        if message[0] != (_INTEGER, b"\x03"):
            return None
        fields = [*_items(next(_items(message[2][1]))[1])]
        engine_id, boots, seconds = fields[0][1], fields[1][1], fields[2][1]
    except (IndexError, StopIteration):
        return None
    if not 5 <= len(engine_id) <= 32:  # RFC 3411: SnmpEngineID is 5 to 32 octets
        return None
    return EngineInfo(
        engine_id=engine_id,
        boots=int.from_bytes(boots, "big"),
        seconds=int.from_bytes(seconds, "big"),
    )


def _item(tag: int, content: bytes) -> bytes:
    """Return a BER item; none of ours is longer than 127 octets."""
    return bytes([tag, len(content)]) + content


def _integer(value: int) -> bytes:
    """Return a BER integer."""
    return _item(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the BER items of some octets."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise IndexError("cut short")
        yield tag, data[at : at + length]
        at += length
