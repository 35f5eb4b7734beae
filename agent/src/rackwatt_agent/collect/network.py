"""Traffic of every network interface."""

import psutil

from ..config import Choice
from ..server.report import Metric
from .collector import Values
from .rates import Rates


class NetworkCollector:
    """Bytes received and sent a second, an interface each."""

    name = "network"

    def __init__(self, choice: Choice) -> None:
        """Start without interfaces."""
        self.metrics: dict[str, Metric] = {}
        self._choice = choice
        self._rates = Rates()
        self._interfaces: tuple[str, ...] = ()

    def read(self) -> Values:
        """Read the counters of the interfaces that are wanted."""
        counted = psutil.net_io_counters(pernic=True)
        names = tuple(name for name in sorted(counted) if self._choice.takes(name))
        if names != self._interfaces:
            self._interfaces = names
            self.metrics = {
                f"{kind}:{name}": Metric(kind=kind, unit="B/s", interface=name)
                for name in names
                for kind in ("net_rx", "net_tx")
            }
        counters = {}
        for name in names:
            counters[f"net_rx:{name}"] = counted[name].bytes_recv
            counters[f"net_tx:{name}"] = counted[name].bytes_sent
        return dict(self._rates.update(counters))
