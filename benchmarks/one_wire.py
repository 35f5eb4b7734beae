"""The simulated 1-Wire tree that `probes` reads, in a process of its own."""

from functools import partial
from itertools import count
import math
from pathlib import Path
import sys
import time

from demo.rack.one_wire import OneWireTree, Probe


def celsius_of(number: int) -> float:
    """Return a temperature that is another one at each reading."""
    return 25 + 10 * math.sin(time.monotonic() / 3 + number)


def main(arguments: list[str]) -> None:
    """Play buses with so many probes each, until the input ends."""
    root, speed, has_bulk, *buses = arguments
    numbers = count()
    with OneWireTree(Path(root), speed=float(speed)) as tree:
        for probes in map(int, buses):
            tree.add_bus(has_bulk=has_bulk == "1").plug(
                *(
                    Probe(
                        probe_id=f"28-{number:012x}",
                        celsius=partial(celsius_of, number),
                    )
                    for number in (next(numbers) for _ in range(probes))
                )
            )
        print(tree.path, flush=True)
        sys.stdin.read()
