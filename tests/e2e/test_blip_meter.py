"""A blip meter from the first click to a power cut."""

import asyncio
from dataclasses import dataclass
import re

from playwright.async_api import Browser, Locator, Page, expect
import pytest
import pytest_asyncio

from .conftest import Home, logged_in, open_window

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

POWER = "sensor.rack_feed_power"
ENERGY = "sensor.rack_feed_energy"
ENTRIES = "/api/config/config_entries/entry"
FIVE_A_SECOND = 18_000  # W at 1000 impulses per kWh


@dataclass
class AddedMeter:
    """The simulated meter as Home Assistant knows it."""

    home: Home
    before: int  # impulses that the board had counted when it was added

    @property
    def counted(self) -> str:
        """Return the energy that the board has counted since, as a state in kWh."""
        return f"{(self.home.meter.pulses - self.before) / 1000:.3f}"

    async def energy(self) -> str:
        """Return the state of the energy counter."""
        async with self.home.client() as client:
            return await client.state(ENERGY)

    async def run_load(self, impulses: int) -> float:
        """Let the load run for so many impulses; return what the counter shows."""
        wanted = self.home.meter.pulses + impulses
        self.home.meter.set_power(FIVE_A_SECOND)
        while self.home.meter.pulses < wanted:
            await asyncio.sleep(0.05)
        return float(await self.energy())

    async def wait_exact(self) -> None:
        """Stop the load and wait until each impulse is accounted for.

        A line is needed for it: the board's count tells of those that went unheard.
        """
        await self.run_load(2)
        self.home.meter.set_power(0)
        async with self.home.client() as client, asyncio.timeout(60):
            while float(await client.state(ENERGY)) != float(self.counted):
                await asyncio.sleep(0.2)

    async def wait_available(self) -> float:
        """Wait until the counter shows something and return it."""
        async with self.home.client() as client, asyncio.timeout(60):
            while (state := await client.state(ENERGY)) in ("unavailable", "unknown"):
                await asyncio.sleep(0.05)
        return float(state)


async def type_port(dialog: Locator, port: str) -> None:
    """Type a port instead of choosing one."""
    await dialog.locator("ha-selector-serial_port").click()
    await dialog.page.get_by_text("Enter manually").first.click()
    await dialog.get_by_role("textbox", name="Port").fill(port)


async def add_by_hand(home: Home, page: Page) -> None:
    """Add the meter with nothing but clicks and keys."""
    await page.goto("/config/integrations/dashboard")
    await page.get_by_role("button", name="Add integration").click()
    adding = page.locator("dialog-add-integration")
    await adding.locator("ha-input-search input").fill("rackwatt")
    await adding.get_by_text("Rackwatt").first.click()

    dialog = page.locator("dialog-data-entry-flow")
    await dialog.get_by_text("Blip meter").first.click()
    await type_port(dialog, f"{home.meter.link}9")
    submit = dialog.get_by_role("button", name="Submit")
    await submit.click()
    await expect(dialog).to_contain_text("There is no such port")
    await type_port(dialog, str(home.meter.link))
    await submit.click()

    await dialog.get_by_role("textbox", name="Name").fill("Rack feed")
    await submit.click()
    await dialog.get_by_role("button", name=re.compile("finish", re.IGNORECASE)).click()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def meter(home: Home, browser: Browser) -> AddedMeter:
    """Add the meter through the user interface."""
    before = home.meter.pulses
    window = await open_window(
        browser, base_url=home.hass.base, storage_state=logged_in(home)
    )
    await add_by_hand(home, window.page)
    await window.page.context.close()
    assert window.complaints == []
    return AddedMeter(home, before)


async def test_power_in_the_browser(meter: AddedMeter, page: Page) -> None:
    """A user who opens the meter's page sees its power, and sees it change."""
    meter.home.meter.set_power(FIVE_A_SECOND)
    await page.goto("/config/integrations/integration/rackwatt")
    devices = page.locator("ha-config-entry-device-row")
    await devices.filter(has_text="Rack feed").click()
    sensors = page.locator("ha-device-entities-card").first
    await expect(sensors).to_contain_text(re.compile(r"18,000\sW"), timeout=60_000)
    meter.home.meter.set_power(FIVE_A_SECOND / 2)
    await expect(sensors).to_contain_text(re.compile(r"\b9,000\sW"), timeout=60_000)
    await meter.wait_exact()
    energy = re.compile(rf"{re.escape(meter.counted)}\skWh")
    await expect(sensors).to_contain_text(energy, timeout=60_000)


async def test_reload(meter: AddedMeter) -> None:
    """A reload costs no impulse."""
    shown = await meter.run_load(5)
    async with meter.home.client() as client:
        (entry,) = await client.request("GET", f"{ENTRIES}?domain=rackwatt")
        await client.request("POST", f"{ENTRIES}/{entry['entry_id']}/reload")
    assert await meter.wait_available() >= shown
    await meter.wait_exact()


async def test_unplugged(meter: AddedMeter) -> None:
    """Without its line the meter is unavailable; plugged in again it goes on."""
    shown = await meter.run_load(5)
    meter.home.meter.unplug()
    await meter.home.wait_for(POWER, "unavailable")
    await meter.home.wait_for(ENERGY, "unavailable")
    meter.home.meter.plug()
    assert await meter.wait_available() >= shown
    await meter.wait_exact()


async def test_restart(meter: AddedMeter) -> None:
    """A restart costs no impulse, neither before it nor meanwhile."""
    shown = await meter.run_load(5)
    await meter.home.hass.stop()
    await meter.home.hass.start()
    assert await meter.wait_available() >= shown
    await meter.wait_exact()


async def test_killed(meter: AddedMeter) -> None:
    """A kill loses at most the last second, and the board's own count brings it back."""
    shown = await meter.run_load(15)
    await meter.home.hass.kill()
    await meter.home.hass.start()
    a_second = 6 * 0.001  # kWh: five impulses, and one under way
    assert await meter.wait_available() >= shown - a_second
    await meter.wait_exact()
