"""An I2C bus behind a Linux device file, in the shape that the Adafruit library asks for.

Blinka's own `board` must never be imported: on a Raspberry Pi it can ask a question on
the terminal and run pip (Blinka 10.0.0). This object needs the device file only, so any
`/dev/i2c-N` will do, also that of a USB adapter.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import errno
import fcntl
import os
from threading import RLock
import time
from typing import Protocol

# <linux/i2c-dev.h>: the address that the following reads and writes go to
I2C_SLAVE = 0x0703
# Looking for a chip takes 10 transfers, a reading 9; so many cost 6 ms at 100 kHz
TRANSFERS_GRANTED = 20


class BusError(OSError):
    """The bus cannot be used at all; every board on it is out of reach."""


class AddressBusy(OSError):
    """A driver of the kernel owns the address."""


class NoAnswer(OSError):
    """A chip did not acknowledge."""


class DeadlinePassed(OSError):
    """A chip did not finish in time."""


class Node(Protocol):
    """An open I2C device file."""

    def ioctl(self, request: int, argument: int) -> None:
        """Set the address that follows."""

    def read(self, length: int) -> bytes:
        """Read from the chip."""

    def write(self, data: bytes) -> None:
        """Write to the chip."""

    def close(self) -> None:
        """Close the file."""


class DeviceFile:
    """An open device file of Linux."""

    def __init__(self, path: str) -> None:
        """Open the file."""
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def ioctl(self, request: int, argument: int) -> None:
        """Set the address that follows."""
        fcntl.ioctl(self._fd, request, argument)

    def read(self, length: int) -> bytes:
        """Read from the chip."""
        return os.read(self._fd, length)

    def write(self, data: bytes) -> None:
        """Write to the chip."""
        os.write(self._fd, data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def open_node(path: str) -> Node:
    """Open the device file of a bus."""
    return DeviceFile(path)


class I2C:
    """A bus that transfers bytes, and stops a caller that waits for a chip for ever."""

    def __init__(
        self, path: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Open the bus."""
        self.path = path
        self._monotonic = monotonic
        self._lock = RLock()
        self._deadline: float | None = None
        self._granted = 0
        self._address: int | None = None
        try:
            self._node = open_node(path)
        except OSError as err:
            raise BusError(err.errno, os.strerror(err.errno or 0), path) from err

    def close(self) -> None:
        """Close the bus."""
        self._node.close()

    def try_lock(self) -> bool:
        """Take the bus for a transfer."""
        return self._lock.acquire(blocking=False)

    def unlock(self) -> None:
        """Give the bus back."""
        self._lock.release()

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Let a transfer fail that begins later than this from now.

        The library polls a chip until it is ready and has no limit of its own; each
        poll is a transfer, so a limit here ends its loop. Some transfers are always
        granted: a program that was put aside meanwhile has not asked the chip yet.
        """
        self._deadline = self._monotonic() + seconds
        self._granted = TRANSFERS_GRANTED
        try:
            yield
        finally:
            self._deadline = None

    def write(self, address: int, data: bytes) -> None:
        """Write to a chip."""
        self._select(address)
        try:
            self._node.write(data)
        except OSError as err:
            raise self._translated(err, address) from err

    def read(self, address: int, length: int) -> bytes:
        """Read from a chip."""
        self._select(address)
        try:
            answer = self._node.read(length)
        except OSError as err:
            raise self._translated(err, address) from err
        if len(answer) != length:
            raise NoAnswer(errno.EIO, f"0x{address:02x} sent {len(answer)} bytes")
        return answer

    def writeto(
        self,
        address: int,
        buffer: bytes | bytearray,
        *,
        start: int = 0,
        end: int | None = None,
    ) -> None:
        """Write a part of a buffer to a chip."""
        if data := bytes(buffer[start:end]):
            self.write(address, data)
        else:
            # An empty message is how the library looks for a chip. Not every adapter
            # can send one (CP2112), but each can read a byte.
            self.read(address, 1)

    def readfrom_into(
        self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None
    ) -> None:
        """Read from a chip into a part of a buffer."""
        end = len(buffer) if end is None else end
        buffer[start:end] = self.read(address, end - start)

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytes | bytearray,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        """Write to a chip, then read its answer."""
        self.writeto(address, out_buffer, start=out_start, end=out_end)
        self.readfrom_into(address, in_buffer, start=in_start, end=in_end)

    def _select(self, address: int) -> None:
        """Send what follows to a chip."""
        if self._deadline is not None:
            self._granted -= 1
            if self._granted < 0 and self._monotonic() > self._deadline:
                raise DeadlinePassed(errno.ETIMEDOUT, f"0x{address:02x} is not ready")
        if address == self._address:
            return
        try:
            self._node.ioctl(I2C_SLAVE, address)
        except OSError as err:
            raise self._translated(err, address) from err
        self._address = address

    def _translated(self, err: OSError, address: int) -> OSError:
        """Return the failure of a transfer by what it means for the chip."""
        if err.errno == errno.EBUSY:
            return AddressBusy(err.errno, os.strerror(err.errno), f"0x{address:02x}")
        if err.errno in (errno.ENODEV, errno.EBADF):
            return BusError(err.errno, os.strerror(err.errno), self.path)
        return NoAnswer(err.errno or errno.EIO, str(err), f"0x{address:02x}")
