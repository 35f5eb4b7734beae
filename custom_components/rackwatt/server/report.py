"""What a host's agent and Home Assistant say to each other, read and written by both.

A batch holds samples in columns: the keys once, then rows of values. Every sample has a
sequence number within an epoch (one run of the agent's queue); the answer names the
highest number up to which everything is committed, and the agent keeps all above it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
import hashlib
import itertools
import json
import math
import re
from typing import Any, NamedTuple, Self

SCHEMA = 1
MAX_BODY = 1 << 20  # inflated; 300 samples of 500 metrics stay below it
MAX_SAMPLES = 300
MAX_METRICS = 500
MAX_SKIPS = 2 * MAX_SAMPLES
FUTURE_MS = 60_000  # a sample may be this far ahead of the receiver's clock
PAST_MS = 400 * 86_400_000  # a clock that never was set says 1970
SKEW_MS = 2_000  # clocks that differ by less are taken as equal

API = "/api/rackwatt/v1"
KEY_HEADER = "X-Rackwatt-Key"
MACHINE_HEADER = "X-Rackwatt-Machine"
KEY_PREFIX = "rwk_"

# No I, L, O, 0 or 1: a code is read from one screen and typed on another
CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH = 8

# Kinds that count up: their thinned value is the last one, not the mean
COUNTERS = frozenset({"energy", "uptime"})

_WORD = re.compile(r"[a-z0-9_]{1,32}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}")
_HEX = re.compile(r"[0-9a-f]{1,64}")
_INT_MAX = (1 << 63) - 1
_FACTS = ("name", "mount", "interface", "scope", "source", "chip")

_NUMBERS = (int, float)


class ReportError(Exception):
    """A message that breaks the rules: the status, a word for programs, a sentence."""

    def __init__(self, status: int, error: str, hint: str, **more: Any) -> None:
        """Keep what the sender is told."""
        super().__init__(hint)
        self.status = status
        self.error = error
        self.hint = hint
        self.more = more

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"v": SCHEMA, "error": self.error, "hint": self.hint, **self.more}


def bad_body(hint: str) -> ReportError:
    """Say that a message is malformed."""
    return ReportError(400, "bad_body", hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a column is: its kind, unit and name, and where it was measured."""

    kind: str
    unit: str | None = None
    name: str | None = None
    mount: str | None = None
    interface: str | None = None
    scope: str | None = None
    source: str | None = None
    chip: str | None = None

    @classmethod
    def from_json(cls, raw: Any) -> Self:
        """Read a description; a fact that a newer agent adds is ignored."""
        if not isinstance(raw, dict):
            raise bad_body("A metric's description is not an object.")
        kind = raw.get("kind")
        if not isinstance(kind, str) or not _WORD.fullmatch(kind):
            raise bad_body("A metric's kind is not a lower-case word.")
        unit = raw.get("unit")
        if unit is not None and not (isinstance(unit, str) and len(unit) <= 16):
            raise bad_body("A metric's unit is not a short text.")
        return cls(kind=kind, unit=unit, **_facts(raw))

    def to_json(self) -> dict[str, Any]:
        """Write the description without what is not known."""
        pairs = ((name, getattr(self, name)) for name in ("kind", "unit", *_FACTS))
        return {name: value for name, value in pairs if value is not None}


