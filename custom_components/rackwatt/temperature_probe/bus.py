"""Read all probes of a 1-Wire tree in the kernel's sysfs. No Home Assistant in here."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
import contextlib
from dataclasses import dataclass
from enum import StrEnum
import errno
import io
import os
from pathlib import Path
import re
import threading
import time
from typing import Any

from .probe import Fault, RefusedReadingError, Temperature, family_of, is_phantom, judge

# Without it the import of w1thermsensor runs modprobe twice, and fails after more than
# a second where there is no 1-Wire
os.environ["W1THERMSENSOR_NO_KERNEL_MODULE"] = "1"

MASTER = re.compile(r"w1_bus_master\d+")
BULK_TRIGGER = "therm_bulk_read"
# The driver ignores anything but these eight bytes, without an error
TRIGGER = b"trigger\n"
NOT_IN_BULK = {"42"}  # the driver converts a DS28EA00 at each read
MOST_THREADS = 64  # as many devices as the kernel lets a bus have
RESOLUTION_ATTEMPTS = 3
STARVED = {Fault.POWER_ON, Fault.POWER_FAULT}
# Not root, or /sys mounted read-only into a container
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class Method(StrEnum):
    """How the probes of a bus were made to convert."""

    BULK = "bulk"
    THREADS = "threads"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReading:
    """One attempt at one probe: a temperature or the fault that it had."""

    probe_id: str
    seconds: float
    temperature: Temperature | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BusReport:
    """One cycle over the probes of one bus master."""

    bus: str
    seconds: float
    method: Method
    readings: tuple[ProbeReading, ...]
    phantoms: tuple[str, ...]
    trigger_denied: bool = False
    resolution_denied: bool = False


class NotOneWireError(Exception):
    """A folder without a bus master and without a probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What lies in the folder of one bus master."""

    path: Path
    probes: tuple[str, ...]
    phantoms: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name of the bus."""
        return self.path.name


def find_buses(tree: Path) -> list[Folder]:
    """Return the bus masters of a tree; raise OSError or NotOneWireError.

    The kernel's tree links to its masters, which hold the folders of their probes. A
    path to one such master, or any folder that holds probes itself, is a tree too.
    """
    names = [path.name for path in tree.iterdir()]
    masters = [list_master(tree / name) for name in names if MASTER.fullmatch(name)]
    claimed = {name for master in masters for name in master.probes + master.phantoms}
    loose = folder_of(tree, (name for name in names if name not in claimed))
    is_master = bool(MASTER.fullmatch(tree.name)) and not masters
    if loose.probes or loose.phantoms or is_master:
        masters.append(loose)
    if not masters:
        raise NotOneWireError
    return sorted(masters, key=lambda master: master.name)


def list_master(path: Path) -> Folder:
    """Return what hangs on a bus master; nothing where it has just gone."""
    try:
        return folder_of(path, (entry.name for entry in path.iterdir()))
    except OSError:
        return folder_of(path, ())


def folder_of(path: Path, names: Iterable[str]) -> Folder:
    """Return the probes and phantoms among the names in a folder."""
    found = sorted(names)
    return Folder(
        path=path,
        probes=tuple(name for name in found if family_of(name)),
        phantoms=tuple(name for name in found if is_phantom(name)),
    )


def load_library() -> Any:
    """Import w1thermsensor, which is installed when an entry needs it."""
    import w1thermsensor  # noqa: PLC0415

    return w1thermsensor


class _KeptText:
    """The file that w1thermsensor reads; its errors do not say what was in it."""

    def __init__(self, path: Path) -> None:
        """Initialize the file."""
        self._path = path
        self.text = ""

    def open(self, mode: str) -> io.StringIO:
        """Read the file in one go, and keep what was read."""
        self.text = ""
        with self._path.open(mode, encoding="ascii", errors="replace") as file:
            self.text = file.read()
        return io.StringIO(self.text)


class _Probe:
    """One probe, found and opened by w1thermsensor."""

    def __init__(self, sensor_class: Any, library: Any, probe_id: str) -> None:
        """Find the probe; raises the library's error where it has just gone."""
        family, _, serial = probe_id.partition("-")
        self._sensor = sensor_class(library.Sensor.from_id_string(family), serial)
        self._library = library
        self._folder: Path = self._sensor.sensorpath.parent
        self._file = _KeptText(self._sensor.sensorpath)
        self._sensor.sensorpath = self._file
        self.probe_id = probe_id
        self.family = family
        self.is_powered = self._attribute("ext_power") == "1"
        self.resolution_attempts = 0

    def read(self) -> ProbeReading:
        """Convert where the bus has not done so, read and judge."""
        started = time.monotonic()
        temperature = fault = None
        try:
            temperature = judge(self._text(), self.family)
        except self._library.NoSensorFoundError:
            fault = Fault.GONE
        except RefusedReadingError as err:
            fault = err.fault
        return ProbeReading(
            probe_id=self.probe_id,
            seconds=time.monotonic() - started,
            temperature=temperature,
            fault=fault,
        )

    def _text(self) -> str:
        """Have the library read, and return all that it read."""
        # What the library calls not ready is judged by our rules, which say why
        with contextlib.suppress(self._library.SensorNotReadyError):
            self._sensor.get_raw_sensor_strings()
        return self._file.text

    def set_resolution(self, bits: int) -> None:
        """Set the resolution in the probe's memory, not in its EEPROM that wears out."""
        self.resolution_attempts += 1
        _write(self._folder / "resolution", f"{bits}\n".encode())

    def _attribute(self, name: str) -> str:
        """Return an attribute's text, nothing where the kernel is too old to have it."""
        try:
            return (self._folder / name).read_text(encoding="ascii").strip()
        except OSError:
            return ""


