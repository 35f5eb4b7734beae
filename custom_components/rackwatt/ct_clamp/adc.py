"""The ADS1115: single readings by the Adafruit library, windows of samples by ourselves.

The library reads once, then asks the chip whether it is ready until it is: 9 transfers a
reading on a bus of 100 kHz, 427 readings a second at best, the moment of each uncertain
by a poll. Its continuous mode never selects the channel and can return the configuration
as a reading (3.0.5). So it configures, looks for the chip and reads once; a window is
taken in single-shot mode too, but waits for as long as this chip is known to convert:
three transfers a sample, and a sample belongs to a known moment.
"""

from collections.abc import Callable
import errno
from random import Random
from statistics import median
import time

from .clamp import GAINS, INPUTS, Window
from .i2c import I2C

HIGHEST_RATE = 860
# A window of 0.2 s holds about 90; from a third of them a sine is still good to 0.3 %.
FEWEST_SAMPLES = 30

_CONVERSION, _CONFIG = 0, 1
_START, _SINGLE, _NO_COMPARATOR = 0x8000, 0x0100, 0x0003
_GAIN_BITS = {gain: place << 9 for place, gain in enumerate(GAINS)}
# Of its 125 ms a poll of the bus is 0.3 ms
_SLOW_RATE = 8
_SLOW_CONVERSIONS, _RATE_KNOWN_TO = 6, 0.008
_RATE_BITS = {_SLOW_RATE: 0, HIGHEST_RATE: 7 << 5}

# A reading at 860 SPS takes 1.3 ms at the slowest, with its transfers 3 ms; a chip that
# has not answered by then is broken, whatever a scheduler did meanwhile.
READY_WITHIN = 0.025
# The clock of a chip is off by up to 10 % (data sheet), its temperature moves it after
# it was measured; and it wakes up first.
_MARGIN = 1.02
_WAKE_UP = 40e-6
# Equal steps would meet the mains at the same few phases (at a multiple of 50 or 60 Hz the
# fit's condition number rises from 1.6 to 650; with up to 0.4 ms of it below 2.5).
_DITHER = 0.0004
# A start that took longer than the others was interrupted: the moment of its sample is
# not known. Adapters differ, so the window's own median is the measure.
_LATE_FACTOR, _LATE_BY = 1.2, 0.0001


class ChipDisturbed(OSError):
    """The chip does not hold what was written: something else drives it, or it was reset."""


class TooFewSamples(OSError):
    """The program was put aside for most of a window."""


