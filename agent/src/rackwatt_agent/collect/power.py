"""Power of the processor (RAPL) and of the whole chassis (IPMI's DCMI).

Each value says what it covers. Nothing is added up across scopes: the cores and the
graphics are inside their package, and the package is inside the chassis.
"""

from dataclasses import dataclass
from pathlib import Path
import re
import shutil
import subprocess
import time

from ..server.report import Metric
from .collector import Values
from .energy import EnergyCount
from .sysfs import number, text

POWERCAP = Path("/sys/class/powercap")
DCMI_INTERVAL_S = 60.0  # one call costs 36 ms of processor time, even when it fails
DCMI_TIMEOUT_S = 5.0
DCMI_COMMAND = ("ipmitool", "dcmi", "power", "reading")
_DCMI_WATTS = re.compile(r"Instantaneous power reading:\s*(\d+) Watts")


@dataclass(slots=True, kw_only=True)
class Zone:
    """One energy counter of the processor."""

    path: Path
    count: EnergyCount
    limit_watts: float | None
    watts: float | None = None

    def update(self, now: float) -> None:
        """Read the counter."""
        count = int((self.path / "energy_uj").read_text())
        self.watts = self.count.update(count, now, self.limit_watts)


class RaplCollector:
    """Processor packages with their memory, or the platform where it is metered."""

    name = "rapl"

    def __init__(self, root: Path = POWERCAP) -> None:
        """Find the zones; the kernel makes them when its driver loads."""
        scope, zones = find_zones(root)
        self._zones = zones
        self._scope = scope
        self.metrics: dict[str, Metric] = {
            f"{kind}:{scope}": Metric(kind=kind, unit=unit, scope=scope, source="rapl")
            for kind, unit in (("power", "W"), ("energy", "Wh"))
            if zones
        }

    def read(self) -> Values:
        """Return the mean power since the last reading and the energy so far."""
        now = time.monotonic()
        try:
            for zone in self._zones:
                zone.update(now)
        except PermissionError as err:
            raise PermissionError(
                "the processor's energy counters (RAPL) are there, but only root may"
                " read them; see install-service --rapl"
            ) from err
        watts = [zone.watts for zone in self._zones]
        known = [value for value in watts if value is not None]
        whole = sum(known) if known and len(known) == len(watts) else None
        return {
            f"power:{self._scope}": whole,
            f"energy:{self._scope}": sum(zone.count.wh for zone in self._zones),
        }


def find_zones(root: Path) -> tuple[str, tuple[Zone, ...]]:
    """Return the zones that may be added up, and what they cover together."""
    names = {
        path: text(path / "name") or "" for path in sorted(root.glob("intel-rapl:*"))
    }
    whole = [path for path, name in names.items() if name == "psys"]
    if whole:
        return "platform", tuple(_zone(path) for path in whole[:1])
    packages = [path for path, name in names.items() if name.startswith("package")]
    # memory is beside the package, cores and graphics are inside it
    memory = [path for path, name in names.items() if name == "dram"]
    return "cpu_package", tuple(_zone(path) for path in packages + memory)


def _zone(path: Path) -> Zone:
    """Return one zone with where it wraps and the most that it can draw."""
    return Zone(
        path=path,
        count=EnergyCount(1e-6, number(path / "max_energy_range_uj")),
        limit_watts=_limit(path),
    )


def _limit(path: Path) -> float | None:
    """Return the zone's power limit in watts."""
    limits = [
        limit
        for n in range(3)
        for name in ("max_power_uw", "power_limit_uw")
        if (limit := number(path / f"constraint_{n}_{name}"))
    ]
    return max(limits) / 1e6 if limits else None


class DcmiCollector:
    """The chassis' power as its management controller measures it."""

    name = "dcmi"

    def __init__(self, device: Path = Path("/dev/ipmi0")) -> None:
        """Offer the metric where there is a controller and the tool to ask it."""
        self._watts: float | None = None
        self._asked = -DCMI_INTERVAL_S
        self._tool = shutil.which(DCMI_COMMAND[0]) if device.exists() else None
        self.metrics = (
            {
                "power:chassis": Metric(
                    kind="power", unit="W", scope="chassis", source="dcmi"
                )
            }
            if self._tool
            else {}
        )

    def read(self) -> Values:
        """Return the last reading; ask once a minute."""
        now = time.monotonic()
        if self._tool and now - self._asked >= DCMI_INTERVAL_S:
            self._asked = now
            self._watts = None
            self._watts = ask_dcmi(self._tool)
        return {"power:chassis": self._watts} if self.metrics else {}


def ask_dcmi(tool: str) -> float | None:
    """Return the instantaneous power, None where the controller measures none."""
    done = subprocess.run(
        [tool, *DCMI_COMMAND[1:]],
        capture_output=True,
        text=True,
        timeout=DCMI_TIMEOUT_S,
        check=False,
    )
    match = _DCMI_WATTS.search(done.stdout)
    if done.returncode or not match:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise OSError(said[-1] if said else "ipmitool gave no power reading")
    # a controller that does not measure answers 0 W and says "deactivated"
    return float(match[1]) if int(match[1]) else None
