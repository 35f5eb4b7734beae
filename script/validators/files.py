"""Every JSON and YAML file of the integration parses."""

from collections.abc import Iterator
import json
from typing import Any

import yaml

from .checkout import Checkout, Rule


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what json would silently overwrite."""
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the key {key} stands there twice")
    return dict(pairs)


def json_parses(checkout: Checkout) -> Iterator[str]:
    """A broken or ambiguous JSON file."""
    paths = [*checkout.integration.rglob("*.json"), checkout.root / "hacs.json"]
    for path in sorted(path for path in paths if path.exists()):
        try:
            json.loads(path.read_text(), object_pairs_hook=_unique)
        except ValueError as err:
            yield f"{checkout.name(path)}: does not parse: {err}"


def yaml_parses(checkout: Checkout) -> Iterator[str]:
    """A broken YAML file."""
    for path in sorted(checkout.integration.rglob("*.yaml")):
        try:
            yaml.safe_load(path.read_text())
        except yaml.YAMLError as err:
            yield f"{checkout.name(path)}: does not parse: {err}"


RULES: tuple[Rule, ...] = (json_parses, yaml_parses)
