"""A real agent enrols at a real hass, and outlives its stops and kills."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import sqlite3
import subprocess
import sys

import pytest

from benchmarks.real_hass import HASS, ROOT, RealHass

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not HASS.exists(), reason="script/setup demo makes this hass"),
]


@pytest.fixture
def socket_enabled() -> None:
    """Let this test use the loopback interface."""
    import pytest_socket  # noqa: PLC0415

    pytest_socket.enable_socket()
    pytest_socket.socket_allow_hosts(["127.0.0.1"])


@pytest.fixture
async def house(socket_enabled: None, tmp_path: Path) -> AsyncIterator[RealHass]:
    """Return a hass that runs."""
    async with RealHass(tmp_path / "config") as house:
        yield house


class Host:
    """A machine with an agent."""

    def __init__(self, directory: Path, name: str) -> None:
        """Give it a machine id and settings."""
        directory.mkdir()
        (directory / "machine-id").write_text(f"{name}-0123456789abcdef")
        self.config = directory / "agent.toml"
        self.config.write_text(
            f'machine_id_file = "{directory}/machine-id"\nstate = "{directory}/state"\n'
            "interval = 1\n"
        )
        self.queue = directory / "state" / "queue"
        self._log = directory / "log"

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of the agent."""
        return [
            sys.executable,
            "-m",
            "rackwatt_agent",
            "--config",
            str(self.config),
            *arguments,
        ]

    async def enroll(self, url: str, code: str) -> tuple[int | None, str]:
        """Enrol; return the exit status and what it said."""
        process = await asyncio.create_subprocess_exec(
            *self.command("enroll", url, code),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(),
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the agent."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self.command("run"), stdout=log, stderr=log, env=environment()
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def log(self) -> str:
        """Return what the running agent said."""
        return self._log.read_text()


def environment() -> dict[str, str]:
    """Return the environment in which the agent finds itself."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "agent" / "src")}


async def add_server(house: RealHass, host: Host, name: str) -> None:
    """Add a server by the flow, as a user does."""
    menu = await house.flow({"handler": "rackwatt"})
    form = await house.flow({"next_step_id": "server"}, menu["flow_id"])
    assert form["step_id"] == "server"
    shown = await house.flow({"name": name}, form["flow_id"])
    assert shown["step_id"] == "server_code"
    code = shown["description_placeholders"]["code"]
    assert code in shown["description_placeholders"]["command"]
    waiting = await house.flow({}, form["flow_id"])
    assert waiting["type"] == "progress"
    enrolling = asyncio.create_task(host.enroll(house.url, code))
    path = f"/api/config/config_entries/flow/{form['flow_id']}"
    while (step := await house.request("GET", path))["type"] == "progress":
        await asyncio.sleep(0.2)
    assert step["type"] == "create_entry"
    status, said = await enrolling
    assert status == 0, said
    assert "has taken the first report" in said


def stored(house: RealHass) -> list[tuple[str, int, int]]:
    """Return epoch, highest number and count of the samples in the store."""
    path = house.config / "rackwatt_samples.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        times = db.execute("SELECT count(*), count(DISTINCT time) FROM tail").fetchone()
        marks = db.execute("SELECT epoch, seq FROM mark").fetchall()
    return [(epoch, seq, times[0]) for epoch, seq in marks]


async def test_enrol_report_stop_start(house: RealHass, tmp_path: Path) -> None:
    """Nothing is lost or doubled while Home Assistant is away, stopped or killed."""
    host = Host(tmp_path / "host", "web1")
    await add_server(house, host, "web1")
    await house.wait_for("sensor.web1_state", "on")
    with host.running() as process:
        await asyncio.sleep(5)
        assert not host.queue.exists()
        house.stop()
        await asyncio.sleep(8)
        assert list(host.queue.iterdir())
        await house.start()
        await house.wait_for("sensor.web1_queue_length", "0", 90)
        house.stop(signal.SIGKILL)
        await asyncio.sleep(4)
        await house.start()
        async with asyncio.timeout(90):
            while not host.queue.exists() or list(host.queue.iterdir()):
                await asyncio.sleep(0.5)
        await asyncio.sleep(2)
        ran = process.poll()
        assert ran is None, host.log()
        process.terminate()
        process.wait(10)
        await house.wait_for("sensor.web1_state", "off", 10)
        assert (await house.states())["switch.web1_power"] == "off"
        assert (await house.states())["sensor.web1_cpu_usage"] == "unavailable"
    taken = sum(seq for _, seq, _ in stored(house))
    counts = {count for _, _, count in stored(house)}
    assert counts == {taken}
    assert not list(host.queue.iterdir())
    assert "Traceback" not in host.log()
    assert " ERROR " not in house.log()
