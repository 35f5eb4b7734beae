"""Impulses of energy meters, read from an Arduino on a serial line."""
