"""What programs can ask Rackwatt over HTTP."""
