"""Eleven wrong settings, each with its own name, within three seconds."""

from collections.abc import AsyncIterator
from dataclasses import replace
import errno
import socket
import time
from typing import Any

import pytest

from .conftest import V1, V2C, V3, StartAgent
from custom_components.rackwatt.pdu import diagnosis, engine_id
from custom_components.rackwatt.pdu.credentials import (
    AuthProtocol,
    Credentials,
    KeyExtension,
    PrivProtocol,
    Version,
)
from custom_components.rackwatt.pdu.diagnosis import Fault, diagnose, reach
from custom_components.rackwatt.pdu.snmp import SnmpThread
from demo.rack.pdu_trees import unknown
from demo.rack.snmpd import Snmpd, User, free_port

PATIENCE = diagnosis.WAIT
USERS = (
    User(),
    User(name="open", auth="", priv=""),
    User(name="signed", auth="SHA", priv=""),
    User(name="old", auth="MD5", priv="DES"),
    User(name="sha224", auth="SHA-224", priv="AES-192"),
    User(name="sha384", auth="SHA-384", priv="AES"),
    User(name="sha512", auth="SHA-512", priv="AES-256"),
    User(name="aes192", auth="SHA", priv="AES-192"),
    User(name="aes192c", auth="SHA", priv="AES-192-C"),
    User(name="aes256", auth="SHA", priv="AES-256"),
    User(name="aes256c", auth="MD5", priv="AES-256-C"),
)


@pytest.fixture
async def agent(shared_agent: StartAgent) -> AsyncIterator[Snmpd]:
    """Start an agent with users of every kind."""
    return await shared_agent(unknown(), users=USERS)


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for answers that never come: the agent is next door."""
    monkeypatch.setattr(diagnosis, "WAIT", 0.2)


WRONG_USERS: list[tuple[dict[str, Any], Fault | None, str]] = [
    ({}, None, ""),
    ({"username": "nobody"}, Fault.UNKNOWN_USER, ""),
    ({"auth_protocol": AuthProtocol.MD5}, Fault.WRONG_AUTH_PROTOCOL, "sha256"),
    ({"auth_key": "quite wrong"}, Fault.WRONG_AUTH_KEY, ""),
    ({"priv_protocol": PrivProtocol.DES}, Fault.WRONG_PRIV_PROTOCOL, "aes128"),
    ({"priv_key": "quite wrong"}, Fault.WRONG_PRIV_KEY, ""),
    (
        {"priv_protocol": PrivProtocol.NONE, "priv_key": ""},
        Fault.WRONG_LEVEL,
        "",
    ),
    ({"auth_key": "short"}, Fault.SHORT_PASSPHRASE, ""),
    ({"priv_key": "short"}, Fault.SHORT_PASSPHRASE, ""),
    (
        {"username": "signed", "auth_protocol": AuthProtocol.SHA},
        Fault.WRONG_LEVEL,
        "",
    ),
]


async def test_user(agent: Snmpd, snmp_thread: SnmpThread) -> None:
    """Each wrong setting of a user is named, and what would be right where known."""
    for wrong, fault, works in WRONG_USERS:
        found = await diagnose(
            snmp_thread, "127.0.0.1", agent.port, replace(V3, **wrong)
        )
        assert (wrong, found.fault, found.works) == (wrong, fault, works)


async def test_longest_search_ends_in_time(
    agent: Snmpd, snmp_thread: SnmpThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong privacy key waits for silence twice, and still within three seconds."""
    monkeypatch.setattr(diagnosis, "WAIT", PATIENCE)
    start = time.monotonic()
    given = replace(V3, priv_key="quite wrong")
    found = await diagnose(snmp_thread, "127.0.0.1", agent.port, given)
    assert found.fault is Fault.WRONG_PRIV_KEY
    assert time.monotonic() - start < 3


COMMUNITIES = [
    (V2C, None, ""),
    (V1, None, ""),
    (replace(V2C, community="wrong"), Fault.WRONG_COMMUNITY, ""),
    (replace(V2C, community="public"), Fault.WRONG_VERSION, "v3"),
]


async def test_community(agent: Snmpd, snmp_thread: SnmpThread) -> None:
    """A community is right or wrong; one that nobody chose means another version."""
    for given, fault, works in COMMUNITIES:
        found = await diagnose(snmp_thread, "127.0.0.1", agent.port, given)
        assert (found.fault, found.works) == (fault, works)


