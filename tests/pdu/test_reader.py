"""Reading PDUs by their profiles: every family, every oddity."""

import pytest

from .conftest import V1, V2C, V3, AskAgent, StartAgent
from custom_components.rackwatt.pdu.client import SnmpClient
from custom_components.rackwatt.pdu.credentials import Credentials
from custom_components.rackwatt.pdu.identity import identity_of, module_id, read_agent
from custom_components.rackwatt.pdu.message import oid
from custom_components.rackwatt.pdu.models import Module, Outlet, Pdu, Probe, Role
from custom_components.rackwatt.pdu.profile import Profile, load_profiles
from custom_components.rackwatt.pdu.reader import Structure, identify, poll, survey
from demo.rack import pdu_trees
from demo.rack.pdu_trees import APC, RPDU, RPDU2, Tree, gauge, integer, rows, text


async def read(client: SnmpClient) -> tuple[Profile, Structure, Pdu]:
    """Identify, survey and poll."""
    profile = await identify(client, load_profiles())
    assert profile is not None
    structure = await survey(client, profile)
    reading = await poll(client, structure)
    assert reading.stands
    assert reading.pdu == structure.first
    return profile, structure, reading.pdu


@pytest.mark.parametrize("credentials", [V1, V2C, V3])
async def test_metered_by_outlet(
    start_agent: StartAgent, ask: AskAgent, credentials: Credentials
) -> None:
    """An APC that meters and switches each outlet, in every version of SNMP."""
    client = ask(await start_agent(pdu_trees.rpdu2()), credentials)
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


async def test_poll_takes_few_messages(start_agent: StartAgent, ask: AskAgent) -> None:
    """A PDU with 24 outlets is polled with as few messages as its values fit in."""
    client = ask(await start_agent(pdu_trees.rpdu2()), V3)
    _, structure, _ = await read(client)
    client.statistics.requests = 0
    await poll(client, structure)
    assert len(structure.cells) > 160
    assert client.statistics.requests == 3


async def test_switched_without_meters(start_agent: StartAgent, ask: AskAgent) -> None:
    """What a PDU lacks is not there, and not 0."""
    tree = pdu_trees.rpdu2(outlets=8, metered=False, probe=False)
    _, _, pdu = await read(ask(await start_agent(tree)))
    assert len(pdu.outlets) == 8
    assert pdu.outlets[0] == Outlet(
        number=1, name="server-01", on=True, pending=False, bank=1
    )
    assert pdu.probes == () == pdu.contacts


async def test_chain(start_agent: StartAgent, ask: AskAgent) -> None:
    """Rows of a chain go to their module by its number, not by the row's index."""
    tree = pdu_trees.rpdu2(outlets=8, guests=("ZA1700000099",))
    client = ask(await start_agent(tree))
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


async def test_first_generation(start_agent: StartAgent, ask: AskAgent) -> None:
    """An old APC numbers states and loads otherwise, and only estimates power."""
    client = ask(await start_agent(pdu_trees.rpdu()), V1)
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


async def test_raritan(start_agent: StartAgent, ask: AskAgent) -> None:
    """A Raritan is read by its own decimals, and never walked."""
    client = ask(await start_agent(pdu_trees.raritan()))
    profile, structure, pdu = await read(client)
    assert profile.key == "raritan_px"
    module = pdu.modules[0]
    assert (module.power, module.current, module.power_factor) == (1665, 7.467, 0.98)
    assert (module.energy, module.frequency) == (74_057_676, 50.0)
    assert module.firmware == "4.2.0.5-50274"
    assert (pdu.banks[0].current, pdu.banks[0].overload_limit) == (4.85, 12.8)
    outlet = pdu.outlets[1]
    assert (outlet.name, outlet.on, outlet.power) == ("node-02", True, 26)
    assert (outlet.current, outlet.energy) == (0.114, 1_002_468)
    assert pdu.probes[0].temperature == 23.1
    assert structure.commands[Role.OUTLET, (1, 2), "off"].value == 0
    assert client.statistics.requests < 25


async def test_raritan_sensor_that_is_not_available(
    start_agent: StartAgent, ask: AskAgent
) -> None:
    """A sensor that the PDU marks as not available is not there, though it reads 0."""
    tree = pdu_trees.raritan(outlets=2)
    tree[f"{pdu_trees.RARITAN}.5.4.3.1.2.1.1.5"] = integer(2)
    tree[f"{pdu_trees.RARITAN}.5.4.3.1.4.1.1.5"] = gauge(0)
    _, _, pdu = await read(ask(await start_agent(tree)))
    assert [outlet.power for outlet in pdu.outlets] == [None, 26]


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


async def test_padding_rows_are_skipped(start_agent: StartAgent, ask: AskAgent) -> None:
    """The APDU10xxx pads its tables to 64 rows with blank ones of number 0."""
    base = f"{APC}.32"
    tree = pdu_trees.system("apcpdu", base, "cpdu", "00:c0:b7:01:02:03")
    tree |= {
        f"{base}.1.2.1.11.1": text("APDU10150SM"),
        f"{base}.1.2.1.12.1": text("5A1234Y56789"),
        f"{base}.2.4.1.3.1": integer(5),
        f"{base}.2.4.1.4.1": integer(258),
        f"{base}.2.4.1.9.1": integer(7918),
    }
    for row in range(1, 65):
        real = row <= 4
        tree |= {
            f"{base}.5.4.1.2.1.{row}": integer(row if real else 0),
            f"{base}.5.4.1.3.1.{row}": text("OUTLET" if real else "        "),
            f"{base}.5.4.1.4.1.{row}": integer(1 if real and row != 3 else 0),
            f"{base}.5.9.1.2.1.{row}": integer(row if real else 0),
            f"{base}.5.9.1.5.1.{row}": integer(28 if real else 0),
            f"{base}.5.9.1.6.1.{row}": integer(57 if real else 0),
        }
    profile, _, pdu = await read(ask(await start_agent(tree)))
    assert profile.key == "apc_cpdu"
    assert (pdu.modules[0].load_state, pdu.modules[0].energy) == ("normal", 791_800)
    assert [outlet.on for outlet in pdu.outlets] == [True, True, False, True]
    assert pdu.outlets[0].current == 0.28


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


async def test_unknown_family(start_agent: StartAgent, ask: AskAgent) -> None:
    """No profile is pressed on a PDU that has none of its tables."""
    client = ask(await start_agent(pdu_trees.unknown()))
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
    start_agent: StartAgent, ask: AskAgent, serial: str, unique_id: str
) -> None:
    """A card without a serial number is known by its network address."""
    tree = pdu_trees.rpdu2(serial=serial, outlets=1)
    client = ask(await start_agent(tree))
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
