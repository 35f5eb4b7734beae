"""Find out which setting is wrong, in stages, and say so within three seconds.

A wrong privacy key and a dead PDU look alike: no answer. So the stages are: does anybody
answer at all (SNMPv3 discovery needs no credentials), is the user let in without
privacy, and then with it. What then fails is what is wrong.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from .client import SnmpClient
from .credentials import (
    SHORTEST_PASSPHRASE,
    AuthProtocol,
    Credentials,
    KeyExtension,
    PrivProtocol,
    Version,
)
from .engine_id import AgentPortClosedError, discover_engine
from .errors import (
    AuthFailure,
    SnmpAuthenticationError,
    SnmpError,
    SnmpHostError,
    SnmpTimeoutError,
)
from .message import SYS_UPTIME
from .snmp import SnmpThread

WAIT = 0.6
"""Seconds for an answer while a form waits. Trials that are bound to time out run side
by side."""
USUAL_COMMUNITIES = ("public", "private")


class Fault(StrEnum):
    """What is wrong; also the key of its sentence."""

    UNKNOWN_HOST = "unknown_host"
    NO_ANSWER = "no_answer"
    PORT_CLOSED = "port_closed"
    SHORT_PASSPHRASE = "short_passphrase"
    WRONG_VERSION = "wrong_version"
    WRONG_COMMUNITY = "wrong_community"
    UNKNOWN_USER = "unknown_user"
    WRONG_AUTH_PROTOCOL = "wrong_auth_protocol"
    WRONG_AUTH_KEY = "wrong_auth_key"
    WRONG_LEVEL = "wrong_level"
    WRONG_PRIV_PROTOCOL = "wrong_priv_protocol"
    WRONG_PRIV_KEY = "wrong_priv_key"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found: credentials that work, or what is wrong with them."""

    credentials: Credentials
    fault: Fault | None = None
    works: str = ""
    """What would be right, where that could be found out."""


class _Answer(StrEnum):
    """What an agent made of credentials."""

    DATA = "data"
    SILENCE = "silence"
    UNKNOWN_USER = "unknown_user"
    WRONG_DIGEST = "wrong_digest"
    UNSUPPORTED_LEVEL = "unsupported_level"
    AUTHORIZATION = "authorization"


_REFUSALS = {
    AuthFailure.UNKNOWN_USER: _Answer.UNKNOWN_USER,
    AuthFailure.WRONG_DIGEST: _Answer.WRONG_DIGEST,
    AuthFailure.UNSUPPORTED_LEVEL: _Answer.UNSUPPORTED_LEVEL,
    AuthFailure.AUTHORIZATION: _Answer.AUTHORIZATION,
}


async def diagnose(
    thread: SnmpThread, host: str, port: int, credentials: Credentials
) -> Diagnosis:
    """Return credentials that work, or which setting is wrong."""
    if _too_short(credentials):
        return Diagnosis(credentials=credentials, fault=Fault.SHORT_PASSPHRASE)
    trial = _Trial(thread, host, port, credentials)
    try:
        fault, answers_v3 = await _reach(thread, host, port)
        if fault is not None:
            return Diagnosis(credentials=credentials, fault=fault)
        if credentials.version is Version.V3:
            return await trial.user(answers=answers_v3)
        return await trial.community(speaks_v3=answers_v3)
    finally:
        thread.end_trials()


async def reach(
    thread: SnmpThread, host: str, port: int, version: Version
) -> tuple[Fault | None, str]:
    """Return what is wrong with an address, before credentials are known."""
    fault, answers_v3 = await _reach(thread, host, port)
    if fault is not None or answers_v3 or version is not Version.V3:
        return fault, ""
    trial = _Trial(thread, host, port, Credentials(version=version))
    try:
        found = await trial.user(answers=False)
    finally:
        thread.end_trials()
    return found.fault, found.works


async def _reach(thread: SnmpThread, host: str, port: int) -> tuple[Fault | None, bool]:
    """Return what is wrong with an address, and if SNMPv3 is spoken there."""
    try:
        address = await thread.resolve(host, port)
        return None, await discover_engine(address.host, port) is not None
    except SnmpHostError:
        return Fault.UNKNOWN_HOST, False
    except AgentPortClosedError:
        return Fault.PORT_CLOSED, False
    except OSError:
        return Fault.NO_ANSWER, False


def _too_short(credentials: Credentials) -> bool:
    """Return if a passphrase is shorter than any agent takes."""
    if credentials.version is not Version.V3:
        return False
    keys = []
    if credentials.auth_protocol is not AuthProtocol.NONE:
        keys.append(credentials.auth_key)
    if credentials.priv_protocol is not PrivProtocol.NONE:
        keys.append(credentials.priv_key)
    return any(len(key.encode()) < SHORTEST_PASSPHRASE for key in keys)


