"""The demo's configuration directory, and what a start has already done to it."""

from collections.abc import Iterator
import contextlib
from dataclasses import asdict, dataclass, field
import fcntl
import json
import os
from pathlib import Path
import shutil

from .hass import HassError

_MARK = ".rackwatt-demo.json"


@dataclass(kw_only=True)
class Progress:
    """How far the directory is made; what is listed here is not done again."""

    token: str | None = None
    parts: list[str] = field(default_factory=list)


class Directory:
    """A configuration directory that belongs to the demo."""

    def __init__(self, path: Path) -> None:
        """Take a path that need not exist yet."""
        self.path = path
        self.progress = Progress()

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the directory for one demo at a time."""
        self.path.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDONLY)
        try:
            self._lock(handle)
            self._check_ownership()
            yield
        finally:
            os.close(handle)

    def open(self, *, reset: bool) -> None:
        """Read the progress; begin anew where that is wanted or the last start died early."""
        if reset or not self._load():
            self._clear()
        self.save()

    def save(self) -> None:
        """Write down how far the directory is made."""
        mark = self.path / _MARK
        fresh = mark.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(self.progress)))
        fresh.rename(mark)

    def _lock(self, handle: int) -> None:
        """Lock the directory; the lock ends with us, however we end."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HassError(
                f"A demo is running on {self.path} already. Stop it with Ctrl-C in its"
                " terminal, or start a second one on its own directory and port:"
                " script/demo --config DIR --port N"
            ) from None

    def _check_ownership(self) -> None:
        """Refuse a directory that holds something else."""
        if not (self.path / _MARK).exists() and any(self.path.iterdir()):
            raise HassError(
                f"{self.path} holds files that are not the demo's, so it is left"
                " alone. Name a new or empty directory with --config."
            )

    def _load(self) -> bool:
        """Read the progress; false where the directory is unused or half made."""
        try:
            stored = json.loads((self.path / _MARK).read_text())
            self.progress = Progress(token=stored["token"], parts=stored["parts"])
        except FileNotFoundError, ValueError, KeyError, TypeError:
            return False
        return self.progress.token is not None

    def _clear(self) -> None:
        """Empty the directory, except for the mark that says whose it is."""
        self.progress = Progress()
        for item in self.path.iterdir():
            if item.name == _MARK:
                continue
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            else:
                item.unlink()
