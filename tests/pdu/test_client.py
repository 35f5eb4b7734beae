"""Asking agents: every version, every limit, every bad manner, the same values."""

from collections.abc import Callable
import socket
from typing import Any, cast

import pytest

from .conftest import V1, V2C, V3, AskAgent, StartAgent
from custom_components.rackwatt.pdu.client import SnmpClient
from custom_components.rackwatt.pdu.credentials import Credentials
from custom_components.rackwatt.pdu.errors import (
    AuthFailure,
    SnmpAuthenticationError,
    SnmpError,
    SnmpHostError,
    SnmpResponseError,
    SnmpTimeoutError,
)
from custom_components.rackwatt.pdu.message import (
    Address,
    Oid,
    Operation,
    Request,
    Response,
    VarBind,
    dotted,
    oid,
)
from custom_components.rackwatt.pdu.snmp import SnmpThread
from demo.rack.pdu_trees import RPDU2, rpdu2
from demo.rack.udp_proxy import Faults, UdpProxy

OUTLET = oid(f"{RPDU2}.9.4.3.1")
COLUMNS = [(*OUTLET, 6), (*OUTLET, 7), (*OUTLET, 11)]
DEVICE_POWER = oid(f"{RPDU2}.4.3.1.5.1")


@pytest.mark.parametrize("credentials", [V1, V2C, V3])
async def test_every_version_reads_the_same(
    shared_agent: StartAgent, ask: AskAgent, credentials: Credentials
) -> None:
    """A column, a single cell and a list of cells agree in all versions."""
    client = ask(await shared_agent(rpdu2()), credentials)
    cells = await client.bulk([DEVICE_POWER[:-1]], COLUMNS)
    assert len(cells) == 73
    assert cells[DEVICE_POWER] == 114
    assert cells[(*OUTLET, 7, 2)] == 26
    absent = oid(f"{RPDU2}.99.1")
    assert await client.get([*cells, absent]) == cells
    assert await client.get([oid("1.3.6.1.2.1.1.2.0")]) == {
        oid("1.3.6.1.2.1.1.2.0"): oid("1.3.6.1.4.1.318.1.3.4.6")
    }
    assert client.statistics.timeouts == 0


async def test_one_message_carries_a_poll(
    shared_agent: StartAgent, ask: AskAgent
) -> None:
    """Eighty values of a PDU with 24 outlets travel in one message."""
    client = ask(await shared_agent(rpdu2()), V3)
    singles = [
        oid(f"{RPDU2}.4.3.1.{column}") for column in (4, 5, 6, 9, 12, 13, 16, 17)
    ]
    cells = await client.bulk(singles, COLUMNS, 24)
    assert len(cells) == 80
    assert client.statistics.requests == 1


@pytest.mark.parametrize("credentials", [V1, V2C, V3])
async def test_agent_with_small_messages(
    shared_agent: StartAgent, ask: AskAgent, credentials: Credentials
) -> None:
    """An agent that cannot send more than 1,472 bytes gives the same values."""
    agent = await shared_agent(rpdu2(), extra=("[snmp] sendMessageMaxSize 1472",))
    client = ask(agent, credentials)
    cells = await client.bulk([DEVICE_POWER[:-1]], COLUMNS)
    assert len(cells) == 73
    assert await client.get(cells) == cells
    # what was learned is kept: the next reading needs no refused message
    client.statistics.requests = 0
    again = await client.bulk([DEVICE_POWER[:-1]], COLUMNS, 24)
    assert {**again} == cells
    assert client.statistics.timeouts <= 1


async def test_agent_without_getbulk(shared_agent: StartAgent, ask: AskAgent) -> None:
    """An agent that drops every GETBULK is asked by GETNEXT and GET."""
    agent = await shared_agent(rpdu2())
    proxy = UdpProxy(target=("127.0.0.1", agent.port), faults=Faults(without_bulk=True))
    port = await proxy.start()
    client = ask(agent, V2C, port=port, timeout=0.08, retries=0)
    cells = await client.bulk([DEVICE_POWER[:-1]], COLUMNS)
    proxy.stop()
    assert len(cells) == 73
    assert not client.can_bulk


async def test_set_is_sent_once(start_agent: StartAgent, ask: AskAgent) -> None:
    """A value is written, and a lost answer is not asked for again."""
    agent = await start_agent(rpdu2())
    command = f"{RPDU2}.9.2.4.1.5.3"
    await ask(agent).set(oid(command), 2)
    assert await agent.get(command) == ["2"]
    proxy = UdpProxy(target=("127.0.0.1", agent.port), faults=Faults(silent=True))
    port = await proxy.start()
    with pytest.raises(SnmpTimeoutError):
        await ask(agent, port=port, timeout=0.1).set(oid(command), 1)
    proxy.stop()
    assert proxy.requests == 1
    with pytest.raises(SnmpResponseError, match="noAccess|notWritable|noCreation"):
        await ask(agent).set(oid("1.3.6.1.2.1.1.3.0"), 1)


