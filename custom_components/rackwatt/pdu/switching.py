"""Switch outlets so that the user knows what happened.

On and off are repeated if they were lost, after a look at what the outlet does. A cycle
is sent once: sent twice it would cut the power twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

from .client import SnmpClient
from .errors import SnmpError, SnmpTimeoutError
from .models import Command, Key, Outlet, Role
from .reader import Structure, read_outlet

LOOKS = (0.3, 0.7, 1.0, 2.0, 3.0)
"""Seconds between looks at an outlet that was told something. An outlet with a delay of
its own stays *pending* and is not waited for."""


class CommandUnknownError(SnmpError):
    """The PDU cannot do that."""


class UnconfirmedError(SnmpError):
    """The command went out, and the outlet does not show it."""


class Act(StrEnum):
    """What an outlet can be told."""

    ON = "on"
    OFF = "off"
    CYCLE = "cycle"


Sleep = Callable[[float], Awaitable[None]]


class OutletSwitch:
    """Tell outlets of one PDU what to do."""

    def __init__(
        self, client: SnmpClient, structure: Structure, sleep: Sleep = asyncio.sleep
    ) -> None:
        """Keep what is needed to ask."""
        self._client = client
        self._structure = structure
        self._sleep = sleep

    async def turn(self, key: Key, on: bool) -> None:
        """Turn an outlet on or off, and see that it is."""
        command = self._command(key, Act.ON if on else Act.OFF)
        try:
            await self._set(command)
        except SnmpTimeoutError:
            outlet = await self._look(key)
            if outlet.on is on or outlet.pending:
                return
            await self._set(command)
        if not await self._comes_true(key, lambda outlet: outlet.on is on):
            raise UnconfirmedError("on" if on else "off")

    async def cycle(self, key: Key) -> None:
        """Turn an outlet off and on again, by one command that is never repeated."""
        command = self._command(key, Act.CYCLE)
        try:
            await self._set(command)
        except SnmpTimeoutError as err:
            outlet = await self._look(key)
            if outlet.on is False or outlet.pending:
                return
            raise UnconfirmedError("cycle") from err

    def _command(self, key: Key, act: Act) -> Command:
        """Return a command of an outlet."""
        try:
            return self._structure.commands[Role.OUTLET, key, act.value]
        except KeyError as err:
            raise CommandUnknownError(act.value) from err

    async def _set(self, command: Command) -> None:
        """Write a command."""
        await self._client.set(command.target, command.value)

    async def _look(self, key: Key) -> Outlet:
        """Return what an outlet does now."""
        return await read_outlet(self._client, self._structure, key)

    async def _comes_true(self, key: Key, wish: Callable[[Outlet], bool]) -> bool:
        """Look at an outlet until it does what it was told, or is about to."""
        for seconds in LOOKS:
            await self._sleep(seconds)
            outlet = await self._look(key)
            if wish(outlet) or outlet.pending:
                return True
        return False


async def press(
    client: SnmpClient, structure: Structure, target: tuple[Role, Key, str]
) -> None:
    """Send a command that shows no state, such as a reset of a peak."""
    command = structure.commands.get(target)
    if command is None:
        raise CommandUnknownError(target[2])
    await client.set(command.target, command.value)
