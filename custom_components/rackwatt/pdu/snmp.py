"""Ask SNMP agents from the event loop; pysnmp works in a thread of its own.

Decoding 100 values takes pysnmp 14 ms of pure Python. In the event loop fifty PDUs would
stall everything else for that long at every answer; in a thread the interpreter takes
turns, 5 ms at a time.
"""

import asyncio
from collections.abc import Coroutine
import contextlib
import importlib
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from .credentials import Credentials
from .errors import (
    AuthFailure,
    SnmpAuthenticationError,
    SnmpError,
    SnmpHostError,
    SnmpResponseError,
    SnmpTimeoutError,
)
from .message import Address, Request, Response

if TYPE_CHECKING:
    from .engine import Engine

_T = TypeVar("_T")

ANSWERING_AT_ONCE = 8
"""Requests on the way to agents that answer. One socket's receive buffer held 37 answers
of 100 values; of 50 at once 13 were lost."""
SILENT_AT_ONCE = 8
"""Requests on the way to agents that did not answer the last one: they wait for each
other, and never make one that answers wait."""

_AUTH_FAILURES = {
    "UnknownUserName": AuthFailure.UNKNOWN_USER,
    "UnknownSecurityName": AuthFailure.UNKNOWN_USER,
    "WrongDigest": AuthFailure.WRONG_DIGEST,
    "AuthenticationFailure": AuthFailure.WRONG_DIGEST,
    "UnsupportedSecurityLevel": AuthFailure.UNSUPPORTED_LEVEL,
}


class SnmpThread:
    """The thread in which pysnmp lives, and its engines."""

    def __init__(self) -> None:
        """Prepare; nothing starts before start()."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, name="rackwatt-snmp", daemon=True
        )
        self._engines: list[Engine] = []
        self._trials: list[Engine] = []
        self._answering = asyncio.Semaphore(ANSWERING_AT_ONCE)
        self._waiting = asyncio.Semaphore(SILENT_AT_ONCE)
        self._silent: set[Address] = set()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the engines and end the thread; blocks until it has ended."""
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        """Run the thread's own event loop."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _shut_down(self) -> None:
        """Give up what is still asked and close the engines."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._retire(self._engines)
        self._retire(self._trials)
        await self._loop.shutdown_default_executor()

    async def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await work that runs in the thread."""
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(work, self._loop)
        )

    async def resolve(self, host: str, port: int) -> Address:
        """Return the address of a host name."""
        return await self.call(self._resolve(host, port))

    async def request(
        self,
        address: Address,
        credentials: Credentials,
        request: Request,
        trial: bool = False,
    ) -> Response:
        """Return the answer to a request, or raise what the agent has against us.

        A trial of credentials goes by an engine that forgets them again.
        """
        work = self._send(address, credentials, request, trial)
        return _checked(await self.call(work))

    def end_trials(self) -> None:
        """Close the engines of the trials."""
        self._loop.call_soon_threadsafe(self._retire, self._trials)

    def renew(self) -> None:
        """Use new engines from now on.

        An engine believes for 300 s that the unit at an address is the one it met there,
        and is deaf to the unit that replaced it.
        """
        self._loop.call_soon_threadsafe(self._retire, self._engines)

    @staticmethod
    def _retire(engines: "list[Engine]") -> None:
        """Retire engines."""
        for engine in engines:
            engine.retire()
        engines.clear()

    async def _resolve(self, host: str, port: int) -> Address:
        """Ask the resolver, unless the host is an address already."""
        with contextlib.suppress(ValueError):
            number = ipaddress.ip_address(host)
            return Address(host=host, port=port, ipv6=number.version == 6)
        try:
            found = await self._loop.getaddrinfo(
                host, port, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP
            )
        except (OSError, UnicodeError) as err:
            raise SnmpHostError(str(err)) from err
        family, _, _, _, sockaddr = found[0]
        return Address(host=str(sockaddr[0]), port=port, ipv6=family == socket.AF_INET6)

    async def _send(
        self,
        address: Address,
        credentials: Credentials,
        request: Request,
        trial: bool,
    ) -> Response:
        """Send a request when it is its turn."""
        turn = self._waiting if address in self._silent else self._answering
        async with turn:
            engine = self._engine_for(credentials, trial)
            with engine.busy():
                response = await engine.send(address, credentials, request)
        if response.indication == "RequestTimedOut":
            self._silent.add(address)
        else:
            self._silent.discard(address)
        return response

    def _engine_for(self, credentials: Credentials, trial: bool) -> "Engine":
        """Return an engine for these credentials, a new one if none serves."""
        engines = self._trials if trial else self._engines
        for known in engines:
            if known.idle if trial else known.serves(credentials):
                return known
        module = importlib.import_module(".engine", __package__)
        engine: Engine = module.Engine()
        engines.append(engine)
        return engine


def _checked(response: Response) -> Response:
    """Return the answer, or raise what stands in it."""
    if response.indication:
        if response.indication == "RequestTimedOut":
            raise SnmpTimeoutError("no answer")
        if reason := _AUTH_FAILURES.get(response.indication):
            raise SnmpAuthenticationError(reason)
        raise SnmpError(response.indication)
    if response.status:
        raise SnmpResponseError(response.status, response.index)
    return response
