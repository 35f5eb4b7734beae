"""The agent's loop: sample, send, sleep; one thread."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
import logging
import os
from pathlib import Path
import select
import signal
import socket
import subprocess
import time
from types import FrameType

from .backlog import Backlog, boot_id
from .carrier import Carrier
from .client import Home
from .collect.collector import Sampler
from .collect.families import collectors
from .config import Config, renew_key
from .errors import AgentError, Exit
from .machine import fingerprint, now_ms, up_ms
from .server.report import Sample

LOGGER = logging.getLogger(__name__)

FAREWELL_S = 3.0


class Stop:
    """Sleep that a signal ends at once."""

    def __init__(self) -> None:
        """Make the pair of sockets through which a signal wakes us."""
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self.requested = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals that end a service."""
        old = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(old)
            self._read.close()
            self._write.close()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless a signal comes or came."""
        if seconds > 0 and not self.requested:
            select.select([self._read], [], [], seconds)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Remember that the end was asked for."""
        self.requested = True


class Agent:
    """Everything that a running agent holds."""

    def __init__(self, config: Config) -> None:
        """Open the queue; nothing is sent yet."""
        if not config.key:
            raise AgentError(
                Exit.USAGE,
                f"There is no key in {config.path} yet."
                " Run rackwatt-agent enroll with the code that Home Assistant shows.",
            )
        self._config = config
        boot = boot_id()
        self.sampler = Sampler(collectors(config))
        self.backlog = Backlog(
            config.state / "queue", boot, config.interval, config.queue_bytes
        )
        machine = fingerprint(config.machine_id_file)
        home = Home(config.url, config.key, config.ca_file, machine)
        self.carrier = Carrier(home, self.backlog, machine, boot)

    def run(self) -> None:
        """Work until a signal asks for the end."""
        stop = Stop()
        with stop.listening():
            notify("READY=1")
            due = time.monotonic()
            while not stop.requested:
                due += self._config.interval
                self.tick(due)
                now = time.monotonic()
                due = max(due, now)
                stop.sleep(due - now)
        self.end("shutdown" if is_shutting_down() else "stop")

    def tick(self, until: float) -> None:
        """Take one sample and send what is not acknowledged."""
        sample = self.take()
        before = self.carrier.error
        self.carrier.deliver(until - 0.5, sample)
        self._renew_key()
        if self.carrier.error is not before:
            error = self.carrier.error
            notify(f"STATUS={error or 'connected'}")
        notify("WATCHDOG=1")

    def take(self) -> Sample:
        """Take one sample."""
        layout, values = self.sampler.sample()
        return self.backlog.put(layout, now_ms(), up_ms(), values)

    def end(self, why: str) -> None:
        """Say goodbye with a last sample, then write what was not acknowledged."""
        notify("STOPPING=1")
        sample = self.take()
        self.carrier.deliver(time.monotonic() + FAREWELL_S, sample, bye=why)
        self.backlog.close()
        self.carrier.home.close()

    def _renew_key(self) -> None:
        """Take the new key that Home Assistant handed out; the old one stays till it is used."""
        if (key := self.carrier.new_key) is None:
            return
        self.carrier.new_key = None
        try:
            renew_key(self._config, key)
        except (AgentError, OSError) as err:
            LOGGER.warning("the new key is not taken: %s", err)
            return
        self.carrier.home.key = key


def is_shutting_down() -> bool:
    """Tell whether the whole machine goes down, not only this service."""
    if not Path("/run/systemd/system").is_dir():
        return False
    try:
        done = subprocess.run(
            ["systemctl", "is-system-running"],
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.stdout.strip() == "stopping"


def notify(message: str) -> None:
    """Tell systemd how we are, where it asked for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(message.encode(), address)
    except OSError as err:
        LOGGER.debug("systemd was not told %s: %s", message, err)


def once(config: Config) -> str:
    """Return one report as text; nothing is sent or kept."""
    sampler = Sampler(collectors(config))
    sampler.sample()
    time.sleep(1)  # rates and the processor's load are of an interval
    layout, values = sampler.sample()
    return json.dumps(
        {
            "metrics": {
                key: {"value": value, **layout.metrics[key].to_json()}
                for key, value in zip(layout.keys, values, strict=True)
            },
            "problems": sampler.problems,
        },
        indent=2,
        ensure_ascii=False,
    )
