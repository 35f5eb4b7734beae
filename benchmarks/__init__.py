"""Figures of Rackwatt against its targets and its peers, each benchmark one command."""
