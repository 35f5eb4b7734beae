"""What is known of a probe over many readings. No Home Assistant in here."""

from dataclasses import dataclass, replace
from typing import Self

from .bus import ProbeReading
from .probe import MODELS, Fault, family_of

# One garbled reading in an hour is normal on a long wire and is no reason for an alarm
BAD_IN_A_ROW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeState:
    """A probe as its readings have shown it so far."""

    probe_id: str
    bus: str
    model: str
    celsius: float | None = None
    """The last temperature that could be trusted, since it was plugged in."""
    bits: int | None = None
    is_present: bool = True
    bad_in_a_row: int = 0
    refused_readings: int = 0
    crc_errors: int = 0
    read_seconds: float | None = None
    last_fault: Fault | None = None

    @property
    def is_available(self) -> bool:
        """Tell whether the last temperature still stands."""
        return (
            self.is_present
            and self.celsius is not None
            and self.bad_in_a_row < BAD_IN_A_ROW
        )

    def after(self, reading: ProbeReading) -> Self:
        """Return the state after another reading."""
        if reading.temperature is None:
            fault = reading.fault
            return replace(
                self,
                read_seconds=reading.seconds,
                bad_in_a_row=self.bad_in_a_row + 1,
                refused_readings=self.refused_readings + 1,
                crc_errors=self.crc_errors + (fault is not None and fault.is_checksum),
                last_fault=fault,
            )
        return replace(
            self,
            celsius=reading.temperature.celsius,
            model=reading.temperature.model,
            bits=reading.temperature.bits,
            read_seconds=reading.seconds,
            bad_in_a_row=0,
        )

    def missed(self) -> Self:
        """Return the state after a cycle in which the bus gave no answer at all."""
        return replace(self, bad_in_a_row=self.bad_in_a_row + 1)

    def pulled_out(self) -> Self:
        """Return the state of the probe that is no longer on its bus."""
        return replace(self, is_present=False, celsius=None, bad_in_a_row=0)

    def plugged_in(self, bus: str) -> Self:
        """Return the state of the probe that is on a bus, maybe another one."""
        return replace(self, is_present=True, bus=bus)


def newcomer(probe_id: str, bus: str) -> ProbeState:
    """Return the state of a probe that has not been read yet."""
    return ProbeState(
        probe_id=probe_id, bus=bus, model=MODELS[family_of(probe_id) or "28"]
    )