class _Trial:
    """Try credentials on one agent."""

    def __init__(
        self, thread: SnmpThread, host: str, port: int, credentials: Credentials
    ) -> None:
        """Keep what is tried."""
        self._thread = thread
        self._host = host
        self._port = port
        self._credentials = credentials

    async def community(self, speaks_v3: bool) -> Diagnosis:
        """Tell a wrong community from a wrong version."""
        other = Version.V2C if self._credentials.version is Version.V1 else Version.V1
        mine, theirs = await asyncio.gather(
            self._ask(self._credentials),
            self._ask(replace(self._credentials, version=other)),
        )
        if mine is _Answer.DATA:
            return self._found()
        if theirs is _Answer.DATA:
            return self._found(Fault.WRONG_VERSION, f"v{other.value}")
        if speaks_v3 and self._credentials.community in USUAL_COMMUNITIES:
            # nobody chose this community; v1 and v2c are most likely off
            return self._found(Fault.WRONG_VERSION, "v3")
        return self._found(Fault.WRONG_COMMUNITY)

    async def user(self, answers: bool) -> Diagnosis:
        """Find what is wrong with a user of v3."""
        if not answers:
            spoken = await self._speaks_community()
            if spoken:
                return self._found(Fault.WRONG_VERSION, f"v{spoken.value}")
            return self._found(Fault.NO_ANSWER)
        answer = await self._ask(self._credentials.without_privacy)
        if answer is _Answer.SILENCE:
            return self._found(Fault.NO_ANSWER)
        if answer is _Answer.UNKNOWN_USER:
            return self._found(Fault.UNKNOWN_USER)
        if answer is _Answer.UNSUPPORTED_LEVEL:
            return self._found(Fault.WRONG_LEVEL)
        if answer is _Answer.WRONG_DIGEST:
            return await self._digest()
        if self._credentials.priv_protocol is PrivProtocol.NONE:
            refused = answer is _Answer.AUTHORIZATION
            return self._found(Fault.WRONG_LEVEL if refused else None)
        return await self._privacy()

    async def _digest(self) -> Diagnosis:
        """Tell a wrong authentication protocol from a wrong passphrase."""
        for protocol in AuthProtocol:
            if protocol in (AuthProtocol.NONE, self._credentials.auth_protocol):
                continue
            other = replace(self._credentials.without_privacy, auth_protocol=protocol)
            if await self._ask(other) in (_Answer.DATA, _Answer.AUTHORIZATION):
                return self._found(Fault.WRONG_AUTH_PROTOCOL, protocol.value)
        return self._found(Fault.WRONG_AUTH_KEY)

    async def _privacy(self) -> Diagnosis:
        """Find the way a key is stretched, or what is wrong with the privacy."""
        mine = _variants(self._credentials, [self._credentials.priv_protocol])
        answers = await self._ask_all(mine)
        if right := _first_right(answers):
            return Diagnosis(credentials=right)
        if _Answer.UNSUPPORTED_LEVEL in dict(answers).values():
            return self._found(Fault.WRONG_LEVEL)
        others = [
            protocol
            for protocol in PrivProtocol
            if protocol not in (PrivProtocol.NONE, self._credentials.priv_protocol)
        ]
        answers = await self._ask_all(_variants(self._credentials, others))
        if right := _first_right(answers):
            return self._found(Fault.WRONG_PRIV_PROTOCOL, right.priv_protocol.value)
        return self._found(Fault.WRONG_PRIV_KEY)

    async def _ask_all(
        self, trials: Sequence[Credentials]
    ) -> list[tuple[Credentials, _Answer]]:
        """Return what the agent makes of each; all are tried side by side."""
        answers = await asyncio.gather(*(self._ask(trial) for trial in trials))
        return list(zip(trials, answers, strict=True))

    async def _speaks_community(self) -> Version | None:
        """Return a version without users that the agent answers."""
        answers = await self._ask_all(
            [
                Credentials(version=version, community=USUAL_COMMUNITIES[0])
                for version in (Version.V2C, Version.V1)
            ]
        )
        right = _first_right(answers)
        return right.version if right else None

    async def _ask(self, credentials: Credentials) -> _Answer:
        """Return what the agent makes of credentials."""
        client = SnmpClient(
            self._thread,
            self._host,
            self._port,
            credentials,
            timeout=WAIT,
            retries=0,
            trial=True,
        )
        try:
            await client.get([SYS_UPTIME])
        except SnmpTimeoutError:
            return _Answer.SILENCE
        except SnmpAuthenticationError as err:
            return _REFUSALS[err.reason]
        except SnmpError:
            return _Answer.SILENCE
        return _Answer.DATA

    def _found(self, fault: Fault | None = None, works: str = "") -> Diagnosis:
        """Return what was found."""
        return Diagnosis(credentials=self._credentials, fault=fault, works=works)


def _variants(
    credentials: Credentials, protocols: Iterable[PrivProtocol]
) -> list[Credentials]:
    """Return the credentials with each protocol, and each way to stretch its key."""
    found = []
    for protocol in protocols:
        one = replace(credentials, priv_protocol=protocol)
        ways = list(KeyExtension) if one.key_is_stretched else [one.key_extension]
        found += [replace(one, key_extension=way) for way in ways]
    return found


def _first_right(
    answers: Iterable[tuple[Credentials, _Answer]],
) -> Credentials | None:
    """Return the credentials that got data."""
    return next((tried for tried, got in answers if got is _Answer.DATA), None)
