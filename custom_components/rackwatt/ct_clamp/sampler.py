"""One thread per bus reads the boards on it in turn and tells what it saw."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import logging
from threading import Event, Lock, Thread
import time

from .adc import Converter, TooFewSamples
from .clamp import Clamp, ClampReading, Window
from .i2c import I2C, BusError
from .rms import MainsFrequency, Wave

_LOGGER = logging.getLogger(__name__)

# All channels of a bus share this much of each second; more would cost processor time
# and gain little: 8 cycles a window are right to 0.1 %, of narrow pulses to 1 %.
SWEEP_SECONDS, SAMPLED_SECONDS = 1.0, 0.64
SHORTEST_WINDOW, LONGEST_WINDOW = 0.15, 0.3
# The chip's clock moves with its temperature.
_RATE_VALID_FOR = 3600.0
# Doubles after each failure; the last one lets a replugged board be back within 10 s.
_RETRY_AFTER, _RETRY_AT_MOST = 1.0, 5.0
# ±4.096 V holds any input of a 3.3 V supply, ±6.144 V that of 5 V
_FIRST_GAIN = 1.0
_LOW_GAINS = (1.0, 2 / 3)
_STOP_WITHIN = 5.0
# So many sweeps in a row without time to sample: the values are too old to be shown
STARVED_SWEEPS = 5
# A wave that harmonics explain to less than three quarters of its power: either it has
# no period, or the mains have the other one of the two frequencies.
_UNEXPLAINED = 0.5
_SUM_OF_MAINS = 110.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One reading of each clamp of a board."""

    clamps: Mapping[str, ClampReading]
    data_rate: float
    """Conversions a second that this chip makes."""
    mains_frequency: float | None
    dropped: int
    """Samples without a known moment, since the start."""
    retries: int
    """Windows that had to be taken twice, since the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A converter, its clamps, and whom to tell; the thread of the bus calls back."""

    address: int
    clamps: Mapping[str, Clamp]
    mains_frequency: float
    on_sweep: Callable[[Sweep], None]
    on_failure: Callable[[OSError], None]


