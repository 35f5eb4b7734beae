"""Reading a whole bus, against files that block as the kernel's do."""

from pathlib import Path
import threading
import time

import pytest

from .conftest import probe
from custom_components.rackwatt.temperature_probe.bus import (
    BusReport,
    Method,
    NotOneWireError,
    TemperatureBus,
    find_buses,
    load_library,
)
from custom_components.rackwatt.temperature_probe.probe import Fault as Refusal
from demo.rack.one_wire import BusMaster, Fault, OneWireTree
from demo.rack.sysfs import deny

# Slow enough that threads meet in a conversion on a busy machine too
CONVERSIONS_MEET = 8


class Reader:
    """Reads all buses of a tree, as often as asked."""

    def __init__(self, path: Path, resolution: int = 12) -> None:
        """Initialize the reader."""
        self.path = path
        self.resolution = resolution
        self.buses: dict[str, TemperatureBus] = {}

    def read(self) -> list[BusReport]:
        """Read each bus once."""
        return [
            self.buses.setdefault(
                folder.name, TemperatureBus(folder.path, self.resolution)
            ).read(folder)
            for folder in find_buses(self.path)
        ]


def temperatures(report: BusReport) -> dict[str, float | Refusal | None]:
    """Return what each probe gave."""
    return {
        reading.probe_id: (
            reading.temperature.celsius if reading.temperature else reading.fault
        )
        for reading in report.readings
    }


def test_bulk(tree: OneWireTree, bus: BusMaster) -> None:
    """All probes convert at once where the driver can do that."""
    bus.plug(*(probe(number, 20 + number) for number in range(1, 9)))
    reader = Reader(tree.path)
    for _ in range(2):
        (report,) = reader.read()
    assert report.method is Method.BULK
    assert bus.triggers == 2
    assert temperatures(report) == {f"28-{n:012x}": 20.0 + n for n in range(1, 9)}
    assert not report.trigger_denied


@pytest.mark.parametrize(
    ("powered", "method", "at_once"),
    [(True, Method.THREADS, 4), (False, Method.SEQUENCE, 1)],
)
def test_without_bulk(
    tree: OneWireTree, powered: bool, method: Method, at_once: int
) -> None:
    """Probes with power of their own are read at once, parasitic ones in turn."""
    bus = tree.add_bus(has_bulk=False)
    tree.speed = CONVERSIONS_MEET
    bus.plug(*(probe(number, is_powered=powered) for number in range(4)))
    (report,) = Reader(tree.path).read()
    assert report.method is method
    assert set(temperatures(report).values()) == {21.5}
    assert bus.most_at_once == at_once


def test_mixed_power(tree: OneWireTree) -> None:
    """Powered and parasitic probes share a bus."""
    tree.speed = CONVERSIONS_MEET
    bus = tree.add_bus(has_bulk=False)
    bus.plug(probe(1), probe(2), probe(3, is_powered=False))
    (report,) = Reader(tree.path).read()
    assert bus.most_at_once == 2
    assert len(report.readings) == 3
    assert set(temperatures(report).values()) == {21.5}


def test_bulk_leaves_out_ds28ea00(tree: OneWireTree, bus: BusMaster) -> None:
    """The driver converts a DS28EA00 by itself; ten do not take ten conversions."""
    tree.speed = CONVERSIONS_MEET
    bus.plug(probe(1), probe(2), *(probe(n, 30.0, "42") for n in range(10)))
    (report,) = Reader(tree.path).read()
    assert report.method is Method.BULK
    assert bus.triggers == 1
    assert sorted(temperatures(report).values()) == [21.5, 21.5] + [30.0] * 10
    assert bus.most_at_once == 10


def test_one_probe_needs_no_trigger(tree: OneWireTree, bus: BusMaster) -> None:
    """A single probe is simply read."""
    bus.plug(probe(1))
    (report,) = Reader(tree.path).read()
    assert bus.triggers == 0
    assert temperatures(report) == {"28-000000000001": 21.5}


def test_trigger_denied(tree: OneWireTree, bus: BusMaster) -> None:
    """Without the right to trigger, the probes are read by themselves."""
    bus.plug(probe(1), probe(2))
    bus.deny_trigger()
    (report,) = Reader(tree.path).read()
    assert report.trigger_denied
    assert report.method is Method.THREADS
    assert set(temperatures(report).values()) == {21.5}


def test_weak_pull_up(tree: OneWireTree, bus: BusMaster) -> None:
    """Parasitic probes that starve together are read one by one."""
    bus.is_pull_up_weak = True
    bus.plug(*(probe(number, is_powered=False) for number in range(3)))
    (report,) = Reader(tree.path).read()
    assert report.method is Method.BULK
    assert set(temperatures(report).values()) == {21.5}
    assert len(report.readings) == 3


