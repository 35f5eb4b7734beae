"""An ADS1115 at the level of its registers, on a simulated I2C bus.

It stands where the device file of Linux would be: what drives it is the same code, down
to the library, that drives the real one.
"""

from collections.abc import Callable, Sequence
import errno
import os
from random import Random

from .clock import Clock

I2C_SLAVE = 0x0703
CONVERSION, CONFIG, LOW_THRESHOLD, HIGH_THRESHOLD = range(4)
# What a chip holds after power-on (data sheet, table of registers)
POWER_ON = (0x0000, 0x8583, 0x8000, 0x7FFF)
RATES = (8, 16, 32, 64, 128, 250, 475, 860)
FULL_SCALE = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
MULTIPLEXER = (
    (0, 1),
    (0, 3),
    (1, 3),
    (2, 3),
    (0, None),
    (1, None),
    (2, None),
    (3, None),
)
_START, _SINGLE = 0x8000, 0x0100
_WAKE_UP = 25e-6

# The mean voltage of a pin between two times
Signal = Callable[[float, float], float]


class Ads1115:
    """A converter: four registers, a multiplexer, an amplifier and a slow clock of its own."""

    def __init__(
        self,
        inputs: Sequence[Signal],
        clock: Clock,
        *,
        rate_error: float = 0.0,
        noise: float = 0.0,
        random: Random | None = None,
    ) -> None:
        """Power on; noise is the effective value at a full scale of 2.048 V, in codes."""
        self.inputs = list(inputs)
        self.rate_error = rate_error
        self.noise = noise
        self.present = True
        self.ready = True
        self._clock = clock
        self._random = random or Random(1)
        self.power_on()

    def power_on(self) -> None:
        """Come up with the values of the data sheet."""
        self._registers = list(POWER_ON)
        self._pointer = CONVERSION
        self._begun: float | None = None

    @property
    def conversion(self) -> float:
        """Return how long a conversion takes (s)."""
        rate = RATES[self._registers[CONFIG] >> 5 & 7]
        return 1 / (rate * (1 + self.rate_error))

    def write(self, data: bytes) -> None:
        """Take a message: the pointer, then perhaps a register."""
        if not data:
            return
        self._catch_up()
        self._pointer = data[0] & 3
        if len(data) < 3 or self._pointer == CONVERSION:
            return
        value = data[1] << 8 | data[2]
        if self._pointer != CONFIG:
            self._registers[self._pointer] = value
            return
        self._configure(value)

    def read(self, length: int) -> bytes:
        """Answer with the register that the pointer names."""
        self._catch_up()
        value = self._registers[self._pointer]
        if self._pointer == CONFIG:
            idle = self._begun is None and self.ready
            value = value & ~_START | (_START if idle else 0)
        return (value.to_bytes(2) * (length // 2 + 1))[:length]

    def _configure(self, value: int) -> None:
        """Take a configuration, and begin to convert where it says so."""
        self._registers[CONFIG] = value & ~_START
        if not value & _SINGLE or (value & _START and self._begun is None):
            self._begun = self._clock.monotonic() + _WAKE_UP
        elif not value & _START:
            self._begun = None

    def _catch_up(self) -> None:
        """Finish the conversions that are over by now."""
        if self._begun is None or not self.ready:
            return
        whole = int((self._clock.monotonic() - self._begun) / self.conversion)
        if whole < 1:
            return
        single = self._registers[CONFIG] & _SINGLE
        last = self._begun if single else self._begun + (whole - 1) * self.conversion
        self._registers[CONVERSION] = self._convert(last)
        self._begun = None if single else last + self.conversion

    def _convert(self, begin: float) -> int:
        """Return the code of the mean over one conversion."""
        config = self._registers[CONFIG]
        positive, negative = MULTIPLEXER[config >> 12 & 7]
        end = begin + self.conversion
        volts = self.inputs[positive](begin, end)
        if negative is not None:
            volts -= self.inputs[negative](begin, end)
        scale = FULL_SCALE[config >> 9 & 7]
        # Noise comes from the input stage; it is about the same number of codes at
        # every range down to 1 (data sheet, noise at 860 SPS)
        code = round(volts / scale * 32768 + self._random.gauss(0, self.noise))
        return min(32767, max(-32768, code)) & 0xFFFF


class I2CBus:
    """A bus with chips; each transfer takes its time on the wires."""

    def __init__(
        self, chips: dict[int, Ads1115], clock: Clock, *, hertz: float = 100_000
    ) -> None:
        """Wire the chips."""
        self.chips = chips
        self.owned: set[int] = set()
        """Addresses that a driver of the kernel holds."""
        self.plugged = True
        self.transfers = 0
        self._clock = clock
        self._bit = 1 / hertz

    def read(self, address: int, length: int) -> bytes:
        """Pass the address, latch the register, pass its bits."""
        chip = self._address(address)
        answer = chip.read(length)
        self._clock.sleep((9 * length + 1) * self._bit)
        return answer

    def write(self, address: int, data: bytes) -> None:
        """Pass the address and the bytes; they count when the last one is there."""
        chip = self._address(address)
        self._clock.sleep((9 * len(data) + 1) * self._bit)
        chip.write(data)

    def _address(self, address: int) -> Ads1115:
        """Pass start, address and acknowledge; return the chip that answers."""
        self.transfers += 1
        if not self.plugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        self._clock.sleep(10 * self._bit)
        chip = self.chips.get(address)
        if chip is None or not chip.present:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        return chip


class I2CNode:
    """An open file of a bus, with the calls of Linux."""

    def __init__(self, bus: I2CBus) -> None:
        """Open."""
        self._bus = bus
        self._address: int | None = None

    def ioctl(self, request: int, argument: int) -> None:
        """Set the address that follows."""
        if request != I2C_SLAVE:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        if argument in self._bus.owned:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self._address = argument

    def read(self, length: int) -> bytes:
        """Read from the chip."""
        assert self._address is not None
        return self._bus.read(self._address, length)

    def write(self, data: bytes) -> None:
        """Write to the chip."""
        assert self._address is not None
        self._bus.write(self._address, data)

    def close(self) -> None:
        """Close."""
        self._address = None


def opener(buses: dict[str, I2CBus]) -> Callable[[str], I2CNode]:
    """Return what opens a path, as the device files of these buses would."""

    def open_node(path: str) -> I2CNode:
        """Open the file of a bus."""
        if path not in buses or not buses[path].plugged:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return I2CNode(buses[path])

    return open_node
