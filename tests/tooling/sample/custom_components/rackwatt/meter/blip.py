"""Lines of a meter. No Home Assistant in here."""

import re

from ..reading import Power


def parse(line: str) -> Power:
    """Return the power."""
    return Power(watts=float(re.findall(r"[0-9]+", line)[0]))