async def test_refusals_are_told_apart(shared_agent: StartAgent, ask: AskAgent) -> None:
    """What the agent has against a user is raised by name, after a few tries."""
    agent = await shared_agent(rpdu2())
    for changed, reason in (
        ({"username": "nobody"}, AuthFailure.UNKNOWN_USER),
        ({"auth_key": "not this one"}, AuthFailure.WRONG_DIGEST),
    ):
        client = ask(agent, Credentials(**{**vars(V3), **changed}), trial=True)
        with pytest.raises(SnmpAuthenticationError) as raised:
            await client.get([DEVICE_POWER])
        assert raised.value.reason is reason
        assert client.statistics.requests == 4
    with pytest.raises(SnmpAuthenticationError, match="authorization"):
        await ask(agent, V3.without_privacy, trial=True).get([DEVICE_POWER])


async def test_host_without_address(
    snmp_thread: SnmpThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that does not resolve is not the same as no answer."""

    async def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(snmp_thread._loop, "getaddrinfo", getaddrinfo)
    client = SnmpClient(snmp_thread, "no-such-host.invalid", 161, V2C)
    with pytest.raises(SnmpHostError):
        await client.get([DEVICE_POWER])


async def test_host_by_name(
    snmp_thread: SnmpThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is resolved to its first address."""

    async def getaddrinfo(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET6, socket.SOCK_DGRAM, 17, "", ("::1", 161, 0, 0))]

    monkeypatch.setattr(snmp_thread._loop, "getaddrinfo", getaddrinfo)
    assert await snmp_thread.resolve("pdu.example", 161) == Address(
        host="::1", port=161, ipv6=True
    )


class ScriptedThread:
    """Answers as a script says, where no agent at hand misbehaves so."""

    def __init__(self, answer: Callable[[Request], Response | SnmpError]) -> None:
        """Keep the script."""
        self.requests: list[Request] = []
        self._answer = answer

    async def resolve(self, host: str, port: int) -> Address:
        """Return an address."""
        return Address(host=host, port=port)

    async def request(
        self, address: Address, credentials: Credentials, request: Request, trial: bool
    ) -> Response:
        """Answer, or raise."""
        self.requests.append(request)
        answer = self._answer(request)
        if isinstance(answer, SnmpError):
            raise answer
        return answer


def scripted(
    answer: Callable[[Request], Response | SnmpError], credentials: Credentials = V2C
) -> tuple[SnmpClient, ScriptedThread]:
    """Return a client of a script."""
    thread = ScriptedThread(answer)
    return SnmpClient(cast("Any", thread), "pdu", 161, credentials), thread


def _values(request: Request) -> Response:
    """Answer each object with the last part of its name."""
    return Response(varbinds=tuple((name, name[-1]) for name, _ in request.varbinds))


NAMES: list[Oid] = [(1, 3, number) for number in range(1, 41)]


@pytest.mark.parametrize("status", [1, 5])
async def test_get_is_halved_and_the_size_is_kept(status: int) -> None:
    """A message that the agent calls too big is halved until it fits."""

    def answer(request: Request) -> Response | SnmpError:
        if len(request.varbinds) > 10:
            return SnmpResponseError(status, 0)
        return _values(request)

    client, thread = scripted(answer)
    assert await client.get(NAMES) == {name: name[-1] for name in NAMES}
    thread.requests.clear()
    await client.get(NAMES)
    assert all(len(request.varbinds) <= 10 for request in thread.requests)


async def test_get_that_is_silently_dropped_is_halved() -> None:
    """No answer to a big message but one to a small means: too big."""

    def answer(request: Request) -> Response | SnmpError:
        if len(request.varbinds) > 12:
            return SnmpTimeoutError("no answer")
        return _values(request)

    client, _ = scripted(answer)
    assert len(await client.get(NAMES)) == 40
    assert client.most_varbinds == 12


async def test_silence_is_not_halved_for_ever() -> None:
    """An agent that answers nothing is away."""
    client, thread = scripted(lambda _: SnmpTimeoutError("no answer"))
    with pytest.raises(SnmpTimeoutError):
        await client.get(NAMES)
    with pytest.raises(SnmpTimeoutError):
        await client.bulk([], [(1, 3)], 4)
    assert len(thread.requests) == 4


async def test_object_that_chokes_the_agent_costs_only_itself() -> None:
    """One object on which an agent fails is left out."""

    def answer(request: Request) -> Response | SnmpError:
        if any(name[-1] == 7 for name, _ in request.varbinds):
            return SnmpResponseError(5, 0)
        return _values(request)

    client, _ = scripted(answer)
    assert len(await client.get(NAMES)) == 39


