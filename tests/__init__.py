"""Tests of Rackwatt."""
