"""APC's PDUs that others build: the Easy ePDU, and the APDU10xxx (cPDU)."""

from collections.abc import Container

from .objects import APC, Tree, integer, one_row, outlet_watts, rows, system, text

EPDU = f"{APC}.30"
CPDU = f"{APC}.32"

CPDU_ROWS = 64
"""Rows of each table of outlets of a cPDU, however many outlets there are."""


def epdu(
    serial: str = "EZ2100000003", outlets: int = 4, off: Container[int] = ()
) -> Tree:
    """Return an Easy PDU with three phases, switched outlets and one probe."""
    tree = system(
        "APC Easy Rack PDU", "1.3.6.1.4.1.318.1.3.4.9", "", "28:29:86:0a:0b:0c"
    )
    tree |= {
        f"{EPDU}.1.0": integer(1),
        f"{EPDU}.3.0": integer(3),
        f"{EPDU}.5.0": integer(outlets),
        f"{EPDU}.7.0": integer(1),
    }
    device = {
        1: integer(1),
        2: integer(1),
        3: text("Ver11.10"),
        4: text("EPDU1132SMBO"),
        5: text(serial),
        6: integer(3),
        7: integer(2310),
        8: integer(-1),
        9: integer(2432),
        10: integer(950),  # 95.0 %
        11: integer(1_234_567),  # Wh
        12: integer(49_980),  # mHz
    }
    tree |= one_row(f"{EPDU}.2.1.1", device)
    probe = {1: integer(1), 2: integer(1), 3: integer(231), 4: integer(452)}
    tree |= one_row(f"{EPDU}.8.2.1", probe)
    return tree | _epdu_phases() | _epdu_outlets(outlets, off)


def _epdu_phases() -> Tree:
    """Return three phases; the third carries nothing and cannot tell all."""
    shared = {
        1: [integer(phase) for phase in (1, 2, 3)],
        2: [integer(1)] * 3,
        3: [integer(phase) for phase in (1, 2, 3)],
    }
    tree = rows(
        f"{EPDU}.4.1.1",
        shared
        | {
            4: [integer(2530)] * 3,
            5: [integer(2070)] * 3,
            6: [integer(1600), integer(1600), integer(-1)],  # 16 A
            7: [integer(50), integer(0), integer(-1)],
        },
    )
    return tree | rows(
        f"{EPDU}.4.2.1",
        shared
        | {
            4: map(integer, (2326, 2331, 2298)),  # tenths of V
            5: map(integer, (731, 322, 0)),  # hundredths of A
            6: map(integer, (1610, 700, 0)),
            7: [integer(-1)] * 3,
            8: map(integer, (1700, 750, -1)),
            9: map(integer, (947, 933, -1)),
            10: map(integer, (800_000, 434_567, -1)),
        },
    )


def _epdu_outlets(outlets: int, off: Container[int]) -> Tree:
    """Return switched outlets: as a state 1 is off, as a command 1 is on."""
    every = range(1, outlets + 1)
    numbers = [integer(number) for number in every]
    shared = {1: numbers, 2: [integer(1)] * outlets, 3: numbers}
    states = [integer(1 if number in off else 2) for number in every]
    commands = [integer(2 if number in off else 1) for number in every]
    return rows(f"{EPDU}.6.1.1", shared | {4: states}) | rows(
        f"{EPDU}.6.2.1", shared | {4: commands}
    )


def cpdu(
    serial: str = "5A2200000005", outlets: int = 4, off: Container[int] = ()
) -> Tree:
    """Return an APDU10xxx; all rows are unit.number, and padded with blank ones."""
    tree = system("apcpdu", f"{CPDU}.1", "rack-back", "00:c0:b7:01:02:03")
    since = text("2024/02/03 04:05:06")
    tree |= {
        f"{CPDU}.1.2.1.10.1": text("200-240V, 32A, 7.4kVA, 50/60Hz"),
        f"{CPDU}.1.2.1.11.1": text("APDU10150SM"),
        f"{CPDU}.1.2.1.12.1": text(serial),
        f"{CPDU}.1.2.1.14.1": text("2.0.8.2"),
    }
    unit = {
        2: text("rack-back"),
        3: integer(5),
        4: integer(258),
        5: integer(301),
        6: integer(657),
        9: integer(7918),  # tenths of kWh
        12: since,
        13: integer(86),
    }
    tree |= one_row(f"{CPDU}.2.4.1", unit)
    return tree | _cpdu_circuits() | _cpdu_outlets(outlets, off)


def _cpdu_circuits() -> Tree:
    """Return one phase above its warning, and three breakers of which the last is off."""
    phase = {
        2: integer(1),
        3: integer(2),
        4: integer(5),
        5: integer(131),  # hundredths of A
        6: integer(230),
        7: integer(258),
        8: integer(301),
        9: integer(86),
    }
    tree = one_row(f"{CPDU}.3.4.1", phase, unit="1")
    breakers = {
        2: [integer(3)] * 3,
        3: map(text, ("CB1", "CB2", "CB3")),
        4: map(integer, (1, 4, 6)),
        5: map(integer, (1650, 3, 0)),
    }
    return tree | rows(f"{CPDU}.4.4.1", breakers, unit="1")


def _cpdu_outlets(outlets: int, off: Container[int]) -> Tree:
    """Return switched and metered outlets, and the padding."""
    tree: Tree = {}
    for row in range(1, CPDU_ROWS + 1):
        real = row <= outlets
        on = real and row not in off
        watts = outlet_watts(row) if on else 0
        name = text(f"node-{row:02}" if real else " " * 8)
        number = integer(row if real else 0)
        cells = {
            "5.4.1.2": number,
            "5.4.1.3": name,
            "5.4.1.4": integer(int(on)),  # 0 is off
            "5.5.1.2": number,
            "5.5.1.4": integer(2 if on else 1),  # 1 is off
            "5.9.1.2": number,
            "5.9.1.3": name,
            "5.9.1.4": integer(5 if real else 0),
            "5.9.1.5": integer(round(watts / 2.3)),
            "5.9.1.6": integer(watts),
            "5.9.1.7": integer(97 if on else 0),
            "5.9.1.8": integer(watts + 40 if real else 0),
            "5.9.1.11": integer(100 + 17 * row if real else 0),
        }
        tree |= {f"{CPDU}.{column}.1.{row}": cell for column, cell in cells.items()}
    return tree
