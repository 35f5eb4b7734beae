"""`script/demo` as a newcomer runs it."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
import json
import os
from pathlib import Path
import re
import signal

from playwright.async_api import Browser, Page, expect
import pytest
import pytest_asyncio
import pytest_socket

from .conftest import faults_in, open_window
from demo.client import Client
from demo.hass import ROOT, HassError, free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]


class Terminal:
    """A terminal in which `script/demo` runs."""

    def __init__(self, config: Path, port: int) -> None:
        """Choose where."""
        self.config = config
        self.port = port
        self.base = f"http://127.0.0.1:{port}"

    async def start(self, *options: str) -> None:
        """Type the command."""
        self._process = await asyncio.create_subprocess_exec(
            ROOT / "script" / "demo",
            "--port",
            str(self.port),
            "--config",
            self.config,
            *options,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def read_until(self, text: str) -> str:
        """Return what it prints until a text has come."""
        assert self._process.stdout is not None
        seen = ""
        while text not in seen:
            line = await self._process.stdout.readline()
            assert line, f"script/demo ended early:\n{seen}"
            seen += line.decode()
        return seen

    async def end(self, number: signal.Signals) -> int:
        """Send a signal to all that runs in the terminal, as its keys do."""
        os.killpg(self._process.pid, number)
        return await self._process.wait()

    def running(self) -> list[str]:
        """Return the programs that work on the directory."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = entry.read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(self.config) in command:
                found.append(command)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def terminal(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Terminal]:
    """Run the demo until it is ready."""
    pytest_socket.enable_socket()
    terminal = Terminal(tmp_path_factory.mktemp("demo"), free_port())
    await terminal.start()
    try:
        said = await terminal.read_until("Ctrl-C stops it")
        assert re.search(r"User +demo\n +Password +rackwatt\n", said)
        assert f"http://localhost:{terminal.port}" in said
        yield terminal
    finally:
        if terminal.running():
            await terminal.end(signal.SIGINT)


async def log_in(page: Page) -> None:
    """Log in with what the demo has printed."""
    await page.goto("/")
    await page.get_by_role("textbox", name="Username").fill("demo")
    await page.locator("input[type=password]").fill("rackwatt")
    await page.get_by_role("button", name="Log in").click()


async def test_first_page(terminal: Terminal, browser: Browser) -> None:
    """After the log-in stands a page with the rack's power, live and before."""
    window = await open_window(
        browser,
        base_url=terminal.base,
        viewport={"width": 1280, "height": 745},
        device_scale_factor=1.5,
    )
    page = window.page
    await log_in(page)
    tiles = page.locator("hui-tile-card")
    await expect(tiles.first).to_contain_text(re.compile(r"\d+\sW"), timeout=120_000)
    await expect(tiles.nth(1)).to_contain_text(re.compile(r"0\.\d+\skWh"))
    graphs = page.locator("hui-statistics-graph-card")
    await expect(graphs.locator("canvas")).to_have_count(await graphs.count())
    assert await graphs.count() >= 4
    await expect(page.locator("hui-error-card")).to_have_count(0)
    if directory := os.environ.get("RACKWATT_SCREENSHOTS"):
        await page.wait_for_timeout(3000)  # the graphs draw themselves with a flourish
        await page.screenshot(path=Path(directory) / "rack.png")

    await page.goto("/energy")
    flow = page.locator("hui-energy-distribution-card")
    await expect(flow).to_contain_text(re.compile(r"\d\sk?Wh"), timeout=60_000)
    await page.context.close()
    assert window.complaints == []


async def test_port_in_use(terminal: Terminal, tmp_path: Path) -> None:
    """A second demo on the same port is told what to do, and touches nothing."""
    second = Terminal(tmp_path, terminal.port)
    await second.start()
    await second.read_until(f"script/demo --port {terminal.port + 1}")
    assert await second.end(signal.SIGCONT) == 1
    assert not any(tmp_path.iterdir())


async def test_restart_by_its_user(terminal: Terminal) -> None:
    """Who presses Restart in Home Assistant gets it back."""
    mark = json.loads((terminal.config / ".rackwatt-demo.json").read_text())
    async with Client(terminal.base, mark["token"]) as client:
        await client.wait_running()
    with contextlib.suppress(HassError):  # it may be gone before it has answered
        async with Client(terminal.base, mark["token"]) as client:
            restart = {"domain": "homeassistant", "service": "restart"}
            await client.call("call_service", **restart)
    await terminal.read_until("Home Assistant is back")
    async with Client(terminal.base, mark["token"]) as client:
        await client.wait_running()


async def test_ends_and_starts_again(terminal: Terminal) -> None:
    """Whatever ends it, nothing goes on running, and the next start works."""
    assert await terminal.end(signal.SIGINT) == 0
    assert terminal.running() == []
    assert faults_in(terminal.config / "hass.log") == []

    await terminal.start()
    again = await terminal.read_until("Ctrl-C stops it")
    assert "history" not in again  # what the first start made is still there
    assert faults_in(terminal.config / "hass.log") == []
    assert await terminal.end(signal.SIGKILL) == -signal.SIGKILL

    await terminal.start()
    await terminal.read_until("Ctrl-C stops it")
    assert await terminal.end(signal.SIGTERM) == 0
    assert terminal.running() == []
