"""What a blip means for its meter. No Home Assistant in here."""

from dataclasses import dataclass

from .line import Pulse

# 1 kWh is 3.6e6 J; an interval is in ms: power in W is 3.6e9 / (constant * ms).
WATT_MS_PER_KWH = 3.6e9

# The original firmware counts milliseconds in 16 bits: 75 s arrive as 9,464 ms.
WRAP_MS = 65536
# How far an interval by the host's clock may be from the Arduino's, in ms: latency of
# the line, of a busy host, and a resonator that is 0.5 % off over a minute or two.
WRAP_TOLERANCE_MS = 2000

# A new power is shown when it differs by this share, at most once a second (a little
# less, for a timer that ticks each second does not do so to the microsecond) …
PUBLISH_CHANGE = 0.05
PUBLISH_SOONEST = 0.9
# … and in any case after this time, in s: less would only fill the recorder.
PUBLISH_LATEST = 5.0

_UINT32 = 2**32


@dataclass(frozen=True)
class MeterSettings:
    """What is known of a meter.

    `impulses_per_kwh` stands on its front; `ratio` is that of its transformers (1
    without); `max_power` in W bounds what can flow (the main fuse): blips that follow
    faster are glitches. `wraps` says that the firmware counts in 16 bits.
    """

    impulses_per_kwh: float
    max_power: float
    ratio: float = 1.0
    wraps: bool = True

    @property
    def watt_ms(self) -> float:
        """Return power times interval: W * ms of one blip."""
        return WATT_MS_PER_KWH * self.ratio / self.impulses_per_kwh

    @property
    def min_ms(self) -> float:
        """Return the shortest interval that the maximum power allows."""
        return self.watt_ms / self.max_power


@dataclass(frozen=True)
class Accepted:
    """A blip that counts: its stamp (ms since 1970), its interval where known.

    `missed` blips before it never arrived; the device's running count tells of them.
    """

    stamp: int
    ms: int | None
    missed: int = 0


class Meter:
    """Follow the blips of one meter.

    Two clocks: `stamp` is the wall clock in ms since 1970, which may step; `now` is a
    monotonic clock in s.
    """

    def __init__(
        self,
        settings: MeterSettings,
        last_stamp: int | None = None,
        device_count: int | None = None,
    ) -> None:
        """Go on after the last blip that was stored."""
        self.settings = settings
        self.power: float | None = None
        self.interval_ms: int | None = None
        self.temperature: float | None = None
        self.glitches = 0
        self.device_count = device_count
        self._last_stamp = last_stamp
        # of the last line since the connection was made, monotonic
        self._last_line: float | None = None
        # whether a blip was accepted since, and when the last one was, monotonic
        self._connected = False
        self._last_blip = 0.0
        # time of rejected glitches, which belongs to the next interval, and what the
        # running count told of at such a glitch
        self._carried_ms = 0
        self._carried_missed = 0
        # intervals since power was last published
        self._sum_ms = 0
        self._intervals = 0
        self._published = 0.0

    def restart(self) -> None:
        """The connection was made anew: nothing is known of the time before."""
        self.power = None
        self._last_line = None
        self._connected = False
        self._carried_ms = 0
        self._sum_ms = 0
        self._intervals = 0

    def pulse(self, pulse: Pulse, stamp: int, now: float) -> Accepted | None:
        """Take a blip; return what it counts for, None for a glitch."""
        previous, self._last_line = self._last_line, now
        previous_count, self.device_count = self.device_count, pulse.count
        if pulse.temperature is not None:
            self.temperature = pulse.temperature
        missed = self._carried_missed
        if pulse.count is not None and previous_count is not None:
            if pulse.count == previous_count:
                self.glitches += 1
                return None  # the same blip told twice
            missed += self._missed(previous_count, pulse.count, stamp)
        ms = pulse.ms
        if previous is not None:
            ms = self._unwrapped(ms, (now - previous) * 1000) + self._carried_ms
        if ms < self.settings.min_ms:
            # noise on the line may look like a line with a small number
            self._carried_ms = ms
            self._carried_missed = missed
            self.glitches += 1
            return None
        self._carried_ms = 0
        self._carried_missed = 0
        self._last_blip = now
        first, self._connected = not self._connected, True
        if not first:
            self.interval_ms = ms
            self._sum_ms += ms
            self._intervals += 1
        if self._last_stamp is not None:
            # strictly increasing, also where the clock was set back
            stamp = max(stamp, self._last_stamp + 1)
        self._last_stamp = stamp
        return Accepted(stamp, None if first else ms, missed)

    def is_quiet(self, now: float) -> bool:
        """Tell whether the last blip was a while ago."""
        return now - self._last_blip >= PUBLISH_SOONEST

    def publish(self, now: float) -> bool:
        """Bring `power` up to date; tell whether it has changed.

        The mean over the intervals since the last time; and while the next blip is
        late, the bound that follows from its being late: had the load been higher, it
        would have come.
        """
        age = now - self._published
        if self.power is not None and age < PUBLISH_SOONEST:
            return False
        if (value := self._present_power(now)) is None:
            return False
        if self.power is not None:
            same = abs(value - self.power) < PUBLISH_CHANGE * self.power
            if same and (not self._intervals or age < PUBLISH_LATEST):
                return False
        self.power = value
        self._published = now
        self._sum_ms = 0
        self._intervals = 0
        return True

    def _present_power(self, now: float) -> float | None:
        """Return the power as it is known now, in W."""
        if self._intervals:
            value = self._intervals * self.settings.watt_ms / self._sum_ms
        elif self.power is not None:
            value = self.power
        else:
            return None
        waited = (now - self._last_blip) * 1000
        return min(value, self.settings.watt_ms / waited) if waited > 0 else value

    def _unwrapped(self, ms: int, host_ms: float) -> int:
        """Return the interval, put right where 16 bits were too few for it."""
        if not self.settings.wraps:
            return ms
        wraps = round((host_ms - ms) / WRAP_MS)
        repaired = ms + WRAP_MS * wraps
        if wraps >= 1 and abs(host_ms - repaired) < WRAP_TOLERANCE_MS:
            return repaired
        return ms

    def _missed(self, previous: int, count: int, stamp: int) -> int:
        """Return how many blips the device counted that never arrived.

        More than the maximum power allows since the last blip means that the device
        has started anew: then its count is all that came since.
        """
        if self._last_stamp is None:
            return 0
        possible = max(0, stamp - self._last_stamp) / self.settings.min_ms
        for missed in ((count - previous - 1) % _UINT32, count - 1):
            if 0 <= missed <= possible:
                return missed
        return 0
