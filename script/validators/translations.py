"""The texts: hassfest's schema, and five languages in step."""

from collections.abc import Iterator
import re
from string import Formatter
from typing import Any

import probatio

from .checkout import LANGUAGES, Checkout, Rule, misfits

KEY = re.compile(r"(?!.*[_-]{2})[a-z0-9]([a-z0-9_-]*[a-z0-9])?")
HTML = re.compile(r"<(/?[A-Za-z][^>]*|!--.*?--)>")
URL = re.compile(
    r"(\b(ftps?|https?|mqtts?|scp|socket|socks5)://|\bwww\.)"
    r"[a-z0-9]+([-.][a-z0-9]+)*\.[a-z]{2,5}",
    re.IGNORECASE,
)
QUOTED_PLACEHOLDER = re.compile(r"'\{\w+\}'")
REFERENCE = re.compile(r"\[%key:|%\]")
# Shorter texts may well be the same in two languages
LONG = 25


def placeholders(text: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise probatio.Invalid("has to be a text")
    for pattern, complaint in (
        (HTML, "holds HTML"),
        (URL, "holds a URL; give it by a placeholder"),
        (QUOTED_PLACEHOLDER, "holds a placeholder in single quotes"),
        (REFERENCE, "refers to another key, which only core resolves"),
    ):
        if pattern.search(value):
            raise probatio.Invalid(complaint)
    if value != value.strip():
        raise probatio.Invalid("begins or ends with a space")
    if not value:
        raise probatio.Invalid("is empty")
    try:
        names = placeholders(value)
    except ValueError as err:
        raise probatio.Invalid(f"has unbalanced braces ({err})") from err
    if bad := sorted(name for name in names if not name.isidentifier()):
        raise probatio.Invalid(f"has a placeholder that is no name: {{{bad[0]}}}")
    return value


def _plain(value: Any) -> str:
    if placeholders(_text(value)):
        raise probatio.Invalid("may not hold placeholders")
    return str(value)


def _key(value: Any) -> str:
    if not isinstance(value, str) or not KEY.fullmatch(value):
        raise probatio.Invalid(f"'{value}' is not a translation key")
    return value


def _keyed(value: Any) -> probatio.Schema:
    """Return the schema of a mapping whose keys are translation keys."""
    return probatio.Schema({_key: value})


def _described(step: dict[str, Any]) -> dict[str, Any]:
    """Refuse the description of a field that has no label."""
    for part in (step, *step.get("sections", {}).values()):
        for field in part.get("data_description", {}):
            if field not in part.get("data", {}):
                raise probatio.Invalid(f"data_description.{field} is not in data")
    return step


_FIELDS = {
    probatio.Optional("data"): {str: _text},
    probatio.Optional("data_description"): {str: _text},
    probatio.Optional("description"): _text,
}
_STEP = probatio.All(
    {
        **_FIELDS,
        probatio.Optional("title"): _text,
        probatio.Optional("menu_options"): {str: _text},
        probatio.Optional("menu_option_descriptions"): {str: _text},
        probatio.Optional("submit"): _text,
        probatio.Optional("sections"): {
            str: {**_FIELDS, probatio.Optional("name"): _text}
        },
    },
    _described,
)
_FLOW = {
    probatio.Optional("flow_title"): _text,
    probatio.Required("step"): {str: _STEP},
    probatio.Optional("error"): {str: _text},
    probatio.Optional("abort"): {str: _text},
    probatio.Optional("progress"): {str: _text},
    probatio.Optional("create_entry"): {str: _text},
}
_SUBENTRY_FLOW = {
    **_FLOW,
    probatio.Required("entry_type"): _text,
    probatio.Required("initiate_flow"): {probatio.Required("user"): _text, str: _text},
}


def _fixable(issue: dict[str, Any]) -> dict[str, Any]:
    """An issue is either described or fixed by a flow."""
    if ("description" in issue) == ("fix_flow" in issue):
        raise probatio.Invalid("needs a description or a fix_flow, not both")
    return issue


_ISSUE = probatio.All(
    {
        probatio.Required("title"): _text,
        probatio.Optional("description"): _text,
        probatio.Optional("fix_flow"): _FLOW,
    },
    _fixable,
)
_ENTITY = {
    probatio.Optional("name"): _text,
    probatio.Optional("state"): _keyed(_plain),
    probatio.Optional("state_attributes"): _keyed(
        {
            probatio.Optional("name"): _plain,
            probatio.Optional("state"): _keyed(_plain),
        }
    ),
    probatio.Optional("unit_of_measurement"): _plain,
}
_ACTION_FIELD = {
    probatio.Required("name"): _text,
    probatio.Optional("description"): _text,
    probatio.Optional("example"): _text,
}
_ACTION = {
    probatio.Required("name"): _text,
    probatio.Required("description"): _text,
    probatio.Optional("fields"): _keyed(_ACTION_FIELD),
    probatio.Optional("sections"): _keyed(
        {probatio.Required("name"): _text, probatio.Optional("description"): _text}
    ),
}
TEXTS = probatio.Schema(
    {
        probatio.Optional("title"): _text,
        probatio.Optional("config"): _FLOW,
        probatio.Optional("config_subentries"): _keyed(_SUBENTRY_FLOW),
        probatio.Optional("options"): _FLOW,
        probatio.Optional("selector"): _keyed(
            {
                probatio.Optional("options"): _keyed(_text),
                probatio.Optional("choices"): _keyed(_text),
                probatio.Optional("unit_of_measurement"): _keyed(_text),
                probatio.Optional("fields"): _keyed(_ACTION_FIELD),
            }
        ),
        probatio.Optional("system_health"): {"info": _keyed(_text)},
        probatio.Optional("issues"): {str: _ISSUE},
        probatio.Optional("device"): _keyed({probatio.Optional("name"): _text}),
        probatio.Optional("entity"): _keyed(_keyed(_ENTITY)),
        probatio.Optional("exceptions"): _keyed({probatio.Required("message"): _text}),
        probatio.Optional("services"): _keyed(_ACTION),
        probatio.Optional("conditions"): _keyed(_ACTION),
        probatio.Optional("triggers"): _keyed(_ACTION),
        probatio.Optional("common"): _keyed(_text),
    }
)


def _name(checkout: Checkout, language: str) -> str:
    return checkout.name(checkout.integration / "translations" / f"{language}.json")


def fit_the_schema(checkout: Checkout) -> Iterator[str]:
    """A text that Home Assistant would not take or not show."""
    for language, texts in checkout.translations.items():
        yield from misfits(TEXTS, texts, _name(checkout, language))


def leaves(texts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text with its path."""
    for key, value in texts.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            yield f"{prefix}{key}", value


def all_languages_are_there(checkout: Checkout) -> Iterator[str]:
    """A language that is missing."""
    for language in LANGUAGES:
        if language not in checkout.translations:
            yield f"{_name(checkout, language)}: is missing"


def languages_are_in_step(checkout: Checkout) -> Iterator[str]:
    """A key or placeholder that one language has and English has not, or the reverse."""
    english = dict(leaves(checkout.translations.get("en", {})))
    for language, texts in checkout.translations.items():
        name = _name(checkout, language)
        own = dict(leaves(texts))
        for path in sorted(english.keys() - own.keys()):
            yield f"{name}: {path} is missing"
        for path in sorted(own.keys() - english.keys()):
            yield f"{name}: {path} is not in the English texts"
        for path in sorted(own.keys() & english.keys()):
            for placeholder in sorted(_names(english[path]) ^ _names(own[path])):
                yield (
                    f"{name}: {path}: {{{placeholder}}} is not in both this and the"
                    " English text"
                )


def _names(text: str) -> set[str]:
    """Return the placeholders; none where the braces are broken, as the schema says."""
    try:
        return placeholders(text)
    except ValueError:
        return set()


def languages_are_translated(checkout: Checkout) -> Iterator[str]:
    """A sentence that stands in another language as it stands in English."""
    english = dict(leaves(checkout.translations.get("en", {})))
    for language, texts in checkout.translations.items():
        same = [
            path
            for path, text in leaves(texts)
            if text == english.get(path) and len(text) > LONG and " " in text
        ]
        if language != "en" and same:
            yield (
                f"{_name(checkout, language)}: {len(same)} still English:"
                f" {', '.join(same[:3])}{' …' if len(same) > 3 else ''}"
            )


RULES: tuple[Rule, ...] = (
    all_languages_are_there,
    fit_the_schema,
    languages_are_in_step,
    languages_are_translated,
)
