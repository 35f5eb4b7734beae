"""Poll PDUs beside core's `snmp` sensors and net-snmp's own commands.

The agent is net-snmp's, and so is the network card of every PDU here; Home Assistant, its
`snmp` platform and our integration run in one process and take turns.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import contextlib
from dataclasses import dataclass
import gc
from pathlib import Path
import resource
import statistics
import tempfile
import time
from typing import Any

from homeassistant import loader
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.setup import async_setup_component

from .report import Figure, Report, at_least, at_most, progress, run
from custom_components.rackwatt.pdu.client import SnmpClient
from custom_components.rackwatt.pdu.coordinator import PduCoordinator
from custom_components.rackwatt.pdu.credentials import (
    AuthProtocol,
    Credentials,
    PrivProtocol,
    Version,
)
from custom_components.rackwatt.pdu.profile import load_profiles
from custom_components.rackwatt.pdu.reader import Structure, identify, poll, survey
from custom_components.rackwatt.pdu.settings import settings_of
from custom_components.rackwatt.pdu.snmp import SnmpThread
from demo.rack.pdu_trees import RPDU2, Tree, rpdu2
from demo.rack.snmpd import AUTH_KEY, PRIV_KEY, USERNAME, Snmpd, environment, free_port

VALUES = 80
PDUS = 50
INTERVAL = 30.0  # s
MEMORY_POLLS = 1000
TICK = 0.001  # s
RUN_DELAY = Path("/proc/thread-self/schedstat")
IN_PACKETS = "1.3.6.1.2.1.11.1.0"
OUT_PACKETS = "1.3.6.1.2.1.11.2.0"
CREDENTIALS = Credentials(
    version=Version.V3,
    username=USERNAME,
    auth_protocol=AuthProtocol.SHA256,
    auth_key=AUTH_KEY,
    priv_protocol=PrivProtocol.AES128,
    priv_key=PRIV_KEY,
)


def tree_of_80_values() -> Tree:
    """Return a PDU whose 24 outlets tell current, power and energy, and little else."""
    tree = rpdu2(switched=False, probe=False)
    unwanted = (
        *(f"{RPDU2}.9.4.3.1.{column}." for column in (5, 8)),
        *(f"{RPDU2}.6.3.1.{column}." for column in (4, 7, 8, 9, 10)),
        *(f"{RPDU2}.4.3.1.{column}." for column in (12, 13, 14)),
        *(f"{RPDU2}.{table}." for table in (8, 10)),
        "1.3.6.1.2.1.2.2.1.6.",
    )
    return {
        name: value for name, value in tree.items() if not name.startswith(unwanted)
    }


@contextlib.asynccontextmanager
async def agent(tree: Tree, ports: int = 1) -> AsyncIterator[tuple[Snmpd, list[int]]]:
    """Run one agent that listens on some ports."""
    more = [free_port() for _ in range(ports - 1)]
    with tempfile.TemporaryDirectory() as directory:
        snmpd = Snmpd(
            directory=Path(directory),
            tree=tree,
            extra=tuple(f"agentaddress udp:127.0.0.1:{port}" for port in more),
        )
        await snmpd.start()
        try:
            yield snmpd, [snmpd.port, *more]
        finally:
            await snmpd.stop()


@contextlib.asynccontextmanager
async def home_assistant() -> AsyncIterator[HomeAssistant]:
    """Run a Home Assistant in this process."""
    # Warns if it is imported before Home Assistant
    from pytest_homeassistant_custom_component.common import async_test_home_assistant  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as directory:
        async with async_test_home_assistant(config_dir=directory) as hass:
            hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
            try:
                yield hass
            finally:
                await hass.async_stop(force=True)


async def our_pdu(hass: HomeAssistant, port: int) -> PduCoordinator:
    """Set up a PDU of ours."""
    from pytest_homeassistant_custom_component.common import MockConfigEntry  # noqa: PLC0415

    entry = MockConfigEntry(
        domain="rackwatt",
        title="PDU",
        unique_id="ZA1700000001",
        data={
            "kind": "pdu",
            "host": "127.0.0.1",
            "port": port,
            "mac": None,
            **settings_of(CREDENTIALS),
        },
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    if entry.state is not ConfigEntryState.LOADED:
        raise RuntimeError(entry.reason)
    coordinator = entry.runtime_data
    assert isinstance(coordinator, PduCoordinator)
    return coordinator


async def names_of_80_values(snmpd: Snmpd) -> list[str]:
    """Return the objects that we read at each poll, for the peers to read too."""
    thread = SnmpThread()
    thread.start()
    client = SnmpClient(thread, "127.0.0.1", snmpd.port, CREDENTIALS)
    structure = await _surveyed(client)
    await asyncio.get_running_loop().run_in_executor(None, thread.stop)
    names = [".".join(map(str, cell.source)) for cell in structure.cells]
    if len(names) != VALUES:
        raise RuntimeError(f"the PDU tells {len(names)} values, not {VALUES}")
    return names


async def core_sensors(hass: HomeAssistant, port: int, names: list[str]) -> list[Any]:
    """Set up a sensor of core's `snmp` for each object."""
    sensors = [
        {
            "platform": "snmp",
            "name": f"peer {number}",
            "host": "127.0.0.1",
            "port": str(port),
            "baseoid": name,
            "version": "3",
            "username": USERNAME,
            "auth_protocol": "hmac192-sha256",
            "auth_key": AUTH_KEY,
            "priv_protocol": "aes-cfb-128",
            "priv_key": PRIV_KEY,
            "scan_interval": 86400,
        }
        for number, name in enumerate(names)
    ]
    await async_setup_component(hass, "sensor", {"sensor": sensors})
    await hass.async_block_till_done()
    entities = [
        entity
        for platform in async_get_platforms(hass, "snmp")
        for entity in platform.entities.values()
    ]
    if len(entities) != len(names):
        raise RuntimeError(f"core made {len(entities)} of {len(names)} sensors")
    return entities


