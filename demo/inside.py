"""Home Assistant with the rack's I2C bus where a device file would be.

A program for the interpreter of `.venv-hass`: everything is Home Assistant's own but for
the function that opens the device file of a bus. No kernel lets a program play an I2C
chip (as it does a serial line), so this is the lowest level that there is.
"""

from pathlib import Path
import sys

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Put the bus in its place and run Home Assistant."""
    sys.path[0] = str(ROOT)
    from custom_components.rackwatt.ct_clamp import i2c  # noqa: PLC0415
    from demo.rack.clamps import clamp_bus  # noqa: PLC0415

    setattr(i2c, "open_node", clamp_bus())  # noqa: B010  (a function, to its module)
    # From here on integrations are found in the configuration directory only, where
    # Rackwatt is a link to what was just imported
    del sys.path[0], sys.modules["custom_components"]
    from homeassistant.__main__ import main as run  # noqa: PLC0415

    return run()


if __name__ == "__main__":
    sys.exit(main())
