"""The simulated tree against the real library: it blocks and fails as the kernel does."""

import os
from pathlib import Path
import threading
import time
from typing import Any

import pytest

from .conftest import probe
from custom_components.rackwatt.temperature_probe.bus import load_library
from demo.rack.one_wire import BusMaster, Fault, OneWireTree


def sensors(tree: OneWireTree) -> list[Any]:
    """Return all probes as w1thermsensor finds them."""
    library = load_library()
    kind = type("Sensor", (library.W1ThermSensor,), {"BASE_DIRECTORY": tree.path})
    found: list[Any] = kind.get_available_sensors()
    return sorted(found, key=lambda sensor: sensor.id)


def test_library_reads_every_family(tree: OneWireTree, bus: BusMaster) -> None:
    """The unchanged library finds and reads our probes."""
    bus.plug(
        probe(1, 21.5),
        probe(2, -10.125),
        probe(3, 18.75, "10"),
        probe(4, 99.0, "22"),
        probe(5, 3.0625, "42"),
        probe(6, -0.5, "3b"),
    )
    found = sensors(tree)
    assert [sensor.get_temperature() for sensor in found] == [
        21.5,
        -10.125,
        18.75,
        99.0,
        3.0625,
        -0.5,
    ]
    assert {sensor.get_resolution() for sensor in found if sensor.type != 0x10} == {12}


def test_library_and_faults(tree: OneWireTree, bus: BusMaster) -> None:
    """What the library makes of the faults is what it makes of the kernel's."""
    library = load_library()
    bus.plug(
        probe(
            1,
            faults=[
                Fault.CHECKSUM,
                Fault.OLD_CHECKSUM,
                Fault.SHORT_CIRCUIT,
                Fault.POWER_ON,
                Fault.POWER_FAULT,
                Fault.ONE_LINE,
            ],
        )
    )
    (sensor,) = sensors(tree)
    for _ in range(3):
        with pytest.raises(library.SensorNotReadyError):
            sensor.get_temperature()
    with pytest.raises(library.ResetValueError):
        sensor.get_temperature()
    # the library believes this one, and breaks on the next
    assert sensor.get_temperature() == 127.9375
    with pytest.raises(IndexError):
        sensor.get_temperature()


def write(path: Path, data: bytes) -> None:
    """Write to an attribute as a shell does."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    os.write(descriptor, data)
    os.close(descriptor)


@pytest.mark.parametrize("text", [b"trigger", b"trigger\n\n", b"Trigger\n", b"1\n"])
def test_only_the_exact_trigger(tree: OneWireTree, bus: BusMaster, text: bytes) -> None:
    """Anything but the eight bytes is taken without an error and does nothing."""
    one = probe(1)
    bus.plug(one)
    write(bus.folder / "therm_bulk_read", text)
    assert bus.triggers == 0
    write(bus.folder / "therm_bulk_read", b"trigger\n")
    # the file is read so that all that was written before has been seen
    (bus.folder / one.probe_id / "w1_slave").read_text()
    assert bus.triggers == 1


def test_a_conversion_is_read_once(tree: OneWireTree, bus: BusMaster) -> None:
    """The next read after a bulk conversion gives it, the one after converts anew."""
    celsius = [20.0]
    one = probe(1)
    one.celsius = lambda: celsius[0]
    bus.plug(one)
    write(bus.folder / "therm_bulk_read", b"trigger\n")
    (sensor,) = sensors(tree)
    with_bulk, celsius[0] = sensor.get_temperature(), 30.0
    assert (with_bulk, bus.most_at_once) == (20.0, 0)
    assert sensor.get_temperature() == 30.0
    assert bus.most_at_once == 1


def test_a_converting_bus_gives_nothing(tree: OneWireTree, bus: BusMaster) -> None:
    """Who reads while the whole bus converts gets an empty read."""
    tree.speed = 4
    one = probe(1)
    bus.plug(one)
    trigger = threading.Thread(
        target=write, args=(bus.folder / "therm_bulk_read", b"trigger\n")
    )
    trigger.start()
    while not bus.is_converting:
        time.sleep(0.001)
    assert (bus.folder / one.probe_id / "w1_slave").read_text() == ""
    trigger.join()


def test_bulk_attribute(tree: OneWireTree) -> None:
    """Only the first bus has the attribute, while it has a probe that it is for."""
    first, second = tree.add_bus(), tree.add_bus()
    trigger = first.folder / "therm_bulk_read"
    ds28ea00, ds18b20 = probe(1, family="42"), probe(2)
    first.plug(ds28ea00)
    assert not trigger.exists()
    first.plug(ds18b20)
    assert trigger.exists()
    first.unplug(ds18b20)
    assert not trigger.exists()
    second.plug(ds18b20)
    assert not (second.folder / "therm_bulk_read").exists()
    assert (first.folder / "w1_master_slaves").read_text() == "42-000000000001\n"
    first.unplug(ds28ea00)
    assert (first.folder / "w1_master_slaves").read_text() == "not found.\n"


def test_lower_resolution_is_faster(tree: OneWireTree, bus: BusMaster) -> None:
    """A probe converts as finely as its attribute says."""
    one = probe(1, 21.9375)
    bus.plug(one)
    write(bus.folder / one.probe_id / "resolution", b"9\n")
    assert one.resolution == 9
    (sensor,) = sensors(tree)
    assert sensor.get_resolution() == 9
    for nonsense in (b"13\n", b"many\n"):
        write(bus.folder / one.probe_id / "resolution", nonsense)
        assert one.resolution == 12