@dataclass(kw_only=True)
class Cost:
    """What reading a PDU costs: ms of this process and its children, packets."""

    milliseconds: float
    packets: int


async def cost_of(snmpd: Snmpd, work: Callable[[], Awaitable[Any]]) -> Cost:
    """Measure one reading."""
    before = await snmpd.get(IN_PACKETS, OUT_PACKETS)
    start = time.process_time() + _children()
    await work()
    spent = time.process_time() + _children() - start
    after = await snmpd.get(IN_PACKETS, OUT_PACKETS)
    packets = sum(
        int(late) - int(early) for early, late in zip(before, after, strict=True)
    )
    return Cost(milliseconds=spent * 1000, packets=packets - 2)  # the count's own


def _children() -> float:
    """Return the CPU time of programs that were run and have ended, in s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def command_line(snmpd: Snmpd, names: list[str]) -> None:
    """Read each object by a command of its own, as scripts do."""
    for name in names:
        process = await asyncio.create_subprocess_exec(
            *("snmpget", "-v3", "-u", USERNAME, "-l", "authPriv", "-a", "SHA-256"),
            *("-A", AUTH_KEY, "-x", "AES", "-X", PRIV_KEY, "-M", "", "-m", "", "-Oqv"),
            *(f"127.0.0.1:{snmpd.port}", name),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(snmpd.directory / "state"),
        )
        if await process.wait():
            raise RuntimeError(f"snmpget failed on {name}")


async def measure_one(report: Report, rounds: int) -> None:
    """Compare one PDU read by us, by core and by commands, in turns."""
    progress(f"one PDU, {VALUES} values: ours, core's sensors, net-snmp's commands")
    costs: dict[str, list[Cost]] = {"ours": [], "core": [], "commands": []}
    async with agent(tree_of_80_values()) as (snmpd, _), home_assistant() as hass:
        names = await names_of_80_values(snmpd)
        # before ours: a platform of YAML is set up with its component only
        sensors = await core_sensors(hass, snmpd.port, names)
        ours = await our_pdu(hass, snmpd.port)

        async def core() -> None:
            for sensor in sensors:
                await sensor.async_update()

        for number in range(rounds):
            costs["ours"].append(await cost_of(snmpd, ours.async_refresh))
            costs["core"].append(await cost_of(snmpd, core))
            if not number:
                costs["commands"].append(
                    await cost_of(snmpd, lambda: command_line(snmpd, names))
                )
        if not ours.last_update_success:
            raise RuntimeError("the PDU was not read")
        await hass.config_entries.async_unload(ours.config_entry.entry_id)
    spent = {
        name: statistics.median(cost.milliseconds for cost in found)
        for name, found in costs.items()
    }
    packets = {
        name: statistics.median(cost.packets for cost in found)
        for name, found in costs.items()
    }
    report.figures += [
        Figure(
            name="CPU of a poll beside core's sensors",
            value=spent["ours"],
            unit="ms",
            peer=spent["core"],
        ),
        Figure(
            name="core's CPU ÷ ours",
            value=spent["core"] / spent["ours"],
            unit="×",
            target=at_least(8),
        ),
        Figure(
            name="packets of a poll beside core's sensors",
            value=packets["ours"],
            unit="packets",
            peer=packets["core"],
        ),
        Figure(
            name="core's packets ÷ ours",
            value=packets["core"] / packets["ours"],
            unit="×",
            target=at_least(10),
        ),
        Figure(
            name="CPU of a poll beside net-snmp's commands",
            value=spent["ours"],
            unit="ms",
            peer=spent["commands"],
        ),
    ]


def _run_delay() -> float:
    """Return how long this thread has waited for a processor that others had, in s."""
    return int(RUN_DELAY.read_text().split()[1]) / 1e9


async def _watch(late: list[float]) -> None:
    """Wake up each millisecond, and note how late."""
    while True:
        due, waited = time.monotonic() + TICK, _run_delay()
        await asyncio.sleep(TICK)
        late.append(time.monotonic() - due - (_run_delay() - waited))


async def measure_many(report: Report, seconds: float, rounds: int) -> None:
    """Poll fifty PDUs of 24 outlets, spread over an interval, and watch the loop."""
    progress(f"{PDUS} PDUs, {rounds} rounds of {seconds:g} s")
    thread = SnmpThread()
    thread.start()
    late: list[float] = []
    lost = 0
    async with agent(rpdu2(), PDUS) as (_, ports):
        clients = [SnmpClient(thread, "127.0.0.1", port, CREDENTIALS) for port in ports]
        structure = await _surveyed(clients[0])
        # the first contact of each: keys are derived from passphrases only then
        await asyncio.gather(*(poll(client, structure) for client in clients))
        watch = asyncio.create_task(_watch(late))
        spent = time.process_time()

        async def read(client: SnmpClient, delay: float) -> bool:
            await asyncio.sleep(delay)
            return (await poll(client, structure)).stands

        for _ in range(rounds):
            delays = [number * seconds / PDUS for number in range(PDUS)]
            whole = await asyncio.gather(
                *(
                    read(client, delay)
                    for client, delay in zip(clients, delays, strict=True)
                )
            )
            lost += whole.count(False)
        spent = (time.process_time() - spent) / rounds
        watch.cancel()
        # and all at once, which is worse than any schedule
        whole = await asyncio.gather(*(read(client, 0) for client in clients))
        lost += whole.count(False)
    await asyncio.get_running_loop().run_in_executor(None, thread.stop)
    ordered = sorted(late)
    report.figures += [
        Figure(
            name=f"{PDUS} PDUs: readings lost",
            value=lost + sum(client.statistics.timeouts for client in clients),
            unit="",
            target=at_most(0),
        ),
        Figure(
            name=f"{PDUS} PDUs: event-loop lag, 99 of 100",
            value=ordered[int(len(ordered) * 0.99)] * 1000,
            unit="ms",
            target=at_most(20),
        ),
        Figure(name=f"{PDUS} PDUs: longest lag", value=ordered[-1] * 1000, unit="ms"),
        Figure(name=f"{PDUS} PDUs: CPU of a round", value=spent, unit="s"),
    ]


async def _surveyed(client: SnmpClient) -> Structure:
    """Return what a PDU is made of."""
    profile = await identify(client, load_profiles())
    assert profile is not None
    return await survey(client, profile)


async def measure_memory(report: Report, polls: int) -> None:
    """Poll again and again, and see what stays in memory."""
    progress(f"memory over {polls} polls")
    thread = SnmpThread()
    thread.start()
    async with agent(tree_of_80_values()) as (snmpd, _):
        client = SnmpClient(thread, "127.0.0.1", snmpd.port, CREDENTIALS)
        structure = await _surveyed(client)
        for _ in range(100):
            await poll(client, structure)
        before = _resident()
        for _ in range(polls):
            await poll(client, structure)
        grown = _resident() - before
    await asyncio.get_running_loop().run_in_executor(None, thread.stop)
    report.figures.append(
        Figure(
            name=f"memory after {polls} polls",
            value=grown / 1024,
            unit="MiB more",
            target=at_most(2),
        )
    )


def _resident() -> float:
    """Return the memory of this process in KiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


async def measure(quick: bool) -> Report:
    """Measure all of it."""
    report = Report(bench="pdu")
    await measure_one(report, rounds=3 if quick else 10)
    await measure_many(
        report, seconds=8 if quick else INTERVAL, rounds=1 if quick else 3
    )
    if quick:
        report.left_out.append(f"memory after {MEMORY_POLLS} polls")
    else:
        await measure_memory(report, MEMORY_POLLS)
    return report


if __name__ == "__main__":
    raise SystemExit(run(measure))
