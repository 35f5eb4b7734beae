"""Test the bus behind a device file."""

from collections import deque
import errno
from functools import partial
from pathlib import Path

import pytest

from .rig import ADDRESS, PATH, make_rig
from custom_components.rackwatt.ct_clamp import i2c
from custom_components.rackwatt.ct_clamp.i2c import (
    I2C,
    AddressBusy,
    BusError,
    DeadlinePassed,
    DeviceFile,
    NoAnswer,
)


def test_missing_bus_is_named() -> None:
    """A path that is not there fails with the path and the reason."""
    with pytest.raises(BusError) as caught:
        I2C("/dev/i2c-99")
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == "/dev/i2c-99"


def test_device_file_passes_bytes_and_refuses_what_is_no_bus(tmp_path: Path) -> None:
    """A real file takes reads and writes; the kernel knows that it is no I2C bus."""
    path = tmp_path / "i2c-0"
    path.write_bytes(b"\x12\x34")
    node = DeviceFile(str(path))
    assert node.read(2) == b"\x12\x34"
    node.write(b"\x56")
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        node.ioctl(i2c.I2C_SLAVE, ADDRESS)
    node.close()
    assert path.read_bytes() == b"\x12\x34\x56"
    with pytest.raises(NoAnswer, match="Inappropriate ioctl"):
        I2C(str(path)).writeto(ADDRESS, b"\x01")


def test_slices_of_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the asked-for part of a buffer is sent and filled."""
    rig = make_rig(monkeypatch)
    bus = rig.i2c()
    answer = bytearray(b"\xaa\xaa\xaa\xaa")
    bus.writeto_then_readfrom(
        ADDRESS, b"\xff\x01\xff", answer, out_start=1, out_end=2, in_start=1, in_end=3
    )
    assert answer == b"\xaa\x85\x83\xaa"


def test_kernel_driver_owns_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that a kernel driver holds is told apart from a missing chip."""
    rig = make_rig(monkeypatch)
    rig.bus.owned.add(ADDRESS)
    with pytest.raises(AddressBusy):
        rig.i2c().writeto(ADDRESS, b"")
    with pytest.raises(NoAnswer):
        rig.i2c().writeto(0x49, b"")


def test_adapter_that_was_pulled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A USB adapter that is gone takes the whole bus along."""
    rig = make_rig(monkeypatch)
    bus = rig.i2c()
    rig.bus.plugged = False
    with pytest.raises(BusError):
        bus.readfrom_into(ADDRESS, bytearray(2))


def test_short_answer_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that returns fewer bytes than asked for did not read the chip."""
    rig = make_rig(monkeypatch)
    bus = rig.i2c()
    monkeypatch.setattr(bus._node, "read", lambda length: b"\x01")
    buffer = bytearray(2)
    with pytest.raises(NoAnswer, match="sent 1 bytes"):
        bus.readfrom_into(ADDRESS, buffer)
    assert buffer == b"\x00\x00"


def test_deadline_ends_a_loop_of_transfers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who polls for ever is stopped by the transfer that begins too late."""
    rig = make_rig(monkeypatch)
    bus = rig.i2c()
    begin = rig.clock.now
    with bus.deadline(0.01), pytest.raises(DeadlinePassed):
        deque(iter(partial(bus.writeto, ADDRESS, b"\x00"), "never"))
    assert 0.01 <= rig.clock.now - begin < 0.011
    bus.writeto(ADDRESS, b"\x00")


def test_lock_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library takes and returns the lock around each transfer."""
    make_rig(monkeypatch)
    bus = I2C(PATH)
    assert bus.try_lock()
    bus.unlock()
    bus.close()