async def test_holes_of_version_1() -> None:
    """A v1 agent refuses the whole message for one hole; the rest is read anyway."""

    def answer(request: Request) -> Response | SnmpError:
        for index, (name, _) in enumerate(request.varbinds, 1):
            if name[-1] % 10 == 3:
                return SnmpResponseError(2, index)
        return _values(request)

    client, _ = scripted(answer, V1)
    assert len(await client.get(NAMES)) == 36
    only, _ = scripted(answer, V1)
    assert await only.get([(1, 3, 3)]) == {}


async def test_other_objects_than_asked_are_not_taken() -> None:
    """A damaged answer is counted and gives nothing."""

    def answer(request: Request) -> Response:
        _, *rest = request.varbinds
        return Response(varbinds=(((9, 9), 1), *((name, 2) for name, _ in rest)))

    client, _ = scripted(answer)
    assert await client.get(NAMES[:3]) == {NAMES[1]: 2, NAMES[2]: 2}
    assert client.statistics.strange_answers == 1
    short, _ = scripted(lambda request: Response(varbinds=(request.varbinds[0],)))
    assert await short.get(NAMES[:3]) == {}
    assert short.statistics.strange_answers == 1


async def test_bulk_goes_back_to_getnext_when_refused() -> None:
    """An agent that answers GETBULK with an error is walked."""

    def answer(request: Request) -> Response | SnmpError:
        if request.operation is Operation.BULK:
            return SnmpResponseError(5, 0)
        found: list[VarBind] = []
        for name, _ in request.varbinds:
            row = name[-1] + 1 if len(name) == 3 else 1
            found.append(((1, 3, row), row) if row <= 5 else ((1, 4, 1), 0))
        return Response(varbinds=tuple(found))

    client, _ = scripted(answer)
    assert await client.bulk([], [(1, 3)]) == {(1, 3, row): row for row in range(1, 6)}
    assert not client.can_bulk


async def test_version_1_ends_a_column_by_an_error() -> None:
    """At the end of all objects v1 answers with an error that names the column."""

    def answer(request: Request) -> Response | SnmpError:
        found: list[VarBind] = []
        for index, (name, _) in enumerate(request.varbinds, 1):
            column = name[:2]
            row = name[-1] + 1 if len(name) == 3 else 1
            if row > (3 if column == (1, 3) else 5) or name == (1, 9):
                return SnmpResponseError(2, index)
            found.append(((*column, row), row))
        return Response(varbinds=tuple(found))

    client, _ = scripted(answer, V1)
    assert len(await client.bulk([(1, 9)], [(1, 3), (1, 4)])) == 8


async def test_agent_that_goes_backwards_is_stopped() -> None:
    """A walk that would never end is ended."""
    client, _ = scripted(lambda _: Response(varbinds=(((1, 3, 1), 1),)))
    assert await client.bulk([], [(1, 3)]) == {(1, 3, 1): 1}
    assert client.statistics.strange_answers == 1


@pytest.mark.parametrize("error", [SnmpResponseError(13, 0), SnmpError("other")])
async def test_other_errors_are_passed_on(error: SnmpError) -> None:
    """An error that nothing can be done about reaches the caller."""
    client, _ = scripted(lambda _: error)
    with pytest.raises(SnmpError):
        await client.get(NAMES)
    with pytest.raises(SnmpError):
        await client.bulk([], [(1, 3)])


async def test_agent_that_refuses_everything_is_given_up() -> None:
    """GETNEXT of a few objects is the least; below that there is nothing to try."""
    client, _ = scripted(lambda _: SnmpResponseError(5, 0))
    with pytest.raises(SnmpResponseError):
        await client.bulk([], [(1, 3)])


async def test_agent_that_answers_only_the_smallest() -> None:
    """An agent that drops each bulk and each walk is given up after small steps."""

    def answer(request: Request) -> Response | SnmpError:
        if request.operation is Operation.GET:
            return _values(request)
        return SnmpTimeoutError("no answer")

    client, _ = scripted(answer)
    with pytest.raises(SnmpTimeoutError):
        await client.bulk([], [(1, 3)], 50)
    assert not client.can_bulk


def test_names() -> None:
    """Names go to dotted form and back."""
    assert dotted(oid(".1.3.6")) == "1.3.6"


async def test_unknown_indications_are_named(
    monkeypatch: pytest.MonkeyPatch, snmp_thread: SnmpThread, socket_enabled: None
) -> None:
    """What pysnmp reports beside time-outs and refusals is raised by its name."""

    async def odd(*_: object) -> Response:
        return Response(indication="EmptyResponse")

    monkeypatch.setattr(snmp_thread, "_send", odd)
    client = SnmpClient(snmp_thread, "127.0.0.1", 161, V2C)
    with pytest.raises(SnmpError, match="EmptyResponse"):
        await client.get([DEVICE_POWER])
