"""Read sixty-four 1-Wire probes, beside w1thermsensor one after another.

The bus is simulated at the speed of a real one, by a process of its own; Home Assistant,
the coordinator, the library and the files are real.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
import contextlib
from pathlib import Path
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, Self

from homeassistant import loader
from homeassistant.config_entries import ConfigEntryState

from .report import Figure, Report, at_most, progress, run
from custom_components.rackwatt.temperature_probe.bus import load_library
from custom_components.rackwatt.temperature_probe.coordinator import (
    TemperatureProbeCoordinator,
)

PROBES = 64
FEW = 4
CYCLES = 1000
TICK = 0.001  # s
FAST = 2000  # times the speed of a real bus, where cycles count and not their time
SIMULATION = "import sys; from benchmarks.one_wire import main; main(sys.argv[1:])"
RUN_DELAY = Path("/proc/thread-self/schedstat")


@contextlib.contextmanager
def simulated(*buses: int, has_bulk: bool = True, speed: float = 1) -> Iterator[Path]:
    """Run a simulated tree in a process of its own, and give its path."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "sys"
        settings = [str(root), str(speed), str(int(has_bulk)), *map(str, buses)]
        with subprocess.Popen(
            [sys.executable, "-c", SIMULATION, *settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            yield Path(process.stdout.readline().strip())
            # the end of its input is the end of the simulation
            process.stdin.close()


@contextlib.asynccontextmanager
async def set_up(path: Path) -> AsyncIterator[TemperatureProbeCoordinator]:
    """Set a tree up in Home Assistant."""
    # Warns if it is imported before Home Assistant
    from pytest_homeassistant_custom_component.common import (  # noqa: PLC0415
        MockConfigEntry,
        async_test_home_assistant,
    )

    with tempfile.TemporaryDirectory() as directory:
        async with async_test_home_assistant(config_dir=directory) as hass:
            hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
            entry = MockConfigEntry(
                domain="rackwatt",
                title="1-Wire",
                data={"kind": "temperature_probe", "path": str(path)},
            )
            entry.add_to_hass(hass)
            await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
            if entry.state is not ConfigEntryState.LOADED:
                raise RuntimeError(entry.reason)
            try:
                yield entry.runtime_data
            finally:
                await hass.config_entries.async_unload(entry.entry_id)
                await hass.async_stop(force=True)


async def cycle(coordinator: TemperatureProbeCoordinator) -> float:
    """Read all probes once, and return how long that took; every one has to answer."""
    started = time.monotonic()
    await coordinator.async_refresh()
    seconds = time.monotonic() - started
    probes = coordinator.data.probes.values()
    if not all(probe.is_available and not probe.bad_in_a_row for probe in probes):
        raise RuntimeError("a probe of the simulation gave no temperature")
    return seconds


def run_delay() -> float:
    """Return how long this thread has waited for a processor that others had, in s."""
    return int(RUN_DELAY.read_text().split()[1]) / 1e9


class LoopWatch:
    """Measures how long the event loop was held up, its waits for a processor aside."""

    def __init__(self) -> None:
        """Initialize the watch."""
        self.longest = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""
        assert self._task is not None
        self._task.cancel()

    async def _watch(self) -> None:
        """Wake up each millisecond, and see how late."""
        while True:
            due, waited = time.monotonic() + TICK, run_delay()
            await asyncio.sleep(TICK)
            late = time.monotonic() - due - (run_delay() - waited)
            self.longest = max(self.longest, late)


def one_after_another(path: Path, probes: int) -> float:
    """Read probes as users of w1thermsensor do, and return how long that took."""
    library = load_library()
    kind: Any = type("Sensor", (library.W1ThermSensor,), {"BASE_DIRECTORY": path})
    sensors = sorted(kind.get_available_sensors(), key=lambda sensor: sensor.id)
    started = time.monotonic()
    for sensor in sensors[:probes]:
        sensor.get_temperature()
    return time.monotonic() - started


async def cycles(path: Path, number: int) -> tuple[list[float], float]:
    """Read a tree so many times; return how long each took, and the loop was held up.

    A peer reads before or after, never meanwhile: while Home Assistant lets the whole
    bus convert, the driver gives others nothing.
    """
    async with set_up(path) as coordinator, LoopWatch() as watch:
        seconds = [await cycle(coordinator) for _ in range(number)]
    return seconds, watch.longest


async def measure_few() -> Figure:
    """Compare a few probes, which fit a quick run."""
    progress(f"{FEW} probes, ours and one after another")
    with simulated(FEW) as path:
        (ours,), _ = await cycles(path, 1)
        peer = one_after_another(path, FEW)
    return Figure(name=f"{FEW} probes, one cycle", value=ours, unit="s", peer=peer)


async def measure_many(report: Report, *, quick: bool) -> None:
    """Read a full bus, and watch the event loop meanwhile."""
    progress(f"{PROBES} probes on one bus")
    peer = None
    with simulated(PROBES) as path:
        ours, held_up = await cycles(path, 2 if quick else 10)
        if not quick:
            progress(f"{PROBES} probes one after another")
            peer = one_after_another(path, PROBES)
            again, later = await cycles(path, 2)
            ours, held_up = ours + again, max(held_up, later)
    report.figures += [
        Figure(
            name=f"{PROBES} probes, slowest cycle",
            value=max(ours),
            unit="s",
            target=at_most(2.5),
            peer=peer,
        ),
        Figure(
            name="event loop held up at most",
            value=held_up * 1000,
            unit="ms",
            target=at_most(20),
        ),
    ]
    if quick:
        report.left_out.append(f"{PROBES} probes one after another")


async def measure_threads(*, quick: bool) -> Figure:
    """Read a full bus that cannot convert as a whole."""
    progress(f"{PROBES} probes without bulk conversion")
    with simulated(PROBES, has_bulk=False) as path:
        seconds, _ = await cycles(path, 1 if quick else 3)
    return Figure(
        name=f"{PROBES} probes without bulk conversion, slowest cycle",
        value=max(seconds),
        unit="s",
        target=at_most(2.5),
    )


def held() -> tuple[int, int]:
    """Return how many threads and files this process has."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


async def measure_leaks() -> list[Figure]:
    """Read two buses many times, and see what is left over."""
    progress(f"{CYCLES} cycles of two buses")
    with simulated(2, 1, speed=FAST) as path:
        async with set_up(path) as coordinator:
            await cycle(coordinator)
            before = held()
            for _ in range(CYCLES):
                await cycle(coordinator)
            after = held()
    return [
        Figure(
            name=f"{what} more after {CYCLES} cycles",
            value=after[index] - before[index],
            unit="",
            target=at_most(0),
        )
        for index, what in enumerate(("threads", "open files"))
    ]


async def measure(quick: bool) -> Report:
    """Measure everything that there is to know about reading probes."""
    report = Report(bench="probes")
    report.figures.append(await measure_few())
    await measure_many(report, quick=quick)
    report.figures.append(await measure_threads(quick=quick))
    report.figures += await measure_leaks()
    return report


if __name__ == "__main__":
    raise SystemExit(run(measure))
