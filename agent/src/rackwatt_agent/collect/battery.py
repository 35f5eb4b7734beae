"""Batteries: charge, and power while they discharge."""

from pathlib import Path

from ..server.report import Metric
from .collector import Values
from .sysfs import number, text

POWER_SUPPLY = Path("/sys/class/power_supply")


class BatteryCollector:
    """Every battery of the machine."""

    name = "battery"

    def __init__(self, root: Path = POWER_SUPPLY) -> None:
        """Find the batteries; they are built in."""
        self._batteries = [
            path
            for path in (sorted(root.iterdir()) if root.is_dir() else [])
            if text(path / "type") == "Battery" and text(path / "scope") != "Device"
        ]
        self.metrics: dict[str, Metric] = {}
        for path in self._batteries:
            name = path.name
            self.metrics[f"battery:{name}"] = Metric(
                kind="battery", unit="%", name=name
            )
            self.metrics[f"power:{name}"] = Metric(
                kind="power", unit="W", name=name, scope="battery", source="battery"
            )

    def read(self) -> Values:
        """Read each battery."""
        values: Values = {}
        for path in self._batteries:
            values[f"battery:{path.name}"] = number(path / "capacity")
            values[f"power:{path.name}"] = discharge_watts(path)
        return values


def discharge_watts(path: Path) -> float | None:
    """Return what a battery gives; while it charges it is no measure of the machine."""
    if text(path / "status") != "Discharging":
        return None
    if (micro := number(path / "power_now")) is not None:
        return abs(micro) / 1e6
    current, voltage = number(path / "current_now"), number(path / "voltage_now")
    if current is None or voltage is None:
        return None
    return abs(current) * voltage / 1e12
