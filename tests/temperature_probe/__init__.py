"""Tests of the 1-Wire probes."""
