"""Agent: what it costs a host, beside prometheus-node-exporter and Glances."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
from threading import Thread
import time
from typing import Any, override
from urllib.request import urlopen

from benchmarks.report import Figure, Report, at_most, progress, run
from demo.hass import ROOT, HassError, free_port

INTERVAL = 8.0
GLANCES = "glances==4.5.8"


class Home(ThreadingHTTPServer):
    """As much of Home Assistant as acknowledges everything."""

    daemon_threads = True
    reports = 0


class Handler(BaseHTTPRequestHandler):
    """One connection of an agent, kept open."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, as Home Assistant sends them

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Acknowledge a report."""
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        Home.reports += 1
        ack = {"ack": json.loads(raw)["samples"][-1][0], "want": [], "cfg": {}}
        body = json.dumps(ack).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Process:
    """A program under watch, by the kernel's own counts."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Begin to watch."""
        self.name = name
        self._proc = Path("/proc", str(process.pid))
        self.process = process

    def cpu_seconds(self) -> float:
        """Return processor time in s, from the scheduler's nanoseconds."""
        tasks = (self._proc / "task").iterdir()
        return (
            sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
            / 1e9
        )

    def wakeups(self) -> int:
        """Return how often its threads went to sleep by themselves."""
        return sum(
            int(line.split()[1])
            for task in (self._proc / "task").iterdir()
            for line in (task / "status").read_text().splitlines()
            if line.startswith("voluntary_ctxt_switches")
        )

    def rss_mb(self) -> float:
        """Return resident memory."""
        pages = int((self._proc / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def written(self) -> int:
        """Return the bytes that it had written to disks."""
        for line in (self._proc / "io").read_text().splitlines():
            if line.startswith("write_bytes"):
                return int(line.split()[1])
        return 0


def find_uv() -> str:
    """Return uv, where script/setup put it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return shutil.which("uv") or str(cache / "rackwatt" / "uv" / "bin" / "uv")


def environment(directory: Path, *packages: str) -> Path:
    """Make an environment as a host has it; return its Python."""
    uv = find_uv()
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, directory], check=True)
    python = directory / "bin" / "python"
    subprocess.run(
        [uv, "pip", "install", "-q", "--python", python, *packages], check=True
    )
    return python


@contextmanager
def started(name: str, *command: str | Path) -> Iterator[Process]:
    """Run a program."""
    process = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Process(name, process)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def running_home() -> Iterator[str]:
    """Run what the agent reports to."""
    home = Home(("127.0.0.1", 0), Handler)
    Thread(target=home.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{home.server_port}"
    finally:
        home.shutdown()
        home.server_close()


def node_exporter() -> str:
    """Return the program."""
    program = shutil.which("prometheus-node-exporter")
    if program is None:
        raise HassError("Install prometheus-node-exporter: it is the peer.")
    return program


def measure(quick: bool) -> Report:
    """Run all three side by side, the peers scraped once per interval."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        progress("Installing the agent and Glances")
        agent = environment(directory / "agent", str(ROOT / "agent"))
        peer = None if quick else environment(directory / "glances", GLANCES)
        url = stack.enter_context(running_home())
        config = directory / "agent.toml"
        config.write_text(
            f'url = "{url}"\nkey = "rwk_bench"\nstate = "{directory}/state"\n'
            f"interval = {INTERVAL}\n"
        )
        port = free_port()
        programs = [
            stack.enter_context(
                started(
                    "ours", agent, "-m", "rackwatt_agent", "--config", config, "run"
                )
            ),
            stack.enter_context(
                started(
                    "node_exporter",
                    node_exporter(),
                    f"--web.listen-address=127.0.0.1:{port}",
                )
            ),
        ]
        if peer is not None:
            glances = ("-m", "glances", "-q", "--time", str(int(INTERVAL)))
            csv = ("--export", "csv", "--export-csv-file", directory / "glances.csv")
            programs.append(
                stack.enter_context(started("glances", peer, *glances, *csv))
            )
        found = watch(programs, f"http://127.0.0.1:{port}/metrics", quick)
        queue = list((directory / "state").glob("**/*"))
    return present(found, len(queue), quick)


def watch(
    programs: list[Process], scraped: str, quick: bool
) -> dict[str, dict[str, float]]:
    """Return CPU s an hour, MB and wake-ups a second of each."""
    intervals = 4 if quick else 30
    time.sleep(6 if quick else 20)  # imports are paid once
    reports = Home.reports
    before = {p.name: (p.cpu_seconds(), p.wakeups(), p.written()) for p in programs}
    began = time.monotonic()
    progress(f"Watching for {intervals * INTERVAL:.0f} s")
    for number in range(intervals):
        with urlopen(scraped, timeout=5) as answer:
            answer.read()
        time.sleep(max(0, began + (number + 1) * INTERVAL - time.monotonic()))
    passed = time.monotonic() - began
    if Home.reports - reports < intervals - 1:
        raise HassError("The agent did not report every interval.")
    return {
        p.name: {
            "cpu": (p.cpu_seconds() - before[p.name][0]) / passed * 3600,
            "wakeups": (p.wakeups() - before[p.name][1]) / passed,
            "rss": p.rss_mb(),
            "written": p.written() - before[p.name][2],
        }
        for p in programs
    }


def present(found: dict[str, dict[str, float]], queued: int, quick: bool) -> Report:
    """Return the figures."""
    ours, exporter = found["ours"], found["node_exporter"]
    report = Report(bench="agent")
    report.figures += [
        Figure(
            name="processor",
            value=ours["cpu"],
            unit="s/h",
            target=at_most(1.0),
            peer=exporter["cpu"],
        ),
        Figure(
            name="… against node_exporter",
            value=ours["cpu"] / exporter["cpu"],
            unit="x",
            target=at_most(0.2),
        ),
        Figure(
            name="memory",
            value=ours["rss"],
            unit="MB",
            target=at_most(24),
            peer=exporter["rss"],
        ),
        Figure(
            name="wake-ups",
            value=ours["wakeups"],
            unit="/s",
            target=at_most(0.3),
            peer=exporter["wakeups"],
        ),
        Figure(
            name="written to disk while connected",
            value=ours["written"] + queued,
            unit="B",
            target=at_most(0),
        ),
    ]
    if quick:
        report.left_out.append("Glances")
        return report
    for what, unit in (("cpu", "s/h"), ("rss", "MB")):
        report.figures.append(
            Figure(
                name=f"{'processor' if what == 'cpu' else 'memory'}, beside Glances",
                value=ours[what],
                unit=unit,
                peer=found["glances"][what],
            )
        )
    return report


if __name__ == "__main__":
    sys.exit(run(measure))
