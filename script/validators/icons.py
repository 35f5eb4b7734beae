"""hassfest's rules of icons.json."""

from collections.abc import Iterator
import re
from typing import Any

import probatio

from .checkout import Checkout, Rule, misfits

_ICON = probatio.Match(re.compile(r"^mdi:[a-z0-9]+(-[a-z0-9]+)*$"))


def _no_repeats(entity: dict[str, Any]) -> dict[str, Any]:
    """Refuse the icon of a state that is the default anyway."""
    for part in (entity, *entity.get("state_attributes", {}).values()):
        for state, icon in part.get("state", {}).items():
            if icon == part.get("default"):
                raise probatio.Invalid(
                    f"state.{state} has the default icon: leave it out"
                )
    return entity


_STATES = {
    probatio.Optional("default"): _ICON,
    probatio.Optional("state"): {str: _ICON},
    probatio.Optional("range"): {str: _ICON},
}
_ENTITY = probatio.All(
    {**_STATES, probatio.Optional("state_attributes"): {str: _STATES}}, _no_repeats
)
_ACTION = {
    probatio.Required("service"): _ICON,
    probatio.Optional("sections"): {str: _ICON},
}
ICONS = probatio.Schema(
    {
        probatio.Optional("entity"): {str: {str: _ENTITY}},
        probatio.Optional("services"): {str: _ACTION},
        probatio.Optional("conditions"): {str: {"condition": _ICON}},
        probatio.Optional("triggers"): {str: {"trigger": _ICON}},
    }
)


def _name(checkout: Checkout) -> str:
    return checkout.name(checkout.integration / "icons.json")


def fit_the_schema(checkout: Checkout) -> Iterator[str]:
    """An icon in the wrong place or with a wrong name."""
    yield from misfits(ICONS, checkout.icons, _name(checkout))


def belong_to_entities(checkout: Checkout) -> Iterator[str]:
    """An icon of an entity that has no name in the texts."""
    named = checkout.translations.get("en", {}).get("entity", {})
    for platform, entities in checkout.icons.get("entity", {}).items():
        for key in entities:
            if key not in named.get(platform, {}):
                yield f"{_name(checkout)}: no entity.{platform}.{key} in the texts"


RULES: tuple[Rule, ...] = (fit_the_schema, belong_to_entities)
