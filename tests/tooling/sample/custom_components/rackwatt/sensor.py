"""Sensors: hand over to the source."""

from .meter.sensor import async_setup_entry as setup_meter

PARALLEL_UPDATES = 0
SETUP = {"meter": setup_meter}
