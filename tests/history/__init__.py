"""Tests of the history file."""
