"""What comes in over HTTP: stored once, acknowledged, shown."""

from homeassistant.core import HomeAssistant

from .conftest import Agent


async def test_report_becomes_entities(hass: HomeAssistant, agent: Agent) -> None:
    """The first report makes the entities, with their values."""
    state = hass.states.get("sensor.web1_state")
    assert state is not None
    assert state.state == "empty"
    answer = await agent.report(1)
    assert answer["ack"] == 1
    await hass.async_block_till_done()
    print([(s.entity_id, s.state) for s in hass.states.async_all()])
    assert hass.states.get("sensor.web1_state").state == "on"
