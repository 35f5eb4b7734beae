"""The small files in which the kernel tells one thing each."""

from pathlib import Path


def text(path: Path) -> str | None:
    """Return what a file says, None where it cannot be read now."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def number(path: Path) -> int | None:
    """Return the whole number in a file, None where there is none now."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
