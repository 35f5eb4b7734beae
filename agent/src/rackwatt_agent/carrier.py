"""Bring the backlog to Home Assistant, and keep whatever it does not commit."""

from enum import Enum, auto
import logging
import os
import time

from . import __version__
from .backlog import Backlog, Chunk
from .client import Home, Refused
from .errors import AgentError, Exit
from .machine import now_ms, up_ms
from .server.report import MAX_SAMPLES, Ack, Batch, ReportError, Sample

LOGGER = logging.getLogger(__name__)

BACKOFF_S = 8.0
BACKOFF_MAX_S = 30.0
# A refused key will not become right by asking often, and each attempt is counted
REFUSED_S = 300.0
MISSING_ACKS = 2


class Outcome(Enum):
    """What became of one attempt."""

    DONE = auto()
    AGAIN = auto()
    FAILED = auto()


class Carrier:
    """Send chunk after chunk, each once the one before is committed."""

    def __init__(self, home: Home, backlog: Backlog, machine: str, boot: str) -> None:
        """Start without knowing whether Home Assistant is there."""
        self.home = home
        self._backlog = backlog
        self._machine = machine
        self._boot = boot
        self._described: set[str] = set()
        self._limit = MAX_SAMPLES
        self._missing = 0
        self._delay = 0.0
        self._not_before = 0.0
        self.error: AgentError | None = None
        self.new_key: str | None = None

    def deliver(
        self, until: float, live: Sample | None, bye: str | None = None
    ) -> None:
        """Send until all is acknowledged, the time is over or something fails."""
        if time.monotonic() < self._not_before and bye is None:
            self._miss()
            return
        while (chunk := self._backlog.chunk(self._limit)) is not None:
            left = until - time.monotonic()
            if left <= 0:
                break
            outcome = self._attempt(chunk, max(left, 1.0), live, bye)
            if outcome is Outcome.DONE:
                break
            if outcome is Outcome.FAILED:
                self._miss()
                break

    def _attempt(
        self, chunk: Chunk, timeout: float, live: Sample | None, bye: str | None
    ) -> Outcome:
        """Send one chunk and take the answer."""
        batch = self._batch(chunk, live, bye)
        try:
            ack = Ack.from_json(self.home.post("/ingest", batch.to_json(), timeout))
        except Refused as err:
            return self._refused(err, chunk)
        except (AgentError, ReportError) as err:
            self._fail(
                err
                if isinstance(err, AgentError)
                else AgentError(Exit.REFUSED, str(err)),
                None,
            )
            return Outcome.FAILED
        self._succeed(batch, ack)
        if ack.seq < chunk.samples[-1].seq and not ack.want_description:
            return Outcome.FAILED  # nothing is wrong, only not committed yet
        return Outcome.AGAIN

    def _batch(self, chunk: Chunk, live: Sample | None, bye: str | None) -> Batch:
        """Return the message for a chunk."""
        header = chunk.header
        digest = header.layout.digest()
        current = header.boot == self._boot
        # the newest sample is shown at once, while older ones are still on their way
        shown = live if current and live and chunk.samples[-1].seq != live.seq else None
        if shown and len(shown.values) != len(header.layout.keys):
            shown = None
        return Batch(
            machine=self._machine,
            agent=__version__,
            epoch=header.epoch,
            boot=header.boot,
            now_ms=now_ms(),
            up_ms=up_ms() if current else None,
            interval_ms=header.interval_ms,
            layout=header.layout,
            digest=digest,
            described=digest not in self._described,
            samples=chunk.samples,
            live=shown,
            skip=chunk.skip[:MAX_SAMPLES],
            bye=bye,
            queue=self._backlog.status(),
        )

    def _succeed(self, batch: Batch, ack: Ack) -> None:
        """Forget what is committed."""
        if self.error is not None:
            LOGGER.warning("connected to %s again", self.home.url)
        self.error = None
        self._missing = 0
        self._delay = self._not_before = 0.0
        self._limit = min(MAX_SAMPLES, ack.max_samples)
        if ack.want_description:
            self._described.discard(batch.digest)
        elif batch.described:
            self._described.add(batch.digest)
        if ack.new_key:
            self.new_key = ack.new_key
        self._backlog.ack(batch.epoch, ack.seq)

    def _refused(self, err: Refused, chunk: Chunk) -> Outcome:
        """Act on what Home Assistant refuses; nothing but what is acknowledged goes."""
        expected = err.body.get("expect")
        if err.error == "gap" and type(expected) is int:
            self._backlog.restart_at(chunk.header.epoch, expected)
            return Outcome.AGAIN
        if err.code in {400, 413, 422}:
            self._narrow(chunk, err)
            return Outcome.AGAIN
        lasting = err.code in {401, 403, 409, 426}
        self._fail(err, err.retry_s or (REFUSED_S if lasting else None))
        return Outcome.FAILED

    def _narrow(self, chunk: Chunk, err: Refused) -> None:
        """Halve what is sent until the one bad sample stands alone, then give it up."""
        if len(chunk.samples) > 1:
            self._limit = len(chunk.samples) // 2
            return
        LOGGER.warning("a sample is given up: %s", err)
        self._backlog.drop(chunk.header.epoch, chunk.samples[0].seq)
        self._limit = MAX_SAMPLES

    def _fail(self, err: AgentError, wait: float | None) -> None:
        """Say once what is wrong, and wait longer each time."""
        if self.error is None or str(err) != str(self.error):
            LOGGER.warning("%s Samples are kept.", err)
        self.error = err
        if wait is None:
            self._delay = min(max(2 * self._delay, BACKOFF_S), BACKOFF_MAX_S)
            # all agents of a house see its end at once; they shall not return at once
            wait = self._delay * (0.5 + os.urandom(1)[0] / 512)
        self._not_before = time.monotonic() + wait

    def _miss(self) -> None:
        """Count an acknowledgement that did not come; save the samples after two."""
        self._missing += 1
        if self._missing >= MISSING_ACKS and not self._backlog.spilling:
            self._backlog.spill()
