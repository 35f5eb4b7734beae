"""What PDUs answer over SNMP: trees of objects made from the makers' MIBs.

Each function returns a tree, an object's dotted name to its type and value as net-snmp's
`override` takes them. No tree is a recording of a real unit; names and figures are ours.
"""

from collections.abc import Iterable, Mapping

Tree = dict[str, tuple[str, str]]

APC = "1.3.6.1.4.1.318.1.1"
RARITAN = "1.3.6.1.4.1.13742.6"
RPDU2 = f"{APC}.26"
RPDU = f"{APC}.12"


def integer(value: int) -> tuple[str, str]:
    """Return a number as net-snmp takes it."""
    return "integer", str(value)


def gauge(value: int) -> tuple[str, str]:
    """Return an unsigned number as net-snmp takes it."""
    return "uinteger", str(value)


def text(value: str) -> tuple[str, str]:
    """Return octets as net-snmp takes them."""
    return "octet_str", f'"{value}"'


def system(description: str, object_id: str, name: str, mac: str) -> Tree:
    """Return what every agent tells of itself."""
    return {
        "1.3.6.1.2.1.1.1.0": text(description),
        "1.3.6.1.2.1.1.2.0": ("object_id", f".{object_id}"),
        "1.3.6.1.2.1.1.5.0": text(name),
        "1.3.6.1.2.1.2.2.1.6.1": text(""),
        "1.3.6.1.2.1.2.2.1.6.2": ("octet_str", f"0x{mac.replace(':', '')}"),
    }


def rows(entry: str, columns: Mapping[int, Iterable[tuple[str, str]]]) -> Tree:
    """Return a table whose rows are numbered from 1."""
    return {
        f"{entry}.{column}.{row}": value
        for column, values in columns.items()
        for row, value in enumerate(values, 1)
    }


def outlet_watts(number: int) -> int:
    """Return what hangs on an outlet: every sixth one is free."""
    return 0 if number % 6 == 0 else 12 + 7 * number


def rpdu2(
    serial: str = "ZA1700000001",
    model: str = "AP8659",
    name: str = "rack-left",
    outlets: int = 24,
    *,
    metered: bool = True,
    switched: bool = True,
    probe: bool = True,
    guests: tuple[str, ...] = (),
    mac: str = "00:c0:b7:10:20:30",
) -> Tree:
    """Return an APC of the second generation, alone or as the host of a chain."""
    serials = (serial, *guests)
    modules = range(1, len(serials) + 1)
    tree = system(
        f"APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.8.2 PN:apc_hw05_aos_682.bin"
        f" AF1:v6.8.0 AN1:apc_hw05_rpdu2g_680.bin MN:{model} HR:02 SN: {serial}"
        f" MD:03/14/2017)",
        "1.3.6.1.4.1.318.1.3.4.6",
        name,
        mac,
    )
    names = [name if module == 1 else f"{name}-{module}" for module in modules]
    tree |= _rpdu2_devices(serials, names, model)
    tree |= _rpdu2_circuits(len(serials))
    places = [
        (module, number) for module in modules for number in range(1, outlets + 1)
    ]
    if switched:
        tree |= _rpdu2_switched(places)
    if metered:
        tree |= _rpdu2_metered(places)
    tree |= _rpdu2_probes(probe)
    return tree


def _rpdu2_devices(serials: tuple[str, ...], names: list[str], model: str) -> Tree:
    """Return identification and readings of the modules."""
    count = len(serials)
    modules = [integer(module) for module in range(1, count + 1)]
    since = [text("02/03/2024 04:05:06")] * count
    tree = {
        f"{RPDU2}.1.0": integer(count),
        f"{RPDU2}.3.0": integer(count),
    }
    tree |= rows(
        f"{RPDU2}.2.1",
        {
            1: modules,
            2: modules,
            3: map(text, names),
            5: [text("02")] * count,
            6: [text("v6.8.0")] * count,
            8: [text(model)] * count,
            9: map(text, serials),
        },
    )
    tree |= rows(
        f"{RPDU2}.4.3.1",
        {
            1: modules,
            2: modules,
            3: map(text, names),
            4: [integer(2)] * count,
            5: [integer(114)] * count,  # 1140 W
            6: [integer(143)] * count,
            7: since,
            8: since,
            9: [integer(35128)] * count,  # 3512.8 kWh
            10: since,
            11: [integer(2)] * count,
            12: [integer(1)] * count,
            13: [integer(1)] * count,
            14: [integer(3)] * count,  # one power supply only
            16: [integer(119)] * count,
            17: [integer(96)] * count,
            18: [integer(1 if count == 1 else 2)] + [integer(3)] * (count - 1),
        },
    )
    return tree | rows(
        f"{RPDU2}.4.1.1",
        {
            1: modules,
            2: modules,
            7: [integer(0)] * count,
            8: [integer(29)] * count,
            9: [integer(37)] * count,
            10: [integer(1)] * count,
            11: [integer(1)] * count,
        },
    )


