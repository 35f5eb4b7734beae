"""Real SNMP agents on loopback, and PDUs of Home Assistant that ask them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
import threading
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from custom_components.rackwatt.const import CONF_KIND, DOMAIN, PDU
from custom_components.rackwatt.pdu import engine
from custom_components.rackwatt.pdu.client import SnmpClient
from custom_components.rackwatt.pdu.credentials import (
    AuthProtocol,
    Credentials,
    PrivProtocol,
    Version,
)
from custom_components.rackwatt.pdu.models import Pdu
from custom_components.rackwatt.pdu.profile import Profile, load_profiles
from custom_components.rackwatt.pdu.reader import Structure, identify, poll, survey
from custom_components.rackwatt.pdu.settings import settings_of
from custom_components.rackwatt.pdu.snmp import SnmpThread
from demo.rack.pdu_trees import Tree
from demo.rack.snmpd import AUTH_KEY, COMMUNITY, PRIV_KEY, USERNAME, Snmpd

V3 = Credentials(
    version=Version.V3,
    username=USERNAME,
    auth_protocol=AuthProtocol.SHA256,
    auth_key=AUTH_KEY,
    priv_protocol=PrivProtocol.AES128,
    priv_key=PRIV_KEY,
)
V2C = Credentials(version=Version.V2C, community=COMMUNITY)
V1 = Credentials(version=Version.V1, community=COMMUNITY)

StartAgent = Callable[..., Awaitable[Snmpd]]


class LastingThread(SnmpThread):
    """A thread that all tests share: an engine of pysnmp takes long to make."""

    def start(self) -> None:
        """Run on."""

    def stop(self) -> None:
        """Run on."""

    def end_trials(self) -> None:
        """Keep the engines of trials for the next."""


@pytest.fixture(scope="session")
def snmp_thread() -> Iterator[SnmpThread]:
    """Start one SNMP thread for all tests."""
    thread = LastingThread()
    SnmpThread.start(thread)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(engine, "TICK", 0.05)
        yield thread
    SnmpThread.stop(thread)


@pytest.fixture
async def start_agent(
    tmp_path: Path, socket_enabled: None
) -> AsyncIterator[StartAgent]:
    """Return how to start agents, which end with the test."""
    agents: list[Snmpd] = []

    async def start(tree: Tree, **options: Any) -> Snmpd:
        agent = Snmpd(directory=tmp_path / f"agent{len(agents)}", tree=tree, **options)
        agents.append(agent)
        await agent.start()
        return agent

    yield start
    for agent in agents:
        await agent.stop()


class LastingAgents:
    """Agents that tests share which only read them, in a loop that outlives theirs."""

    def __init__(self, directory: Path) -> None:
        """Keep where the agents live."""
        self._directory = directory
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._agents: dict[str, Snmpd] = {}

    async def __call__(self, tree: Tree, **options: Any) -> Snmpd:
        """Return the agent of a tree, started if nobody asked for it before."""
        key = repr((sorted(tree.items()), sorted(options.items())))
        if key not in self._agents:
            place = self._directory / f"agent{len(self._agents)}"
            agent = Snmpd(directory=place, tree=dict(tree), **options)
            await asyncio.wrap_future(self._call(agent.start()))
            self._agents[key] = agent
        return self._agents[key]

    def stop(self) -> None:
        """Stop all agents."""
        for agent in self._agents.values():
            self._call(agent.stop()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Do something in the loop of the agents."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)


@pytest.fixture(scope="session")
def lasting_agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LastingAgents]:
    """Keep agents for all tests."""
    agents = LastingAgents(tmp_path_factory.mktemp("agents"))
    yield agents
    agents.stop()


@pytest.fixture
def shared_agent(lasting_agents: LastingAgents, socket_enabled: None) -> StartAgent:
    """Return how to get an agent that is only read."""
    return lasting_agents


AskAgent = Callable[..., SnmpClient]


@pytest.fixture
def ask(snmp_thread: SnmpThread) -> AskAgent:
    """Return how to make a client of an agent."""

    def make(
        agent: Snmpd, credentials: Credentials = V2C, port: int = 0, **options: Any
    ) -> SnmpClient:
        options = {"timeout": 0.4, "retries": 2} | options
        return SnmpClient(
            snmp_thread, "127.0.0.1", port or agent.port, credentials, **options
        )

    return make


async def read(client: SnmpClient) -> tuple[Profile, Structure, Pdu]:
    """Identify, survey and poll."""
    profile = await identify(client, load_profiles())
    assert profile is not None
    structure = await survey(client, profile)
    reading = await poll(client, structure)
    assert reading.stands
    assert reading.pdu == structure.first
    return profile, structure, reading.pdu


def pdu_entry(
    agent: Snmpd,
    unique_id: str | None,
    credentials: Credentials = V2C,
    port: int = 0,
    **options: Any,
) -> MockConfigEntry:
    """Return the entry of a PDU."""
    return MockConfigEntry(
        domain=DOMAIN,
        title="Left PDU",
        unique_id=unique_id,
        data={
            CONF_KIND: PDU,
            "host": "127.0.0.1",
            "port": port or agent.port,
            "mac": None,
            **settings_of(credentials),
        },
        **options,
    )


SetUp = Callable[..., Awaitable[MockConfigEntry]]


@pytest.fixture
async def set_up(hass: HomeAssistant) -> AsyncIterator[SetUp]:
    """Return how to set up the entry of a PDU, which is unloaded with the test."""
    entries: list[MockConfigEntry] = []

    async def set_up_entry(entry: MockConfigEntry) -> MockConfigEntry:
        entry.add_to_hass(hass)
        entries.append(entry)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        return entry

    yield set_up_entry
    for entry in entries:
        if entry.state.recoverable:
            await hass.config_entries.async_unload(entry.entry_id)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, snmp_thread: SnmpThread) -> None:
    """Wait less for agents that are away, and for engines."""
    monkeypatch.setattr(
        "custom_components.rackwatt.pdu.snmp_thread.SnmpThread", lambda: snmp_thread
    )
    monkeypatch.setattr(
        "custom_components.rackwatt.pdu.coordinator.SnmpClient",
        partial(SnmpClient, timeout=0.2, retries=0),
    )
    monkeypatch.setattr("custom_components.rackwatt.pdu.diagnosis.WAIT", 0.2)
    monkeypatch.setattr("custom_components.rackwatt.pdu.coordinator.SILENT_POLLS", 2)
    monkeypatch.setattr("custom_components.rackwatt.pdu.engine_id.ATTEMPTS", (0.1, 0.1))


@pytest.fixture
def all_enabled() -> Iterator[None]:
    """Enable entities that wait to be enabled."""
    with patch(
        "homeassistant.helpers.entity.Entity.entity_registry_enabled_default",
        return_value=True,
    ):
        yield


def device_of(hass: HomeAssistant, entry: MockConfigEntry, name: str) -> Any:
    """Return the device of an identifier, None where there is none."""
    registry = dr.async_get(hass)
    devices = [
        *dr.async_entries_for_config_entry(registry, entry.entry_id),
        *dr.async_child_entries_for_config_entry(registry, entry.entry_id),
    ]
    return next(
        (device for device in devices if (DOMAIN, name) in device.identifiers), None
    )
