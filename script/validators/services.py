"""hassfest's rules of services.yaml: each action described, with texts and an icon."""

import ast
from collections.abc import Iterator
from typing import Any

import probatio

from homeassistant.helpers.selector import validate_selector

from .checkout import Checkout, Rule, calls, misfits

_FIELD = {
    probatio.Optional("example"): probatio.Any(str, int, float, bool, list, dict),
    probatio.Optional("default"): probatio.Any(str, int, float, bool, list, dict),
    probatio.Optional("required"): bool,
    probatio.Required("selector"): validate_selector,
    probatio.Optional("filter"): dict,
}
_SECTION = {
    probatio.Optional("collapsed"): bool,
    probatio.Required("fields"): {str: _FIELD},
}
_ACTION = {
    probatio.Optional("target"): probatio.Any(None, dict),
    probatio.Optional("fields"): {str: probatio.Any(_FIELD, _SECTION)},
}
ACTIONS = probatio.Schema({str: probatio.Any(None, _ACTION)})
REGISTER = {
    "async_register",
    "async_register_admin_service",
    "async_register_entity_service",
    "async_register_platform_entity_service",
}


def _name(checkout: Checkout) -> str:
    return checkout.name(checkout.integration / "services.yaml")


def fit_the_schema(checkout: Checkout) -> Iterator[str]:
    """An action that is not described as Home Assistant reads it."""
    yield from misfits(ACTIONS, checkout.services, _name(checkout))


def _fields(action: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Yield each field and section of an action: which of both, and its name."""
    for name, field in ((action or {}).get("fields") or {}).items():
        if isinstance(field, dict) and "fields" in field:
            yield "sections", name
            for inner in field["fields"]:
                yield "fields", inner
        else:
            yield "fields", name


def have_texts_and_icons(checkout: Checkout) -> Iterator[str]:
    """An action, field or section that has no text or no icon, or the reverse."""
    texts = checkout.translations.get("en", {}).get("services", {})
    icons = checkout.icons.get("services", {})
    name = _name(checkout)
    for action, described in checkout.services.items():
        if action not in icons:
            yield f"{name}: {action} has no icon in icons.json"
        if action not in texts:
            yield f"{name}: {action} has no services.{action} in the texts"
            continue
        wanted = set(_fields(described))
        found = {
            (kind, key)
            for kind in ("fields", "sections")
            for key in texts[action].get(kind, {})
        }
        for kind, key in sorted(wanted - found):
            yield f"{name}: no services.{action}.{kind}.{key} in the texts"
        for kind, key in sorted(found - wanted):
            yield f"{name}: has no services.{action}.{kind}.{key}, which the texts have"
    for action in sorted({*texts, *icons} - checkout.services.keys()):
        yield f"{name}: {action} is missing, but has texts or an icon"


def are_described(checkout: Checkout) -> Iterator[str]:
    """An action that the code registers while there is no services.yaml."""
    if (checkout.integration / "services.yaml").exists():
        return
    for module in checkout.modules:
        for called, node in calls(module):
            if called in REGISTER and "service" in ast.unparse(node.func):
                yield f"{module.path}:{node.lineno}: registers an action; no services.yaml"


RULES: tuple[Rule, ...] = (fit_the_schema, have_texts_and_icons, are_described)