def _facts(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a description that we know."""
    facts = {}
    for name in _FACTS:
        value = raw.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not _TEXT.fullmatch(value):
            raise bad_body(f"A metric's {name} is not a text of 1 to 128 characters.")
        facts[name] = value
    return facts


class Sample(NamedTuple):
    """One row: a number, the wall clock, the time since the host's boot, the values."""

    seq: int
    wall_ms: int
    up_ms: int
    values: tuple[float | None, ...]

    @classmethod
    def from_json(cls, raw: Any, width: int) -> Self:
        """Read one row that has to be as wide as the keys."""
        if not isinstance(raw, list) or len(raw) != 4:
            raise bad_body("A sample is not [sequence, wall ms, boot ms, [values]].")
        seq, wall, up, values = raw
        for number in (seq, wall, up):
            if type(number) is not int or not 0 <= number <= _INT_MAX:
                raise bad_body("A sample's sequence or time is not a whole number.")
        if not isinstance(values, list) or len(values) != width:
            raise bad_body("A sample has not as many values as there are keys.")
        for value in values:
            # bool is an int to isinstance, and NaN is no reading
            if value is not None and (
                type(value) not in _NUMBERS or not math.isfinite(value)
            ):
                raise bad_body("A value is neither a finite number nor null.")
        return cls(seq, wall, up, tuple(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """What the agent still holds, and what it had to give up."""

    held: int = 0
    dropped: int = 0
    thinned: int = 0
    degraded: bool = False

    @classmethod
    def from_json(cls, raw: Any) -> Self:
        """Read the state of a queue."""
        if not isinstance(raw, dict):
            raise bad_body("The queue's state is not an object.")
        numbers = {}
        for name, short in (
            ("held", "n"),
            ("dropped", "dropped"),
            ("thinned", "thinned"),
        ):
            number = raw.get(short, 0)
            if type(number) is not int or not 0 <= number <= _INT_MAX:
                raise bad_body("A count of the queue is not a whole number.")
            numbers[name] = number
        return cls(**numbers, degraded=raw.get("degraded") is True)

    def to_json(self) -> dict[str, Any]:
        """Write the state of a queue."""
        return {
            "n": self.held,
            "dropped": self.dropped,
            "thinned": self.thinned,
            "degraded": self.degraded,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of a sample and what each of them is."""

    keys: tuple[str, ...]
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    def digest(self) -> str:
        """Return a short name of the layout; another description is another name."""
        return layout_digest(self.keys, self.describe())

    def describe(self) -> dict[str, Any]:
        """Return the descriptions as they travel."""
        return {key: metric.to_json() for key, metric in self.metrics.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One message of an agent."""

    machine: str
    agent: str
    epoch: str
    boot: str
    now_ms: int
    up_ms: int | None
    interval_ms: int
    layout: Layout
    digest: str
    described: bool
    samples: tuple[Sample, ...] = ()
    live: Sample | None = None
    skip: tuple[tuple[int, int], ...] = ()
    bye: str | None = None
    queue: QueueStatus = QueueStatus()

    @classmethod
    def from_json(cls, raw: Any) -> Self:
        """Read a batch, or say in a sentence what is wrong with it."""
        if not isinstance(raw, dict):
            raise bad_body("The body is not a JSON object.")
        check_version(raw.get("v"))
        keys = _keys(raw.get("keys"))
        desc = raw.get("desc")
        if desc is not None and layout_digest(keys, desc) != raw.get("kh"):
            raise bad_body("The field kh is not the digest of the descriptions.")
        samples = raw.get("samples")
        if not isinstance(samples, list) or len(samples) > MAX_SAMPLES:
            raise bad_body(f"The samples are not a list of at most {MAX_SAMPLES}.")
        rows = tuple(Sample.from_json(row, len(keys)) for row in samples)
        if any(a.seq >= b.seq for a, b in itertools.pairwise(rows)):
            raise bad_body("The samples' sequence numbers do not ascend.")
        live = raw.get("live")
        return cls(
            machine=_match(raw, "machine", _HEX),
            agent=_match(raw, "agent", _TEXT),
            epoch=_match(raw, "epoch", _HEX),
            boot=_match(raw, "boot", _TEXT),
            now_ms=_whole(raw, "now"),
            up_ms=None if raw.get("unow") is None else _whole(raw, "unow"),
            interval_ms=min(max(_whole(raw, "iv"), 1_000), 3_600_000),
            layout=Layout(
                keys=keys, metrics={} if desc is None else _metrics(desc, keys)
            ),
            digest=_match(raw, "kh", _HEX),
            described=desc is not None,
            samples=rows,
            live=None if live is None else Sample.from_json(live, len(keys)),
            skip=_skips(raw.get("skip", [])),
            bye=_bye(raw.get("events", [])),
            queue=QueueStatus.from_json(raw.get("q", {})),
        )

    def to_json(self) -> dict[str, Any]:
        """Write the batch."""
        raw: dict[str, Any] = {
            "v": SCHEMA,
            "machine": self.machine,
            "agent": self.agent,
            "epoch": self.epoch,
            "boot": self.boot,
            "now": self.now_ms,
            "unow": self.up_ms,
            "iv": self.interval_ms,
            "keys": self.layout.keys,
            "kh": self.digest,
            "samples": self.samples,
            "q": self.queue.to_json(),
        }
        if self.described:
            raw["desc"] = self.layout.describe()
        if self.skip:
            raw["skip"] = self.skip
        if self.live is not None:
            raw["live"] = self.live
        if self.bye is not None:
            raw["events"] = [{"k": "bye", "why": self.bye}]
        return raw

    def time_of(self, sample: Sample, received_ms: int) -> int:
        """Return when a sample was taken, by the receiver's clock.

        The time since boot does not step, so it is trusted first. A sample of an
        earlier boot has only its wall clock, corrected by how far that is off now.
        """
        if self.up_ms is not None:
            taken = received_ms - (self.up_ms - sample.up_ms)
        else:
            skew = received_ms - self.now_ms
            taken = sample.wall_ms + (skew if abs(skew) > SKEW_MS else 0)
        if not received_ms - PAST_MS <= taken <= received_ms + FUTURE_MS:
            raise ReportError(
                422,
                "bad_time",
                "A sample's time is in the future or more than 400 days ago."
                " Set the host's clock.",
                seq=sample.seq,
            )
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The answer to a batch."""

    seq: int
    want_description: bool = False
    max_samples: int = MAX_SAMPLES
    new_key: str | None = None

    @classmethod
    def from_json(cls, raw: Any) -> Self:
        """Read an answer; anything else that answers 200 is not Home Assistant."""
        if not isinstance(raw, dict) or type(raw.get("ack")) is not int:
            raise bad_body("The answer holds no acknowledgement.")
        cfg = raw.get("cfg")
        limit = cfg.get("max") if isinstance(cfg, dict) else None
        want, key = raw.get("want"), raw.get("newkey")
        return cls(
            seq=raw["ack"],
            want_description=isinstance(want, list) and "desc" in want,
            max_samples=min(max(limit, 1), MAX_SAMPLES)
            if type(limit) is int
            else MAX_SAMPLES,
            new_key=key
            if isinstance(key, str) and key.startswith(KEY_PREFIX)
            else None,
        )

    def to_json(self, now_ms: int) -> dict[str, Any]:
        """Write the answer."""
        raw: dict[str, Any] = {
            "v": SCHEMA,
            "ack": self.seq,
            "now": now_ms,
            "want": ["desc"] if self.want_description else [],
            "cfg": {"max": self.max_samples},
        }
        if self.new_key:
            raw["newkey"] = self.new_key
        return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a host tells about itself when it hands in a code."""

    code: str
    machine: str
    hostname: str
    agent: str
    os: str | None = None
    macs: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, raw: Any) -> Self:
        """Read an enrolment."""
        if not isinstance(raw, dict):
            raise bad_body("The body is not a JSON object.")
        check_version(raw.get("v"))
        macs = raw.get("macs", [])
        if not isinstance(macs, list) or len(macs) > 32:
            raise bad_body("The MAC addresses are not a list.")
        return cls(
            code=plain_code(_match(raw, "code", _TEXT)),
            machine=_match(raw, "machine", _HEX),
            hostname=_match(raw, "hostname", _TEXT),
            agent=_match(raw, "agent", _TEXT),
            os=None if raw.get("os") is None else _match(raw, "os", _TEXT),
            macs=tuple(mac for mac in macs if isinstance(mac, str) and is_mac(mac)),
        )

    def to_json(self) -> dict[str, Any]:
        """Write an enrolment."""
        return {
            "v": SCHEMA,
            "code": self.code,
            "machine": self.machine,
            "hostname": self.hostname,
            "agent": self.agent,
            "os": self.os,
            "macs": list(self.macs),
        }


def layout_digest(keys: Iterable[str], described: Any) -> str:
    """Return the name of a layout; facts that only one side knows belong to it."""
    text = json.dumps([list(keys), described], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_version(version: Any) -> None:
    """Refuse a message of another major version, and name the ones we speak."""
    if type(version) is not int:
        raise bad_body("The message names no version.")
    if version != SCHEMA:
        raise ReportError(
            426,
            "version",
            f"This side speaks version {SCHEMA} of the protocol, the other {version}."
            " Update the older of the two.",
            min=SCHEMA,
            max=SCHEMA,
        )


def is_mac(text: str) -> bool:
    """Tell whether a text is a MAC address as we write them."""
    return re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", text) is not None


def plain_code(text: str) -> str:
    """Return a code as it was made, however it was typed."""
    return re.sub(r"[\s-]", "", text).upper()


def shown_code(code: str) -> str:
    """Return a code in two groups, easier to read out."""
    half = CODE_LENGTH // 2
    return f"{code[:half]}-{code[half:]}"


def key_digest(key: str) -> str:
    """Return what Home Assistant keeps of a key.

    A key has 256 random bits, so a plain hash is as good as a slow one, which would
    stall the event loop for 90 ms a report.
    """
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def gaps(numbers: Iterable[int], after: int | None) -> tuple[tuple[int, int], ...]:
    """Return the ranges that are missing between ascending numbers."""
    missing = []
    for number in numbers:
        if after is not None and number > after + 1:
            missing.append((after + 1, number - 1))
        after = number
    return tuple(missing)


def _match(raw: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    """Return a text that matches."""
    value = raw.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise bad_body(f"The field {name} is missing or malformed.")
    return value


def _whole(raw: Mapping[str, Any], name: str) -> int:
    """Return a whole number that is not negative."""
    value = raw.get(name)
    if type(value) is not int or not 0 <= value <= _INT_MAX:
        raise bad_body(f"The field {name} is not a whole number.")
    return value


def _keys(raw: Any) -> tuple[str, ...]:
    """Return the keys of the columns."""
    if not isinstance(raw, list) or not 0 < len(raw) <= MAX_METRICS:
        raise bad_body(f"The keys are not a list of 1 to {MAX_METRICS}.")
    for key in raw:
        if not isinstance(key, str) or not _TEXT.fullmatch(key):
            raise bad_body("A key is not a text of 1 to 128 characters.")
    if len(set(raw)) != len(raw):
        raise bad_body("A key occurs twice.")
    return tuple(raw)


def _metrics(raw: Any, keys: tuple[str, ...]) -> dict[str, Metric]:
    """Return the descriptions of the keys; each key has to have one."""
    if not isinstance(raw, dict) or raw.keys() != set(keys):
        raise bad_body("The descriptions are not an object with one for each key.")
    return {key: Metric.from_json(raw[key]) for key in keys}


def _skips(raw: Any) -> tuple[tuple[int, int], ...]:
    """Return the ranges that the agent no longer has."""
    if not isinstance(raw, list) or len(raw) > MAX_SKIPS:
        raise bad_body("The skipped ranges are not a list.")
    for pair in raw:
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or any(type(n) is not int or not 0 <= n <= _INT_MAX for n in pair)
            or pair[0] > pair[1]
        ):
            raise bad_body("A skipped range is not [first, last].")
    return tuple((first, last) for first, last in raw)


def _bye(raw: Any) -> str | None:
    """Return why the host says goodbye, None where it does not."""
    if not isinstance(raw, list) or len(raw) > 16:
        raise bad_body("The events are not a list.")
    for event in raw:
        if not isinstance(event, dict):
            raise bad_body("An event is not an object.")
        if event.get("k") == "bye":
            why = event.get("why")
            return why if isinstance(why, str) and _WORD.fullmatch(why) else "stop"
    return None
