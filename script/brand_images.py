"""Draw Rackwatt's mark and word: three rack units, crossed by a bolt.

The drawing is SVG; Chromium renders it. The letters are our own strokes, so that no
font's licence is involved and every machine draws the same.
"""

from pathlib import Path
import shutil
import sys

from playwright.sync_api import sync_playwright

BRAND = Path(__file__).resolve().parents[1] / "custom_components/rackwatt/brand"

AMBER = "#ffb000"
LED = "#2dd4a7"
# What is drawn on a light and on a dark page
INK = {"": "#24324f", "dark_": "#e6ecf8"}
SLOT = {"": "#8fa0c4", "dark_": "#8493b3"}

BOLT = "M290 16 L134 299 L238 299 L210 496 L378 213 L270 213 Z"
UNITS = (20, 188, 356)  # upper edges of the three rack units
UNIT_HEIGHT = 136


def mark(prefix: str) -> str:
    """Return the mark in a square of 512."""
    units = "".join(
        f'<rect x="8" y="{y}" width="496" height="{UNIT_HEIGHT}" rx="34"/>'
        for y in UNITS
    )
    lights = "".join(
        f'<circle cx="66" cy="{y + UNIT_HEIGHT / 2}" r="19" fill="{LED}"/>'
        for y in UNITS
    )
    slots = "".join(
        f'<path d="M{x} {y + 44} v48"/>' for y in UNITS for x in (410, 440, 470)
    )
    return f"""
      <defs><mask id="gap" maskUnits="userSpaceOnUse" x="0" y="0" width="512" height="512">
        <rect width="512" height="512" fill="#fff"/>
        <path d="{BOLT}" fill="#000" stroke="#000" stroke-width="52"
              stroke-linejoin="round"/>
      </mask></defs>
      <g mask="url(#gap)">
        <g fill="{INK[prefix]}">{units}</g>
        <g stroke="{SLOT[prefix]}" stroke-width="12" stroke-linecap="round">{slots}</g>
        {lights}
      </g>
      <path d="{BOLT}" fill="{AMBER}" stroke="{AMBER}" stroke-width="14"
            stroke-linejoin="round"/>"""


# Each letter: its strokes in a box whose x-height is 100, and how far the next one stands
LETTERS = {
    "r": ("M10 0 V100 M10 48 C10 18 30 8 54 10", 70),
    "a": ("M94 0 V100 M94 50 A42 44 0 1 1 10 50 A42 44 0 1 1 94 50", 124),
    "c": ("M86 22 A42 44 0 1 0 86 78", 114),
    "k": ("M10 -48 V100 M74 4 L14 56 M36 38 L80 100", 104),
    "w": ("M6 4 L38 98 L68 14 L98 98 L130 4", 148),
    "t": ("M36 -34 V66 C36 92 46 100 66 97 M12 6 H62", 88),
}


def word(prefix: str) -> tuple[str, float]:
    """Return the word, its baseline at 100, and its width."""
    strokes, x = "", 0.0
    for letter in "rackwatt":
        path, advance = LETTERS[letter]
        strokes += f'<path transform="translate({x} 0)" d="{path}"/>'
        x += advance
    return (
        f'<g fill="none" stroke="{INK[prefix]}" stroke-width="23"'
        f' stroke-linecap="round" stroke-linejoin="round">{strokes}</g>',
        x,
    )


def icon(prefix: str) -> tuple[str, int, int]:
    """Return the drawing of the icon with its size."""
    return mark(prefix), 512, 512


def logo(prefix: str) -> tuple[str, int, int]:
    """Return the drawing of mark and word with its size."""
    text, length = word(prefix)
    scale = 2.1
    return (
        f'{mark(prefix)}<g transform="translate(590 178) scale({scale})">{text}</g>',
        round(590 + length * scale),
        512,
    )


def main() -> int:
    """Render every image, in the size that Home Assistant asks for."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed; script/setup does that.", file=sys.stderr)
        return 1
    BRAND.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        for prefix in INK:
            for name, draw in (("icon", icon), ("logo", logo)):
                drawing, width, height = draw(prefix)
                for suffix, factor in (("", 0.5), ("@2x", 1.0)):
                    size = {
                        "width": round(width * factor),
                        "height": round(height * factor),
                    }
                    page = browser.new_page(viewport=size)
                    page.set_content(
                        '<body style="margin:0"><svg xmlns="http://www.w3.org/2000/svg"'
                        f' style="display:block" width="{size["width"]}"'
                        f' height="{size["height"]}" viewBox="0 0 {width} {height}">'
                        f"{drawing}</svg></body>"
                    )
                    path = BRAND / f"{prefix}{name}{suffix}.png"
                    page.screenshot(path=path, omit_background=True)
                    page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
