"""Temperatures of the rack, from probes on a 1-Wire bus."""
