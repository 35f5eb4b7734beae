"""One agent: get, bulk and set, whatever its version, its limits and its manners."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .credentials import Credentials, Version
from .errors import (
    AUTHORIZATION_ERROR,
    GEN_ERR,
    NO_SUCH_NAME,
    TOO_BIG,
    AuthFailure,
    SnmpAuthenticationError,
    SnmpResponseError,
    SnmpTimeoutError,
)
from .message import (
    SYS_UPTIME,
    Address,
    Oid,
    Operation,
    Request,
    Response,
    Value,
    VarBind,
)
from .snmp import SnmpThread

MOST_VARBINDS = 100
"""Values asked for in one message at first; net-snmp gives no more to a GETBULK."""
FEWEST_VARBINDS = 4
LEAST_CUT = 12
"""Values that even the smallest message of SNMP, 484 bytes, has room for."""
DOUBTS = 3
"""How often a refusal must be repeated before it is believed: a byte corrupted on the way
makes an honest agent report a wrong digest."""

Cells = dict[Oid, Value]


@dataclass(kw_only=True)
class Statistics:
    """What was asked and what went wrong since the start."""

    requests: int = 0
    timeouts: int = 0
    strange_answers: int = 0


@dataclass(kw_only=True)
class _Column:
    """How far a column has been read."""

    root: Oid
    last: Oid
    left: int | None
    """Rows still wanted; None: to the end."""

    @property
    def done(self) -> bool:
        """Return if nothing more is wanted."""
        return self.left is not None and self.left <= 0


@dataclass
class SnmpClient:
    """Ask one agent."""

    thread: SnmpThread
    host: str
    port: int
    credentials: Credentials
    timeout: float = 1.5
    retries: int = 3
    trial: bool = False
    statistics: Statistics = field(default_factory=Statistics)

    def __post_init__(self) -> None:
        """Start with what most agents can do."""
        self.most_varbinds = MOST_VARBINDS
        self.can_bulk = self.credentials.version is not Version.V1
        self._address: Address | None = None
        self._proven: dict[Operation, int] = {}

    async def get(self, oids: Iterable[Oid]) -> Cells:
        """Return the values of the objects that exist."""
        cells: Cells = {}
        pending = deque(_pieces(tuple(oids), self.most_varbinds))
        while pending:
            piece = pending.popleft()
            if len(piece) > self.most_varbinds:
                pending.extendleft(reversed([*_pieces(piece, self.most_varbinds)]))
                continue
            try:
                answer = await self._ask(Operation.GET, piece)
            except SnmpResponseError as err:
                pending.extendleft(reversed(self._smaller(piece, err)))
            except SnmpTimeoutError:
                await self._halve_or_raise(Operation.GET, len(piece))
                pending.appendleft(piece)
            else:
                cells.update(self._asked_for(piece, answer.varbinds))
        return cells

    async def bulk(
        self,
        singles: Sequence[Oid],
        columns: Sequence[Oid],
        rows: int | None = None,
        after: Oid = (),
    ) -> Cells:
        """Return the cell after each single and the next rows of each column.

        Rows are counted from the one after the index `after`; without a number of rows
        each column is read to its end. One message carries all of it where the agent
        lets it; where it cuts the answer short, the next message goes on from the last
        cell that came.
        """
        cells: Cells = {}
        waiting = deque(singles)
        state = [_Column(root=item, last=item + after, left=rows) for item in columns]
        while waiting or (active := [column for column in state if not column.done]):
            first = [waiting.popleft() for _ in range(min(len(waiting), self._room()))]
            active = [column for column in state if not column.done]
            active = active[: max(0, self._room() - len(first))]
            try:
                answer = await self._next(first, active)
            except SnmpTimeoutError:
                operation = Operation.BULK if self.can_bulk else Operation.NEXT
                await self._halve_or_raise(operation, self._room())
                waiting.extendleft(reversed(first))
                continue
            except SnmpResponseError as err:
                waiting.extendleft(reversed(first))
                self._step_down(first, active, waiting, err)
                continue
            self._take(answer.varbinds, first, active, cells)
        return cells

    async def set(self, target: Oid, value: int) -> None:
        """Write a value, once: a repeated "cycle" would cut the power twice."""
        request = Request(
            operation=Operation.SET,
            varbinds=((target, value),),
            timeout=self.timeout * 2,
            retries=0,
        )
        await self._send(request)

    def _room(self) -> int:
        """Return how many values fit in one answer."""
        return self.most_varbinds if self.can_bulk else min(self.most_varbinds, 20)

    async def _next(self, first: list[Oid], active: list[_Column]) -> Response:
        """Ask for the cells after those that are known."""
        asked = [*first, *(column.last for column in active)]
        if not self.can_bulk:
            return await self._ask(Operation.NEXT, asked)
        rows = [column.left for column in active if column.left is not None]
        fit = max(1, (self._room() - len(first)) // max(1, len(active)))
        return await self._ask(
            Operation.BULK,
            asked,
            non_repeaters=len(first),
            max_repetitions=min([fit, *rows]) if active else 0,
        )

    def _take(
        self,
        varbinds: Sequence[VarBind],
        first: Sequence[Oid],
        active: Sequence[_Column],
        cells: Cells,
    ) -> None:
        """Sort the cells of an answer into their columns."""
        if len(varbinds) < len(first) + len(active):
            raise SnmpResponseError(GEN_ERR, 0)
        for asked, (name, value) in zip(first, varbinds, strict=False):
            if name > asked and value is not None:
                cells[name] = value
        for number, (name, value) in enumerate(varbinds[len(first) :]):
            column = active[number % len(active)]
            if column.done:
                continue
            if value is None or name[: len(column.root)] != column.root:
                column.left = 0
            elif name <= column.last:
                self.statistics.strange_answers += 1
                column.left = 0
            else:
                cells[name] = value
                column.last = name
                column.left = None if column.left is None else column.left - 1

    def _asked_for(
        self, asked: Sequence[Oid], varbinds: Sequence[VarBind]
    ) -> Iterator[VarBind]:
        """Yield what was asked for; anything else was damaged on the way."""
        if len(asked) != len(varbinds):
            self.statistics.strange_answers += 1
            return
        for wanted, (name, value) in zip(asked, varbinds, strict=True):
            if name != wanted:
                self.statistics.strange_answers += 1
            elif value is not None:
                yield name, value

    def _smaller(
        self, piece: tuple[Oid, ...], err: SnmpResponseError
    ) -> list[tuple[Oid, ...]]:
        """Return what is left to ask after an agent refused a GET."""
        if err.status == NO_SUCH_NAME and 0 < err.index <= len(piece):
            rest = piece[: err.index - 1] + piece[err.index :]
            return [rest] if rest else []
        if err.status not in (TOO_BIG, GEN_ERR):
            raise err
        if len(piece) == 1:  # an agent may choke on one object and be well otherwise
            return []
        self.most_varbinds = max(1, min(self.most_varbinds, len(piece)) // 2)
        return list(_pieces(piece, self.most_varbinds))

    def _step_down(
        self,
        first: Sequence[Oid],
        active: Sequence[_Column],
        waiting: deque[Oid],
        err: SnmpResponseError,
    ) -> None:
        """Ask for less after an agent refused to go on."""
        if err.status == NO_SUCH_NAME and 0 < err.index <= len(first) + len(active):
            if err.index <= len(first):
                waiting.remove(first[err.index - 1])
            else:
                active[err.index - len(first) - 1].left = 0
        elif err.status not in (TOO_BIG, GEN_ERR):
            raise err
        elif self.most_varbinds > FEWEST_VARBINDS:
            self.most_varbinds //= 2
        elif self.can_bulk:
            self.can_bulk = False
            self.most_varbinds = MOST_VARBINDS
        else:
            raise err

    async def _halve_or_raise(self, operation: Operation, size: int) -> None:
        """Tell an agent that is away from one that cannot answer so much at once."""
        if size <= self._proven.get(operation, 1):
            raise SnmpTimeoutError("no answer")
        await self._ask(Operation.GET, [SYS_UPTIME])
        if self.most_varbinds > FEWEST_VARBINDS:
            self.most_varbinds //= 2
        elif self.can_bulk:
            self.can_bulk = False
        else:
            raise SnmpTimeoutError("no answer to the smallest request")

    async def _ask(
        self,
        operation: Operation,
        asked: Sequence[Oid],
        non_repeaters: int = 0,
        max_repetitions: int = 0,
    ) -> Response:
        """Send a question; repeat it before a refusal is believed."""
        size = len(asked)
        if operation is Operation.BULK:
            size = non_repeaters + (size - non_repeaters) * max_repetitions
        proven = size <= self._proven.get(operation, 1)
        request = Request(
            operation=operation,
            varbinds=tuple((item, None) for item in asked),
            non_repeaters=non_repeaters,
            max_repetitions=max_repetitions,
            timeout=self.timeout,
            retries=self.retries if proven else 1,
        )
        answer = await self._send(request)
        if operation is Operation.BULK and len(answer.varbinds) < size:
            # cut to what the agent can send: ask for no more from now on
            size = max(LEAST_CUT, len(answer.varbinds))
            self.most_varbinds = min(self.most_varbinds, size)
        self._proven[operation] = max(self._proven.get(operation, 1), size)
        return answer

    async def _send(self, request: Request) -> Response:
        """Send a request to wherever the host is now."""
        if self._address is None:
            self._address = await self.thread.resolve(self.host, self.port)
        doubts = 0 if request.operation is Operation.SET else DOUBTS
        while True:
            self.statistics.requests += 1
            try:
                return await self.thread.request(
                    self._address, self.credentials, request, self.trial
                )
            except SnmpTimeoutError:
                self.statistics.timeouts += 1
                self._address = None  # the name may have moved to another address
                raise
            except SnmpAuthenticationError:
                if not doubts:
                    raise
                doubts -= 1
            except SnmpResponseError as err:
                if err.status == AUTHORIZATION_ERROR:
                    raise SnmpAuthenticationError(AuthFailure.AUTHORIZATION) from err
                raise


def _pieces(items: Sequence[Oid], size: int) -> Iterator[tuple[Oid, ...]]:
    """Yield the items in pieces of at most a size."""
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])
