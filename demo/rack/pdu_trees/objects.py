"""How trees of objects are written down: an object's dotted name to its type and value."""

from collections.abc import Iterable, Mapping

Tree = dict[str, tuple[str, str]]

APC = "1.3.6.1.4.1.318.1.1"


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


def rows(
    entry: str, columns: Mapping[int, Iterable[tuple[str, str]]], unit: str = ""
) -> Tree:
    """Return a table whose rows are numbered from 1, or unit.1 where a unit is given."""
    before = f"{unit}." if unit else ""
    return {
        f"{entry}.{column}.{before}{row}": value
        for column, values in columns.items()
        for row, value in enumerate(values, 1)
    }


def one_row(entry: str, cells: Mapping[int, tuple[str, str]], unit: str = "") -> Tree:
    """Return a table of one row."""
    return rows(entry, {column: [cell] for column, cell in cells.items()}, unit)


def outlet_watts(number: int) -> int:
    """Return what hangs on an outlet: every sixth one is free."""
    return 0 if number % 6 == 0 else 12 + 7 * number


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
