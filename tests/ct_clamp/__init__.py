"""Tests of the clamps."""
