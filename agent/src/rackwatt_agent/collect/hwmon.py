"""Temperatures, fans and power meters that the kernel's hwmon drivers offer."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re
import time

from ..server.report import Metric
from .collector import Values
from .sysfs import number, text

RESCAN_S = 300.0
HWMON = Path("/sys/class/hwmon")
# A sensor that is not wired reads one of the ends of its scale
TEMPERATURE_RANGE = (-55.0, 150.0)
FAN_MAX = 60_000
ACPI_METER = "power_meter"
AMDGPU = "amdgpu"  # read with its card, under the card's name

_INPUT = re.compile(r"(temp|fan)(\d+)_input|(power)(\d+)_(average|input)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One file of a driver."""

    key: str
    path: Path
    metric: Metric
    divisor: float

    def read(self) -> float | None:
        """Return the value, None where the driver has none now."""
        # drivers answer ENODATA, EAGAIN or EIO while a device sleeps
        if (raw := number(self.path)) is None:
            return None
        value = raw / self.divisor
        if self.metric.kind == "temperature":
            low, high = TEMPERATURE_RANGE
            return value if low < value < high else None
        if self.metric.kind == "fan":
            return value if 0 <= value <= FAN_MAX else None
        return value if value >= 0 else None


class HwmonCollector:
    """All inputs of all drivers."""

    name = "hwmon"

    def __init__(self, root: Path = HWMON) -> None:
        """Start without inputs; the first reading finds them."""
        self.metrics: dict[str, Metric] = {}
        self._root = root
        self._inputs: tuple[Input, ...] = ()
        self._scanned = -RESCAN_S

    def read(self) -> Values:
        """Read every input."""
        if time.monotonic() - self._scanned >= RESCAN_S:
            self._scan()
        return {item.key: item.read() for item in self._inputs}

    def _scan(self) -> None:
        """Find the inputs; a driver may come with a module that is loaded later."""
        self._scanned = time.monotonic()
        found = tuple(find_inputs(self._root))
        if [item.key for item in found] != [item.key for item in self._inputs]:
            self._inputs = found
            self.metrics = {item.key: item.metric for item in found}


def has_chassis_meter(root: Path = HWMON) -> bool:
    """Tell whether the firmware meters the chassis by itself."""
    return any(text(path) == ACPI_METER for path in root.glob("*/name"))


def find_inputs(root: Path) -> Iterator[Input]:
    """Yield the inputs of all drivers in a stable order."""
    drivers = sorted(root.iterdir()) if root.is_dir() else []
    names = {driver: text(driver / "name") or driver.name for driver in drivers}
    how_many = Counter(names.values())
    for driver, name in sorted(names.items(), key=lambda item: (item[1], item[0])):
        # hwmon3 is another chip after the next boot; the device below it is not
        if name == AMDGPU:
            continue
        device = driver / "device"
        chip = name if how_many[name] == 1 else f"{name}@{device.resolve().name}"
        yield from _inputs_of(driver, name, chip)


def _inputs_of(driver: Path, name: str, chip: str) -> Iterator[Input]:
    """Yield the inputs of one driver."""
    matches = [m for path in driver.iterdir() if (m := _INPUT.fullmatch(path.name))]
    files = {m.group(0) for m in matches}
    for match in sorted(matches, key=lambda m: (m[1] or m[3], int(m[2] or m[4]))):
        what, nth = match[1] or match[3], match[2] or match[4]
        if match[5] == "input" and f"power{nth}_average" in files:
            continue  # the same meter twice; the average misses no peak
        if text(driver / f"{what}{nth}_fault") == "1":
            continue
        label = text(driver / f"{what}{nth}_label") or f"{what}{nth}"
        yield _input(driver / match[0], what, name, chip, label)


def _input(path: Path, what: str, name: str, chip: str, label: str) -> Input:
    """Return one input with what it measures."""
    shown = f"{chip} {label}"
    if what == "temp":
        metric = Metric(kind="temperature", unit="°C", name=shown, chip=chip)
        return Input(key=f"temp:{chip}:{label}", path=path, metric=metric, divisor=1e3)
    if what == "fan":
        metric = Metric(kind="fan", unit="rpm", name=shown, chip=chip)
        return Input(key=f"fan:{chip}:{label}", path=path, metric=metric, divisor=1)
    if name == ACPI_METER:  # ACPI 4: the firmware's meter of the whole chassis
        metric = Metric(kind="power", unit="W", scope="chassis", source="acpi")
        return Input(key="power:chassis", path=path, metric=metric, divisor=1e6)
    metric = Metric(
        kind="power", unit="W", name=shown, scope="rail", source="hwmon", chip=chip
    )
    return Input(key=f"power:{chip}:{label}", path=path, metric=metric, divisor=1e6)
