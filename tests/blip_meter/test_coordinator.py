"""The line, as it is read."""

from homeassistant.core import HomeAssistant

from .conftest import blip_entry, set_up, until
from .line import SerialLine


def state(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity."""
    found = hass.states.get(entity_id)
    assert found is not None, hass.states.async_entity_ids()
    return found.state


async def test_blips_become_power_and_energy(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """Power is 3.6e9 / (1000 * ms), energy counts each blip."""
    await set_up(hass, blip_entry(line.port))
    assert state(hass, "binary_sensor.blip_meter_connectivity") == "on"
    assert state(hass, "sensor.rack_feed_power") == "unknown"
    line.send(b"1 9999\n")
    await until(hass, lambda: state(hass, "sensor.rack_feed_impulses") == "1")
    # the first interval may be of before the connection
    assert state(hass, "sensor.rack_feed_power") == "unknown"
    line.send(b"1 3600\n")
    await until(hass, lambda: state(hass, "sensor.rack_feed_power") == "1000.0")
    assert state(hass, "sensor.rack_feed_energy") == "0.002"
    assert state(hass, "sensor.rack_feed_interval") == "3600"
