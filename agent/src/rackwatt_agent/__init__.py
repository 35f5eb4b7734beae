"""Push what this machine measures to Home Assistant."""

__version__ = "0.1.0"
