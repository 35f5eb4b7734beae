"""Families that number and scale in a way of their own: what comes out, and what not."""

from .conftest import AskAgent, StartAgent, read
from custom_components.rackwatt.pdu.models import Circuit, Outlet, Probe, Role
from custom_components.rackwatt.pdu.reader import Structure
from demo.rack import pdu_trees
from demo.rack.pdu_trees import CPDU, DELL, DELTA, EPDU, RARITAN, WYE, gauge, integer


def commands_of(structure: Structure, number: int) -> dict[str, tuple[str, int]]:
    """Return where the commands of an outlet are written, and what."""
    return {
        act: (".".join(map(str, command.target)), command.value)
        for (role, key, act), command in structure.commands.items()
        if (role, key) == (Role.OUTLET, (1, number))
    }


async def test_easy(start_agent: StartAgent, ask: AskAgent) -> None:
    """An Easy PDU tells tenths of V, hundredths of A, thousandths of the power factor."""
    client = ask(await start_agent(pdu_trees.epdu(off=(4,))))
    profile, structure, pdu = await read(client)
    assert profile.key == "apc_epdu"
    module = pdu.modules[0]
    assert (module.model, module.serial, module.firmware) == (
        "EPDU1132SMBO",
        "EZ2100000003",
        "Ver11.10",
    )
    assert (module.power, module.apparent_power, module.power_factor) == (
        2310,
        2432,
        0.95,
    )
    assert (module.energy, module.frequency) == (1_234_567, 49.98)
    assert pdu.phases[0] == Circuit(
        number=1,
        voltage=232.6,
        current=7.31,
        power=1610,
        apparent_power=1700,
        power_factor=0.947,
        energy=800_000,
        low_limit=0.5,
        overload_limit=16,
    )
    # -1 is no reading, 0 is one
    assert pdu.phases[2] == Circuit(number=3, voltage=229.8, current=0, power=0)
    assert [outlet.on for outlet in pdu.outlets] == [True, True, True, False]
    assert pdu.probes == (Probe(number=1, temperature=23.1, humidity=45.2),)
    assert pdu.implausible == 0
    assert structure.steps()[Role.MODULE, (1, 1)] == 1
    # it cannot cycle
    assert commands_of(structure, 2) == {
        "on": (f"{EPDU}.6.2.1.4.2", 1),
        "off": (f"{EPDU}.6.2.1.4.2", 2),
    }


async def test_easy_without_switches(start_agent: StartAgent, ask: AskAgent) -> None:
    """A model without switched outlets answers -1 in their row: there is no outlet."""
    tree = pdu_trees.epdu(outlets=1)
    for column in ("6.1.1.1", "6.1.1.2", "6.1.1.3", "6.1.1.4", "6.2.1.4"):
        tree[f"{EPDU}.{column}.1"] = integer(-1)
    _, structure, pdu = await read(ask(await start_agent(tree)))
    assert pdu.outlets == ()
    assert structure.commands == {}


async def test_advanced(start_agent: StartAgent, ask: AskAgent) -> None:
    """An APDU10xxx counts states from the top, pads its tables, and 0 is off."""
    client = ask(await start_agent(pdu_trees.cpdu(off=(3,))))
    profile, structure, pdu = await read(client)
    assert profile.key == "apc_cpdu"
    module = pdu.modules[0]
    assert (module.model, module.serial, module.firmware, module.name) == (
        "APDU10150SM",
        "5A2200000005",
        "2.0.8.2",
        "rack-back",
    )
    assert (module.power, module.apparent_power, module.peak_power) == (258, 301, 657)
    assert (module.power_factor, module.energy, module.load_state) == (
        0.86,
        791_800,
        "normal",
    )
    assert module.energy_since == "2024/02/03 04:05:06"
    assert pdu.phases == (
        Circuit(
            current=1.31,
            voltage=230,
            power=258,
            apparent_power=301,
            power_factor=0.86,
            load_state="near_overload",
        ),
    )
    assert pdu.banks == (
        Circuit(number=1, name="CB1", current=16.5, load_state="overload"),
        Circuit(number=2, name="CB2", current=0.03, load_state="low"),
    )
    assert [outlet.on for outlet in pdu.outlets] == [True, True, False, True]
    assert pdu.outlets[1] == Outlet(
        number=2,
        name="node-02",
        on=True,
        load_state="normal",
        current=0.11,
        power=26,
        power_factor=0.97,
        peak_power=66,
        energy=13_400,
    )
    # commands are numbered neither as the states nor as those of any other APC
    assert commands_of(structure, 3) == {
        "off": (f"{CPDU}.5.5.1.4.1.3", 1),
        "on": (f"{CPDU}.5.5.1.4.1.3", 2),
        "cycle": (f"{CPDU}.5.5.1.4.1.3", 5),
    }
    assert len(structure.commands) == 4 * 3


