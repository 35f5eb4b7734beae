"""Servers: reports into a real hass against core's MQTT sensors, and 500 hosts at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import gzip
import json
from pathlib import Path
import random
import shutil
import sqlite3
import statistics
import struct
import sys
import tempfile
import time

import aiohttp

from benchmarks.measured_hass import MeasuredHass, measured_hass
from benchmarks.report import Figure, Report, at_most, progress, run
from custom_components.rackwatt.server.report import (
    API,
    KEY_HEADER,
    Batch,
    Layout,
    Metric,
    Sample,
)
from demo.hass import HassError, free_port
from demo.process import spawn, terminate

HOSTS = 50
HOSTS_QUICK = 20
METRICS = 20
CROWD = 500
CROWD_INTERVAL = 10.0
FLOWS = "/api/config/config_entries/flow"
LAYOUT = Layout(
    keys=tuple(f"power:m{n}" for n in range(METRICS)),
    metrics={
        f"power:m{n}": Metric(kind="power", unit="W", name=f"m{n}", scope="rail")
        for n in range(METRICS)
    },
)


@dataclass
class Trace:
    """The values of a host; two thirds may move no further than noise."""

    seed: int
    values: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin somewhere."""
        self._random = random.Random(self.seed)
        self.values = [self._random.uniform(100, 900) for _ in range(METRICS)]

    def move(self, noise_share: float) -> list[float]:
        """Return the next values."""
        for n, value in enumerate(self.values):
            if self._random.random() < noise_share:
                # what the last digit of a steady load does
                self.values[n] = value + self._random.choice((-0.2, 0.2))
            else:
                self.values[n] = self._random.uniform(100, 900)
        return [round(value, 1) for value in self.values]


class Agent:
    """What an agent sends, without the machine."""

    def __init__(self, session: aiohttp.ClientSession, number: int) -> None:
        """Give it a machine of its own."""
        self._session = session
        self._machine = f"{number:032x}"
        self.name = f"bench{number}"
        self.trace = Trace(number)
        self.key = ""
        self.seq = 0
        self.acked = 0

    async def enroll(self, code: str) -> None:
        """Hand in the code."""
        raw = {
            "v": 1,
            "code": code,
            "machine": self._machine,
            "hostname": self.name,
            "agent": "bench",
        }
        async with self._session.post(f"{API}/enroll", json=raw) as answer:
            self.key = (await answer.json())["key"]

    async def report(self, noise_share: float) -> None:
        """Send a sample."""
        self.seq += 1
        now, up = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
        batch = Batch(
            machine=self._machine,
            agent="bench",
            epoch="b" * 16,
            boot="bench",
            now_ms=now,
            up_ms=up,
            interval_ms=10_000,
            layout=LAYOUT,
            digest=LAYOUT.digest(),
            described=self.seq == 1,
            samples=(Sample(self.seq, now, up, tuple(self.trace.move(noise_share))),),
        )
        body = gzip.compress(json.dumps(batch.to_json()).encode(), 6)
        headers = {KEY_HEADER: self.key, "Content-Encoding": "gzip"}
        async with self._session.post(
            f"{API}/ingest", data=body, headers=headers
        ) as answer:
            raw = await answer.json()
            self.acked = max(self.acked, raw.get("ack", 0))


class Publisher:
    """As much of MQTT as it takes to publish."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        """Keep the connection."""
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Publisher:
        """Log in at the broker."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench")
        await reader.readexactly(4)
        return cls(writer)

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Send one message, at most once, as core's sensors subscribe."""
        name, body = topic.encode(), payload.encode()
        length = 2 + len(name) + len(body)
        size = bytearray()
        while True:
            length, digit = divmod(length, 128)
            size.append(digit | (0x80 if length else 0))
            if not length:
                break
        head = bytes([0x30 | retain]) + size
        self._writer.write(head + struct.pack(">H", len(name)) + name + body)


