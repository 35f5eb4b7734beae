"""The unit behind the network card: outlets that take commands, loads that use power."""

import asyncio
import contextlib
from dataclasses import dataclass, field
import time

from .pdu_trees import CPDU, DELL, EPDU, RARITAN, RPDU, RPDU2, outlet_watts
from .snmpd import Snmpd


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Where a family of PDUs has its commands and states, and how it numbers them."""

    command: str
    state: str
    suffix: str = ""
    pending: str = ""
    asked: dict[int, str] = field(default_factory=dict)
    shown: dict[bool, int] = field(default_factory=dict)
    rest: dict[bool, int] = field(default_factory=dict)
    """What the command object reads while nothing is asked."""


RPDU2_WIRING = Wiring(
    command=f"{RPDU2}.9.2.4.1.5",
    state=f"{RPDU2}.9.2.3.1.5",
    pending=f"{RPDU2}.9.2.3.1.6",
    asked={1: "on", 2: "off", 3: "cycle"},
    shown={True: 2, False: 1},
    rest={True: 1, False: 2},
)
RPDU_WIRING = Wiring(
    command=f"{RPDU}.3.3.1.1.4",
    state=f"{RPDU}.3.5.1.1.4",
    pending=f"{RPDU}.3.5.1.1.5",
    asked={1: "on", 2: "off", 3: "cycle"},
    shown={True: 1, False: 2},
    rest={True: 1, False: 2},
)
EPDU_WIRING = Wiring(
    command=f"{EPDU}.6.2.1.4",
    state=f"{EPDU}.6.1.1.4",
    asked={1: "on", 2: "off"},
    shown={True: 2, False: 1},
    rest={True: 1, False: 2},
)
CPDU_WIRING = Wiring(
    command=f"{CPDU}.5.5.1.4.1",
    state=f"{CPDU}.5.4.1.4.1",
    asked={1: "off", 2: "on", 5: "cycle"},
    shown={True: 1, False: 0},
    rest={True: 2, False: 1},
)
DELL_WIRING = Wiring(
    command=f"{DELL}.130.1.4.1.4",
    state=f"{DELL}.130.1.2.1.4",
    pending=f"{DELL}.130.1.2.1.5",
    asked={1: "on", 2: "off", 3: "cycle"},
    shown={True: 1, False: 2},
    rest={True: 1, False: 2},
)
RARITAN_WIRING = Wiring(
    command=f"{RARITAN}.4.1.2.1.2.1",
    state=f"{RARITAN}.5.4.3.1.3.1",
    suffix=".14",
    asked={0: "off", 1: "on", 2: "cycle"},
    shown={True: 7, False: 8},
    rest={True: 1, False: 0},
)


@dataclass(kw_only=True)
class Unit:
    """Carry out what the card was told."""

    card: Snmpd
    wiring: Wiring
    outlets: int
    off_seconds: float = 0.3
    """How long a cycle keeps the power away."""
    cycles: int = 0
    on: dict[int, bool] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None
    _returns: dict[int, float] = field(default_factory=dict)

    def start(self, every: float = 0.05) -> None:
        """Look at the card again and again."""
        self.on = dict.fromkeys(range(1, self.outlets + 1), True)
        self._task = asyncio.create_task(self._run(every))

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, every: float) -> None:
        """Let time pass."""
        while True:
            await asyncio.sleep(every)
            with contextlib.suppress(RuntimeError):  # the card may be off
                await self.act()

    async def act(self) -> None:
        """Carry out the commands that came in."""
        wiring = self.wiring
        numbers = range(1, self.outlets + 1)
        told = await self.card.get(*(f"{wiring.command}.{n}" for n in numbers))
        changed: dict[str, int | str] = {}
        for number, value in zip(numbers, told, strict=True):
            if int(value) != wiring.rest[self.on[number]]:
                self._obey(number, wiring.asked.get(int(value), ""), changed)
        for number, when in list(self._returns.items()):
            if time.monotonic() >= when:
                del self._returns[number]
                self._turn(number, True, changed)
        if changed:
            await self.card.set(changed)

    def _obey(self, number: int, command: str, changed: dict[str, int | str]) -> None:
        """Carry out one command."""
        if command == "cycle":
            self.cycles += 1
            self._returns[number] = time.monotonic() + self.off_seconds
        self._turn(number, command == "on", changed)

    def _turn(self, number: int, on: bool, changed: dict[str, int | str]) -> None:
        """Turn an outlet on or off, and show it."""
        self.on[number] = on
        wiring = self.wiring
        changed[f"{wiring.command}.{number}"] = wiring.rest[on]
        changed[f"{wiring.state}.{number}{wiring.suffix}"] = wiring.shown[on]
        if wiring.pending:
            waits = number in self._returns
            changed[f"{wiring.pending}.{number}"] = 1 if waits else 2
        if wiring is RPDU2_WIRING and f"{RPDU2}.9.4.3.1.7.{number}" in self.card.tree:
            watts = outlet_watts(number) if on else 0
            changed[f"{RPDU2}.9.4.3.1.7.{number}"] = watts
            changed[f"{RPDU2}.9.4.3.1.6.{number}"] = round(watts / 24.2)
