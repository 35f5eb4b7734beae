"""Discovery: who speaks SNMPv3 at an address, without credentials."""

import asyncio
import socket

import pytest

from .conftest import StartAgent
from custom_components.rackwatt.pdu import engine_id
from custom_components.rackwatt.pdu.engine_id import (
    AgentPortClosedError,
    discover_engine,
    discovery_message,
    parse_report,
)
from demo.rack.pdu_trees import unknown
from demo.rack.snmpd import free_port


async def test_agent_tells_its_engine(start_agent: StartAgent) -> None:
    """The report of a real agent holds its engine id, boots and time."""
    agent = await start_agent(unknown(), engine_id="0x80001f8880aabbccdd")
    info = await discover_engine("127.0.0.1", agent.port)
    assert info is not None
    assert info.engine_id.hex() == "80001f8880aabbccdd"
    assert info.boots >= 1
    assert info.seconds < 60


async def test_closed_port_and_silence(
    socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused port is told from a host that says nothing, or nonsense."""
    with pytest.raises(AgentPortClosedError):
        await discover_engine("127.0.0.1", free_port())
    monkeypatch.setattr(engine_id, "ATTEMPTS", (0.02, 0.02))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        asking = asyncio.create_task(discover_engine(*silent.getsockname()))
        loop = asyncio.get_running_loop()
        _, client = await loop.sock_recvfrom(silent, 2048)
        await loop.sock_sendto(silent, b"nonsense", client)
        assert await asking is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x03\x02\x01\x00",
        b"\x30\x05\x02\x01\x03\x30\x00",
        b"\xff" * 9,
    ],
)
def test_what_is_no_report(data: bytes) -> None:
    """Damaged or foreign messages are no answer."""
    assert parse_report(data) is None


def test_long_lengths_and_odd_engines() -> None:
    """Lengths of two octets are read; an engine id of the wrong size is none."""
    message = discovery_message()
    assert parse_report(message) is None  # our own has an empty engine id
    long_form = b"\x30\x81" + message[1:2] + message[2:]
    assert parse_report(long_form) is None