def _rpdu2_circuits(count: int) -> Tree:
    """Return one phase and two banks of each module."""
    modules = [integer(module) for module in range(1, count + 1)]
    phases = [integer(1)] * count
    tree = {
        f"{RPDU2}.5.0": integer(count),
        f"{RPDU2}.7.0": integer(2 * count),
    }
    tree |= rows(
        f"{RPDU2}.6.3.1",
        {
            1: modules,
            2: modules,
            3: phases,
            4: [integer(2)] * count,
            5: [integer(49)] * count,  # 4.9 A
            6: [integer(242)] * count,
            7: [integer(114)] * count,
            8: [integer(119)] * count,
            9: [integer(96)] * count,
            10: [integer(60)] * count,
        },
    )
    limits = {5: integer(0), 6: integer(26), 7: integer(32)}
    tree |= rows(
        f"{RPDU2}.6.1.1",
        {1: modules, 2: modules, 3: phases}
        | {column: [limit] * count for column, limit in limits.items()},
    )
    banks = [(module, bank) for module in range(1, count + 1) for bank in (1, 2)]
    tree |= rows(
        f"{RPDU2}.8.3.1",
        {
            1: [integer(row) for row in range(1, 2 * count + 1)],
            2: [integer(module) for module, _ in banks],
            3: [integer(bank) for _, bank in banks],
            4: [integer(2 if bank == 1 else 3) for _, bank in banks],
            5: [integer(2 if bank == 1 else 47) for _, bank in banks],
            6: [integer(60)] * len(banks),
        },
    )
    return tree | rows(
        f"{RPDU2}.8.1.1",
        {
            1: [integer(row) for row in range(1, 2 * count + 1)],
            2: [integer(module) for module, _ in banks],
            3: [integer(bank) for _, bank in banks],
            5: [integer(0)] * len(banks),
            6: [integer(13)] * len(banks),
            7: [integer(16)] * len(banks),
        },
    )


