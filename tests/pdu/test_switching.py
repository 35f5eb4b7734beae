"""Outlets: on and off are confirmed, a cycle is sent once, whatever the network does."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from .conftest import AskAgent, StartAgent
from custom_components.rackwatt.pdu.client import SnmpClient
from custom_components.rackwatt.pdu.errors import SnmpTimeoutError
from custom_components.rackwatt.pdu.message import Oid, oid
from custom_components.rackwatt.pdu.models import Role
from custom_components.rackwatt.pdu.profile import load_profiles
from custom_components.rackwatt.pdu.reader import Structure, identify, survey
from custom_components.rackwatt.pdu.switching import (
    CommandUnknownError,
    OutletSwitch,
    UnconfirmedError,
    press,
)
from demo.rack.pdu_trees import RPDU2, cpdu, dell, epdu, raritan, rpdu, rpdu2
from demo.rack.pdu_unit import (
    CPDU_WIRING,
    DELL_WIRING,
    EPDU_WIRING,
    RARITAN_WIRING,
    RPDU2_WIRING,
    RPDU_WIRING,
    Unit,
    Wiring,
)
from demo.rack.snmpd import Snmpd

OUTLET = (1, 3)
COMMAND = f"{RPDU2}.9.2.4.1.5.3"


async def structure_of(client: SnmpClient) -> Structure:
    """Return what a PDU is made of."""
    profile = await identify(client, load_profiles())
    assert profile is not None
    return await survey(client, profile)


@pytest.fixture
async def card(start_agent: StartAgent) -> AsyncIterator[Snmpd]:
    """Start a switched PDU with eight outlets, and nothing behind its card."""
    return await start_agent(rpdu2(outlets=8, metered=False))


@pytest.mark.parametrize(
    ("tree", "wiring"),
    [
        (rpdu2(outlets=4), RPDU2_WIRING),
        (rpdu(outlets=4), RPDU_WIRING),
        (epdu(outlets=4), EPDU_WIRING),
        (cpdu(outlets=4), CPDU_WIRING),
        (dell(outlets=4), DELL_WIRING),
        (raritan(outlets=4), RARITAN_WIRING),
    ],
    ids=["rpdu2", "rpdu", "epdu", "cpdu", "dell", "raritan"],
)
async def test_every_family_is_switched_right(
    start_agent: StartAgent,
    ask: AskAgent,
    tree: dict[str, tuple[str, str]],
    wiring: Wiring,
) -> None:
    """On is on and off is off: the families number both differently."""
    agent = await start_agent(tree)
    client = ask(agent)
    unit = Unit(card=agent, wiring=wiring, outlets=4, off_seconds=0.1)
    switch = OutletSwitch(client, await structure_of(client), _sleep_little)
    unit.start(every=0.01)
    await switch.turn(OUTLET, False)
    assert unit.on == {number: number != 3 for number in range(1, 5)}
    await switch.turn(OUTLET, True)
    assert unit.on[3]
    if "cycle" in wiring.asked.values():
        await switch.cycle(OUTLET)
        while not unit.cycles or not unit.on[3]:
            await asyncio.sleep(0.01)
        assert unit.cycles == 1
    else:
        with pytest.raises(CommandUnknownError):
            await switch.cycle(OUTLET)
    await unit.stop()


async def _sleep_little(seconds: float) -> None:
    """Wait a tenth of the time."""
    await asyncio.sleep(seconds / 10)


class LossyClient(SnmpClient):
    """Loses writes, on the way there or on the way back."""

    lost_on_way = 0
    lost_on_return = 0
    sent = 0

    async def set(self, target: Oid, value: int) -> None:
        """Write, or lose it."""
        self.sent += 1
        if self.lost_on_way:
            self.lost_on_way -= 1
            raise SnmpTimeoutError("no answer")
        await super().set(target, value)
        if self.lost_on_return:
            self.lost_on_return -= 1
            raise SnmpTimeoutError("no answer")


@pytest.fixture
def lossy(card: Snmpd, ask: AskAgent) -> LossyClient:
    """Return a client that can lose writes."""
    known = ask(card)
    return LossyClient(
        known.thread, known.host, known.port, known.credentials, timeout=0.4
    )


async def test_lost_on_the_way_is_repeated(lossy: LossyClient, card: Snmpd) -> None:
    """A command that did not arrive is repeated after a look at the outlet."""
    unit = Unit(card=card, wiring=RPDU2_WIRING, outlets=8)
    switch = OutletSwitch(lossy, await structure_of(lossy), _sleep_little)
    unit.start(every=0.01)
    lossy.lost_on_way = 1
    await switch.turn(OUTLET, False)
    await unit.stop()
    assert (lossy.sent, unit.on[3]) == (2, False)


async def test_lost_answer_is_not_repeated(lossy: LossyClient, card: Snmpd) -> None:
    """A command whose answer was lost but that shows is not sent again."""
    structure = await structure_of(lossy)
    await card.set({f"{RPDU2}.9.2.3.1.5.3": 1})
    lossy.lost_on_way = 1
    await OutletSwitch(lossy, structure, _sleep_little).turn(OUTLET, False)
    assert lossy.sent == 1


async def test_unit_that_ignores_a_command(lossy: LossyClient) -> None:
    """A command that the outlet does not show is reported as unconfirmed."""
    switch = OutletSwitch(lossy, await structure_of(lossy), _no_sleep)
    with pytest.raises(UnconfirmedError):
        await switch.turn(OUTLET, False)
    assert lossy.sent == 1


async def _no_sleep(seconds: float) -> None:
    """Wait not at all."""


async def test_delayed_command_counts_as_done(lossy: LossyClient, card: Snmpd) -> None:
    """An outlet with a delay of its own is pending, and that is enough."""
    switch = OutletSwitch(lossy, await structure_of(lossy), _no_sleep)
    await card.set({f"{RPDU2}.9.2.3.1.6.3": 1})
    await switch.turn(OUTLET, False)
    assert lossy.sent == 1


@pytest.mark.parametrize("shown", [True, False])
async def test_cycle_is_never_repeated(
    lossy: LossyClient, card: Snmpd, shown: bool
) -> None:
    """A cycle without an answer is looked for, and else reported, never sent again."""
    switch = OutletSwitch(lossy, await structure_of(lossy), _no_sleep)
    lossy.lost_on_return = 1
    if shown:
        await card.set({f"{RPDU2}.9.2.3.1.5.3": 1})
        await switch.cycle(OUTLET)
    else:
        with pytest.raises(UnconfirmedError):
            await switch.cycle(OUTLET)
    assert lossy.sent == 1
    assert await card.get(COMMAND) == ["3"]


async def test_commands_that_the_pdu_lacks(
    start_agent: StartAgent, ask: AskAgent
) -> None:
    """What a PDU does not know is not sent."""
    tree = rpdu2(outlets=2, switched=False)
    tree[f"{RPDU2}.4.1.1.10.1"] = ("integer", "3")  # the reset is not supported
    client = ask(await start_agent(tree))
    structure = await structure_of(client)
    assert structure.commands == {}
    with pytest.raises(CommandUnknownError):
        await OutletSwitch(client, structure).turn((1, 1), True)
    with pytest.raises(CommandUnknownError):
        await press(client, structure, (Role.MODULE, (1, 1), "reset_peak_power"))


async def test_press(card: Snmpd, ask: AskAgent) -> None:
    """A reset is written where the MIB has it."""
    client = ask(card)
    structure = await structure_of(client)
    await press(client, structure, (Role.MODULE, (1, 1), "reset_peak_power"))
    assert await client.get([oid(f"{RPDU2}.4.1.1.10.1")]) == {
        oid(f"{RPDU2}.4.1.1.10.1"): 2
    }