async def test_dell(start_agent: StartAgent, ask: AskAgent) -> None:
    """A Dell's outlets tell whole amperes and whole kWh, the PDU itself finer ones."""
    tree = pdu_trees.dell(off=(2,))
    tree[f"{DELL}.130.1.2.1.4.3"] = integer(3)  # unknown
    tree[f"{DELL}.130.1.2.1.5.4"] = integer(1)
    profile, structure, pdu = await read(ask(await start_agent(tree)))
    assert (profile.key, profile.manufacturer) == ("dell_rpdu", "Dell")
    module = pdu.modules[0]
    assert (module.model, module.serial, module.firmware, module.hardware) == (
        "DELL6607",
        "IN0000000006",
        "v5.1.2",
        "HW01",
    )
    assert (module.power, module.peak_power) == (3790, 4120)
    assert (module.energy, module.load_state) == (63_013_900, "normal")
    assert (module.near_overload_limit, module.overload_limit) == (5400, 6700)
    assert module.power_supply_alarm is True
    assert pdu.phases == (
        Circuit(
            number=1,
            current=19.3,
            voltage=205,
            power=3810,
            load_state="near_overload",
            low_limit=0,
            near_overload_limit=19,
            overload_limit=24,
        ),
        Circuit(
            number=2,
            current=0.4,
            power=10,
            load_state="low",
            low_limit=0,
            near_overload_limit=19,
            overload_limit=24,
        ),
    )
    assert [outlet.on for outlet in pdu.outlets] == [True, False, None] + [True] * 3
    assert [outlet.pending for outlet in pdu.outlets[2:5]] == [False, True, False]
    assert pdu.outlets[4] == Outlet(
        number=5,
        name="blade-05",
        on=True,
        pending=False,
        power=376,
        current=2,
        energy=45_000,
        load_state="normal",
    )
    assert pdu.probes == (
        Probe(number=1, name="inlet air", temperature=24.0, humidity=41),
    )
    assert structure.steps()[Role.OUTLET, (1, 5)] == 1000
    assert structure.steps()[Role.MODULE, (1, 1)] == 100
    assert commands_of(structure, 5) == {
        "on": (f"{DELL}.130.1.4.1.4.5", 1),
        "off": (f"{DELL}.130.1.4.1.4.5", 2),
        "cycle": (f"{DELL}.130.1.4.1.4.5", 3),
    }


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
    tree[f"{RARITAN}.5.4.3.1.2.1.1.5"] = integer(2)
    tree[f"{RARITAN}.5.4.3.1.4.1.1.5"] = gauge(0)
    _, _, pdu = await read(ask(await start_agent(tree)))
    assert [outlet.power for outlet in pdu.outlets] == [None, 26]


async def test_raritan_poles(start_agent: StartAgent, ask: AskAgent) -> None:
    """Phases are the poles but the neutral one, with their voltage to neutral."""
    tree = pdu_trees.raritan(outlets=1, poles=WYE)
    tree[f"{RARITAN}.5.2.4.1.2.1.1.3.5"] = integer(2)  # not available
    _, _, pdu = await read(ask(await start_agent(tree)))
    assert pdu.phases == (
        Circuit(number=1, current=7.467, voltage=230, power=1665),
        Circuit(number=2, current=2.001, voltage=231, power=441),
        Circuit(number=3, current=0, voltage=229),
    )


async def test_raritan_delta(start_agent: StartAgent, ask: AskAgent) -> None:
    """Without a neutral wire the voltage is the one from line to line."""
    tree = pdu_trees.raritan(outlets=1, poles=DELTA)
    _, _, pdu = await read(ask(await start_agent(tree)))
    assert [phase.voltage for phase in pdu.phases] == [208, 209, 207]
    assert [phase.current for phase in pdu.phases] == [7.467, 2.001, 0]
