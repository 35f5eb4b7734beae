"""Reading PDUs by their profiles: every family, every oddity."""

import pytest

from .conftest import V1, V2C, V3, AskAgent, StartAgent, read
from custom_components.rackwatt.pdu.credentials import Credentials
from custom_components.rackwatt.pdu.identity import identity_of, module_id, read_agent
from custom_components.rackwatt.pdu.message import oid
from custom_components.rackwatt.pdu.models import Module, Outlet, Pdu, Probe, Role
from custom_components.rackwatt.pdu.profile import load_profiles
from custom_components.rackwatt.pdu.reader import identify, poll
from demo.rack import pdu_trees
from demo.rack.pdu_trees import APC, RPDU, RPDU2, Tree, gauge, integer, rows, text


@pytest.mark.parametrize("credentials", [V1, V2C, V3])
async def test_metered_by_outlet(
    shared_agent: StartAgent, ask: AskAgent, credentials: Credentials
) -> None:
    """An APC that meters and switches each outlet, in every version of SNMP."""
    client = ask(await shared_agent(pdu_trees.rpdu2()), credentials)
    profile, structure, pdu = await read(client)
    assert profile.key == "apc_rpdu2"
    module = pdu.modules[0]
    assert (module.power, module.apparent_power, module.power_factor) == (
        1140,
        1190,
        0.96,
    )
    assert (module.energy, module.peak_power) == (3_512_800, 1430)
    assert (module.load_state, module.overload_limit) == ("normal", 3700)
    assert (module.power_supply_1, module.power_supply_2) == ("ok", None)
    assert not module.power_is_estimate
    (phase,) = pdu.phases
    assert (phase.current, phase.voltage, phase.power) == (4.9, 242, 1140)
    assert (phase.near_overload_limit, phase.overload_limit) == (26, 32)
    assert [bank.current for bank in pdu.banks] == [0.2, 4.7]
    assert [bank.load_state for bank in pdu.banks] == ["normal", "near_overload"]
    outlet = pdu.outlets[1]
    assert (outlet.name, outlet.on, outlet.pending) == ("server-02", True, False)
    assert (outlet.power, outlet.current, outlet.energy) == (26, 0.1, 13_400)
    assert (outlet.bank, outlet.receptacle) == (1, "IEC C13")
    assert len(pdu.outlets) == 24
    assert pdu.probes == (
        Probe(module=1, number=1, name="rack-top", temperature=24.0, humidity=41),
    )
    assert [(door.kind, door.open, door.alarm) for door in pdu.contacts] == [
        ("door", False, False)
    ]
    assert structure.steps()[Role.OUTLET, (1, 2)] == 100
    assert len(structure.commands) == 24 * 3 + 1


async def test_poll_takes_few_messages(shared_agent: StartAgent, ask: AskAgent) -> None:
    """A PDU with 24 outlets is polled with as few messages as its values fit in."""
    client = ask(await shared_agent(pdu_trees.rpdu2()), V3)
    _, structure, _ = await read(client)
    client.statistics.requests = 0
    await poll(client, structure)
    assert len(structure.cells) > 160
    assert client.statistics.requests == 3


async def test_switched_without_meters(shared_agent: StartAgent, ask: AskAgent) -> None:
    """What a PDU lacks is not there, and not 0."""
    tree = pdu_trees.rpdu2(outlets=8, metered=False, probe=False)
    _, _, pdu = await read(ask(await shared_agent(tree)))
    assert len(pdu.outlets) == 8
    assert pdu.outlets[0] == Outlet(
        number=1, name="server-01", on=True, pending=False, bank=1
    )
    assert pdu.probes == () == pdu.contacts


async def test_chain(shared_agent: StartAgent, ask: AskAgent) -> None:
    """Rows of a chain go to their module by its number, not by the row's index."""
    tree = pdu_trees.rpdu2(outlets=8, guests=("ZA1700000099",))
    client = ask(await shared_agent(tree))
    profile, structure, pdu = await read(client)
    assert [module.serial for module in pdu.modules] == ["ZA1700000001", "ZA1700000099"]
    assert [outlet.key for outlet in pdu.outlets][7:9] == [(1, 8), (2, 1)]
    assert [bank.key for bank in pdu.banks] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    # outlet 1 of the guest is row 9 of the table
    command = structure.commands[Role.OUTLET, (2, 1), "off"]
    assert command.target == oid(f"{RPDU2}.9.2.4.1.5.9")
    identity = identity_of(profile, pdu, await read_agent(client))
    assert module_id(identity.unique_id, pdu, 1) == "ZA1700000001"
    assert module_id(identity.unique_id, pdu, 2) == "ZA1700000099"


async def test_first_generation(shared_agent: StartAgent, ask: AskAgent) -> None:
    """An old APC numbers states and loads otherwise, and only estimates power."""
    client = ask(await shared_agent(pdu_trees.rpdu()), V1)
    profile, structure, pdu = await read(client)
    assert profile.key == "apc_rpdu"
    module = pdu.modules[0]
    assert (module.model, module.power, module.energy) == ("AP7920", 667, None)
    assert module.power_is_estimate
    assert module.power_supply_alarm is True
    (phase,) = pdu.phases
    assert (phase.current, phase.load_state, phase.overload_limit) == (
        2.9,
        "normal",
        10,
    )
    assert [(bank.number, bank.current, bank.load_state) for bank in pdu.banks] == [
        (1, 1.2, "normal"),
        (2, 1.7, "near_overload"),
    ]
    assert [outlet.on for outlet in pdu.outlets] == [True] * 8
    assert pdu.outlets[0].current is None
    assert structure.commands[Role.OUTLET, (1, 8), "cycle"].value == 3


