"""A 1-Wire tree in sysfs that behaves as the kernel's w1_therm driver does.

Its files block as the kernel's do (see `sysfs.py`), for as long as the bus would take:
70 microseconds a bit, up to 750 milliseconds a conversion. `speed` divides it all. One
difference is left: a write of anything but the trigger to `therm_bulk_read` blocks too;
it converts nothing, as in the kernel.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
import shutil
from typing import Self

from .sysfs import BlockingFiles, Readable, Writable, deny

BIT = 70e-6  # seconds on the wire
RESET = 960e-6
SELECT = RESET + 72 * BIT
CONVERSION = {9: 0.095, 10: 0.19, 11: 0.375, 12: 0.75}
TRIGGER = b"trigger\n"
DS18S20, DS1825, DS28EA00 = "10", "3b", "42"


class Fault(StrEnum):
    """What can be wrong with one answer of a probe."""

    CHECKSUM = "checksum"  # five garbled answers; Linux 5.8 and newer give nothing
    OLD_CHECKSUM = "old_checksum"  # the same before Linux 5.8
    NO_ANSWER = "no_answer"
    SHORT_CIRCUIT = "short_circuit"
    POWER_ON = "power_on"
    POWER_FAULT = "power_fault"
    OUT_OF_RANGE = "out_of_range"
    ONE_LINE = "one_line"
    GARBAGE = "garbage"
    OPEN_THERMOCOUPLE = "open_thermocouple"
    SILENT = "silent"  # the driver never comes back


POWER_ON = bytes.fromhex("50054b467fff0c10")
SCRATCHPADS = {
    Fault.SHORT_CIRCUIT: bytes(8),
    Fault.POWER_ON: POWER_ON,
    Fault.POWER_FAULT: bytes.fromhex("ff074b467fff0c10"),
    Fault.OUT_OF_RANGE: bytes.fromhex("00104b467fff0010"),  # 256 degrees
    Fault.OPEN_THERMOCOUPLE: bytes.fromhex("01050119f0ffffff"),
}
POWER_ON_DS18S20 = bytes.fromhex("aa004b46ffff0c10")


def checksum(data: bytes) -> int:
    """Return the checksum that a 1-Wire device sends after its data."""
    register = 0
    for byte in data:
        for bit in range(8):
            mixed = (register ^ byte >> bit) & 1
            register >>= 1
            if mixed:
                register ^= 0b1000_1100
    return register


def little_endian(value: int) -> bytes:
    """Return the two bytes of a temperature."""
    return (value & 0xFFFF).to_bytes(2, "little")


@dataclass(eq=False, kw_only=True)
class Probe:
    """A thermometer that can be plugged into a bus."""

    probe_id: str
    celsius: Callable[[], float]
    is_powered: bool = True
    is_thermocouple: bool = False
    faults: list[Fault | None] = field(default_factory=list)
    """What happens at the next reads, one after another; the last of it stays."""
    folder: Path | None = None
    reads: int = 0
    triggered: bytes | None = None
    """What a conversion of the whole bus has left for the next read."""
    last_good: bytes = bytes(9)

    @property
    def family(self) -> str:
        """Return the family code."""
        return self.probe_id[:2]

    @property
    def resolution(self) -> int:
        """Return the bits that the user has set."""
        if self.folder is None or self.family == DS18S20:
            return 12
        try:
            bits = int((self.folder / "resolution").read_text())
        except OSError, ValueError:
            return 12
        return bits if bits in CONVERSION else 12

    def convert(self) -> bytes:
        """Return the eight bytes that the probe holds after a conversion."""
        celsius = self.celsius()
        if self.is_thermocouple:
            junction = little_endian(25 * 256)
            return (
                little_endian(round(celsius * 4) * 4) + junction + b"\xf0\xff\xff\xff"
            )
        if self.family == DS18S20:
            # The counter refines half degrees to sixteenths
            whole, left = divmod(round((celsius + 0.25) * 16), 16)
            return little_endian(whole * 2) + bytes((75, 70, 255, 255, 16 - left, 16))
        raw = round(celsius * 16)
        configuration = (self.resolution - 9 << 5) | 0x1F
        # What a lower resolution leaves undefined is not zero in every chip
        undefined = (1 << 12 - self.resolution) - 1
        raw |= undefined
        return little_endian(raw) + bytes(
            (75, 70, configuration, 255, 16 - (raw & 15), 16)
        )

    def answer(self) -> tuple[Fault | None, bytes]:
        """Return the next answer."""
        self.reads += 1
        fault = self.faults[0] if self.faults else None
        if len(self.faults) > 1:
            self.faults.pop(0)
        if fault is Fault.POWER_ON and self.family == DS18S20:
            return fault, POWER_ON_DS18S20
        if fault in SCRATCHPADS:
            return fault, SCRATCHPADS[fault]
        data, self.triggered = self.triggered or self.convert(), None
        return fault, data

    def text(self) -> str:
        """Return what the driver's `w1_slave` gives."""
        fault, data = self.answer()
        if fault in {Fault.CHECKSUM, Fault.NO_ANSWER}:
            return ""
        if fault is Fault.GARBAGE:
            return "\x00\x17 no thermometer\n" * 2
        scratchpad = data + bytes((checksum(data),))
        if fault is Fault.OLD_CHECKSUM:
            garbled = bytes((data[0] ^ 0x40,)) + scratchpad[1:]
            first = f"{garbled.hex(' ')} : crc={checksum(garbled[:8]):02x} NO\n"
            return first + f"{self.last_good.hex(' ')} t={self.millidegrees()}\n"
        self.last_good = scratchpad
        first = f"{scratchpad.hex(' ')} : crc={scratchpad[8]:02x} YES\n"
        if fault is Fault.ONE_LINE:
            return first
        return first + f"{scratchpad.hex(' ')} t={self.millidegrees()}\n"

    def millidegrees(self) -> int:
        """Return the driver's own idea of the temperature, errors included."""
        data = self.last_good
        raw = int.from_bytes(data[:2], "little", signed=True)
        if self.family != DS18S20:
            return int((raw & ~3 if self.is_thermocouple else raw) * 1000 / 16)
        whole = (data[0] >> 1) * 1000 if raw >= 0 else 1000 * raw >> 1
        return whole - 250 + 1000 * (data[7] - data[6]) // max(data[7], 1)


