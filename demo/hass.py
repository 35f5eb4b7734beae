"""Start and stop a real Home Assistant on a configuration directory."""

import asyncio
import contextlib
from datetime import UTC, datetime
import errno
import fcntl
import json
import os
from pathlib import Path
import shutil
import signal
import socket
import time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiohttp

from .process import spawn, terminate

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-hass" / "bin" / "python"
INSIDE = ROOT / "demo" / "inside.py"
RESTART_EXIT_CODE = 100  # how hass asks whoever started it to start it again

# Without default_config: its go2rtc, dhcp, ssdp, usb, bluetooth, cloud and zeroconf
# would talk to the network, and none of them is shown here.
_CONFIGURATION = """\
# Written by script/demo once; yours to edit.
homeassistant:
  name: Rackwatt
  unit_system: metric
  time_zone: {time_zone}
  currency: EUR
  country: DK
frontend:
history:
logbook:
energy:
my:
logger:
  default: warning
  logs:
    custom_components.rackwatt: info
"""


class HassError(Exception):
    """Why Home Assistant cannot run, as a sentence for the user."""


def local_time_zone() -> str:
    """Return the name of the machine's time zone."""
    name = os.environ.get("TZ") or str(Path("/etc/localtime").resolve())
    name = name.removeprefix(":").rpartition("zoneinfo/")[2]
    try:
        return ZoneInfo(name).key
    except ValueError, OSError, ZoneInfoNotFoundError:
        return "UTC"  # a file or a rule of its own: Home Assistant wants a name


def _is_free(port: int) -> bool:
    """Tell whether a TCP port of this machine can be listened on."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as err:
            if err.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


class Hass:
    """A real Home Assistant, run from `.venv-hass`."""

    def __init__(self, config: Path, port: int) -> None:
        """Describe it; nothing is started or written yet."""
        self.config = config
        self.port = port
        self.log = config / "hass.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def base(self) -> str:
        """Return the address that it answers on."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, patience: float = 180) -> None:
        """Start it and wait until it answers."""
        await self.make_way()
        self._seed()
        self._process = await spawn(*self._command(), log=self.log, env=_environment())
        try:
            async with asyncio.timeout(patience):
                await self._answer(self._process)
        except TimeoutError:
            await self.stop()
            raise HassError(
                f"Home Assistant did not answer within {patience:.0f} s:\n{self._tail()}"
            ) from None

    async def make_way(self) -> None:
        """End the Home Assistant that a killed run left here, and check the port.

        The lock is Home Assistant's own, so a recycled process id is never taken
        for it; what we start also gets SIGTERM when we die, so it is on its way out.
        """
        deadline = time.monotonic() + 60
        while (pid := _running_on(self.config)) is not None:
            overdue = time.monotonic() > deadline
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if overdue else signal.SIGTERM)
            await asyncio.sleep(0.5)
        if not _is_free(self.port):
            raise HassError(
                f"Port {self.port} is in use by another program. Stop that program,"
                f" or choose another port: script/demo --port {self.port + 1}"
            )

    async def wait(self) -> int:
        """Wait until it ends by itself and return its exit status."""
        if self._process is None:
            raise HassError("Home Assistant was not started.")
        return await self._process.wait()

    async def stop(self, patience: float = 60) -> None:
        """Stop it in order: its database is closed and its state saved."""
        if self._process is not None:
            await terminate(self._process, patience)
            self._process = None

    async def kill(self) -> None:
        """Kill it as a power cut would, without a chance to save anything."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def _command(self) -> list[str | Path]:
        """Return the command line, measuring coverage where our caller does."""
        run: list[str | Path] = [INSIDE, "--config", self.config]
        if data := os.environ.get("COVERAGE_FILE"):
            # not by the project's settings: their `source` makes coverage look for
            # files at the end, and Home Assistant reports that as a blocking call
            files = f"--include={ROOT / 'custom_components'}/*"
            how = ["--parallel-mode", "--branch", "--rcfile", os.devnull, files]
            run = ["-m", "coverage", "run", "--data-file", data, *how, *run]
        return [PYTHON, *run]

    async def _answer(self, process: asyncio.subprocess.Process) -> None:
        """Return when the frontend answers."""
        async with aiohttp.ClientSession() as session:
            while True:
                if process.returncode is not None:
                    raise HassError(
                        f"Home Assistant ended with status {process.returncode}"
                        f" while it started:\n{self._tail()}"
                    )
                try:
                    async with session.get(f"{self.base}/manifest.json") as answer:
                        if answer.ok:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)

    def _tail(self) -> str:
        """Return the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])

    def _seed(self) -> None:
        """Write what a start without a browser needs; keep what is there."""
        storage = self.config / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        configuration = self.config / "configuration.yaml"
        if not configuration.exists():
            text = _CONFIGURATION.format(time_zone=local_time_zone())
            configuration.write_text(text)
        self._link_integration()
        self._seed_port(storage / "http")
        onboarding = storage / "onboarding"
        if not onboarding.exists():
            # the step core_config would start flows that want the internet
            done = {"done": ["core_config"]}
            onboarding.write_text(_stored("onboarding", 4, done))

    def _link_integration(self) -> None:
        """Make the checkout's integration the installed one."""
        components = self.config / "custom_components"
        components.mkdir(exist_ok=True)
        link = components / "rackwatt"
        target = ROOT / "custom_components" / "rackwatt"
        if link.is_symlink() and link.readlink() == target:
            return
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    def _seed_port(self, path: Path) -> None:
        """Store the port; in YAML it would be a trial that ends hass after five minutes."""
        stable: dict[str, Any] = {
            "server_host": ["127.0.0.1"],
            "cors_allowed_origins": [],
            "login_attempts_threshold": -1,
            "ip_ban_enabled": False,
            "ssl_profile": "intermediate_v6",
            "use_x_frame_options": True,
            "created_at": datetime.now(UTC).isoformat(),
            "error": None,
            "error_message": None,
            "server_port": self.port,
        }
        data = {"stable": stable, "pending": None, "yaml_migration_done": True}
        path.write_text(_stored("http", 3, data))


def _running_on(config: Path) -> int | None:
    """Return the process id of the Home Assistant that holds a directory."""
    try:
        with (config / ".ha_run.lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid: int = json.load(lock)["pid"]
                return pid
    except FileNotFoundError, ValueError:
        pass  # nothing was started here, or it starts at this very moment
    return None


def _environment() -> dict[str, str]:
    """Return the environment for hass."""
    # Without bytecode each start takes three times as long
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # All that is needed is installed; what is not must fail at once, not be waited for
    return env | {"UV_OFFLINE": "1"}


def _stored(key: str, version: int, data: dict[str, Any]) -> str:
    """Return the text of a file in Home Assistant's storage."""
    return json.dumps(
        {"version": version, "minor_version": 1, "key": key, "data": data}
    )
