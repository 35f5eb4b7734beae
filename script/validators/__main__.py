"""Run all rules over a checkout: `python -m script.validators [DIRECTORY]`."""

from collections.abc import Iterator
from pathlib import Path
import sys

from . import (
    brand,
    code,
    files,
    hacs,
    house,
    icons,
    manifest,
    quality_scale,
    services,
    translation_keys,
    translations,
)
from .checkout import Checkout, Rule

RULES: tuple[Rule, ...] = (
    *files.RULES,
    *manifest.RULES,
    *quality_scale.RULES,
    *code.RULES,
    *translations.RULES,
    *translation_keys.RULES,
    *icons.RULES,
    *services.RULES,
    *hacs.RULES,
    *brand.RULES,
    *house.RULES,
)


def findings(root: Path) -> Iterator[str]:
    """Yield what all rules find in a checkout."""
    checkout = Checkout(root=root)
    for rule in RULES:
        yield from rule(checkout)


def main() -> int:
    """Print the findings; any of them fails."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = list(findings(root))
    for sentence in found:
        print(sentence)
    print(f"[validate] {len(RULES)} rules, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
