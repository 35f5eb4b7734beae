"""The simulated rack: each part plays one device, at the lowest level that a machine has."""

from .blip import BlipMeter
from .clamps import Clamps
from .part import Part
from .pdu import Pdus
from .server import Servers
from .temperature_probe import TemperatureProbes

# Each source of Rackwatt has its part here
PARTS: tuple[type[Part], ...] = (
    BlipMeter,
    Clamps,
    TemperatureProbes,
    Pdus,
    Servers,
)
