"""A real Home Assistant, a simulated pulse meter and a browser for all tests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
import json
from pathlib import Path
import shutil
import time
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright
import pytest
import pytest_asyncio
import pytest_socket

from demo.client import Client
from demo.hass import PYTHON, Hass, free_port
from demo.rack.blip import BlipMeter

# What nobody may find in the log of a healthy Home Assistant
SIGNS_OF_FAULT = (" ERROR ", " CRITICAL ", "Traceback", "Detected blocking call")


@pytest.fixture
def _custom_integrations() -> None:
    """Do without a Home Assistant in the test's own process."""


@pytest.fixture(autouse=True)
def verify_cleanup() -> None:
    """Let what the session's fixtures started live on between tests."""


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow connections to this machine."""


def faults_in(log: Path) -> list[str]:
    """Return the lines of a log that tell of a fault."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if any(sign in line for sign in SIGNS_OF_FAULT)]


@dataclass
class Home:
    """A real Home Assistant, its user's token, and a meter on its serial line."""

    hass: Hass
    meter: BlipMeter
    token: str = ""

    def client(self) -> Client:
        """Return a session of the user."""
        return Client(self.hass.base, self.token)

    async def wait_running(self) -> None:
        """Wait until everything has started."""
        async with self.client() as client:
            await client.wait_running()

    async def wait_for(self, entity_id: str, state: str) -> None:
        """Wait until an entity has a state."""
        seen = ""
        try:
            async with asyncio.timeout(60), self.client() as client:
                while (seen := await client.state(entity_id)) != state:
                    await asyncio.sleep(0.2)
        except TimeoutError:
            pytest.fail(f"{entity_id} is {seen}, not {state}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    """Run Home Assistant with a user and without any entry of Rackwatt."""
    assert PYTHON.exists(), "Run script/setup demo first: it makes .venv-hass"
    pytest_socket.enable_socket()
    config = tmp_path_factory.mktemp("hass")
    meter = BlipMeter(config / "rack")
    meter.set_power(0)
    home = Home(Hass(config, free_port()), meter)
    await meter.start()
    try:
        await home.hass.start()
        async with Client(home.hass.base) as client:
            await client.onboard()
            home.token = await client.make_lasting_token("tests")
            await client.wait_running()
        yield home
    finally:
        await home.hass.stop()
        await meter.stop()
    assert faults_in(home.hass.log) == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run the distribution's Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Install Chromium: the end-to-end tests drive it"
    pytest_socket.enable_socket()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox"],  # root, as in a container, has no other way
        )
        yield browser
        await browser.close()


@dataclass
class Window:
    """A browser window that notes what its page complains about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        """Note an error of the page."""
        # brand images come from the internet, which a test does not have
        if message.type == "error" and "/api/brands/" not in message.location["url"]:
            self.complaints.append(message.text)


async def open_window(browser: Browser, **settings: Any) -> Window:
    """Open a window in which nobody is logged in yet."""
    context = await browser.new_context(
        locale="en-GB", service_workers="block", **settings
    )
    window = Window(await context.new_page())
    window.page.set_default_timeout(30_000)
    window.page.on("console", window.note)
    window.page.on("pageerror", lambda err: window.complaints.append(str(err)))
    return window


def logged_in(home: Home) -> dict[str, Any]:
    """Return what the frontend keeps in the browser's storage for a user."""
    tokens = {
        "hassUrl": home.hass.base,
        "clientId": f"{home.hass.base}/",
        "expires": int(time.time() * 1000) + 10**11,
        "refresh_token": "",
        "access_token": home.token,
        "expires_in": 10**8,
        "token_type": "Bearer",
    }
    entry = {"name": "hassTokens", "value": json.dumps(tokens)}
    origin = {"origin": home.hass.base, "localStorage": [entry]}
    return {"cookies": [], "origins": [origin]}


@pytest_asyncio.fixture(loop_scope="session")
async def page(home: Home, browser: Browser) -> AsyncIterator[Page]:
    """Open a window of the user's; it must not complain."""
    window = await open_window(
        browser,
        base_url=home.hass.base,
        viewport={"width": 1300, "height": 900},
        storage_state=logged_in(home),
    )
    yield window.page
    await window.page.context.close()
    assert window.complaints == []