async def test_version_1_only(start_agent: StartAgent, snmp_thread: SnmpThread) -> None:
    """A card that speaks only v1 is told from a wrong community."""
    agent = await start_agent(
        unknown(),
        users=(),
        community="",
        extra=(
            "com2sec old default oldcard",
            "group oldgroup v1 old",
            "view all included .1",
            'access oldgroup "" v1 noauth exact all all none',
        ),
    )
    given = Credentials(version=Version.V2C, community="oldcard")
    found = await diagnose(snmp_thread, "127.0.0.1", agent.port, given)
    assert (found.fault, found.works) == (Fault.WRONG_VERSION, "v1")


async def test_addresses(
    agent: Snmpd, snmp_thread: SnmpThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host, port and silence have names of their own."""
    start = time.monotonic()
    for given in (V2C, V3):
        found = await diagnose(snmp_thread, "127.0.0.1", free_port(), given)
        assert found.fault is Fault.PORT_CLOSED
    assert await reach(snmp_thread, "127.0.0.1", agent.port, Version.V3) == (None, "")

    async def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(snmp_thread._loop, "getaddrinfo", getaddrinfo)
    found = await diagnose(snmp_thread, "nowhere.invalid", 161, V3)
    assert found.fault is Fault.UNKNOWN_HOST

    async def unreachable(host: str, port: int) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(diagnosis, "discover_engine", unreachable)
    found = await diagnose(snmp_thread, "127.0.0.1", agent.port, V3)
    assert found.fault is Fault.NO_ANSWER
    assert time.monotonic() - start < 3


async def test_silent_host(
    snmp_thread: SnmpThread, socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that says nothing: v3 must answer discovery, v1 and v2c need not."""
    monkeypatch.setattr(engine_id, "ATTEMPTS", (0.05,))
    monkeypatch.setattr(diagnosis, "WAIT", 0.1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        host, port = silent.getsockname()
        for version, fault in (
            (Version.V3, Fault.NO_ANSWER),
            (Version.V2C, None),
        ):
            assert await reach(snmp_thread, host, port, version) == (fault, "")
        assert (await diagnose(snmp_thread, host, port, V3)).fault is Fault.NO_ANSWER
        found = await diagnose(snmp_thread, host, port, V2C)
        assert found.fault is Fault.WRONG_COMMUNITY


async def test_version_without_users(
    snmp_thread: SnmpThread, start_agent: StartAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that knows no v3 but lets everybody read says which version it speaks."""
    agent = await start_agent(unknown(), community="public")

    async def nobody(host: str, port: int) -> None:
        """Answer as a card without v3 does: net-snmp cannot be told to be one."""

    monkeypatch.setattr(diagnosis, "discover_engine", nobody)
    found = await diagnose(snmp_thread, "127.0.0.1", agent.port, V3)
    assert (found.fault, found.works) == (Fault.WRONG_VERSION, "v2c")


SHA, MD5 = AuthProtocol.SHA, AuthProtocol.MD5
AES192, AES256 = PrivProtocol.AES192, PrivProtocol.AES256


PROTOCOLS = [
    ("open", AuthProtocol.NONE, PrivProtocol.NONE, None),
    ("signed", SHA, PrivProtocol.NONE, None),
    ("old", MD5, PrivProtocol.DES, None),
    ("sha224", AuthProtocol.SHA224, AES192, None),
    ("sha384", AuthProtocol.SHA384, PrivProtocol.AES128, None),
    ("sha512", AuthProtocol.SHA512, AES256, None),
    ("aes192", SHA, AES192, KeyExtension.BLUMENTHAL),
    ("aes192c", SHA, AES192, KeyExtension.REEDER),
    ("aes256", SHA, AES256, KeyExtension.BLUMENTHAL),
    ("aes256c", MD5, AES256, KeyExtension.REEDER),
]


async def test_every_protocol(agent: Snmpd, snmp_thread: SnmpThread) -> None:
    """All protocols work, and how a key is stretched is found by trial."""
    for username, auth, priv, extension in PROTOCOLS:
        given = replace(
            V3,
            username=username,
            auth_protocol=auth,
            auth_key=V3.auth_key if auth is not AuthProtocol.NONE else "",
            priv_protocol=priv,
            priv_key=V3.priv_key if priv is not PrivProtocol.NONE else "",
        )
        found = await diagnose(snmp_thread, "127.0.0.1", agent.port, given)
        assert (username, found.fault) == (username, None)
        if extension is not None:
            assert found.credentials.key_extension is extension
