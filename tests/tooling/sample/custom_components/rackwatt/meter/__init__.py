"""A meter."""
