"""APC's Rack PDUs of both generations: rPDU2, alone or in a chain, and rPDU."""

from .objects import APC, Tree, gauge, integer, outlet_watts, rows, system, text

RPDU2 = f"{APC}.26"
RPDU = f"{APC}.12"


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