class Clock:
    """The clock of the machine."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


@dataclass(slots=True)
class BoardReader:
    """Take the windows of one board."""

    board: Board
    clock: Clock
    converter: Converter | None = None
    measured_at: float = 0.0
    retry_at: float = 0.0
    failures: int = 0
    starved: int = 0
    dropped: int = 0
    retries: int = 0
    gains: dict[str, float] = field(default_factory=dict)
    frequency: MainsFrequency = field(init=False)

    def __post_init__(self) -> None:
        """Start at the nominal frequency."""
        self.frequency = MainsFrequency(self.board.mains_frequency)

    def sweep(self, i2c: I2C, seconds: float) -> Sweep:
        """Return a reading of each clamp, each from a window of some seconds."""
        converter = self._ready_converter(i2c)
        clamps = {
            key: self._read(converter, key, clamp, seconds)
            for key, clamp in self.board.clamps.items()
        }
        self.failures = 0
        return Sweep(
            clamps=clamps,
            data_rate=converter.data_rate,
            mains_frequency=self.frequency.measured,
            dropped=self.dropped,
            retries=self.retries,
        )

    def postpone(self) -> None:
        """Look for the chip anew, later after each failure."""
        self.converter = None
        delay = min(_RETRY_AFTER * 2**self.failures, _RETRY_AT_MOST)
        self.failures += 1
        self.retry_at = self.clock.monotonic() + delay

    def _ready_converter(self, i2c: I2C) -> Converter:
        """Return the converter, its data rate measured within the last hour."""
        now = self.clock.monotonic()
        if self.converter is None:
            self.converter = Converter(
                i2c,
                self.board.address,
                monotonic=self.clock.monotonic,
                sleep=self.clock.sleep,
            )
            self.measured_at = now
        elif now - self.measured_at > _RATE_VALID_FOR:
            self.converter.measure_rate()
            self.measured_at = now
        if not self.board.clamps:
            # Nothing to sample, but the board is to be known as there or gone
            self.converter.read("A0", _FIRST_GAIN)
        return self.converter

    def _read(
        self, converter: Converter, key: str, clamp: Clamp, seconds: float
    ) -> ClampReading:
        """Return the reading of one clamp."""
        gain = clamp.gain or self.gains.get(key, _FIRST_GAIN)
        window = self._window(converter, clamp, gain, seconds)
        for lower in _LOW_GAINS:
            if window.saturated and clamp.gain is None and lower < gain:
                window = self._window(converter, clamp, lower, seconds)
        reading, wave = clamp.read(window, self.frequency.value)
        if reading.current and wave.noise > _UNEXPLAINED * wave.rms:
            reading, wave = self._try_other_mains(clamp, window, (reading, wave))
        self.dropped += window.dropped
        self.gains[key] = clamp.next_gain(wave)
        if reading.current:
            self.frequency.update(wave, seconds)
        return reading

    def _try_other_mains(
        self, clamp: Clamp, window: Window, seen: tuple[ClampReading, Wave]
    ) -> tuple[ClampReading, Wave]:
        """Take 50 Hz for 60 or the reverse, if that explains what was seen."""
        other = MainsFrequency(_SUM_OF_MAINS - self.frequency.nominal)
        reading, wave = clamp.read(window, other.value)
        if wave.noise > _UNEXPLAINED * seen[1].noise:
            return seen
        self.frequency = other
        return reading, wave

    def _window(
        self, converter: Converter, clamp: Clamp, gain: float, seconds: float
    ) -> Window:
        """Return a window, taken again once: a bus picks up a disturbance now and then."""
        try:
            return converter.sample(clamp.source, gain, seconds)
        except BusError:
            raise
        except OSError:
            self.retries += 1
            return converter.sample(clamp.source, gain, seconds)


class BusSampler:
    """The thread of a bus; boards come and go while it runs."""

    def __init__(self, path: str, clock: Clock | None = None) -> None:
        """Prepare; the thread starts with the first board."""
        self.path = path
        self._clock = clock or Clock()
        self._readers: dict[int, BoardReader] = {}
        self._lock = Lock()
        self._stopping = Event()
        self._wake = Event()
        self._thread: Thread | None = None
        self._i2c: I2C | None = None

    def add(self, board: Board) -> None:
        """Read a board from now on."""
        with self._lock:
            self._readers[board.address] = BoardReader(board, self._clock)
            if self._thread is None:
                self._thread = Thread(
                    target=self._run, name=f"rackwatt {self.path}", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def remove(self, board: Board) -> bool:
        """Read a board no more; return whether none is left and the thread has ended.

        Blocks until a window that was begun is over.
        """
        with self._lock:
            reader = self._readers.get(board.address)
            if reader is not None and reader.board is board:
                del self._readers[board.address]
            if self._readers:
                return False
            thread, self._thread = self._thread, None
        self._stopping.set()
        self._wake.set()
        if thread is not None:
            thread.join(_STOP_WITHIN)
        return True

    def _run(self) -> None:
        """Sweep all boards about once a second until stopped."""
        try:
            while not self._stopping.is_set():
                begin = self._clock.monotonic()
                self._wake.clear()
                self.sweep_all()
                rest = begin + SWEEP_SECONDS - self._clock.monotonic()
                self._wake.wait(max(0.0, rest))
        finally:
            self._close()

    def sweep_all(self) -> None:
        """Read each board that is due, and tell."""
        with self._lock:
            readers = list(self._readers.values())
        count = sum(len(reader.board.clamps) for reader in readers)
        seconds = SAMPLED_SECONDS / max(1, count)
        seconds = min(LONGEST_WINDOW, max(SHORTEST_WINDOW, seconds))
        for reader in readers:
            if self._stopping.is_set():
                return
            if self._clock.monotonic() >= reader.retry_at:
                self._sweep(reader, seconds)

    def _sweep(self, reader: BoardReader, seconds: float) -> None:
        """Read one board; a failure is its own."""
        try:
            if self._i2c is None:
                self._i2c = I2C(self.path, monotonic=self._clock.monotonic)
            sweep = reader.sweep(self._i2c, seconds)
        except TooFewSamples as err:
            # A busy machine is no fault of the board's, unless it stays so
            reader.starved += 1
            if reader.starved >= STARVED_SWEEPS:
                reader.board.on_failure(err)
        except OSError as err:
            if isinstance(err, BusError):
                self._close()
            reader.postpone()
            reader.board.on_failure(err)
        except Exception as err:
            # A mistake of ours, which must not end the thread for all boards
            _LOGGER.exception("0x%02x cannot be read", reader.board.address)
            reader.postpone()
            reader.board.on_failure(OSError(str(err)))
        else:
            reader.starved = 0
            reader.board.on_sweep(sweep)

    def _close(self) -> None:
        """Close the bus; the next sweep opens it anew."""
        if self._i2c is not None:
            self._i2c.close()
            self._i2c = None