def _rpdu2_switched(places: list[tuple[int, int]]) -> Tree:
    """Return the switched outlets, all on."""
    indices = [integer(row) for row in range(1, len(places) + 1)]
    shared = {
        1: indices,
        2: [integer(module) for module, _ in places],
        3: [text(f"server-{number:02}") for _, number in places],
        4: [integer(number) for _, number in places],
    }
    on, done = [integer(2)] * len(places), [integer(2)] * len(places)
    banks = [integer(1 if number <= len(places) // 2 else 2) for _, number in places]
    return (
        {f"{RPDU2}.9.1.0": integer(len(places))}
        | rows(f"{RPDU2}.9.2.2.1", shared | {6: banks})
        | rows(f"{RPDU2}.9.2.3.1", shared | {5: on, 6: done})
        | rows(f"{RPDU2}.9.2.4.1", shared | {5: [integer(1)] * len(places)})
    )


def _rpdu2_metered(places: list[tuple[int, int]]) -> Tree:
    """Return the metered outlets; their power is watts, unlike the device's."""
    watts = [outlet_watts(number) for _, number in places]
    since = [text("02/03/2024 04:05:06")] * len(places)
    return {f"{RPDU2}.9.3.0": integer(len(places))} | rows(
        f"{RPDU2}.9.4.3.1",
        {
            1: [integer(row) for row in range(1, len(places) + 1)],
            2: [integer(module) for module, _ in places],
            3: [text(f"server-{number:02}") for _, number in places],
            4: [integer(number) for _, number in places],
            5: [integer(2 if power else 1) for power in watts],
            6: [integer(round(power / 24.2)) for power in watts],  # tenths of A
            7: [integer(power) for power in watts],
            8: [integer(power + 40) for power in watts],
            9: since,
            10: since,
            11: [integer(100 + 17 * number) for _, number in places],
            12: [text("IEC C13")] * len(places),
        },
    )


def _rpdu2_probes(connected: bool) -> Tree:
    """Return the port of the temperature probe, and one contact that is a door."""
    absent = integer(-1)
    tree = {
        f"{RPDU2}.10.1.0": integer(1),
        f"{RPDU2}.10.3.0": integer(1),
    }
    tree |= rows(
        f"{RPDU2}.10.2.2.1",
        {
            1: [integer(1)],
            2: [integer(1)],
            3: [text("rack-top" if connected else "")],
            4: [integer(1)],
            5: [integer(2 if connected else 4)],
            6: [integer(2 if connected else 1)],
            7: [integer(752) if connected else absent],
            8: [integer(240) if connected else absent],
            9: [integer(4 if connected else 1)],
            10: [integer(41) if connected else absent],
            11: [integer(4 if connected else 1)],
        },
    )
    return tree | rows(
        f"{RPDU2}.10.4.2.1",
        {
            1: [integer(1)],
            2: [integer(1)],
            3: [text("front")],
            4: [integer(1)],
            5: [integer(2 if connected else 1)],
            6: [integer(2 if connected else 1)],
            7: [integer(2)],
            8: [integer(1)],
        },
    )


def rpdu(serial: str = "ZA0500000002", outlets: int = 8) -> Tree:
    """Return an APC of the first generation: switched, metered as a whole."""
    tree = system(
        "APC Web/SNMP Management Card (MB:v3.9.2 PF:v3.9.2 PN:apc_hw02_aos_392.bin"
        f" AF1:v3.9.2 AN1:apc_hw02_rpdu_392.bin MN:AP7920 HR:B2 SN: {serial}"
        " MD:01/20/2005)",
        "1.3.6.1.4.1.318.1.3.4.5",
        "rack-old",
        "00:c0:b7:44:55:66",
    )
    tree |= {
        f"{RPDU}.1.1.0": text("rack-old"),
        f"{RPDU}.1.2.0": text("B2"),
        f"{RPDU}.1.3.0": text("v3.9.2"),
        f"{RPDU}.1.5.0": text("AP7920"),
        f"{RPDU}.1.6.0": text(serial),
        f"{RPDU}.1.8.0": integer(outlets),
        f"{RPDU}.1.16.0": integer(667),
        f"{RPDU}.1.18.0": integer(667),
        f"{RPDU}.4.1.1.0": integer(1),
        f"{RPDU}.4.1.2.0": integer(2),
        f"{RPDU}.4.1.3.0": integer(3),
    }
    # One phase, then its two banks: a row is whichever of its numbers is not 0
    tree |= rows(
        f"{RPDU}.2.3.1.1",
        {
            1: map(integer, (1, 2, 3)),
            2: map(gauge, (29, 12, 17)),
            3: map(integer, (1, 1, 3)),
            4: map(integer, (1, 0, 0)),
            5: map(integer, (0, 1, 2)),
        },
    )
    tree |= rows(
        f"{RPDU}.2.2.1.1",
        {2: [integer(0)], 3: [integer(8)], 4: [integer(10)]},
    )
    tree |= rows(
        f"{RPDU}.2.4.1.1",
        {2: [integer(0)] * 2, 3: [integer(4)] * 2, 4: [integer(5)] * 2},
    )
    numbers = [integer(number) for number in range(1, outlets + 1)]
    names = [text(f"Outlet {number}") for number in range(1, outlets + 1)]
    tree |= rows(
        f"{RPDU}.3.3.1.1",
        {1: numbers, 2: names, 4: [integer(1)] * outlets},
    )
    return tree | rows(
        f"{RPDU}.3.5.1.1",
        {
            1: numbers,
            2: names,
            3: [integer(1)] * outlets,
            4: [integer(1)] * outlets,
            5: [integer(2)] * outlets,
            6: [integer(1)] * outlets,
            7: [gauge(0)] * outlets,  # not a monitored model
        },
    )


RARITAN_TYPES = {1: 3, 4: 0, 5: 0, 6: 0, 7: 2, 8: 0, 14: 0, 23: 1}
"""The sensors of an outlet and how many digits of theirs stand behind the point."""


def raritan(serial: str = "1AB2C30004", outlets: int = 12) -> Tree:
    """Return a Raritan: sensors are rows pdu.outlet.type, units stand elsewhere."""
    tree = system(
        "Raritan PDU, MD:PX3-5493U HW:0x10 FW:4.2.0.5-50274",
        "1.3.6.1.4.1.13742.6",
        "rack-right",
        "00:0d:5d:77:88:99",
    )
    tree |= {
        f"{RARITAN}.3.2.1.1.2.1": text("Raritan"),
        f"{RARITAN}.3.2.1.1.3.1": text("PX3-5493U"),
        f"{RARITAN}.3.2.1.1.4.1": text(serial),
        f"{RARITAN}.3.2.2.1.13.1": text("rack-right"),
        f"{RARITAN}.3.2.3.1.6.1.1.1": text("4.2.0.5-50274"),
        f"{RARITAN}.3.3.3.1.2.1.1": text("I1"),
        f"{RARITAN}.3.4.3.1.2.1.1": text("C1"),
        f"{RARITAN}.3.6.3.1.2.1.1": integer(10),
        f"{RARITAN}.3.6.3.1.4.1.1": text("Inlet air"),
        f"{RARITAN}.3.6.3.1.17.1.1": gauge(1),
        f"{RARITAN}.5.5.3.1.2.1.1": integer(1),
        f"{RARITAN}.5.5.3.1.3.1.1": integer(4),
        f"{RARITAN}.5.5.3.1.4.1.1": integer(231),
    }
    inlet = {1: 7467, 4: 229, 5: 1665, 6: 1751, 7: 98, 8: 74_057_676, 23: 500}
    for kind, value in inlet.items():
        tree |= _raritan_sensor("3.3.4.1", "5.2.3.1", f"1.1.{kind}", kind, value)
    tree |= _raritan_sensor("3.4.4.1", "5.3.3.1", "1.1.1", 1, 4850)
    tree[f"{RARITAN}.3.4.4.1.23.1.1.1"] = gauge(12800)
    tree[f"{RARITAN}.3.4.4.1.24.1.1.1"] = gauge(10400)
    for number in range(1, outlets + 1):
        tree |= _raritan_outlet(number)
    return tree


def _raritan_outlet(number: int) -> Tree:
    """Return an outlet of a Raritan."""
    watts = outlet_watts(number)
    readings = {
        1: round(watts / 0.229),  # mA
        4: 229,
        5: watts,
        6: watts,
        7: 99,
        8: 1_000_000 + 1234 * number,
        14: 0,
        23: 500,
    }
    tree = {
        f"{RARITAN}.3.5.3.1.2.1.{number}": text(str(number)),
        f"{RARITAN}.3.5.3.1.3.1.{number}": text(f"node-{number:02}"),
        f"{RARITAN}.3.5.3.1.29.1.{number}": text("IEC 60320 C13"),
        f"{RARITAN}.4.1.2.1.2.1.{number}": integer(1),
    }
    for kind, value in readings.items():
        tree |= _raritan_sensor("3.5.4.1", "5.4.3.1", f"1.{number}.{kind}", kind, value)
    tree[f"{RARITAN}.5.4.3.1.3.1.{number}.14"] = integer(7)
    return tree


def _raritan_sensor(
    configuration: str, measurement: str, index: str, kind: int, value: int
) -> Tree:
    """Return a sensor of a Raritan: its digits, and what it shows."""
    return {
        f"{RARITAN}.{configuration}.7.{index}": gauge(RARITAN_TYPES[kind]),
        f"{RARITAN}.{measurement}.2.{index}": integer(1),
        f"{RARITAN}.{measurement}.3.{index}": integer(4),
        f"{RARITAN}.{measurement}.4.{index}": gauge(value),
    }


def unknown() -> Tree:
    """Return a PDU of a maker that no profile knows."""
    tree = system(
        "Acme PowerStrip 3000", "1.3.6.1.4.1.99999.3.1", "acme", "02:00:00:aa:bb:cc"
    )
    return tree | {
        "1.3.6.1.4.1.99999.3.1.1.0": text("PS3000"),
        "1.3.6.1.4.1.99999.3.1.2.0": integer(1234),
        "1.3.6.1.4.1.99999.3.1.3.0": ("octet_str", "0x0001fffe"),
    }
