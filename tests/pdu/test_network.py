"""A network that loses, delays, swaps and damages: no wrong value, no false alarm."""

from collections.abc import AsyncIterator

import pytest

from .conftest import V2C, V3, AskAgent, StartAgent
from custom_components.rackwatt.pdu.client import SnmpClient
from custom_components.rackwatt.pdu.credentials import Credentials
from custom_components.rackwatt.pdu.errors import (
    SnmpAuthenticationError,
    SnmpError,
    SnmpTimeoutError,
)
from custom_components.rackwatt.pdu.models import Pdu
from custom_components.rackwatt.pdu.profile import load_profiles
from custom_components.rackwatt.pdu.reader import Structure, identify, poll, survey
from custom_components.rackwatt.pdu.snmp import SnmpThread
from demo.rack.pdu_trees import rpdu2
from demo.rack.udp_proxy import Faults, UdpProxy


class Path:
    """A PDU behind a bad network."""

    def __init__(
        self, client: SnmpClient, structure: Structure, proxy: UdpProxy
    ) -> None:
        """Put together what belongs together."""
        self.client = client
        self.structure = structure
        self.proxy = proxy

    async def read(self, polls: int) -> tuple[list[Pdu], list[SnmpError]]:
        """Poll so many times."""
        found: list[Pdu] = []
        failed: list[SnmpError] = []
        for _ in range(polls):
            try:
                reading = await poll(self.client, self.structure)
            except SnmpError as err:
                failed.append(err)
            else:
                found.append(reading.pdu)
        return found, failed


@pytest.fixture(params=[V3, V2C], ids=["v3", "v2c"])
async def path(
    request: pytest.FixtureRequest,
    shared_agent: StartAgent,
    ask: AskAgent,
    snmp_thread: SnmpThread,
) -> AsyncIterator[Path]:
    """Lay a path to a PDU that is still good."""
    credentials: Credentials = request.param
    agent = await shared_agent(rpdu2(outlets=2))
    proxy = UdpProxy(target=("127.0.0.1", agent.port), seed=7)
    client = ask(agent, credentials, port=await proxy.start(), timeout=0.1, retries=4)
    profile = await identify(client, load_profiles())
    assert profile is not None
    yield Path(client, await survey(client, profile), proxy)
    proxy.stop()


async def test_loss(path: Path) -> None:
    """Three of ten datagrams lost: the readings are whole, or none."""
    path.proxy.faults = Faults(loss=0.3)
    found, failed = await path.read(6)
    assert all(pdu == path.structure.first for pdu in found)
    assert len(found) >= 5
    assert all(isinstance(err, SnmpTimeoutError) for err in failed)


async def test_delay_and_reordering(path: Path) -> None:
    """Late, overtaking and repeated datagrams do not mix up answers."""
    path.proxy.faults = Faults(delay=0.01, jitter=0.05, duplicate=0.3)
    found, failed = await path.read(5)
    assert failed == []
    assert all(pdu == path.structure.first for pdu in found)


async def test_damage(path: Path) -> None:
    """Flipped bits: with v3 no wrong value, and in no case a false refusal."""
    path.proxy.faults = Faults(damage=0.3)
    found, failed = await path.read(12)
    assert len(found) >= 10
    assert not any(isinstance(err, SnmpAuthenticationError) for err in failed)
    if path.client.credentials is V3:
        assert all(pdu == path.structure.first for pdu in found)
    else:
        # whatever came through is at least possible
        powers = [outlet.power for pdu in found for outlet in pdu.outlets]
        assert all(power is None or 0 <= power <= 25_000 for power in powers)
