"""Processor, load, memory, swap, users and uptime."""

from contextlib import suppress
import os
from pathlib import Path
import time

import psutil

from ..server.report import Metric
from .collector import Values

SESSIONS = Path("/run/systemd/sessions")


class SystemCollector:
    """What every machine has."""

    name = "system"

    def __init__(self, sessions: Path = SESSIONS) -> None:
        """Describe the metrics; the first reading of the processor opens its interval."""
        self._sessions = sessions
        self._primed = False
        self.metrics: dict[str, Metric] = {
            "cpu": Metric(kind="cpu", unit="%"),
            "mem": Metric(kind="memory", unit="%"),
            "mem_used": Metric(kind="memory_used", unit="B"),
            "swap": Metric(kind="swap", unit="%"),
            "users": Metric(kind="users"),
            "uptime": Metric(kind="uptime", unit="s"),
        }
        if hasattr(os, "getloadavg"):
            self.metrics |= {f"load{n}": Metric(kind=f"load{n}") for n in (1, 5, 15)}

    def read(self) -> Values:
        """Read them."""
        cpu = psutil.cpu_percent()
        memory = psutil.virtual_memory()
        values: Values = {
            # since the last call; the first one has no last call
            "cpu": cpu if self._primed else None,
            "mem": memory.percent,
            "mem_used": memory.total - memory.available,
            "swap": psutil.swap_memory().percent,
            "users": count_users(self._sessions),
            "uptime": uptime(),
        }
        self._primed = True
        if hasattr(os, "getloadavg"):
            for n, load in zip((1, 5, 15), os.getloadavg(), strict=True):
                values[f"load{n}"] = load
        return values


def uptime() -> int:
    """Return the whole seconds since the boot, sleep included."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return int(time.clock_gettime(time.CLOCK_BOOTTIME))
    return int(time.time() - psutil.boot_time())


def count_users(sessions: Path) -> int:
    """Return how many people are logged in.

    systemd counts them where it runs: distributions of 2026 have no utmp any more.
    """
    if not sessions.is_dir():
        return len(psutil.users())
    count = 0
    for path in sessions.iterdir():
        with suppress(OSError, UnicodeDecodeError):
            count += (
                not path.name.endswith(".ref") and "CLASS=user\n" in path.read_text()
            )
    return count