class BusMaster:
    """One wire with its probes; made by `OneWireTree.add_bus`."""

    def __init__(self, tree: OneWireTree, number: int, *, has_bulk: bool) -> None:
        """Make the folder of the bus."""
        self.name = f"w1_bus_master{number}"
        self.folder = tree.devices / self.name
        self.probes: dict[str, Probe] = {}
        self.phantoms: list[str] = []
        self.is_pull_up_weak = False
        """Feeds one parasitic probe that converts, but not two."""
        self.triggers = 0
        self.most_at_once = 0
        """How many conversions by themselves were under way at the same time."""
        self._under_way = 0
        self._tree = tree
        self._has_bulk = has_bulk
        self._files: dict[str, Readable] = {}
        self._trigger: Writable | None = None
        self._mutex = asyncio.Lock()
        self.is_converting = False
        self.folder.mkdir()
        self._settle()
        (tree.path / self.name).symlink_to(self.folder)

    def plug(self, *probes: Probe) -> None:
        """Plug probes in; the kernel has found them."""
        self._tree.files.call(self._plug, probes)

    def unplug(self, *probes: Probe) -> None:
        """Pull probes out; the kernel has noticed."""
        self._tree.files.call(self._unplug, probes)

    def add_phantoms(self, *names: str) -> None:
        """Let the search find devices in the noise of a wire without pull-up."""
        for name in names:
            (self.folder / name).mkdir()
            (self._tree.path / name).symlink_to(self.folder / name)
        self.phantoms += names
        self._settle()

    def remove_phantoms(self) -> None:
        """Solder the pull-up in."""
        for name in self.phantoms:
            (self._tree.path / name).unlink()
            (self.folder / name).rmdir()
        self.phantoms.clear()
        self._settle()

    def deny_trigger(self) -> None:
        """Forbid everybody to start a conversion of the whole bus."""
        self._tree.files.call(self._forget_trigger)
        deny(self.folder / "therm_bulk_read")

    def remove(self) -> None:
        """Pull the whole bus out, as with a USB adapter."""
        self._tree.files.call(self._unplug, tuple(self.probes.values()))
        (self._tree.path / self.name).unlink()
        shutil.rmtree(self.folder)

    def _plug(self, probes: tuple[Probe, ...]) -> None:
        """Make the folders of probes, each complete before it can be seen."""
        for probe in probes:
            staging = self._tree.devices / f".{probe.probe_id}"
            staging.mkdir()
            (staging / "name").write_text(f"{probe.probe_id}\n")
            (staging / "ext_power").write_text(f"{int(probe.is_powered)}\n")
            if probe.family != DS18S20:
                bits = 14 if probe.is_thermocouple else 12
                (staging / "resolution").write_text(f"{bits}\n")
            file = Readable(
                self._tree.files,
                staging / "w1_slave",
                partial(self._read, probe),
            )
            probe.folder = staging.rename(self.folder / probe.probe_id)
            file.path = probe.folder / "w1_slave"
            self._files[probe.probe_id] = file
            self.probes[probe.probe_id] = probe
            (self._tree.path / probe.probe_id).symlink_to(probe.folder)
        self._settle()

    def _unplug(self, probes: tuple[Probe, ...]) -> None:
        """Remove the folders of probes; whoever reads one gets nothing."""
        for probe in probes:
            (self._tree.path / probe.probe_id).unlink()
            self._files.pop(probe.probe_id).forget()
            shutil.rmtree(self.folder / probe.probe_id)
            probe.folder = None
            del self.probes[probe.probe_id]
        self._settle()

    def _settle(self) -> None:
        """Write what the bus says about all its probes."""
        names = [*self.probes, *self.phantoms]
        slaves = "".join(f"{name}\n" for name in names) or "not found.\n"
        (self.folder / "w1_master_slaves").write_text(slaves)
        (self.folder / "w1_master_slave_count").write_text(f"{len(names)}\n")
        wanted = self._has_bulk and bool(self._in_bulk())
        if wanted and self._trigger is None:
            self._trigger = Writable(
                self._tree.files,
                self.folder / "therm_bulk_read",
                self._convert_all,
                self._keep,
            )
        elif not wanted:
            self._forget_trigger()
            (self.folder / "therm_bulk_read").unlink(missing_ok=True)

    def _forget_trigger(self) -> None:
        """Stop answering for the attribute that converts the whole bus."""
        if self._trigger is not None:
            self._trigger.forget()
            self._trigger = None

    def _in_bulk(self) -> list[Probe]:
        """Return the probes that the driver can convert together."""
        return [probe for probe in self.probes.values() if probe.family != DS28EA00]

    async def _read(self, probe: Probe) -> str:
        """Answer a read of `w1_slave`."""
        if self.is_converting and probe.family != DS28EA00:
            return ""
        if probe.faults and probe.faults[0] is Fault.SILENT:
            await asyncio.Event().wait()
        if probe.triggered is None:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            await self._convert(
                CONVERSION[probe.resolution], is_powered=probe.is_powered
            )
            self._under_way -= 1
        async with self._mutex:
            await self._tree.sleep(SELECT + 80 * BIT)
            return probe.text()

    async def _convert_all(self) -> None:
        """Take the time that the slowest probe needs."""
        self.is_converting = True
        probes = self._in_bulk()
        try:
            await self._convert(
                max((CONVERSION[probe.resolution] for probe in probes), default=0),
                is_powered=all(probe.is_powered for probe in probes),
            )
        finally:
            self.is_converting = False

    def _keep(self, written: bytes) -> None:
        """Keep what has been converted, if the driver would have understood."""
        if written != TRIGGER:
            return
        self.triggers += 1
        for probe in self._in_bulk():
            is_starved = self.is_pull_up_weak and not probe.is_powered
            probe.triggered = POWER_ON if is_starved else probe.convert()

    async def _convert(self, seconds: float, *, is_powered: bool) -> None:
        """Take the time of a conversion; the bus is kept if it feeds the probe."""
        async with self._mutex:
            await self._tree.sleep(SELECT + 8 * BIT)
            if not is_powered:
                await self._tree.sleep(seconds)
        if is_powered:
            await self._tree.sleep(seconds)


class OneWireTree:
    """A folder with the parts of /sys that belong to 1-Wire."""

    def __init__(self, root: Path, *, speed: float = 1) -> None:
        """Make an empty tree and start to answer for it."""
        self.path = root / "bus" / "w1" / "devices"
        self.devices = root / "devices"
        self.path.mkdir(parents=True)
        self.devices.mkdir()
        self.files = BlockingFiles()
        self.speed = speed
        self._buses = 0

    def add_bus(self, *, has_bulk: bool | None = None) -> BusMaster:
        """Add a bus master; the kernel lets only the first one convert as a whole."""
        self._buses += 1
        is_first = self._buses == 1
        return self.files.call(
            BusMaster,
            self,
            self._buses,
            has_bulk=is_first if has_bulk is None else has_bulk,
        )

    async def sleep(self, seconds: float) -> None:
        """Let the bus take its time."""
        await asyncio.sleep(seconds / self.speed)

    def stop(self) -> None:
        """Stop answering."""
        self.files.stop()

    def __enter__(self) -> Self:
        """Return the tree."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering."""
        self.stop()