@asynccontextmanager
async def broker() -> AsyncIterator[int]:
    """Run mosquitto on a port of its own."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists():
        raise HassError("Install mosquitto: it carries the peer's messages.")
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        settings = Path(directory, "conf")
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        process = await spawn(program, "-c", settings, log=Path(directory, "log"))
        await asyncio.sleep(0.5)
        try:
            yield port
        finally:
            await terminate(process, 5)


async def add_agents(measured: MeasuredHass, agents: list[Agent]) -> None:
    """Enrol all of them with one code, and adopt each with one click."""
    client = measured.client
    step = await client.request("POST", FLOWS, json={"handler": "rackwatt"})
    path = f"{FLOWS}/{step['flow_id']}"
    for answer in (
        {"next_step_id": "server"},
        {"name": "many", "enrolment": "many"},
        {"count": len(agents), "hours": 1},
    ):
        step = await client.request("POST", path, json=answer)
    code = step["description_placeholders"]["code"]
    for agent in agents:
        await agent.enroll(code)
    adopted = 0
    async with asyncio.timeout(300):
        while adopted < len(agents):
            await asyncio.sleep(0.5)
            for flow in await client.call("config_entries/flow/progress"):
                if flow["step_id"] == "server_adopt":
                    await client.request("POST", f"{FLOWS}/{flow['flow_id']}", json={})
                    adopted += 1


def discover(publisher: Publisher, hosts: int) -> None:
    """Make core's sensors by MQTT discovery."""
    for host in range(hosts):
        for n in range(METRICS):
            settings = {
                "name": f"m{n}",
                "unique_id": f"mq{host}_{n}",
                "state_topic": f"bench/{host}",
                "value_template": f"{{{{ value_json.m{n} }}}}",
                "unit_of_measurement": "W",
                "device_class": "power",
                "state_class": "measurement",
                "device": {"identifiers": [f"mq{host}"], "name": f"mq{host}"},
            }
            publisher.publish(
                f"homeassistant/sensor/mq{host}_{n}/config",
                json.dumps(settings),
                retain=True,
            )


@dataclass(kw_only=True)
class Cost:
    """CPU a metric update, in µs: of the loop's thread, and of all of hass."""

    loop: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


class Comparison:
    """Windows of the same length, in turn, in one hass."""

    def __init__(
        self, measured: MeasuredHass, hosts: int, reports: int, pause: float
    ) -> None:
        """Set how many reports a window has."""
        self._hosts = hosts
        self._measured = measured
        self._reports = reports
        self._pause = pause
        self.costs: dict[str, Cost] = {}

    async def window(self, name: str, send: Callable[[int], object] | None) -> None:
        """Let every host report some times, evenly; take what hass used meanwhile."""
        await self._measured.lag()
        waiting: list[asyncio.Task[object]] = []
        for _ in range(self._reports):
            for host in range(self._hosts):
                if send is not None:
                    sent = send(host)
                    if asyncio.iscoroutine(sent):
                        waiting.append(asyncio.create_task(sent))
                await asyncio.sleep(self._pause)
        await asyncio.gather(*waiting)
        # the recorder commits every 5 s
        await asyncio.sleep(2.0)
        lag = await self._measured.lag()
        cost = self.costs.setdefault(name, Cost())
        cost.loop.append(lag["loop_cpu"] / lag["wall"])
        cost.whole.append(lag["cpu"] / lag["wall"])
        self._wall = lag["wall"]

    def per_update(self, name: str) -> tuple[float, float]:
        """Return loop and whole CPU an update in µs, what an idle hass uses taken off."""
        updates = self._hosts * METRICS * self._reports
        cost, idle = self.costs[name], self.costs["idle"]
        loop = statistics.median(cost.loop) - statistics.median(idle.loop)
        whole = statistics.median(cost.whole) - statistics.median(idle.whole)
        return (
            loop * self._wall / updates * 1e6,
            whole * self._wall / updates * 1e6,
        )


async def measure_cost(report: Report, quick: bool) -> None:
    """50 hosts of 20 metrics, by MQTT and by our reports."""
    async with (
        broker() as port,
        measured_hass() as measured,
        aiohttp.ClientSession(measured.client.base) as session,
    ):
        hosts = HOSTS_QUICK if quick else HOSTS
        progress(f"Adding {hosts} hosts of {METRICS} metrics, twice")
        agents = [Agent(session, n) for n in range(hosts)]
        await add_agents(measured, agents)
        await asyncio.gather(*(agent.report(0) for agent in agents))
        await add_mqtt(measured, port)
        publisher = await Publisher.connect(port)
        discover(publisher, hosts)
        traces = [Trace(n) for n in range(hosts)]
        await settled(measured, hosts * METRICS)

        def publish(noise_share: float) -> Callable[[int], object]:
            def send(host: int) -> None:
                values = traces[host].move(noise_share)
                payload = {f"m{n}": value for n, value in enumerate(values)}
                publisher.publish(f"bench/{host}", json.dumps(payload))

            return send

        comparison = Comparison(measured, hosts, 5, 0.01)
        # the recorder is still busy with what was just made
        await comparison.window("warm-up", publish(0))
        await comparison.window("warm-up", lambda host: agents[host].report(0))
        await asyncio.sleep(5)
        for number in range(2 if quick else 4):
            progress(f"Round {number + 1}")
            await comparison.window("idle", None)
            await comparison.window("mqtt", publish(0))
            await comparison.window("ours", lambda host: agents[host].report(0))
            await comparison.window("mqtt trace", publish(2 / 3))
            await comparison.window("ours trace", lambda h: agents[h].report(2 / 3))
            await comparison.window("idle", None)
    mqtt, ours = comparison.per_update("mqtt"), comparison.per_update("ours")
    mqtt_trace = comparison.per_update("mqtt trace")
    ours_trace = comparison.per_update("ours trace")
    report.figures += [
        Figure(
            name="event loop, every value changes",
            value=ours[0],
            unit="µs",
            peer=mqtt[0],
        ),
        Figure(
            name="… against core's MQTT JSON sensors",
            value=ours[0] / mqtt[0],
            unit="x",
            target=at_most(0.6),
        ),
        Figure(
            name="all of hass with its recorder, a real trace",
            value=ours_trace[1],
            unit="µs",
            peer=mqtt_trace[1],
        ),
        Figure(
            name="… against core's MQTT JSON sensors, recorder included",
            value=ours_trace[1] / mqtt_trace[1],
            unit="x",
            target=at_most(0.3),
        ),
    ]


