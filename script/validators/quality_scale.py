"""hassfest's rules of quality_scale.yaml, and the proofs that it looks for in the code."""

import ast
from collections.abc import Iterator
import re

from .checkout import Checkout, Module, Rule, calls

TIERS = {
    "bronze": (
        "action-setup appropriate-polling brands common-modules config-flow"
        " config-flow-test-coverage dependency-transparency docs-actions"
        " docs-conditions docs-high-level-description"
        " docs-installation-instructions docs-removal-instructions docs-triggers"
        " entity-event-setup entity-unique-id has-entity-name runtime-data"
        " test-before-configure test-before-setup unique-config-entry"
    ),
    "silver": (
        "action-exceptions config-entry-unloading docs-configuration-parameters"
        " docs-installation-parameters entity-unavailable integration-owner"
        " log-when-unavailable parallel-updates reauthentication-flow test-coverage"
    ),
    "gold": (
        "devices diagnostics discovery discovery-update-info docs-data-update"
        " docs-examples docs-known-limitations docs-supported-devices"
        " docs-supported-functions docs-troubleshooting docs-use-cases"
        " dynamic-devices entity-category entity-device-class"
        " entity-disabled-by-default entity-translations exception-translations"
        " icon-translations reconfiguration-flow repair-issues stale-devices"
    ),
    "platinum": "async-dependency inject-websession strict-typing",
}
NAMES = [name for names in TIERS.values() for name in names.split()]

# What hassfest looks for, and in which root module alone
DEFINED = {
    "config-entry-unloading": ("__init__", "async_unload_entry"),
    "diagnostics": ("diagnostics", "async_get_config_entry_diagnostics"),
    "reauthentication-flow": ("config_flow", "async_step_reauth"),
    "reconfiguration-flow": ("config_flow", "async_step_reconfigure"),
}
UNIQUE = {"_abort_if_unique_id_configured", "_async_abort_entries_match"}
NOT_READY = {"ConfigEntryNotReady", "ConfigEntryAuthFailed", "ConfigEntryError"}


def _name(checkout: Checkout) -> str:
    return checkout.name(checkout.integration / "quality_scale.yaml")


def _rules(checkout: Checkout) -> dict[str, object]:
    rules = checkout.yaml(checkout.integration / "quality_scale.yaml").get("rules")
    return rules if isinstance(rules, dict) else {}


def _status(rule: object) -> object:
    return rule.get("status") if isinstance(rule, dict) else rule


def every_rule_is_answered(checkout: Checkout) -> Iterator[str]:
    """A rule that is missing, unknown, or answered without the comment it needs."""
    rules = _rules(checkout)
    if missing := [name for name in NAMES if name not in rules]:
        yield f"{_name(checkout)}: has no answer to {', '.join(missing)}"
    for name, rule in rules.items():
        if name not in NAMES:
            yield f"{_name(checkout)}: there is no rule {name}"
        elif _status(rule) not in ("done", "todo", "exempt"):
            yield f"{_name(checkout)}: {name} has to be done, todo or exempt"
        elif _status(rule) == "exempt" and not (
            isinstance(rule, dict) and rule.get("comment")
        ):
            yield f"{_name(checkout)}: {name} is exempt without a comment that says why"


def manifest_claims_no_more(checkout: Checkout) -> Iterator[str]:
    """A tier in the manifest whose rules are not all answered by done or exempt."""
    claimed = checkout.manifest.get("quality_scale")
    if claimed not in TIERS:
        return
    rules = _rules(checkout)
    for tier, names in TIERS.items():
        for name in names.split():
            if _status(rules.get(name)) == "todo":
                yield f"{_name(checkout)}: {name} is todo, but the manifest says {claimed}"
        if tier == claimed:
            return


def _functions(module: Module | None) -> dict[str, ast.AsyncFunctionDef]:
    if module is None:
        return {}
    return {
        node.name: node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.AsyncFunctionDef)
    }


def _sets_runtime_data(setup: ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "runtime_data"
        and isinstance(node.ctx, ast.Store)
        for node in ast.walk(setup)
    )


def _tries_before_setup(checkout: Checkout) -> bool:
    init = checkout.module("__init__")
    if init and any(
        name == "async_config_entry_first_refresh" for name, _ in calls(init)
    ):
        return True
    raised = (
        node.exc.func.id
        for module in checkout.modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
    )
    return not NOT_READY.isdisjoint(raised)


def done_is_seen_in_the_code(checkout: Checkout) -> Iterator[str]:
    """A rule that says done while hassfest does not find it in its one root file."""
    rules = _rules(checkout)
    done = {name for name, rule in rules.items() if _status(rule) == "done"}
    for name, (module, function) in DEFINED.items():
        if name in done and function not in _functions(checkout.module(module)):
            yield f"{_name(checkout)}: {name} is done, but {module}.py has no {function}"
    setup = _functions(checkout.module("__init__")).get("async_setup_entry")
    if "runtime-data" in done and not (setup and _sets_runtime_data(setup)):
        yield (
            f"{_name(checkout)}: runtime-data is done, but async_setup_entry does not"
            " set entry.runtime_data"
        )
    if "test-before-setup" in done and not _tries_before_setup(checkout):
        yield (
            f"{_name(checkout)}: test-before-setup is done, but nothing raises"
            " ConfigEntryNotReady"
        )
    flow = checkout.module("config_flow")
    if "unique-config-entry" in done and not (
        flow and UNIQUE & {called for called, _ in calls(flow)}
    ):
        yield (
            f"{_name(checkout)}: unique-config-entry is done, but config_flow.py calls"
            " neither _abort_if_unique_id_configured nor _async_abort_entries_match"
        )
    if "discovery" in done and not (
        {"dhcp", "mqtt", "usb", "zeroconf"} & set(checkout.manifest)
    ):
        yield f"{_name(checkout)}: discovery is done, but the manifest declares none"
    if "strict-typing" in done:
        yield from _untyped_entries(checkout)


def _untyped_entries(checkout: Checkout) -> Iterator[str]:
    """Yield functions of root modules that take the entry without its own type."""
    for module in checkout.modules:
        if module.folder is not None:
            continue
        for function in module.tree.body:
            if not isinstance(function, ast.AsyncFunctionDef):
                continue
            if not re.search(r"_entry$|_diagnostics$|_entry_device$", function.name):
                continue
            entry = function.args.args[1] if len(function.args.args) > 1 else None
            kind = entry.annotation if entry else None
            if not isinstance(kind, ast.Name) or not re.fullmatch(
                r"[A-Za-z]+ConfigEntry", kind.id
            ):
                yield (
                    f"{module.path}:{function.lineno}: {function.name} does not take a"
                    " typed RackwattConfigEntry, which strict-typing needs"
                )


RULES: tuple[Rule, ...] = (
    every_rule_is_answered,
    manifest_claims_no_more,
    done_is_seen_in_the_code,
)
