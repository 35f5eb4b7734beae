"""The families of metrics that the settings ask for."""

from collections.abc import Iterator

from ..config import Config
from .battery import BatteryCollector
from .collector import Collector
from .custom import CustomCollector
from .disk import DiskCollector
from .gpu import AmdCollector, NvidiaCollector
from .hwmon import HwmonCollector, has_chassis_meter
from .network import NetworkCollector
from .power import DcmiCollector, RaplCollector
from .system import SystemCollector


def collectors(config: Config) -> Iterator[Collector]:
    """Yield the families that are switched on."""
    wanted = config.families
    # first of all what the owner asked for by name: there is a limit to the number
    if "custom" in wanted and config.custom:
        yield CustomCollector(config.custom)
    if "system" in wanted:
        yield SystemCollector()
    if "power" in wanted:
        yield RaplCollector()
        if not has_chassis_meter():
            yield DcmiCollector()
    if "gpu" in wanted:
        yield NvidiaCollector()
        yield AmdCollector()
    if "battery" in wanted:
        yield BatteryCollector()
    if "hwmon" in wanted:
        yield HwmonCollector()
    if "disk" in wanted:
        yield DiskCollector(config.mounts)
    if "network" in wanted:
        yield NetworkCollector(config.interfaces)