FAULTS = {
    Fault.CHECKSUM: Refusal.NO_ANSWER,
    Fault.OLD_CHECKSUM: Refusal.CHECKSUM,
    Fault.NO_ANSWER: Refusal.NO_ANSWER,
    Fault.SHORT_CIRCUIT: Refusal.SHORT_CIRCUIT,
    Fault.POWER_ON: Refusal.POWER_ON,
    Fault.POWER_FAULT: Refusal.POWER_FAULT,
    Fault.OUT_OF_RANGE: Refusal.OUT_OF_RANGE,
    Fault.ONE_LINE: Refusal.INCOMPLETE,
    Fault.GARBAGE: Refusal.INCOMPLETE,
}


@pytest.mark.parametrize(("fault", "refusal"), FAULTS.items())
def test_faults(
    tree: OneWireTree, bus: BusMaster, fault: Fault, refusal: Refusal
) -> None:
    """A fault of a probe of any family costs that reading and nothing else."""
    families = ["10", "22", "28", "3b", "42"]
    faulty = [probe(1, 21.5, each, faults=[None, fault, None]) for each in families]
    bus.plug(*faulty, probe(2, 33.25))
    reader = Reader(tree.path)
    for expected in (21.5, refusal, 21.5):
        seen = temperatures(reader.read()[0])
        assert seen.pop("28-000000000002") == 33.25
        assert seen == dict.fromkeys((each.probe_id for each in faulty), expected)


def test_thermocouple(tree: OneWireTree, bus: BusMaster) -> None:
    """A MAX31850 is read as what it is, and an open thermocouple is noticed."""
    bus.plug(
        probe(1, 412.25, "3b", is_thermocouple=True, faults=[None]),
        probe(2, 20.0, "3b", is_thermocouple=True, faults=[Fault.OPEN_THERMOCOUPLE]),
    )
    (report,) = Reader(tree.path).read()
    assert temperatures(report) == {
        "3b-000000000001": 412.25,
        "3b-000000000002": Refusal.THERMOCOUPLE,
    }


def test_resolution(tree: OneWireTree, bus: BusMaster) -> None:
    """Probes with another resolution are set to ours, and then convert faster."""
    bus.plug(probe(1, 21.4375), probe(2, 20.0, "10"))
    reader = Reader(tree.path, resolution=9)
    readings = [{r.probe_id: r.temperature for r in reader.read()[0].readings}]
    readings.append({r.probe_id: r.temperature for r in reader.read()[0].readings})
    assert (bus.folder / "28-000000000001" / "resolution").read_text() == "9\n"
    ours = [reading["28-000000000001"] for reading in readings]
    assert [t and (t.bits, t.celsius) for t in ours] == [(12, 21.4375), (9, 21.0)]
    assert not (bus.folder / "10-000000000002" / "resolution").exists()


def test_resolution_denied(tree: OneWireTree, bus: BusMaster) -> None:
    """A resolution that may not be set is told for as long as the probe is there."""
    one, two = probe(1), probe(2)
    bus.plug(one, two)
    deny(bus.folder / one.probe_id / "resolution")
    reader = Reader(tree.path, resolution=10)
    assert [reader.read()[0].resolution_denied for _ in range(5)] == [True] * 5
    bus.unplug(one)
    assert not reader.read()[0].resolution_denied


def test_resolution_not_taken(tree: OneWireTree, bus: BusMaster) -> None:
    """A clone that keeps its resolution is asked three times, not for ever."""
    bus.plug(probe(1))
    resolution = bus.folder / "28-000000000001" / "resolution"
    written = []
    reader = Reader(tree.path, resolution=10)
    for _ in range(6):
        reader.read()
        written.append(resolution.read_text())
        resolution.write_text("12\n")
    assert written == ["10\n"] * 3 + ["12\n"] * 3


def test_resolution_attribute_is_missing(tree: OneWireTree, bus: BusMaster) -> None:
    """An old kernel without the attribute is no reason for a hint."""
    bus.plug(probe(1))
    (bus.folder / "28-000000000001" / "resolution").unlink()
    (bus.folder / "28-000000000001" / "ext_power").unlink()
    (report,) = Reader(tree.path, resolution=10).read()
    assert not report.resolution_denied
    assert report.method is Method.SEQUENCE
    assert not (bus.folder / "28-000000000001" / "resolution").exists()


def test_hot_plug(tree: OneWireTree, bus: BusMaster) -> None:
    """Probes come and go while the bus is read."""
    one, two, three = (probe(number) for number in (1, 2, 3))
    bus.plug(one, two)
    reader = Reader(tree.path)
    assert set(temperatures(reader.read()[0])) == {one.probe_id, two.probe_id}
    bus.plug(three)
    bus.unplug(one)
    assert set(temperatures(reader.read()[0])) == {two.probe_id, three.probe_id}
    bus.plug(one)
    assert len(temperatures(reader.read()[0])) == 3


