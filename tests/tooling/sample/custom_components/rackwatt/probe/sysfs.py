"""Files of the kernel. No Home Assistant in here."""
