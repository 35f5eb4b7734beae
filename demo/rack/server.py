"""Hosts of the rack: real agents on this machine, under names of their own."""

import asyncio
import os
from pathlib import Path
import sys
from typing import ClassVar

from .part import Consumer, Past
from demo.client import Client
from demo.process import spawn, terminate

ROOT = Path(__file__).resolve().parents[2]
FLOWS = "/api/config/config_entries/flow"
AGENT = ("-m", "rackwatt_agent")
END_S = 15.0


class Host:
    """A machine with an agent: its own machine id, settings and queue."""

    def __init__(self, directory: Path, name: str, interval: float = 8) -> None:
        """Give it a place in the file system."""
        self.name = name
        self.directory = directory / name
        self.config = self.directory / "agent.toml"
        self.queue = self.directory / "state" / "queue"
        self.log = self.directory / "agent.log"
        self._interval = interval
        self._process: asyncio.subprocess.Process | None = None

    def prepare(self) -> None:
        """Write its settings, unless it has some."""
        if self.config.exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "machine-id").write_text(f"machine of {self.name}\n")
        self.config.write_text(
            f'machine_id_file = "{self.directory}/machine-id"\n'
            f'state = "{self.directory}/state"\ninterval = {self._interval:g}\n'
        )
        self.config.chmod(0o600)

    @property
    def is_enrolled(self) -> bool:
        """Tell whether it has a key."""
        return self.config.exists() and "\nkey = " in self.config.read_text()

    @property
    def returncode(self) -> int | None:
        """Return the exit status of its agent, None while it runs."""
        return self._process.returncode if self._process else 0

    async def enroll(self, url: str, code: str) -> tuple[int | None, str]:
        """Run the command that Home Assistant shows; return what it said."""
        process = await asyncio.create_subprocess_exec(
            *self._command("enroll", url, code),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(),
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    async def start(self) -> None:
        """Start its agent."""
        self._process = await spawn(
            *self._command("run"), log=self.log, env=_environment()
        )

    async def stop(self) -> None:
        """Shut it down: the agent says goodbye."""
        if self._process is not None:
            await terminate(self._process, END_S)
            self._process = None

    def _command(self, *arguments: str) -> tuple[str, ...]:
        """Return a command line of the agent."""
        return (sys.executable, *AGENT, "--config", str(self.config), *arguments)


async def add_server(client: Client, host: Host, **settings: str) -> None:
    """Add a server as a user does: name it, paste the command on the host, wait."""
    menu = await client.request("POST", FLOWS, json={"handler": "rackwatt"})
    path = f"{FLOWS}/{menu['flow_id']}"
    await client.request("POST", path, json={"next_step_id": "server"})
    named = {"name": host.name, **settings}
    shown = await client.request("POST", path, json=named)
    code = shown["description_placeholders"]["code"]
    await client.request("POST", path, json={})
    enrolling = asyncio.create_task(host.enroll(client.base, code))
    while (await client.request("GET", path))["type"] == "progress":
        await asyncio.sleep(0.2)
        if enrolling.done() and enrolling.result()[0]:
            break
    status, said = await enrolling
    if status:
        raise RuntimeError(f"{host.name} did not enrol: {said}")


def _environment() -> dict[str, str]:
    """Return an environment in which the agent of this checkout is found."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "agent" / "src")}


class Servers:
    """Three hosts, one of which is switched off."""

    name: ClassVar[str] = "servers"

    def __init__(self, directory: Path) -> None:
        """Name them."""
        self.on = [Host(directory, name) for name in ("web1", "nas")]
        self.off = Host(directory, "backup")

    async def start(self) -> None:
        """Start those that are on; before they are enrolled they have no key."""
        for host in (*self.on, self.off):
            host.prepare()
        for host in self.on:
            if host.is_enrolled:
                await host.start()

    async def stop(self) -> None:
        """Stop them."""
        await asyncio.gather(*(host.stop() for host in (*self.on, self.off)))

    async def create(self, client: Client) -> None:
        """Enrol them; the third is shut down after its first reports."""
        for n, host in enumerate((*self.on, self.off)):
            # locally administered addresses, of no real card
            mac = f"02:00:00:00:00:{n + 1:02x}"
            if not host.is_enrolled:
                await add_server(
                    client, host, mac=mac, broadcast_address="127.255.255.255"
                )
            await host.start()
        while await client.state(f"sensor.{self.off.name}_state") != "on":
            await asyncio.sleep(0.5)
        await self.off.stop()

    def past(self) -> tuple[Past, ...]:
        """Return nothing: an agent's history begins with the agent."""
        return ()

    def consumers(self) -> tuple[Consumer, ...]:
        """Return nothing: what a host measures of itself is not its consumption."""
        return ()