def newer_card_of_older_pdu() -> Tree:
    """Return a card of the second generation on a unit that cannot tell it much."""
    tree = pdu_trees.rpdu2(model="AP7900B", outlets=8, metered=False, switched=False)
    for column in (5, 6, 9, 16, 17):
        tree[f"{RPDU2}.4.3.1.{column}.1"] = integer(-1)
    tree[f"{RPDU2}.4.3.1.4.1"] = integer(5)
    tree[f"{RPDU2}.4.3.1.10.1"] = text("notsupported ")
    for column in (6, 7, 8, 9):
        tree[f"{RPDU2}.6.3.1.{column}.1"] = integer(-1)
    for name in [name for name in tree if name.startswith(f"{RPDU2}.8.")]:
        del tree[name]
    tree[f"{RPDU}.1.16.0"] = integer(312)
    # the phase's row says nothing of banks: the column is missing
    tree |= rows(f"{RPDU}.2.3.1.1", {2: [gauge(27)], 3: [integer(1)], 4: [integer(1)]})
    return tree | rows(
        f"{APC}.4.4.2.1",
        {
            1: [integer(number) for number in range(1, 9)],
            2: [integer(2)] * 8,
            3: [integer(1 if number < 8 else 2) for number in range(1, 9)],
            4: [text(f"load {number}") for number in range(1, 9)],
        },
    )


async def test_newer_card_falls_back_on_older_tables(
    start_agent: StartAgent, ask: AskAgent
) -> None:
    """Sentinels are no readings; what the older tables know fills in, marked."""
    _, structure, pdu = await read(ask(await start_agent(newer_card_of_older_pdu())))
    module = pdu.modules[0]
    assert (module.power, module.power_is_estimate) == (312, True)
    assert (module.energy, module.apparent_power, module.load_state) == (None,) * 3
    assert module.energy_since is None
    assert (pdu.phases[0].current, pdu.phases[0].voltage) == (4.9, None)
    assert pdu.banks == ()
    assert [outlet.on for outlet in pdu.outlets] == [True] * 7 + [False]
    assert pdu.outlets[0].name == "load 1"
    command = structure.commands[Role.OUTLET, (1, 1), "cycle"]
    assert (command.target, command.value) == (oid(f"{APC}.4.4.2.1.3.1"), 3)


async def test_table_that_grows_or_shrinks_is_noticed(
    start_agent: StartAgent, ask: AskAgent
) -> None:
    """A changed number of rows, or a row that is gone, calls for a new survey."""
    agent = await start_agent(pdu_trees.rpdu2(outlets=8))
    client = ask(agent)
    _, structure, _ = await read(client)
    await agent.set({f"{RPDU2}.9.3.0": 9})
    reading = await poll(client, structure)
    assert not reading.stands
    assert len(reading.pdu.outlets) == 8
    await agent.set({f"{RPDU2}.9.3.0": 8})
    for row in ("5", "7"):
        del agent.tree[f"{RPDU2}.9.4.3.1.{row}.8"]
    await agent.restart()
    assert not (await poll(client, structure)).stands


async def test_values_that_cannot_be_are_counted(
    start_agent: StartAgent, ask: AskAgent
) -> None:
    """A value outside what its column can hold is no reading, and is counted."""
    agent = await start_agent(pdu_trees.rpdu2(outlets=4))
    client = ask(agent)
    _, structure, _ = await read(client)
    await agent.set({f"{RPDU2}.6.3.1.6.1": 60_000, f"{RPDU2}.4.3.1.17.1": 300})
    reading = await poll(client, structure)
    assert reading.pdu.phases[0].voltage is None
    assert reading.pdu.modules[0].power_factor is None
    assert reading.pdu.implausible == 2


async def test_unknown_family(shared_agent: StartAgent, ask: AskAgent) -> None:
    """No profile is pressed on a PDU that has none of its tables."""
    client = ask(await shared_agent(pdu_trees.unknown()))
    assert await identify(client, load_profiles()) is None


@pytest.mark.parametrize(
    ("serial", "unique_id"),
    [
        ("ZA1700000001", "ZA1700000001"),
        ("FFFFFFFFFFFF", "00:c0:b7:10:20:30"),
        ("", "00:c0:b7:10:20:30"),
    ],
)
async def test_identity(
    shared_agent: StartAgent, ask: AskAgent, serial: str, unique_id: str
) -> None:
    """A card without a serial number is known by its network address."""
    tree = pdu_trees.rpdu2(serial=serial, outlets=1)
    client = ask(await shared_agent(tree))
    profile, _, pdu = await read(client)
    identity = identity_of(profile, pdu, await read_agent(client))
    assert identity.unique_id == unique_id
    assert (identity.manufacturer, identity.model) == ("APC", "AP8659")
    assert identity.firmware == "6.8.0"


async def test_identity_without_any_number(
    start_agent: StartAgent, ask: AskAgent
) -> None:
    """Without serial and network address the engine of SNMP says who it is."""
    tree = pdu_trees.rpdu2(serial="FFFFFFFFFFFF", outlets=1, guests=("000000000000",))
    tree["1.3.6.1.2.1.2.2.1.6.2"] = text("")
    agent = await start_agent(tree, engine_id="0x80001f8880aabbccdd")
    client = ask(agent)
    profile, _, pdu = await read(client)
    identity = identity_of(profile, pdu, await read_agent(client))
    assert identity.unique_id == "80001f8880aabbccdd"
    assert module_id(identity.unique_id, pdu, 2) == "80001f8880aabbccdd_2"


def test_parts_that_are_not_there() -> None:
    """A PDU without a part says so."""
    pdu = Pdu(modules=(Module(),))
    assert pdu.part(Role.OUTLET, (1, 1)) is None
    assert pdu.part(Role.MODULE, (1, 1)) == Module()
