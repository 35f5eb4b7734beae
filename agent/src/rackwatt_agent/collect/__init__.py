"""What a machine can measure about itself, a file for each family of metrics."""
