"""Dell's rack PDU, which APC builds with a tree of its own."""

from collections.abc import Container

from .objects import Tree, integer, one_row, outlet_watts, rows, system, text

DELL = "1.3.6.1.4.1.674.10903.200.2.200"


def dell(
    serial: str = "IN0000000006", outlets: int = 6, off: Container[int] = ()
) -> Tree:
    """Return a Dell that meters and switches each outlet, with one probe."""
    tree = system(
        "DELL Web/SNMP Management Card (MB:v4.1.0 PF:v5.1.4 PN:dell_hw05_aos_514.bin"
        f" AF1:v5.1.2 AN1:dell_hw05_rpdud_512.bin MN:DELL6607 HR:HW01 SN: {serial}"
        " MD:03/14/2013)",
        "1.3.6.1.4.1.674.10903.200.3.1",
        "rack-blue",
        "00:23:ae:10:20:30",
    )
    tree |= one_row(
        f"{DELL}.100.2.1",
        {
            1: integer(1),
            2: text("rack-blue"),
            4: text("HW01"),
            5: text("v5.1.2"),
            7: text("DELL6607"),
            8: text(serial),
        },
    )
    tree[f"{DELL}.140.1.0"] = integer(2)  # a power supply has failed
    return tree | _device() | _phases() | _outlets(outlets, off) | _probes()


def _device() -> Tree:
    """Return readings and limits of the whole."""
    tree = {f"{DELL}.110.1.0": integer(1)}
    tree |= one_row(
        f"{DELL}.110.2.1",
        {
            1: integer(1),
            2: text("rack-blue"),
            3: integer(379),  # 3790 W
            4: integer(630_139),  # tenths of kWh
            5: integer(2),
            6: integer(2),
        },
    )
    return tree | one_row(
        f"{DELL}.110.3.1",
        {1: integer(1), 5: integer(0), 6: integer(54), 7: integer(67), 9: integer(412)},
    )


def _phases() -> Tree:
    """Return two phases, the second one without a voltage of its own."""
    numbers = [integer(1), integer(2)]
    tree = {f"{DELL}.120.1.0": integer(2)}
    tree |= rows(
        f"{DELL}.120.2.1",
        {
            1: numbers,
            2: numbers,
            3: map(integer, (3, 1)),
            4: map(integer, (193, 4)),  # tenths of A
            5: map(integer, (205, -1)),
            6: map(integer, (381, 1)),
        },
    )
    return tree | rows(
        f"{DELL}.120.3.1",
        {
            1: numbers,
            2: numbers,
            4: [integer(0)] * 2,
            5: [integer(19)] * 2,
            6: [integer(24)] * 2,
        },
    )


def _outlets(outlets: int, off: Container[int]) -> Tree:
    """Return switched and metered outlets; states and commands are numbered alike."""
    every = range(1, outlets + 1)
    numbers = [integer(number) for number in every]
    shared = {
        1: numbers,
        2: numbers,
        3: [text(f"blade-{number:02}") for number in every],
    }
    states = [integer(2 if number in off else 1) for number in every]
    watts = [0 if number in off else 8 * outlet_watts(number) for number in every]
    tree = {
        f"{DELL}.130.1.1.0": integer(outlets),
        f"{DELL}.130.2.1.0": integer(outlets),
    }
    tree |= rows(f"{DELL}.130.1.2.1", shared | {4: states, 5: [integer(2)] * outlets})
    tree |= rows(f"{DELL}.130.1.4.1", shared | {4: states})
    return tree | rows(
        f"{DELL}.130.2.2.1",
        shared
        | {
            6: [integer(round(power / 205)) for power in watts],  # whole A
            7: [integer(40 + number) for number in every],  # whole kWh
            8: [integer(power) for power in watts],
            11: [integer(2 if power else 1) for power in watts],
        },
    )


def _probes() -> Tree:
    """Return a port with a probe for both, and one that is empty."""
    numbers = [integer(1), integer(2)]
    names = [text("inlet air"), text("")]
    tree = rows(
        f"{DELL}.150.2.2.1",
        {
            1: numbers,
            2: names,
            3: map(integer, (2, 1)),
            4: map(integer, (752, -1)),
            5: map(integer, (240, -1)),
        },
    )
    return tree | rows(
        f"{DELL}.150.3.2.1",
        {1: numbers, 2: names, 3: map(integer, (2, 1)), 4: map(integer, (41, -1))},
    )