class Converter:
    """One ADS1115 on a bus."""

    def __init__(
        self,
        i2c: I2C,
        address: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Random | None = None,
    ) -> None:
        """Look for the chip and configure it."""
        self.address = address
        self.conversion: float = 0.0
        self._i2c = i2c
        self._monotonic = monotonic
        self._sleep = sleep
        # Not for secrets: it spreads the samples over the cycle
        self._random = random or Random()
        self._answer = bytearray(2)
        # Installed on demand, and the root of the integration imports this module
        from adafruit_ads1x15.ads1115 import ADS1115  # noqa: PLC0415

        with i2c.deadline(READY_WITHIN):
            # The library makes one ValueError of every reason; ask first
            i2c.writeto(address, b"")
            self._chip = ADS1115(i2c, address=address, data_rate=HIGHEST_RATE)
        self.read("A0", 1)
        self.measure_rate()

    @property
    def data_rate(self) -> float:
        """Return how many conversions a second this chip makes at its highest rate."""
        return 1 / self.conversion

    def read(self, source: str, gain: float) -> float:
        """Return one reading of an input (V)."""
        return self.read_code(source, gain) * GAINS[gain] / 32768

    def read_code(self, source: str, gain: float) -> int:
        """Return one reading of an input as the chip codes it."""
        with self._i2c.deadline(READY_WITHIN):
            if self._chip.gain != gain:
                self._chip.gain = gain
            return int(self._chip.read(INPUTS[source]))

    def measure_rate(self) -> None:
        """Measure how long a conversion takes.

        All rates come from one clock, so a slow conversion measures the fast one. Each
        one bounds it from both sides, whatever interrupted us; together they narrow it.
        """
        shortest, longest = 0.0, float("inf")
        for _ in range(_SLOW_CONVERSIONS):
            least, most = self._time_slow_conversion()
            shortest, longest = max(shortest, least), min(longest, most)
            if longest - shortest < _RATE_KNOWN_TO * longest:
                break
        self.conversion = (shortest + longest) / 2 * _SLOW_RATE / HIGHEST_RATE

    def sample(self, source: str, gain: float, seconds: float) -> Window:
        """Return the samples of an input over a time."""
        # Proves in the time that the library's reading may take that the chip converts
        self.read(source, gain)
        word = _word(source, gain, HIGHEST_RATE)
        times: list[float] = []
        starts: list[float] = []
        codes: list[int] = []
        end = self._monotonic() + seconds
        while self._monotonic() < end:
            before, after = self._convert(word, dithered=True)
            code = self._receive()
            times.append(after)
            starts.append(after - before)
            codes.append(code)
        self._verify(word)
        latest = median(starts) * _LATE_FACTOR + _LATE_BY
        kept = [place for place, start in enumerate(starts) if start <= latest]
        if len(kept) < FEWEST_SAMPLES:
            raise TooFewSamples(errno.EINTR, f"{len(kept)} samples in {seconds:g} s")
        step = GAINS[gain] / 32768
        return Window(
            times=[times[place] for place in kept],
            volts=[codes[place] * step for place in kept],
            conversion=self.conversion,
            full_scale=GAINS[gain],
            saturated=not -32768 < min(codes) <= max(codes) < 32767,
            dropped=len(starts) - len(kept),
        )

    def _convert(self, word: int, *, dithered: bool) -> tuple[float, float]:
        """Start a conversion and wait for it; return when the start began and ended."""
        i2c, address = self._i2c, self.address
        before = self._monotonic()
        i2c.writeto(address, bytes((_CONFIG, word >> 8, word & 0xFF)))
        after = self._monotonic()
        ready = after + self.conversion * _MARGIN + _WAKE_UP
        if dithered:
            # The pointer may move while the chip converts, which saves that time later
            i2c.writeto(address, bytes((_CONVERSION,)))
            ready += self._random.random() * _DITHER
        rest = ready - self._monotonic()
        if rest > 0:
            self._sleep(rest)
        return before, after

    def _receive(self) -> int:
        """Return the register that the pointer names, as a signed number."""
        self._i2c.readfrom_into(self.address, self._answer)
        return int.from_bytes(self._answer, signed=True)

    def _verify(self, word: int) -> None:
        """Check that the chip still does what it was told, as fast as it was measured."""
        self._convert(word, dithered=False)
        held = self._receive() & 0xFFFF
        if (held ^ word) & ~_START & 0xFFFF:
            raise ChipDisturbed(errno.EIO, f"0x{self.address:02x} was reconfigured")
        if not held & _START:
            self.measure_rate()
            raise ChipDisturbed(errno.EIO, f"0x{self.address:02x} became slower")

    def _time_slow_conversion(self) -> tuple[float, float]:
        """Return how long one conversion at the slow rate takes, at least and at most."""
        word = _word("A0", 1, _SLOW_RATE)
        with self._i2c.deadline(2 / _SLOW_RATE):
            begin = self._monotonic()
            self._i2c.writeto(self.address, bytes((_CONFIG, word >> 8, word & 0xFF)))
            begun = self._monotonic()
            # 15 % before its time: the clock is off by 10 % at most
            self._sleep(0.85 / _SLOW_RATE)
            busy, asked = begun, self._monotonic()
            while not self._receive() & _START:
                busy, asked = asked, self._monotonic()
            return busy - begun, self._monotonic() - begin


def _word(source: str, gain: float, rate: int) -> int:
    """Return the configuration that starts a conversion."""
    return (
        _START
        | INPUTS[source] << 12
        | _GAIN_BITS[gain]
        | _SINGLE
        | _RATE_BITS[rate]
        | _NO_COMPARATOR
    )
