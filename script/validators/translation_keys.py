"""Every key that the code uses has its text, and every text is used."""

import ast
from collections.abc import Iterable, Iterator
from fnmatch import filter as matching
from typing import Any

from homeassistant.const import Platform

from .checkout import Checkout, Module, Rule, calls
from .words import Words, words_of

# Texts that Home Assistant itself has for every integration
FROM_CORE = {
    "already_in_progress",
    "reauth_successful",
    "reconfigure_successful",
    "single_instance_allowed",
}
# Helpers of the flows that end with a reason of their own
REASONS = {
    "_abort_if_unique_id_configured": "already_configured",
    "_async_abort_entries_match": "already_configured",
    "_abort_if_unique_id_mismatch": "unique_id_mismatch",
}
DEVICE_CALLS = {"DeviceInfo", "ChildDeviceInfo", "async_get_or_create"}
FORMS = {"async_show_form", "async_show_menu"}

type Texts = dict[str, Any]


def _flows(texts: Texts) -> Iterator[Texts]:
    """Yield each flow of the texts."""
    yield texts.get("config", {})
    yield texts.get("options", {})
    yield from texts.get("config_subentries", {}).values()
    for issue in texts.get("issues", {}).values():
        yield issue.get("fix_flow", {})


def _of_flows(texts: Texts, part: str) -> set[str]:
    """Return the keys of one part of all flows."""
    return {key for flow in _flows(texts) for key in flow.get(part, {})}


def _of_steps(texts: Texts, part: str) -> set[str]:
    """Return the keys of one part of all steps, sections included."""
    keys: set[str] = set()
    for flow in _flows(texts):
        for step in flow.get("step", {}).values():
            keys |= step.get(part, {}).keys()
            for section in step.get("sections", {}).values():
                keys |= section.get(part, {}).keys()
    return keys


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    """Return a named argument of a call."""
    return next((item.value for item in node.keywords if item.arg == name), None)


def _platform(module: Module) -> str | None:
    """Return the platform that a module is of."""
    return module.parts[-1] if module.parts[-1] in list(Platform) else None


def _group(module: Module, called: str, node: ast.Call) -> str | None:
    """Return the place of the texts that a call's translation_key points into."""
    if called in ("async_create_issue", "IssueInfo"):
        return "issues"
    if called.endswith("SelectorConfig"):
        return "selector"
    if called in DEVICE_CALLS:
        return "device"
    if _keyword(node, "translation_domain") is not None:
        return "exceptions"
    if "Description" in called and (platform := _platform(module)):
        return f"entity.{platform}"
    return None


def _keys(texts: Texts, group: str | None) -> set[str]:
    """Return the keys in a place of the texts, of all places where it is not known."""
    if group is None:
        entities = texts.get("entity", {}).values()
        keys = {key for entity in entities for key in entity}
        for name in ("issues", "selector", "device", "exceptions"):
            keys |= texts.get(name, {}).keys()
        return keys
    for part in group.split("."):
        texts = texts.get(part, {})
    return set(texts)


def _missing(wanted: Iterable[str], keys: set[str]) -> Iterator[str]:
    """Yield the keys, or patterns of keys, that there are no texts for."""
    for key in sorted(wanted):
        if not matching(keys, key):
            yield key


def used_translation_keys_have_texts(checkout: Checkout) -> Iterator[str]:
    """A translation_key in the code without its text."""
    texts = checkout.translations.get("en", {})
    words = words_of(checkout)
    for module in checkout.modules:
        for called, node in calls(module):
            key = words.of(_keyword(node, "translation_key"))
            group = _group(module, called, node)
            for missing in _missing(key, _keys(texts, group)):
                yield (
                    f"{module.path}:{node.lineno}: no text for"
                    f" {group or 'translation_key'}.{missing}"
                )
        yield from _entity_attributes(module, words, texts)


def _entity_attributes(module: Module, words: Words, texts: Texts) -> Iterator[str]:
    """Yield the keys of `_attr_translation_key` that have no text."""
    group = f"entity.{platform}" if (platform := _platform(module)) else None
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if ast.unparse(target).endswith("_attr_translation_key"):
                for missing in _missing(words.of(node.value), _keys(texts, group)):
                    yield (
                        f"{module.path}:{node.lineno}: no text for"
                        f" {group or 'translation_key'}.{missing}"
                    )


def used_steps_have_texts(checkout: Checkout) -> Iterator[str]:
    """A step, a progress or a menu option without its text."""
    texts = checkout.translations.get("en", {})
    words = words_of(checkout)
    for module in checkout.modules:
        for called, node in calls(module):
            for kind, keys, known in _shown(called, node, words, texts):
                for key in _missing(keys, known):
                    yield f"{module.path}:{node.lineno}: no text for the {kind} {key}"


