"""One pysnmp engine: the only module that imports pysnmp.

It is imported in the SNMP thread, never in the event loop: the import takes 0.3 s and
making an engine 0.1 s, and both read files.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyasn1.type import univ
from pysnmp.carrier.asyncio.dispatch import AsyncioDispatcher
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413 import cmdgen
from pysnmp.hlapi.v3arch.asyncio.auth import CommunityData, UsmUserData
from pysnmp.hlapi.v3arch.asyncio.lcd import CommandGeneratorLcdConfigurator
from pysnmp.hlapi.v3arch.asyncio.transport import (
    Udp6TransportTarget,
    UdpTransportTarget,
)
from pysnmp.proto import errind, rfc1902

from .credentials import AuthProtocol, Credentials, KeyExtension, PrivProtocol, Version
from .message import Address, Operation, Request, Response, Value

TICK = 0.1
"""Seconds between looks at the time-outs; pysnmp's own half second would blur them."""

_AUTH = {
    AuthProtocol.NONE: config.USM_AUTH_NONE,
    AuthProtocol.MD5: config.USM_AUTH_HMAC96_MD5,
    AuthProtocol.SHA: config.USM_AUTH_HMAC96_SHA,
    AuthProtocol.SHA224: config.USM_AUTH_HMAC128_SHA224,
    AuthProtocol.SHA256: config.USM_AUTH_HMAC192_SHA256,
    AuthProtocol.SHA384: config.USM_AUTH_HMAC256_SHA384,
    AuthProtocol.SHA512: config.USM_AUTH_HMAC384_SHA512,
}
_PRIV = {
    PrivProtocol.NONE: config.USM_PRIV_NONE,
    PrivProtocol.DES: config.USM_PRIV_CBC56_DES,
    PrivProtocol.AES128: config.USM_PRIV_CFB128_AES,
}
_STRETCHED_PRIV = {
    (PrivProtocol.AES192, KeyExtension.REEDER): config.USM_PRIV_CFB192_AES,
    (PrivProtocol.AES256, KeyExtension.REEDER): config.USM_PRIV_CFB256_AES,
    (
        PrivProtocol.AES192,
        KeyExtension.BLUMENTHAL,
    ): config.USM_PRIV_CFB192_AES_BLUMENTHAL,
    (
        PrivProtocol.AES256,
        KeyExtension.BLUMENTHAL,
    ): config.USM_PRIV_CFB256_AES_BLUMENTHAL,
}


class Engine:
    """Send requests by one pysnmp engine, from the one thread that owns it."""

    def __init__(self) -> None:
        """Make the engine with a finer clock than its own."""
        self._engine = SnmpEngine()
        self._engine.register_transport_dispatcher(AsyncioDispatcher(timeout=TICK))
        self._lcd = CommandGeneratorLcdConfigurator()
        self._users: dict[str, Credentials] = {}
        self._in_flight = 0
        self._retired = False

    def serves(self, credentials: Credentials) -> bool:
        """Return if these credentials clash with none that the engine knows.

        An engine keeps one set of keys a user name; two PDUs with the same name and
        different keys would throw each other out at every request.
        """
        if credentials.version is not Version.V3:
            return True
        return self._users.get(credentials.username, credentials) == credentials

    async def send(
        self, address: Address, credentials: Credentials, request: Request
    ) -> Response:
        """Send a request, repeat it when no answer comes, and return the answer."""
        if credentials.version is Version.V3:
            self._users[credentials.username] = credentials
        target = _target(address, request)
        name, _ = self._lcd.configure(self._engine, _auth_data(credentials), target)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._dispatch(name, request, answer)
        return await answer

    def _dispatch(
        self, name: str, request: Request, answer: asyncio.Future[Response]
    ) -> None:
        """Hand a request to pysnmp."""
        varbinds = [(item, _wire_value(value)) for item, value in request.varbinds]
        arguments: tuple[Any, ...] = (self._engine, name, None, "")
        if request.operation is Operation.BULK:
            arguments += (request.non_repeaters, request.max_repetitions)
        generator = _GENERATORS[request.operation]()
        generator.send_varbinds(*arguments, varbinds, _on_answer, answer)

    @property
    def idle(self) -> bool:
        """Return if the engine waits for nothing."""
        return not self._in_flight

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the socket open for a request."""
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self._close_when_idle()

    def retire(self) -> None:
        """Take no more requests; close when the last one is answered."""
        self._retired = True
        self._close_when_idle()

    def _close_when_idle(self) -> None:
        """Close the socket of a retired engine that waits for nothing."""
        if self._retired and self.idle and self._engine.transport_dispatcher:
            self._engine.close_dispatcher()


_GENERATORS = {
    Operation.GET: cmdgen.GetCommandGenerator,
    Operation.NEXT: cmdgen.NextCommandGeneratorSingleRun,
    Operation.BULK: cmdgen.BulkCommandGeneratorSingleRun,
    Operation.SET: cmdgen.SetCommandGenerator,
}


def _target(address: Address, request: Request) -> Any:
    """Return an address in pysnmp's words.

    Its own way to make one resolves the address anew, in a thread, at every request.
    """
    kind = Udp6TransportTarget if address.ipv6 else UdpTransportTarget
    target = kind.__new__(kind)
    target.transport_address = (address.host, address.port)
    target.__init__(request.timeout, request.retries)
    return target


def _auth_data(credentials: Credentials) -> CommunityData | UsmUserData:
    """Return the credentials in pysnmp's words."""
    if credentials.version is not Version.V3:
        model = 0 if credentials.version is Version.V1 else 1
        return CommunityData(credentials.community, mpModel=model)
    privacy = _PRIV.get(credentials.priv_protocol) or _STRETCHED_PRIV.get(
        (credentials.priv_protocol, credentials.key_extension)
    )
    return UsmUserData(
        credentials.username,
        credentials.auth_key or None,
        credentials.priv_key or None,
        authProtocol=_AUTH[credentials.auth_protocol],
        privProtocol=privacy,
    )


def _on_answer(
    _engine: Any,
    _handle: int,
    indication: errind.ErrorIndication | None,
    status: Any,
    index: Any,
    varbinds: Sequence[tuple[Any, Any]],
    answer: asyncio.Future[Response],
) -> None:
    """Pass pysnmp's answer on in plain Python."""
    if answer.done():
        return
    if indication:
        answer.set_result(Response(indication=type(indication).__name__))
        return
    answer.set_result(
        Response(
            status=int(status),
            index=int(index),
            varbinds=tuple(
                (name.asTuple(), _plain_value(value)) for name, value in varbinds
            ),
        )
    )


def _plain_value(value: Any) -> Value:
    """Return a value of SNMP as Python's own, None where the agent has nothing."""
    if isinstance(value, univ.Null):  # noSuchObject, noSuchInstance, endOfMibView
        return None
    if isinstance(value, univ.OctetString):
        return bytes(value.asOctets())
    if isinstance(value, univ.ObjectIdentifier):
        return tuple(value.asTuple())
    return int(value)


def _wire_value(value: Value) -> Any:
    """Return an integer as SNMP's; anything else asks."""
    return rfc1902.Integer32(value) if isinstance(value, int) else univ.Null("")