def test_pulled_out_since_listed(tree: OneWireTree, bus: BusMaster) -> None:
    """A probe that goes between the list and its first read costs nobody else."""
    one, two = probe(1), probe(2)
    bus.plug(one, two)
    (folder,) = find_buses(tree.path)
    bus.unplug(one)
    reader = TemperatureBus(folder.path, 12)
    assert set(temperatures(reader.read(folder))) == {two.probe_id}
    bus.unplug(two)
    assert temperatures(reader.read(folder)) == {two.probe_id: Refusal.GONE}


def test_unplugged_while_it_is_read(tree: OneWireTree, bus: BusMaster) -> None:
    """A read that is going on when the probe goes ends, and says so."""
    one = probe(1, faults=[Fault.SILENT])
    bus.plug(one)
    (folder,) = find_buses(tree.path)
    reports: list[BusReport] = []
    reader = TemperatureBus(folder.path, 12)
    thread = threading.Thread(target=lambda: reports.append(reader.read(folder)))
    thread.start()
    time.sleep(0.05)
    assert thread.is_alive()
    bus.unplug(one)
    thread.join(5)
    assert temperatures(reports[0]) == {one.probe_id: Refusal.NO_ANSWER}


def test_stop(tree: OneWireTree, bus: BusMaster) -> None:
    """A cycle ends early when it is asked to."""
    bus.plug(probe(1), probe(2))
    (folder,) = find_buses(tree.path)
    reader = TemperatureBus(folder.path, 12)
    reader.stop()
    assert reader.read(folder).readings == ()


def test_two_buses(tree: OneWireTree, bus: BusMaster) -> None:
    """Each bus master is a bus of its own; only the first can convert as a whole."""
    second = tree.add_bus()
    bus.plug(probe(1), probe(2))
    second.plug(probe(3), probe(4))
    reports = Reader(tree.path).read()
    assert [(report.bus, report.method) for report in reports] == [
        ("w1_bus_master1", Method.BULK),
        ("w1_bus_master2", Method.THREADS),
    ]
    assert [len(report.readings) for report in reports] == [2, 2]


def test_bus_comes_and_goes(tree: OneWireTree, bus: BusMaster) -> None:
    """A USB adapter with a bus can be plugged and pulled."""
    second = tree.add_bus()
    second.plug(probe(1))
    assert len(find_buses(tree.path)) == 2
    second.remove()
    assert [folder.name for folder in find_buses(tree.path)] == ["w1_bus_master1"]


def test_phantoms(tree: OneWireTree, bus: BusMaster) -> None:
    """What a wire without pull-up invents is reported, never read."""
    bus.plug(probe(1))
    bus.add_phantoms("00-400000000000", "00-800000000000")
    (report,) = Reader(tree.path).read()
    assert report.phantoms == ("00-400000000000", "00-800000000000")
    assert list(temperatures(report)) == ["28-000000000001"]
    bus.remove_phantoms()
    assert Reader(tree.path).read()[0].phantoms == ()


def test_other_devices(tree: OneWireTree, bus: BusMaster) -> None:
    """Devices of other families are left alone."""
    bus.plug(probe(1))
    (bus.folder / "01-00000a1b2c3d").mkdir()
    (folder,) = find_buses(tree.path)
    assert folder.probes == ("28-000000000001",)


def test_path_of_one_master(tree: OneWireTree, bus: BusMaster) -> None:
    """The folder of one bus master can be given as the tree."""
    assert [folder.probes for folder in find_buses(bus.folder)] == [()]
    bus.plug(probe(1), probe(2))
    (report,) = Reader(bus.folder).read()
    assert report.method is Method.BULK
    assert len(report.readings) == 2


def test_probes_beside_a_master(tree: OneWireTree, bus: BusMaster) -> None:
    """Probes that no master claims are read all the same."""
    bus.plug(probe(1))
    loose = tree.path / "28-000000000002"
    loose.mkdir()
    text = (bus.folder / "28-000000000001" / "w1_slave").read_text()
    (loose / "w1_slave").write_text(text)
    readings = [temperatures(report) for report in Reader(tree.path).read()]
    assert readings == [{"28-000000000002": 21.5}, {"28-000000000001": 21.5}]


def test_no_tree(tmp_path: Path) -> None:
    """A folder without masters and probes is no tree."""
    with pytest.raises(NotOneWireError):
        find_buses(tmp_path)
    with pytest.raises(FileNotFoundError):
        find_buses(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        find_buses(tmp_path / "file")


def test_master_just_gone(tree: OneWireTree) -> None:
    """A master whose folder has just gone has no probes."""
    (tree.path / "w1_bus_master1").symlink_to(tree.devices / "w1_bus_master1")
    assert [folder.probes for folder in find_buses(tree.path)] == [()]


def test_library_is_left_alone(tree: OneWireTree, bus: BusMaster) -> None:
    """Reading our tree does not point the library at it for everybody."""
    bus.plug(probe(1))
    before = load_library().W1ThermSensor.BASE_DIRECTORY
    Reader(tree.path).read()
    assert before == load_library().W1ThermSensor.BASE_DIRECTORY
    assert before == Path("/sys/bus/w1/devices")
