"""The rules of this house."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re
import sys
import tomllib

from . import starred
from .checkout import DOMAIN, Checkout, Module, Rule

# Package registries and their mirrors, and directories of a developer's own machine
FOREIGN = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org|crates\.io"
    r"|proxy\.golang|unpkg\.com|jsdelivr\.net"
    r"|/(?:work|root)/\w"
)
# Only on the machine of who uses Home Assistant, or ours by another name
ONLY_WITH_HOME_ASSISTANT = {"homeassistant", "probatio", "voluptuous", "aiohttp"}
TEXTS = {
    ".md",
    ".py",
    ".toml",
    ".txt",
    ".json",
    ".yaml",
    ".yml",
    ".js",
    ".html",
    ".ino",
}


def _imports(module: Module) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield what a module imports, each as an absolute path of names."""
    package = ("custom_components", DOMAIN, *module.parts[:-1])
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            target = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield node.lineno, (*target, alias.name)


def sources(checkout: Checkout) -> set[str]:
    """Return the source folders: those whose steps the menu offers."""
    return {path.parent.name for path in checkout.integration.glob("*/flow.py")}


def sources_keep_apart(checkout: Checkout) -> Iterator[str]:
    """A source that imports from another."""
    folders = sources(checkout)
    for module in checkout.modules:
        if module.folder not in folders:
            continue
        for line, target in _imports(module):
            if (
                target[:2] == ("custom_components", DOMAIN)
                and len(target) > 2
                and target[2] in folders - {module.folder}
            ):
                yield f"{module.path}:{line}: imports from the source {target[2]}"


def _starred_import_fits(checkout: Checkout, target: tuple[str, ...]) -> bool:
    """Tell whether a starred module may import something."""
    if target[:2] != ("custom_components", DOMAIN):
        return target[0] not in ONLY_WITH_HOME_ASSISTANT
    listed = {
        path.relative_to(starred.PREFIX).with_suffix("").parts
        for path in starred.listed(checkout.root)
    }
    own = target[2:]
    return any(own[: len(parts)] == parts for parts in listed) or own in {
        parts[:-1] for parts in listed
    }


def starred_modules_know_no_home_assistant(checkout: Checkout) -> Iterator[str]:
    """A starred module that could not be loaded on a host without Home Assistant."""
    shared = {path for path, _ in starred.with_packages(checkout.root)}
    for module in checkout.modules:
        if module.path not in shared:
            continue
        for line, target in _imports(module):
            if target[0] in sys.stdlib_module_names:
                continue
            if not _starred_import_fits(checkout, target):
                yield (
                    f"{module.path}:{line}: is a starred module and may not import"
                    f" {'.'.join(target)}"
                )


def starred_modules_exist(checkout: Checkout) -> Iterator[str]:
    """An entry of the list without its file, where the source is there."""
    for path in starred.listed(checkout.root):
        if (checkout.root / path.parent).is_dir() and not (
            checkout.root / path
        ).exists():
            yield f"pyproject.toml: lists {path} as starred, which does not exist"


def wheel_takes_the_starred_modules(checkout: Checkout) -> Iterator[str]:
    """A file that the agent's wheel takes and the list does not have, or the reverse."""
    project = checkout.root / "agent/pyproject.toml"
    if not project.exists():
        return
    with project.open("rb") as file:
        wheel = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]
    taken = {
        str(Path("agent", path)).removeprefix("agent/../"): Path(place).parts
        for path, place in wheel.get("force-include", {}).items()
        if starred.PREFIX in path
    }
    wanted = {
        str(path): ("rackwatt_agent", *place.split("/"))
        for path, place in starred.with_packages(checkout.root)
    }
    for path in sorted(wanted.keys() - taken.keys()):
        yield f"agent/pyproject.toml: the wheel does not take {path}"
    for path in sorted(taken.keys() - wanted.keys()):
        yield f"agent/pyproject.toml: the wheel takes {path}, which is not starred"
    for path in sorted(wanted.keys() & taken.keys()):
        if wanted[path] != taken[path]:
            yield f"agent/pyproject.toml: {path} belongs at {'/'.join(wanted[path])}"


def names_no_registry_and_no_machine(checkout: Checkout) -> Iterator[str]:
    """The host of a package registry, or a directory of a developer's machine."""
    for path in checkout.files:
        if path.suffix not in TEXTS and path.suffix:
            continue
        if "vendor" in path.parts:
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if found := FOREIGN.search(line):
                yield f"{checkout.name(path)}:{number}: names {found.group()}"


RULES: tuple[Rule, ...] = (
    sources_keep_apart,
    starred_modules_know_no_home_assistant,
    starred_modules_exist,
    wheel_takes_the_starred_modules,
    names_no_registry_and_no_machine,
)