def _shown(
    called: str, node: ast.Call, words: Words, texts: Texts
) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield what a call shows: its kind, its keys, and the keys that have a text."""
    if called in FORMS:
        yield "step", words.of(_keyword(node, "step_id")), _of_flows(texts, "step")
    if called == "async_show_progress":
        action = words.of(_keyword(node, "progress_action"))
        yield "progress", action, _of_flows(texts, "progress")
    if called == "async_show_menu":
        menu = _keyword(node, "menu_options")
        listed = menu.elts if isinstance(menu, ast.List | ast.Tuple) else []
        options = {key for item in listed for key in words.of(item)}
        yield "menu option", options, _of_steps(texts, "menu_options")


def used_fields_have_labels(checkout: Checkout) -> Iterator[str]:
    """A field of a form without its label."""
    texts = checkout.translations.get("en", {})
    labels = _of_steps(texts, "data") | _of_steps(texts, "sections")
    for action in texts.get("services", {}).values():
        labels |= action.get("fields", {}).keys()
    words = words_of(checkout)
    for module in checkout.modules:
        if "flow" not in module.parts[-1]:
            continue
        for called, node in calls(module):
            if called in ("Required", "Optional") and node.args:
                for key in _missing(words.of(node.args[0]), labels):
                    yield f"{module.path}:{node.lineno}: no label for the field {key}"


def used_reasons_have_texts(checkout: Checkout) -> Iterator[str]:
    """An error of a form, or the reason of an abort, without its text."""
    texts = checkout.translations.get("en", {})
    reasons = _of_flows(texts, "abort") | FROM_CORE
    errors = _of_flows(texts, "error")
    words = words_of(checkout)
    for module in checkout.modules:
        for called, node in calls(module):
            used = (
                words.of(_keyword(node, "reason")) if called == "async_abort" else set()
            )
            if called in REASONS and _keyword(node, "error") is None:
                used = {REASONS[called]}
            for key in _missing(used, reasons):
                yield f"{module.path}:{node.lineno}: no text for the abort {key}"
        for line, value in _errors(module):
            for key in _missing(words.of(value), errors):
                yield f"{module.path}:{line}: no text for the error {key}"


def _errors(module: Module) -> Iterator[tuple[int, ast.expr]]:
    """Yield what a module gives as errors of a form."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            if ast.unparse(node.targets[0].value) == "errors":
                yield node.lineno, node.value
        named: ast.expr | None = None
        if isinstance(node, ast.keyword) and node.arg == "errors":
            named = node.value
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            named = node.value if ast.unparse(target) == "errors" else None
        if isinstance(named, ast.Dict):
            yield from ((value.lineno, value) for value in named.values)


def _uses(texts: Texts) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the keys of the texts that the code has to mean, by their place."""
    for platform, entities in texts.get("entity", {}).items():
        yield f"entity.{platform}", entities
        for key, entity in entities.items():
            yield f"entity.{platform}.{key}.state", entity.get("state", {})
            yield (
                f"entity.{platform}.{key}.state_attributes",
                entity.get("state_attributes", {}),
            )
    for place in ("exceptions", "issues", "selector", "device", "common"):
        yield place, texts.get(place, {})
    for key, selector in texts.get("selector", {}).items():
        yield f"selector.{key}.options", selector.get("options", {})
    yield "system_health.info", texts.get("system_health", {}).get("info", {})
    yield "config_subentries", texts.get("config_subentries", {})
    for part in ("step", "error", "progress", "create_entry"):
        yield part, sorted(_of_flows(texts, part))
    yield "abort", sorted(_of_flows(texts, "abort"))
    for part in ("data", "menu_options", "sections"):
        yield f"step.*.{part}", sorted(_of_steps(texts, part))


def texts_are_used(checkout: Checkout) -> Iterator[str]:
    """A text that nothing in the code can mean."""
    path = checkout.integration / "translations" / "en.json"
    words = words_of(checkout)
    # options of selectors and fields of actions may be named in services.yaml alone
    described = str(checkout.services)
    reasons = FROM_CORE | {
        REASONS[called]
        for module in checkout.modules
        for called, _ in calls(module)
        if called in REASONS
    }
    for place, keys in _uses(checkout.translations.get("en", {})):
        for key in keys:
            if words.say(key) or (place == "abort" and key in reasons):
                continue
            if place.startswith("selector") and f"'{key}'" in described:
                continue
            yield f"{checkout.name(path)}: {place}.{key} is not used"


RULES: tuple[Rule, ...] = (
    used_translation_keys_have_texts,
    used_steps_have_texts,
    used_fields_have_labels,
    used_reasons_have_texts,
    texts_are_used,
)
