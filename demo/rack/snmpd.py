"""net-snmp's agent as the network card of a PDU that answers from a tree of ours."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
import os
from pathlib import Path
import shutil
import socket

from .pdu_trees import Tree
from demo.process import spawn, terminate

COMMUNITY = "rackwatt"
USERNAME = "rackwatt"
AUTH_KEY = "authentic-rack"
PRIV_KEY = "private-rack"


@dataclass(frozen=True, kw_only=True)
class User:
    """A user of SNMPv3, in net-snmp's words."""

    name: str = USERNAME
    auth: str = "SHA-256"
    auth_key: str = AUTH_KEY
    priv: str = "AES"
    priv_key: str = PRIV_KEY

    def lines(self) -> Iterable[str]:
        """Return the lines of the configuration."""
        create = f"createUser {self.name}"
        if self.auth:
            create += f' {self.auth} "{self.auth_key}"'
        if self.priv:
            create += f' {self.priv} "{self.priv_key}"'
        yield create
        level = "priv" if self.priv else "auth" if self.auth else "noauth"
        yield f"rwuser {self.name} {level}"


@dataclass(kw_only=True)
class Snmpd:
    """One agent on a loopback port of its own."""

    directory: Path
    tree: Tree
    users: tuple[User, ...] = (User(),)
    community: str = COMMUNITY
    extra: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    """Subtrees of net-snmp's own objects that are not shown."""
    engine_id: str = ""
    port: int = 0
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Start the agent and wait until it listens."""
        self.port = self.port or free_port()
        state = self.directory / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        configuration = self.directory / "snmpd.conf"
        configuration.write_text("\n".join(self._lines()) + "\n")
        self._process = await spawn(
            *("snmpd", "-f", "-C", "-c", configuration),
            *("-Lf", self.directory / "log"),
            *("-I", "-smux,mteTrigger,mteTriggerConf,ifTable,ifXTable"),
            env=environment(state),
            log=self.directory / "output",
        )
        while "NET-SNMP version" not in self._log():
            if self._process.returncode is not None:
                raise RuntimeError(f"snmpd ended: {self._log()}")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop the agent."""
        if self._process is not None:
            await terminate(self._process, patience=5)
        (self.directory / "log").unlink(missing_ok=True)

    async def restart(self) -> None:
        """Start the agent anew, as after a power cut."""
        await self.stop()
        await self.start()

    async def get(self, *names: str) -> list[str]:
        """Return values, read by net-snmp's own command."""
        output = await self._command("snmpget", "-Oqv", "-On", *names)
        return [line.strip('"') for line in output.splitlines()]

    async def set(self, values: Mapping[str, int | str]) -> None:
        """Write values as the unit behind the card would, by net-snmp's own command."""
        arguments = []
        for name, value in values.items():
            kind = "i" if isinstance(value, int) else "s"
            if name in self.tree and self.tree[name][0] == "uinteger":
                kind = "u"
            arguments += [name, kind, str(value)]
        await self._command("snmpset", "-Oqv", *arguments)

    async def _command(self, program: str, *arguments: str) -> str:
        """Run one of net-snmp's commands on this agent."""
        process = await asyncio.create_subprocess_exec(
            *(program, "-v2c", "-c", self.community, "-t", "2", "-M", "", "-m", ""),
            *(arguments[0], f"127.0.0.1:{self.port}", *arguments[1:])
            if program == "snmpset"
            else (*arguments[:2], f"127.0.0.1:{self.port}", *arguments[2:]),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(self.directory / "state"),
        )
        output, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{program}: {errors.decode()}")
        return output.decode()

    def _lines(self) -> Iterable[str]:
        """Return the configuration."""
        yield f"agentaddress udp:127.0.0.1:{self.port}"
        if self.engine_id:
            yield f"exactEngineID {self.engine_id}"
        for user in self.users:
            yield from user.lines()
        if self.community:
            yield f"rwcommunity {self.community}"
        yield from self.extra
        for name, (kind, value) in self.tree.items():
            yield f"override -rw .{name} {kind} {value}"

    def _log(self) -> str:
        """Return what the agent has said."""
        try:
            return (self.directory / "log").read_text()
        except FileNotFoundError:
            return ""


def environment(state: Path) -> dict[str, str]:
    """Return an environment in which net-snmp leaves the machine's own files alone."""
    return {
        **os.environ,
        "MIBS": "",
        "SNMP_PERSISTENT_DIR": str(state),
        "SNMPCONFPATH": str(state),
    }


_TAKEN: set[int] = set()


def free_port() -> int:
    """Return a UDP port of the loopback that nobody listens on, never one twice.

    An SNMP engine believes for minutes that it knows who is behind a port.
    """
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _TAKEN:
            _TAKEN.add(port)
            return port
