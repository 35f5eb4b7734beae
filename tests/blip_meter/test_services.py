"""Actions and diagnostics of a blip meter."""

import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component

from .conftest import blip_entry, set_up, state, until
from .line import SerialLine

ENERGY = "sensor.rack_feed_energy"


async def set_reading(hass: HomeAssistant, entity_id: str, reading: float) -> None:
    """Call the action."""
    await hass.services.async_call(
        "rackwatt",
        "set_meter_reading",
        {"entity_id": entity_id, "reading": reading},
        blocking=True,
    )


async def test_set_the_meter_reading(hass: HomeAssistant, line: SerialLine) -> None:
    """The counter shows what the meter shows, goes on, and stays after a restart."""
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    await set_reading(hass, ENERGY, 54321.5)
    assert state(hass, ENERGY) == "54321.5"
    line.send(b"1 3600\n1 3600\n")
    await until(hass, lambda: state(hass, ENERGY) == "54321.502")
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert state(hass, ENERGY) == "54321.502"


async def test_only_energy_has_a_reading(hass: HomeAssistant, line: SerialLine) -> None:
    """Anything else is refused by a sentence."""
    await set_up(hass, blip_entry(line.port))
    with pytest.raises(ServiceValidationError, match="not the energy counter"):
        await set_reading(hass, "sensor.rack_feed_power", 1)


async def test_diagnostics(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, line: SerialLine
) -> None:
    """What helps to find a fault, and nothing that opens something."""
    assert await async_setup_component(hass, "diagnostics", {})
    entry = blip_entry(line.port, line_format="counted")
    await set_up(hass, entry)
    line.send(b"1 3600 1\nwhat?\n2 3600 1\n1 3600 2\n")
    await until(hass, lambda: state(hass, "sensor.rack_feed_power") == "1000.0")
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert found["entry"]["data"]["port"] == "**REDACTED**"
    (meter,) = found["data"]["meters"].values()
    assert meter["power"] == 1000
    assert found["details"] == {
        "last_rejected_line": "b'what?'",
        "missed_impulses": {"1": 0},
        "unknown_meter_ids": [2],
    }
