"""Tests of the blip meter."""
