"""The brand images, as Home Assistant serves them from the integration."""

from collections.abc import Iterator
from pathlib import Path
import struct

from .checkout import Checkout, Rule

ICONS = {"icon.png": 256, "icon@2x.png": 512}
# Logos are as wide as they need; the shorter side has these bounds
LOGOS = {"logo.png": (128, 256), "logo@2x.png": (256, 512)}


def _size(path: Path) -> tuple[int, int] | None:
    """Return width and height of a PNG file."""
    head = path.read_bytes()[:24]
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def images_are_right(checkout: Checkout) -> Iterator[str]:
    """A brand image that is missing, no PNG, or of another size."""
    folder = checkout.integration / "brand"
    for prefix in ("", "dark_"):
        for name in (*ICONS, *LOGOS):
            path = folder / f"{prefix}{name}"
            if not path.exists():
                yield f"{checkout.name(path)}: is missing"
            elif (size := _size(path)) is None:
                yield f"{checkout.name(path)}: is not a PNG image"
            elif name in ICONS and size != (ICONS[name], ICONS[name]):
                yield (
                    f"{checkout.name(path)}: is {size[0]} × {size[1]}, has to be"
                    f" {ICONS[name]} × {ICONS[name]}"
                )
            elif name in LOGOS and not LOGOS[name][0] <= min(size) <= LOGOS[name][1]:
                yield (
                    f"{checkout.name(path)}: its shorter side is {min(size)}, has to"
                    f" be {LOGOS[name][0]} to {LOGOS[name][1]}"
                )


RULES: tuple[Rule, ...] = (images_are_right,)