def _write(path: Path, data: bytes) -> None:
    """Write to an attribute of the kernel, which is never created by us."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


class TemperatureBus:
    """The probes of one bus master; used by one thread at a time."""

    def __init__(self, path: Path, resolution: int) -> None:
        """Initialize the bus; nothing is opened yet."""
        self._path = path
        self._resolution = resolution
        self._probes: dict[str, _Probe] = {}
        self._resolution_denied: set[str] = set()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask a cycle that is going on to end after the probe that it reads."""
        self._stopping.set()

    def read(self, folder: Folder) -> BusReport:
        """Read every probe once."""
        started = time.monotonic()
        self._meet(folder.probes)
        triggered, trigger_denied = self._trigger()
        method, readings = self._read_all(triggered)
        self._adjust_resolution(readings)
        return BusReport(
            bus=folder.name,
            seconds=time.monotonic() - started,
            method=method,
            readings=tuple(readings),
            phantoms=folder.phantoms,
            trigger_denied=trigger_denied,
            resolution_denied=bool(self._resolution_denied),
        )

    def _meet(self, probe_ids: tuple[str, ...]) -> None:
        """Forget the probes that went, get to know those that came."""
        library = load_library()
        # The library keeps the tree in its class, where ours would be everybody's
        sensor_class = type(
            "Sensor", (library.W1ThermSensor,), {"BASE_DIRECTORY": self._path}
        )
        for probe_id in self._probes.keys() - set(probe_ids):
            del self._probes[probe_id]
            self._resolution_denied.discard(probe_id)
        for probe_id in probe_ids:
            # The library's own list fails as a whole when one probe is just being
            # pulled out, so each is asked for by itself
            with contextlib.suppress(library.NoSensorFoundError):
                if probe_id not in self._probes:
                    self._probes[probe_id] = _Probe(sensor_class, library, probe_id)

    def _trigger(self) -> tuple[bool, bool]:
        """Make all probes convert at once; return whether they did and may not."""
        if len(self._probes) < 2:
            return False, False
        try:
            # Blocks for as long as the slowest probe converts
            _write(self._path / BULK_TRIGGER, TRIGGER)
        except OSError as err:
            return False, err.errno in FORBIDDEN
        return True, False

    def _read_all(self, triggered: bool) -> tuple[Method, list[ProbeReading]]:
        """Read those that have converted in turn, the others as their power allows."""
        waiting = list(self._probes.values())
        readings: list[ProbeReading] = []
        method = Method.SEQUENCE
        if triggered:
            method = Method.BULK
            converted = [probe for probe in waiting if probe.family not in NOT_IN_BULK]
            readings = self._in_turn(converted)
            # A weak pull-up feeds one parasitic probe, but not all at once
            starved = {r.probe_id for r in readings if r.fault in STARVED} - {
                probe.probe_id for probe in converted if probe.is_powered
            }
            readings = [r for r in readings if r.probe_id not in starved]
            waiting = [
                probe
                for probe in waiting
                if probe.family in NOT_IN_BULK or probe.probe_id in starved
            ]
        powered = [probe for probe in waiting if probe.is_powered]
        if powered:
            method = method if triggered else Method.THREADS
            readings += self._at_once(powered)
        readings += self._in_turn([probe for probe in waiting if not probe.is_powered])
        return method, readings

    def _in_turn(self, probes: list[_Probe]) -> list[ProbeReading]:
        """Read one probe after another."""
        readings = []
        for probe in probes:
            if self._stopping.is_set():
                break
            readings.append(probe.read())
        return readings

    def _at_once(self, probes: list[_Probe]) -> list[ProbeReading]:
        """Read probes in parallel: the driver frees the bus while they convert."""
        with ThreadPoolExecutor(
            min(len(probes), MOST_THREADS), thread_name_prefix="rackwatt-probe"
        ) as pool:
            return list(pool.map(_Probe.read, probes))

    def _adjust_resolution(self, readings: list[ProbeReading]) -> None:
        """Set the resolution of the probes that have another."""
        for reading in readings:
            probe = self._probes[reading.probe_id]
            bits = reading.temperature.bits if reading.temperature else None
            if bits is None or bits == self._resolution:
                continue
            # Some clones take it without an error and keep what they had
            if probe.resolution_attempts >= RESOLUTION_ATTEMPTS:
                continue
            try:
                probe.set_resolution(self._resolution)
            except OSError as err:
                if err.errno in FORBIDDEN:
                    self._resolution_denied.add(probe.probe_id)