async def add_mqtt(measured: MeasuredHass, port: int) -> None:
    """Connect core's MQTT integration to the broker."""
    client = measured.client
    step = await client.request("POST", FLOWS, json={"handler": "mqtt"})
    if step["type"] == "menu":
        step = await client.request(
            "POST", f"{FLOWS}/{step['flow_id']}", json={"next_step_id": "broker"}
        )
    step = await client.request(
        "POST",
        f"{FLOWS}/{step['flow_id']}",
        json={
            "broker": "127.0.0.1",
            "port": port,
            "other_settings": {"set_client_cert": False, "set_ca_cert": "off"},
        },
    )
    if step["type"] != "create_entry":
        raise HassError(f"The MQTT integration was not set up: {step}")


async def settled(measured: MeasuredHass, sensors: int) -> None:
    """Wait until the MQTT sensors are there."""
    async with asyncio.timeout(120):
        while True:
            states = await measured.client.call("get_states")
            if sum(s["entity_id"].startswith("sensor.mq") for s in states) >= sensors:
                return
            await asyncio.sleep(0.5)


async def measure_crowd(report: Report, rounds: int) -> None:
    """500 hosts that report every ten seconds, and a start of hass with them."""
    async with measured_hass() as measured:
        began = time.monotonic()
        await measured.restart_in_order()
        bare = time.monotonic() - began
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            measured.client.base, connector=connector
        ) as session:
            agents = [Agent(session, n) for n in range(CROWD)]
            progress(f"Enrolling {CROWD} hosts")
            await add_agents(measured, agents)
            await crowd_reports(agents, 1)
            await measured.lag()
            progress(f"{CROWD} hosts for {rounds * CROWD_INTERVAL:.0f} s")
            for _ in range(rounds):
                await crowd_reports(agents, 1)
                # a session that says nothing for a minute is closed
                await measured.client.call("get_config")
            lag = await measured.lag()
            await asyncio.sleep(1)
        stored = count_samples(measured.hass.config)
        progress("Starting with all of them")
        began = time.monotonic()
        await measured.restart_in_order()
        full = time.monotonic() - began
    sent = sum(agent.seq for agent in agents)
    report.figures += [
        Figure(name="samples sent by 500 hosts", value=sent, unit="samples"),
        Figure(
            name="samples lost or doubled",
            value=abs(sent - stored) + sent - sum(agent.acked for agent in agents),
            unit="samples",
            target=at_most(0),
        ),
        Figure(
            name="event-loop lag with 500 hosts, p99",
            value=lag["p99"] * 1000,
            unit="ms",
            target=at_most(50),
        ),
        Figure(
            name="CPU of all of hass with 500 hosts",
            value=lag["cpu"] / lag["wall"] * 100,
            unit="% of a core",
        ),
        Figure(name="start of hass with 500 servers", value=full, unit="s", peer=bare),
    ]


async def crowd_reports(agents: list[Agent], rounds: int) -> None:
    """Let every host report once per interval, evenly."""
    start = time.monotonic()
    waiting = []
    for number in range(rounds):
        for place, agent in enumerate(agents):
            due = start + CROWD_INTERVAL * (number + place / len(agents))
            await asyncio.sleep(max(0, due - time.monotonic()))
            waiting.append(asyncio.create_task(agent.report(2 / 3)))
    await asyncio.gather(*waiting)


def count_samples(config: Path) -> int:
    """Return how many samples are stored, each counted once."""
    with sqlite3.connect(config / "rackwatt_samples.db") as db:
        (tail,) = db.execute("SELECT count(*) FROM tail").fetchone()
        (packed,) = db.execute("SELECT coalesce(sum(count), 0) FROM block").fetchone()
    return int(tail + packed)


async def measure(quick: bool) -> Report:
    """Measure all of it."""
    report = Report(bench="servers")
    await measure_cost(report, quick)
    if quick:
        report.left_out += ["500 hosts", "start of hass with 500 servers"]
    else:
        await measure_crowd(report, 6)
    return report


if __name__ == "__main__":
    sys.exit(run(measure))
