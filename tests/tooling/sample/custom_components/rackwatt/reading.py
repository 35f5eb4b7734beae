"""Value objects. No Home Assistant in here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Power:
    """A power."""

    watts: float
