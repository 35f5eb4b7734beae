"""The simulated rack: each part plays one device, at the lowest level that a machine has."""

from .blip import BlipMeter
from .part import Part
from .server import Servers

# Each source of Rackwatt has its part here
PARTS: tuple[type[Part], ...] = (BlipMeter, Servers)
