"""What Rackwatt keeps for ever: each blip, and the counters."""
