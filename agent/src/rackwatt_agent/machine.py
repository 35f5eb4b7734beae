"""What tells this machine from others."""

import hashlib
import os
from pathlib import Path
import socket
import time

import psutil

from .errors import AgentError, Exit


def fingerprint(id_file: Path) -> str:
    """Return a name of the machine that does not give away its machine id.

    systemd asks that the id be hashed with a key of the application's own.
    """
    try:
        text = id_file.read_text().strip()
    except OSError as err:
        if os.name == "posix" and id_file != Path("/etc/machine-id"):
            raise AgentError(
                Exit.USAGE,
                f"The machine_id_file {id_file} cannot be read: {err.strerror}.",
            ) from err
        text = ""
    if not text:
        import uuid  # noqa: PLC0415  where there is no such file: never on Linux

        text = f"{uuid.getnode():x}"
    return hashlib.sha256(f"rackwatt-agent:{text}".encode()).hexdigest()[:32]


def hostname() -> str:
    """Return the machine's own name."""
    return socket.gethostname() or "host"


def system() -> str:
    """Return the operating system in a few words."""
    import platform  # noqa: PLC0415  only an enrolment needs it

    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"][:128]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"[:128]


def macs() -> tuple[str, ...]:
    """Return the MAC addresses of the interfaces that can wake the machine."""
    stats = psutil.net_if_stats()
    found = {
        address.address.lower().replace("-", ":"): None
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == psutil.AF_LINK
        and name in stats
        and stats[name].isup
        and is_hardware(name)
    }
    found.pop("00:00:00:00:00:00", None)
    return tuple(found)


def is_hardware(interface: str, net: Path = Path("/sys/class/net")) -> bool:
    """Tell whether an interface is a card; other systems do not say."""
    return not net.is_dir() or (net / interface / "device").exists()


def now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


def up_ms() -> int:
    """Return the time since boot, sleep included, which never steps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.monotonic_ns() // 1_000_000
