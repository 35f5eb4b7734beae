"""Why a board cannot be read, as the key of the sentence that names cause and cure."""

from .i2c import AddressBusy, BusError, NoAnswer

BUS_MISSING = "bus_missing"
BUS_DENIED = "bus_denied"
ADDRESS_BUSY = "address_busy"
NO_CHIP = "no_chip"
NOT_SOUND = "not_sound"
FAILURES = (BUS_MISSING, BUS_DENIED, ADDRESS_BUSY, NO_CHIP, NOT_SOUND)


def failure_key(err: OSError) -> str:
    """Return the key of a failure."""
    if isinstance(err, BusError):
        return BUS_DENIED if isinstance(err.__cause__, PermissionError) else BUS_MISSING
    if isinstance(err, AddressBusy):
        return ADDRESS_BUSY
    if isinstance(err, NoAnswer):
        return NO_CHIP
    # Not ready in time, reconfigured by another program, or too few samples
    return NOT_SOUND
