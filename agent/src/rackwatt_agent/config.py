"""The agent's settings: one TOML file that only its owner can read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
import json
import os
from pathlib import Path
import stat
import sys
import tomllib
from typing import Any

from .errors import AgentError, Exit
from .server.report import key_digest

FAMILIES = (
    "system",
    "disk",
    "network",
    "hwmon",
    "power",
    "battery",
    "gpu",
    "custom",
)
RENEWED = "key.json"
# Virtual interfaces whose traffic is counted on the real one already
HIDDEN_INTERFACES = ("lo", "veth*", "br-*", "docker*", "virbr*", "vnet*", "tap*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A metric of the owner's own: a command's output or a file's number."""

    name: str
    command: tuple[str, ...] = ()
    path: Path | None = None
    unit: str | None = None
    kind: str = "custom"
    scale: float = 1.0
    interval: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Names to take and names to leave out, as shell patterns."""

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Tell whether a name is wanted."""
        return any(fnmatchcase(name, pattern) for pattern in self.include) and not any(
            fnmatchcase(name, pattern) for pattern in self.exclude
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings; a missing one has its default."""

    path: Path
    state: Path
    url: str = ""
    key: str = ""
    ca_file: str | None = None
    interval: float = 8.0
    families: frozenset[str] = frozenset(FAMILIES)
    mounts: Choice = Choice()
    interfaces: Choice = Choice(exclude=HIDDEN_INTERFACES)
    custom: tuple[Custom, ...] = ()
    queue_bytes: int = 64 << 20
    machine_id_file: Path = Path("/etc/machine-id")


def default_path() -> Path:
    """Return where the settings are: the system's for root, else the user's own."""
    if given := os.environ.get("RACKWATT_AGENT_CONFIG"):
        return Path(given)
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        return Path(credentials) / "agent.toml"
    if _is_root():
        return Path("/etc/rackwatt/agent.toml")
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "rackwatt" / "agent.toml"


def default_state() -> Path:
    """Return where the queue is: what systemd gave us, else a place of the user's."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if _is_root():
        return Path("/var/lib/rackwatt")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "rackwatt"


def load(path: Path) -> Config:
    """Read the settings, or say which line of them is wrong."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        _tighten(path)
    except FileNotFoundError as err:
        raise AgentError(
            Exit.USAGE,
            f"There are no settings in {path} yet."
            " Run rackwatt-agent enroll with the code that Home Assistant shows.",
        ) from err
    except OSError as err:
        raise AgentError(
            Exit.USAGE, f"The settings {path} cannot be read: {err.strerror}."
        ) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise AgentError(
            Exit.USAGE, f"The settings {path} are not valid TOML: {err}."
        ) from err
    try:
        return _parse(path, raw)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise AgentError(
            Exit.USAGE, f"The settings {path} hold a wrong value: {err}."
        ) from err


def _parse(path: Path, raw: dict[str, Any]) -> Config:
    """Turn the file's tables into settings."""
    families = dict.fromkeys(FAMILIES, True)
    for name, wanted in raw.get("metrics", {}).items():
        if name not in families:
            raise ValueError(f"metrics.{name} (known: {', '.join(FAMILIES)})")
        families[name] = wanted is True
    interval = float(raw.get("interval", 8))
    if not 1 <= interval <= 3600:
        raise ValueError("interval (1 to 3600 seconds)")
    queue_mb = float(raw.get("queue_mb", 64))
    if not 1 <= queue_mb <= 65536:
        raise ValueError("queue_mb (1 to 65536)")
    return Config(
        path=path,
        state=Path(raw["state"]) if "state" in raw else default_state(),
        url=str(raw.get("url", "")).rstrip("/"),
        key=str(raw.get("key", "")),
        ca_file=raw.get("ca_file"),
        interval=interval,
        families=frozenset(name for name, wanted in families.items() if wanted),
        mounts=_choice(raw.get("mounts", {}), ()),
        interfaces=_choice(raw.get("interfaces", {}), HIDDEN_INTERFACES),
        custom=tuple(_custom(item) for item in raw.get("custom", [])),
        queue_bytes=int(queue_mb * (1 << 20)),
        machine_id_file=Path(raw.get("machine_id_file", "/etc/machine-id")),
    )


def _choice(raw: dict[str, Any], hidden: tuple[str, ...]) -> Choice:
    """Return which names are wanted; an include of the owner's lifts our exclude."""
    exclude = raw.get("exclude", () if "include" in raw else hidden)
    return Choice(include=tuple(raw.get("include", ("*",))), exclude=tuple(exclude))


def _custom(raw: dict[str, Any]) -> Custom:
    """Return one metric of the owner's own."""
    command = raw.get("command", [])
    if isinstance(command, str):
        raise TypeError('custom.command (a list such as ["/usr/bin/wc", "-l", "file"])')
    if bool(command) == ("path" in raw):
        raise ValueError("custom (each needs either command or path)")
    return Custom(
        name=str(raw["name"]),
        command=tuple(str(part) for part in command),
        path=Path(raw["path"]) if "path" in raw else None,
        unit=raw.get("unit"),
        kind=str(raw.get("kind", "custom")),
        scale=float(raw.get("scale", 1)),
        interval=max(1.0, float(raw.get("interval", 60))),
    )


def _tighten(path: Path) -> None:
    """Take the key away from other users, where it is ours to do so."""
    if sys.platform != "win32" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        try:
            path.chmod(0o600)
        except OSError as err:
            print(
                f"rackwatt-agent: {path} can be read by other users, and the key in it"
                f" with it ({err.strerror}); run chmod 600 on it",
                file=sys.stderr,
            )


def with_renewed_key(config: Config) -> Config:
    """Return the settings with the key that took the place of the one in the file.

    A service may not write its settings; it keeps a renewed key in its own state,
    together with the digest of the key that it replaces.
    """
    try:
        raw = json.loads((config.state / RENEWED).read_text("utf-8"))
        if raw["replaces"] == key_digest(config.key):
            return replace(config, key=str(raw["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return config


def renew_key(config: Config, key: str) -> None:
    """Keep a renewed key, in the settings or, where those are read-only, beside the queue."""
    try:
        save(config.path, {"key": key})
    except AgentError:
        original = load(config.path).key
        raw = json.dumps({"replaces": key_digest(original), "key": key})
        config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(config.state / RENEWED, raw)


def write_private(path: Path, text: str) -> None:
    """Put a file in place that only its owner can read, whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    fresh.replace(path)


def save(path: Path, changes: Mapping[str, str]) -> None:
    """Write top-level settings, keeping every other line of the file as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        old = path.read_text("utf-8") if path.exists() else TEMPLATE
        write_private(path, _edited(old, changes))
    except OSError as err:
        raise AgentError(
            Exit.NOT_WRITABLE,
            f"The settings {path} cannot be written: {err.strerror}."
            " Run the command as root, or name another file with --config.",
        ) from err


def _edited(text: str, changes: Mapping[str, str]) -> str:
    """Return the text with top-level keys set; they stand before the first table."""
    lines = text.splitlines()
    tables = [n for n, line in enumerate(lines) if line.lstrip().startswith("[")]
    head, tail = (
        lines[: tables[0]] if tables else lines,
        lines[tables[0] :] if tables else [],
    )
    for name, value in changes.items():
        # TOML's basic strings take every escape that JSON writes
        wanted = f"{name} = {json.dumps(value)}"
        places = [
            n for n, line in enumerate(head) if line.split("=")[0].strip() == name
        ]
        if places:
            head[places[0]] = wanted
        else:
            head.append(wanted)
    return "\n".join([*head, *tail]) + "\n"


def _is_root() -> bool:
    """Tell whether this is the system's own agent."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


TEMPLATE = """\
# Settings of rackwatt-agent. The key is a secret: keep this file's mode at 600.
"""
