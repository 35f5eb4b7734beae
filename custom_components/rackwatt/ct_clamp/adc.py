"""The ADS1115: single readings by the Adafruit library, windows of samples by ourselves.

The library reads once, then asks the chip whether it is ready until it is: 9 transfers a
reading on a bus of 100 kHz and 25 at 400 kHz, and an interruption goes unnoticed. Its
continuous mode never selects the channel and can return the configuration as a reading
(3.0.5). So it looks for the chip, configures it and reads once; a window is taken in
single-shot mode too, but waits for as long as this chip is known to convert: as many
samples with three transfers each, and a sample belongs to a known moment.
"""

from collections.abc import Callable
import errno
from random import Random
from statistics import median
import time

from .clamp import GAINS, INPUTS, Window
from .i2c import I2C

HIGHEST_RATE = 860
# A window of 0.15 s holds about 65. A program that is put aside often takes longer for
# enough of them; from the fewest a sine is still good to 0.3 %.
ENOUGH_SAMPLES, FEWEST_SAMPLES = 50, 30
_LONGEST = 4

_CONFIG = 1
_TO_CONVERSION = b"\x00"
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
        start = _start(source, gain, HIGHEST_RATE)
        times: list[float] = []
        starts: list[float] = []
        codes: list[int] = []
        now = self._monotonic()
        end, latest_end = now + seconds, now + _LONGEST * seconds
        while now < end or (len(times) < ENOUGH_SAMPLES and now < latest_end):
            before, after = self._convert(start, dithered=True)
            codes.append(self._receive())
            times.append(after)
            starts.append(after - before)
            now = self._monotonic()
        self._verify(start)
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

    def _convert(self, start: bytes, *, dithered: bool) -> tuple[float, float]:
        """Start a conversion and wait for it; return when the start began and ended."""
        before = self._monotonic()
        self._i2c.write(self.address, start)
        after = self._monotonic()
        ready = after + self.conversion * _MARGIN + _WAKE_UP
        if dithered:
            # The pointer may move while the chip converts, which saves that time later
            self._i2c.write(self.address, _TO_CONVERSION)
            ready += self._random.random() * _DITHER
        rest = ready - self._monotonic()
        if rest > 0:
            self._sleep(rest)
        return before, after

    def _receive(self) -> int:
        """Return the register that the pointer names, as a signed number."""
        return int.from_bytes(self._i2c.read(self.address, 2), signed=True)

    def _verify(self, start: bytes) -> None:
        """Check that the chip still does what it was told, as fast as it was measured."""
        self._convert(start, dithered=False)
        held, word = self._receive() & 0xFFFF, int.from_bytes(start[1:])
        if (held ^ word) & ~_START & 0xFFFF:
            raise ChipDisturbed(errno.EIO, f"0x{self.address:02x} was reconfigured")
        if not held & _START:
            self.measure_rate()
            raise ChipDisturbed(errno.EIO, f"0x{self.address:02x} became slower")

    def _time_slow_conversion(self) -> tuple[float, float]:
        """Return how long one conversion at the slow rate takes, at least and at most."""
        with self._i2c.deadline(2 / _SLOW_RATE):
            begin = self._monotonic()
            self._i2c.write(self.address, _start("A0", 1, _SLOW_RATE))
            begun = self._monotonic()
            # 15 % before its time: the clock is off by 10 % at most
            self._sleep(0.85 / _SLOW_RATE)
            busy, asked = begun, self._monotonic()
            while not self._receive() & _START:
                busy, asked = asked, self._monotonic()
            return busy - begun, self._monotonic() - begin


def _start(source: str, gain: float, rate: int) -> bytes:
    """Return the message that starts a conversion."""
    word = (
        _START
        | INPUTS[source] << 12
        | _GAIN_BITS[gain]
        | _SINGLE
        | _RATE_BITS[rate]
        | _NO_COMPARATOR
    )
    return bytes((_CONFIG, word >> 8, word & 0xFF))
