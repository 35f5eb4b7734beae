"""Graphics cards: NVIDIA's by NVML, AMD's by the kernel's files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
import time
from typing import Any

from ..server.report import Metric
from .collector import Values
from .energy import EnergyCount
from .sysfs import number

DRM = Path("/sys/class/drm")
NVML_LIBRARY = "libnvidia-ml.so.1"
NVML_DRIVER = Path("/proc/driver/nvidia")
RETRY_S = 300.0

KINDS = {
    "util": ("gpu", "%"),
    "mem": ("gpu_memory", "%"),
    "temp": ("gpu_temperature", "°C"),
    "power": ("power", "W"),
    "energy": ("energy", "Wh"),
}


def describe(card: str, name: str, what: str, source: str) -> Metric:
    """Describe one metric of a card."""
    kind, unit = KINDS[what]
    scope = "gpu_board" if what in {"power", "energy"} else None
    return Metric(
        kind=kind, unit=unit, name=name, chip=card, scope=scope, source=source
    )


@dataclass(slots=True, kw_only=True)
class NvidiaCard:
    """One card with the readings that it supports."""

    key: str
    readings: dict[str, Callable[[], float | None]]
    energy: EnergyCount


class NvidiaCollector:
    """All NVIDIA cards.

    The driver's library is looked for first: importing its Python module costs 0.1 s
    of processor time, which a machine without a card need not pay.
    """

    name = "nvidia"

    def __init__(self, driver: Path = NVML_DRIVER) -> None:
        """Start without cards; the first reading looks for them."""
        self.metrics: dict[str, Metric] = {}
        self._driver = driver
        self._cards: list[NvidiaCard] = []
        self._nvml: Any = None
        self._tried = -RETRY_S

    def read(self) -> Values:
        """Read every card; look again for cards where there are none."""
        now = time.monotonic()
        if self._nvml is None and now - self._tried >= RETRY_S:
            self._tried = now
            self._open()
        values: Values = {}
        for card in self._cards:
            for what, reading in card.readings.items():
                values[f"{card.key}:{what}"] = self._value(reading)
        return values

    def _value(self, reading: Callable[[], float | None]) -> float | None:
        """Return one reading; a card that fell off the bus has none."""
        try:
            return reading()
        except self._nvml.NVMLError_GpuIsLost:
            raise
        except self._nvml.NVMLError:
            return None

    def _open(self) -> None:
        """Open the library and describe each card."""
        if not self._driver.exists():
            return
        import ctypes  # noqa: PLC0415  1 MB that only a machine with a card needs

        try:
            ctypes.CDLL(NVML_LIBRARY)
        except OSError:
            return
        try:
            import pynvml  # noqa: PLC0415  costs 0.1 s, see above
        except ImportError as err:
            raise OSError(
                "there is an NVIDIA card; install rackwatt-agent[nvidia] to read it"
            ) from err
        pynvml.nvmlInit()
        self._nvml = pynvml
        self._cards = list(self._find())
        self.metrics = {
            f"{card.key}:{what}": describe(card.key, card_name, what, "nvml")
            for card, card_name in zip(self._cards, self._names(), strict=True)
            for what in card.readings
        }

    def _names(self) -> list[str]:
        """Return what the cards are called; two of a model are told apart."""
        nvml = self._nvml
        names = [
            nvml.nvmlDeviceGetName(nvml.nvmlDeviceGetHandleByIndex(n))
            for n in range(len(self._cards))
        ]
        return [f"GPU {n} {name}" for n, name in enumerate(names)]

    def _find(self) -> Iterator[NvidiaCard]:
        """Yield the cards with what each of them supports."""
        for n in range(self._nvml.nvmlDeviceGetCount()):
            handle = self._nvml.nvmlDeviceGetHandleByIndex(n)
            energy = EnergyCount(1e-3)  # millijoules since the driver was loaded
            offered = _nvml_readings(self._nvml, handle, energy)
            supported = {w: r for w, r in offered.items() if self._supports(r)}
            yield NvidiaCard(key=f"gpu{n}", readings=supported, energy=energy)

    def _supports(self, reading: Callable[[], float | None]) -> bool:
        """Tell whether a card has a reading; older ones have no energy counter."""
        try:
            reading()
        except self._nvml.NVMLError:
            return False
        return True


def _nvml_readings(
    nvml: Any, handle: Any, energy: EnergyCount
) -> dict[str, Callable[[], float | None]]:
    """Return how each metric of a card is read."""

    def memory() -> float:
        info = nvml.nvmlDeviceGetMemoryInfo(handle)
        return float(100 * info.used / info.total)

    def energy_wh() -> float:
        count = nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        energy.update(count, time.monotonic(), None)
        return energy.wh

    return {
        "util": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
        "mem": memory,
        "temp": lambda: nvml.nvmlDeviceGetTemperature(
            handle, nvml.NVML_TEMPERATURE_GPU
        ),
        "power": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3,
        "energy": energy_wh,
    }


class AmdCollector:
    """All cards of the amdgpu driver."""

    name = "amdgpu"

    def __init__(self, root: Path = DRM) -> None:
        """Find the cards."""
        found = sorted(root.glob("card[0-9]*/device/gpu_busy_percent"))
        self._cards = {f"amd{n}": path.parent for n, path in enumerate(found)}
        self.metrics = {
            f"{key}:{what}": describe(key, f"AMD GPU {key[3:]}", what, "amdgpu")
            for key, path in self._cards.items()
            for what, value in _amd_values(path).items()
            if value is not None
        }

    def read(self) -> Values:
        """Read every card."""
        return {
            f"{key}:{what}": value
            for key, path in self._cards.items()
            for what, value in _amd_values(path).items()
        }


def _amd_values(device: Path) -> Values:
    """Read one card; its temperature and power are in its own hwmon folder."""
    used = number(device / "mem_info_vram_used")
    total = number(device / "mem_info_vram_total")
    sensors = next(iter(sorted((device / "hwmon").glob("hwmon*"))), device)
    degrees = number(sensors / "temp1_input")
    microwatts = number(sensors / "power1_average")
    return {
        "util": number(device / "gpu_busy_percent"),
        "mem": 100 * used / total if used is not None and total else None,
        "temp": None if degrees is None else degrees / 1e3,
        "power": None if microwatts is None else microwatts / 1e6,
    }
