"""A pty as the serial line of an Arduino."""

import os
from pathlib import Path
import tty


class SerialLine:
    """A pty behind a stable name, which can be plugged and unplugged."""

    def __init__(self, path: Path) -> None:
        """Choose the name under which Home Assistant finds the port."""
        self.path = path
        self._master: int | None = None

    @property
    def port(self) -> str:
        """Return the port's name."""
        return str(self.path)

    def plug(self) -> None:
        """Plug the device in."""
        master, slave = os.openpty()
        tty.setraw(slave)
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)
        self._master = master

    def unplug(self) -> None:
        """Unplug the device: the line hangs up and its name goes."""
        if self._master is not None:
            self.path.unlink()
            os.close(self._master)
            self._master = None

    def send(self, data: bytes) -> None:
        """Send bytes to Home Assistant."""
        assert self._master is not None
        os.write(self._master, data)
