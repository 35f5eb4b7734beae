"""What the demo starts ends with it, and what an earlier run left is ended."""

import asyncio
import contextlib
import os
from pathlib import Path
import signal
import socket
import sys

import pytest

from demo.hass import Hass, HassError, free_port, local_time_zone
from demo.process import spawn, terminate

ROOT = Path(__file__).parents[2]

PARENT = """
import asyncio, sys
from pathlib import Path
from demo.process import spawn

async def main():
    child = await spawn("sleep", "600", log=Path(sys.argv[1]))
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""

HOLDER = """
import fcntl, json, os, signal, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
json.dump({"pid": os.getpid()}, lock)
lock.flush()
print("held", flush=True)
signal.pause()
"""


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    with contextlib.suppress(ProcessLookupError):
        while "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            await asyncio.sleep(0.02)


async def test_child_ends_with_a_killed_parent(tmp_path: Path) -> None:
    """A child does not outlive a parent that had no chance to stop it."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "log"),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        with contextlib.suppress(FileNotFoundError):
            await gone(child)


async def test_terminate_is_patient_and_then_firm(tmp_path: Path) -> None:
    """A program may end in its own time, but not for ever."""
    log = tmp_path / "log"
    willing = await spawn("sleep", "600", log=log)
    assert await terminate(willing, 10) == -signal.SIGTERM
    assert await terminate(willing, 10) == -signal.SIGTERM
    deaf = await spawn("sh", "-c", "trap '' TERM; echo deaf; sleep 600", log=log)
    while "deaf" not in log.read_text():
        await asyncio.sleep(0.02)
    assert await terminate(deaf, 0.1) == -signal.SIGKILL


async def test_leftover_of_a_killed_run_is_ended(
    tmp_path: Path, socket_enabled: None
) -> None:
    """Whoever holds Home Assistant's own lock on the directory is stopped."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(tmp_path / ".ha_run.lock"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    await holder.stdout.readline()
    await Hass(tmp_path, free_port()).make_way()
    assert await holder.wait() == -signal.SIGTERM


async def test_port_in_use(tmp_path: Path, socket_enabled: None) -> None:
    """A port in use is refused with the way out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(HassError, match=f"--port {port + 1}"):
            await Hass(tmp_path, port).make_way()


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("Europe/Copenhagen", "Europe/Copenhagen"),
        (":/usr/share/zoneinfo/Asia/Seoul", "Asia/Seoul"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "UTC"),
        ("/etc/localtime", "UTC"),
    ],
)
def test_time_zone(monkeypatch: pytest.MonkeyPatch, setting: str, name: str) -> None:
    """Home Assistant gets the machine's time zone where that has a name."""
    monkeypatch.setenv("TZ", setting)
    assert local_time_zone() == name
