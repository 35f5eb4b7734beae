"""A meter that blinks but is not set up."""

from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.components.repairs.issue_handler import RepairsFlowManager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .conftest import METER, blip_entry, meter_subentry, set_up, state, until
from .line import SerialLine


async def offered(hass: HomeAssistant, line: SerialLine, entry_id: str) -> str:
    """Let meter 3 blink and return the issue that offers it."""
    issues = ir.async_get(hass)
    issue_id = f"new_meter_{entry_id}_3"
    line.send(b"3 3600\n")
    await until(hass, lambda: issues.async_get_issue("rackwatt", issue_id) is not None)
    return issue_id


async def test_a_new_meter_is_offered(hass: HomeAssistant, line: SerialLine) -> None:
    """Not guessed: what stands on it is asked, and then it counts."""
    assert await async_setup_component(hass, REPAIRS, {})
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    issue_id = await offered(hass, line, entry.entry_id)
    manager = RepairsFlowManager(hass)
    flow = await manager.async_init("rackwatt", data={"issue_id": issue_id})
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "meter")
    new = METER | {"meter_id": 3, "name": "Cooling"}
    flow = await manager.async_configure(flow["flow_id"], new)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert ir.async_get(hass).async_get_issue("rackwatt", issue_id) is None
    line.send(b"3 3600\n3 3600\n")
    await until(hass, lambda: state(hass, "sensor.cooling_power") == "1000.0")
    assert len(entry.subentries) == 2


async def test_a_meter_that_was_added_meanwhile(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """It is not added twice."""
    assert await async_setup_component(hass, REPAIRS, {})
    entry = blip_entry(line.port, meter_subentry(), meter_subentry(meter_id=4))
    await set_up(hass, entry)
    issue_id = await offered(hass, line, entry.entry_id)
    manager = RepairsFlowManager(hass)
    flow = await manager.async_init("rackwatt", data={"issue_id": issue_id})
    flow = await manager.async_configure(flow["flow_id"], METER | {"meter_id": 4})
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    assert len(entry.subentries) == 2


async def test_a_meter_of_an_entry_that_is_gone(
    hass: HomeAssistant, line: SerialLine
) -> None:
    """The user has removed it meanwhile."""
    assert await async_setup_component(hass, REPAIRS, {})
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    issue_id = await offered(hass, line, entry.entry_id)
    manager = RepairsFlowManager(hass)
    await hass.config_entries.async_remove(entry.entry_id)
    flow = await manager.async_init("rackwatt", data={"issue_id": issue_id})
    assert flow["reason"] == "entry_gone"
