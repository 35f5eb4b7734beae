"""A network between us and an agent that loses, delays, swaps and damages."""

import asyncio
from dataclasses import dataclass, field
import random
from typing import Any, override


@dataclass(kw_only=True)
class Faults:
    """What the network does to each datagram."""

    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    """Seconds by which datagrams overtake each other."""
    damage: float = 0.0
    duplicate: float = 0.0
    silent: bool = False
    without_bulk: bool = False
    """Whether requests of v2c for many rows are dropped."""


@dataclass(kw_only=True)
class UdpProxy:
    """Pass datagrams on to one agent and back."""

    target: tuple[str, int]
    faults: Faults = field(default_factory=Faults)
    seed: int = 1
    passed: int = 0
    requests: int = 0
    _timers: set[asyncio.TimerHandle] = field(default_factory=set, init=False)

    async def start(self) -> int:
        """Listen on a loopback port and return it."""
        self._random = random.Random(self.seed)
        self._back: dict[tuple[str, int], asyncio.DatagramTransport] = {}
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_client), local_addr=("127.0.0.1", 0)
        )
        return int(self._front.get_extra_info("sockname")[1])

    def stop(self) -> None:
        """Close all sockets."""
        for timer in self._timers:
            timer.cancel()
        self._front.close()
        for transport in self._back.values():
            transport.close()

    def _from_client(self, data: bytes, client: tuple[str, int]) -> None:
        """Take a request."""
        self.requests += 1
        if self.faults.without_bulk and _operation(data) == _GETBULK:
            return
        asyncio.create_task(self._to_agent(data, client))  # noqa: RUF006

    async def _to_agent(self, data: bytes, client: tuple[str, int]) -> None:
        """Pass a request on, by a socket of its client's own."""
        if client not in self._back:
            loop = asyncio.get_running_loop()
            self._back[client], _ = await loop.create_datagram_endpoint(
                lambda: _Side(lambda answer, _: self._to_client(answer, client)),
                remote_addr=self.target,
            )
        for datagram in self._through(data):
            self._later(self._back[client], datagram, None)

    def _to_client(self, data: bytes, client: tuple[str, int]) -> None:
        """Pass an answer back."""
        for datagram in self._through(data):
            self._later(self._front, datagram, client)

    def _through(self, data: bytes) -> list[bytes]:
        """Return what is left of a datagram."""
        faults, chance = self.faults, self._random.random
        if faults.silent or chance() < faults.loss:
            return []
        if chance() < faults.damage:
            at = self._random.randrange(len(data))
            flipped = data[at] ^ (1 << self._random.randrange(8))
            data = data[:at] + bytes([flipped]) + data[at + 1 :]
        self.passed += 1
        return [data, data] if chance() < faults.duplicate else [data]

    def _later(
        self,
        way: asyncio.DatagramTransport,
        data: bytes,
        receiver: tuple[str, int] | None,
    ) -> None:
        """Send after the delay of the network, unless that is gone by then."""
        wait = self.faults.delay + self._random.random() * self.faults.jitter
        loop = asyncio.get_running_loop()
        timer = loop.call_later(wait, lambda: way.sendto(data, receiver))
        self._timers = {held for held in self._timers if held.when() > loop.time()}
        self._timers.add(timer)


_GETBULK = 0xA5


def _operation(data: bytes) -> int:
    """Return the operation that a message of v2c asks for."""
    start = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)  # the sequence's length
    community = start + 3  # after the version
    return data[community + 2 + data[community + 1]]


class _Side(asyncio.DatagramProtocol):
    """One side of the proxy."""

    def __init__(self, take: Any) -> None:
        """Keep who takes the datagrams."""
        self._take = take

    @override
    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Hand a datagram over."""
        self._take(data, addr)
