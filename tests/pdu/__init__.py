"""Tests of the PDU source."""
