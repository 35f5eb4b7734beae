"""What the demo asks of a part of the rack."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol

from demo.client import Client


class PartUnavailableError(Exception):
    """Why a part cannot run on this machine, as a sentence for the user."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """What an entity would have measured before it was added.

    `value` gives the reading at an instant; of a total it gives the growth per hour.
    """

    entity_id: str
    unit: str
    unit_class: str  # of Home Assistant's unit converters: "power", "energy", …
    value: Callable[[datetime], float]
    is_total: bool = False


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """A line of the energy dashboard."""

    name: str
    energy: str  # entity ids
    power: str
    is_feed: bool = False  # measures all of the rack, not one device in it


class Part(Protocol):
    """A simulated device."""

    name: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        """Take a directory for what has to lie in the file system."""

    async def start(self) -> None:
        """Start; called before Home Assistant starts."""

    async def stop(self) -> None:
        """Stop and leave nothing running; called after Home Assistant stopped."""

    async def create(self, client: Client) -> None:
        """Create the entries through the config flows; called once per directory."""

    def past(self) -> tuple[Past, ...]:
        """Return the history to import."""

    def consumers(self) -> tuple[Consumer, ...]:
        """Return the lines for the energy dashboard."""
