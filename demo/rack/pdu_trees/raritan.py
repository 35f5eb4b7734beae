"""Raritan's PX: every sensor is a row, and tells how many digits it has."""

from collections.abc import Mapping

from .objects import Tree, gauge, integer, outlet_watts, system, text

RARITAN = "1.3.6.1.4.1.13742.6"

RARITAN_TYPES = {1: 3, 4: 0, 5: 0, 6: 0, 7: 2, 8: 0, 14: 0, 23: 1, 25: 0}
"""The types of sensors and how many digits of theirs stand behind the point."""


Poles = Mapping[int, Mapping[int, int]]
"""What the sensors of each pole show, by their types."""

WYE: Poles = {
    1: {1: 7467, 4: 398, 5: 1665, 25: 230},
    2: {1: 2001, 4: 401, 5: 441, 25: 231},
    3: {1: 0, 4: 400, 5: 0, 25: 229},
    4: {1: 6120},
}
"""Three phases and the neutral wire: type 4 is from line to line, 25 to neutral."""

DELTA: Poles = {
    1: {1: 7467, 4: 208, 5: 1480},
    2: {1: 2001, 4: 209, 5: 410},
    3: {1: 0, 4: 207, 5: 0},
}
"""Three phases without a neutral wire."""


def raritan(
    serial: str = "1AB2C30004", outlets: int = 12, poles: Poles | None = None
) -> Tree:
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
    return tree | _raritan_poles(poles or {})


def _raritan_poles(poles: Poles) -> Tree:
    """Return the poles of the inlet."""
    tree: Tree = {}
    for pole, readings in poles.items():
        tree[f"{RARITAN}.3.3.5.1.1.1.1.{pole}"] = integer(pole)  # L1, L2, L3, N
        tree[f"{RARITAN}.3.3.5.1.2.1.1.{pole}"] = integer(pole)
        for kind, value in readings.items():
            index = f"1.1.{pole}.{kind}"
            tree |= _raritan_sensor("3.3.6.1", "5.2.4.1", index, kind, value)
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
