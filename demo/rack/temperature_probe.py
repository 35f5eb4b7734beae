"""Four probes on the rack's 1-Wire bus, behind files that are real to their reader."""

from collections.abc import Callable
from datetime import UTC, datetime
import math
from pathlib import Path
import shutil
from typing import ClassVar

from .blip import watts_at
from .one_wire import OneWireTree, Probe
from .part import Consumer, Past
from demo.client import Client

type Climate = Callable[[datetime], float]


def room_at(moment: datetime) -> float:
    """Return the room's temperature: of the season, of the day, and of its cooling."""
    local = moment.astimezone()
    hour = local.hour + local.minute / 60
    season = 1.8 * math.cos((local.timetuple().tm_yday - 205) / 365 * math.tau)
    day = 1.1 * math.cos((hour - 16) / 24 * math.tau)
    cooling = 0.3 * math.sin(moment.timestamp() / 2340 * math.tau)
    return 22.4 + season + day + cooling


def inlet_at(moment: datetime) -> float:
    """Return the temperature in front of the rack, where the floor is cooler."""
    return room_at(moment) - 1.3 + 0.15 * math.sin(moment.timestamp() / 611 * math.tau)


def outlet_at(moment: datetime) -> float:
    """Return the temperature behind the rack, which its power makes."""
    return inlet_at(moment) + watts_at(moment) / 42


def top_at(moment: datetime) -> float:
    """Return the temperature under the rack's roof, where warm air gathers."""
    return 0.45 * inlet_at(moment) + 0.55 * outlet_at(moment) + 1.5


PROBES: dict[str, tuple[str, Climate]] = {
    "28-00000a41c2d7": ("Room", room_at),
    "28-00000a41f09e": ("Rack inlet", inlet_at),
    "28-00000a4233b1": ("Rack outlet", outlet_at),
    "28-00000a42581c": ("Rack top", top_at),
}


def plugged(probe_id: str, climate: Climate) -> Probe:
    """Return a probe that measures a climate as it is now."""
    return Probe(probe_id=probe_id, celsius=lambda: climate(datetime.now(UTC)))


class TemperatureProbes:
    """A bus with four DS18B20, as fast as a real one."""

    name: ClassVar[str] = "temperature_probe"

    def __init__(self, directory: Path) -> None:
        """Describe the bus."""
        self._root = directory / "sys"
        self._tree: OneWireTree | None = None

    async def start(self) -> None:
        """Plug the probes in."""
        # what a demo left that was killed has nobody who answers
        shutil.rmtree(self._root, ignore_errors=True)
        self._tree = OneWireTree(self._root)
        self._tree.add_bus().plug(
            *(plugged(probe_id, climate) for probe_id, (_, climate) in PROBES.items())
        )

    async def stop(self) -> None:
        """Take the bus away."""
        if self._tree is not None:
            self._tree.stop()
            self._tree = None
            shutil.rmtree(self._root)

    async def create(self, client: Client) -> None:
        """Add the bus to Home Assistant, and name its probes."""
        assert self._tree is not None
        await client.create_entry(
            {"next_step_id": "temperature_probe"}, {"path": str(self._tree.path)}
        )
        for device in await client.call("config/device_registry/list"):
            for _, key in device["identifiers"]:
                if key in PROBES:
                    await client.call(
                        "config/device_registry/update",
                        device_id=device["id"],
                        name_by_user=PROBES[key][0],
                    )

    def past(self) -> tuple[Past, ...]:
        """Return what each probe would have measured."""
        return tuple(
            Past(
                entity_id=f"sensor.ds18b20_{probe_id.replace('-', '_')}_temperature",
                unit="°C",
                unit_class="temperature",
                value=climate,
            )
            for probe_id, (_, climate) in PROBES.items()
        )

    def consumers(self) -> tuple[Consumer, ...]:
        """Return nothing: probes draw a milliampere."""
        return ()
