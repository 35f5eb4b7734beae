"""What the Arduino says: bytes in, lines understood. No Home Assistant in here."""

from dataclasses import dataclass
from enum import StrEnum
import re

# The longest line that means something is an INFO with its text.
MAX_LINE = 256
# Ten digits hold the 32-bit counts of our own sketch.
_NUMBER = rb"(\d{1,10})"
_ID = rb"(\d{1,9})"
_BLANK = rb"[ \t]+"
_UINT32 = 2**32

_INFO = re.compile(rb"INFO" + _BLANK + _ID + _BLANK + rb"(\S.*)")
# \c3\b8, and \xc3\xb8 as well, since people write it so
_ESCAPE = re.compile(rb"\\x?([0-9a-fA-F]{2})")


class LineFormat(StrEnum):
    """How a line tells of a blip; it cannot be guessed (`3150 21` may be two things)."""

    MS = "ms"
    ID_MS = "id_ms"
    MS_TEMPERATURE = "ms_temperature"
    COUNTED = "counted"


_PATTERNS = {
    LineFormat.MS: re.compile(_NUMBER),
    # an intermediate version of the original put a V before the id
    LineFormat.ID_MS: re.compile(rb"V?" + _ID + _BLANK + _NUMBER),
    LineFormat.MS_TEMPERATURE: re.compile(
        _NUMBER + _BLANK + rb"(-?\d{1,3}(?:\.\d{1,6})?)"
    ),
    LineFormat.COUNTED: re.compile(_ID + _BLANK + _NUMBER + _BLANK + _NUMBER),
}


@dataclass(frozen=True)
class Pulse:
    """A blip: which meter (None: the only one), and ms since the one before it."""

    meter_id: int | None
    ms: int
    # the device's own running count of this meter's blips
    count: int | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class Connected:
    """The Arduino has started."""


@dataclass(frozen=True)
class Info:
    """The Arduino tells the name of a meter."""

    meter_id: int
    text: str


class LineReader:
    """Cut a stream of bytes into lines, and understand them.

    Whatever is no line of the format is counted in `rejected` and dropped.
    """

    def __init__(self, line_format: LineFormat) -> None:
        """Read lines of a format."""
        self.rejected = 0
        self.last_rejected: bytes | None = None
        self._format = line_format
        self._pattern = _PATTERNS[line_format]
        self._rest = b""
        self._overlong = False

    def restart(self) -> None:
        """Forget a line that was cut off when the connection was lost."""
        if self._rest:
            self._reject(self._rest)
        self._rest = b""
        self._overlong = False

    def feed(self, data: bytes) -> list[Pulse | Connected | Info]:
        """Return what the lines that end in `data` say."""
        *lines, rest = (self._rest + data).split(b"\n")
        events = []
        for line in lines:
            if self._overlong or len(line) > MAX_LINE:
                self._overlong = False
                self._reject(line)
            elif (event := self._understand(line)) is None:
                self._reject(line)
            else:
                events.append(event)
        # a line without end must not fill the memory
        if self._overlong or len(rest) > MAX_LINE:
            self._overlong = True
            rest = b""
        self._rest = rest
        return events

    def _reject(self, line: bytes) -> None:
        """Count a line that means nothing to us."""
        self.rejected += 1
        self.last_rejected = line[:MAX_LINE]

    def _understand(self, line: bytes) -> Pulse | Connected | Info | None:
        """Return what a line says, None where it says nothing."""
        if match := self._pattern.fullmatch(line):
            return self._pulse(match.groups())
        if line.startswith(b"CONNECTED"):
            return Connected()
        if match := _INFO.fullmatch(line):
            return Info(int(match[1]), _text(match[2]))
        return None

    def _pulse(self, fields: tuple[bytes, ...]) -> Pulse | None:
        """Return the blip of a line, None where a number is out of range."""
        meter_id = count = temperature = None
        if self._format is LineFormat.MS_TEMPERATURE:
            ms = int(fields[0])
            temperature = float(fields[1])
        elif self._format is LineFormat.MS:
            ms = int(fields[0])
        else:
            meter_id, ms = int(fields[0]), int(fields[1])
        if self._format is LineFormat.COUNTED:
            count = int(fields[2])
        if not 0 < ms < _UINT32 or meter_id == 0 or (count or 0) >= _UINT32:
            return None
        return Pulse(meter_id, ms, count, temperature)


def _text(escaped: bytes) -> str:
    """Return the text behind the escapes, without what cannot be shown."""
    raw = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), escaped)
    text = raw.decode("utf-8", errors="replace")
    return "".join(char for char in text if char.isprintable()).strip()
