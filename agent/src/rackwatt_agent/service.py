"""The systemd service: hardened, with a user that exists only while it runs."""

from collections.abc import Callable
from pathlib import Path
import subprocess
import sys

from .config import Config
from .errors import AgentError, Exit

NAME = "rackwatt-agent.service"
UNITS = Path("/etc/systemd/system")
HOMES = ("/home/", "/root/")

UNIT = """\
[Unit]
Description=Rackwatt agent: report this machine to Home Assistant
Documentation=https://github.com/rackwatt/rackwatt
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={python} -m rackwatt_agent run
Restart=always
RestartSec=10
RestartPreventExitStatus=2
WatchdogSec=5min
TimeoutStopSec=20

DynamicUser=yes
LoadCredential=agent.toml:{config}
StateDirectory=rackwatt
StateDirectoryMode=0700
UMask=0077
Nice=10

{capabilities}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
MemoryMax=128M

[Install]
WantedBy=multi-user.target
"""

# Since CVE-2020-8694 only root may read the processor's energy counters: they leak
# what it computes. Whoever wants its power has to ask for it.
READ_ALL = "CAP_DAC_READ_SEARCH"


def unit_text(config: Path, python: Path, rapl: bool) -> str:
    """Return the unit."""
    granted = READ_ALL if rapl else ""
    capabilities = f"CapabilityBoundingSet={granted}\nAmbientCapabilities={granted}"
    return UNIT.format(
        python=python,
        config=config,
        capabilities=capabilities,
        home="read-only" if str(python).startswith(HOMES) else "yes",
    )


def install(config: Config, rapl: bool, units: Path = UNITS) -> str:
    """Write the unit and start it."""
    if not config.key:
        raise AgentError(
            Exit.USAGE, "Enrol this machine first: rackwatt-agent enroll URL CODE."
        )
    python = Path(sys.executable)
    if str(python).startswith("/root/"):
        raise AgentError(
            Exit.USAGE,
            f"The service cannot reach {python}, for nobody else may enter /root."
            " Install the agent for all users (pipx install --global"
            " rackwatt-agent), then try again.",
        )
    _write(units / NAME, unit_text(config.path.resolve(), python, rapl))
    _systemctl("daemon-reload")
    _systemctl("enable", NAME)
    _systemctl("restart", NAME)
    return f"{NAME} is installed and runs. Its log: journalctl -u {NAME}"


def uninstall(units: Path = UNITS) -> str:
    """Stop the service and remove its unit; settings and queue stay."""
    path = units / NAME
    if not path.exists():
        return f"{NAME} is not installed."
    _systemctl("disable", "--now", NAME)
    _guard(path.unlink, path)
    _systemctl("daemon-reload")
    return f"{NAME} is removed. The settings and the queue are still there."


def _write(path: Path, text: str) -> None:
    """Write a file of the system's."""
    _guard(lambda: path.write_text(text), path)


def _guard(action: Callable[[], object], path: Path) -> None:
    """Change a file of the system's, or say who may."""
    try:
        action()
    except OSError as err:
        raise AgentError(
            Exit.NOT_WRITABLE,
            f"{path} cannot be changed: {err.strerror}. Run the command as root on a"
            " system with systemd.",
        ) from err


def _systemctl(*arguments: str) -> None:
    """Tell systemd."""
    try:
        done = subprocess.run(
            ["systemctl", *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as err:
        raise AgentError(
            Exit.NOT_WRITABLE,
            "This system has no systemd. Start rackwatt-agent run with the supervisor"
            " that it has.",
        ) from err
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise AgentError(
            Exit.NOT_WRITABLE, f"systemctl {' '.join(arguments)} failed: {said}"
        )
