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
AGENT = Path("agent/src/rackwatt_agent")
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


def _taken(checkout: Checkout) -> dict[str, str]:
    """Return the files that the agent's wheel shares, each with its place there.

    They are links in the agent's package, or forced into the wheel by its build.
    """
    taken: dict[str, str] = {}
    agent = checkout.root / AGENT
    for path in agent.rglob("*.py"):
        if path.is_symlink():
            source = path.resolve().relative_to(checkout.root.resolve())
            taken[str(source)] = str(path.relative_to(agent))
    project = checkout.root / "agent/pyproject.toml"
    if project.exists():
        with project.open("rb") as file:
            tool = tomllib.load(file).get("tool", {})
        build = tool.get("hatch", {}).get("build", {})
        wheel = build.get("targets", {}).get("wheel", {})
        for source, place in wheel.get("force-include", {}).items():
            taken[source.removeprefix("../")] = place.removeprefix("rackwatt_agent/")
    return taken


def wheel_shares_starred_modules_only(checkout: Checkout) -> Iterator[str]:
    """A file in the agent's wheel that the list does not have, or at another place."""
    wanted = {str(path): place for path, place in starred.with_packages(checkout.root)}
    for path, place in sorted(_taken(checkout).items()):
        if not path.startswith(starred.PREFIX):
            continue
        if path not in wanted:
            yield f"agent: the wheel takes {path}, which is not starred"
        elif wanted[path] != place:
            yield f"agent: {path} belongs at {wanted[path]} of the package"


def agent_has_what_it_imports(checkout: Checkout) -> Iterator[str]:
    """An import of the agent's own package that the wheel would not hold."""
    agent = checkout.root / AGENT
    own = {str(path.relative_to(agent)) for path in agent.rglob("*.py")}
    held = own | set(_taken(checkout).values())
    for name in sorted(own):
        path = agent / name
        package = Path(name).parent.parts
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            module = (node.module or "").split(".") if node.module else []
            if node.level:
                target = [*package[: len(package) + 1 - node.level], *module]
            elif module[:1] == ["rackwatt_agent"]:
                target = module[1:]
            else:
                continue
            base = "/".join(target)
            if (
                target
                and f"{base}.py" not in held
                and f"{base}/__init__.py" not in held
            ):
                yield (
                    f"{checkout.name(path)}:{node.lineno}: imports"
                    f" {'.'.join(target)}, which the wheel does not hold"
                )


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
    wheel_shares_starred_modules_only,
    agent_has_what_it_imports,
    names_no_registry_and_no_machine,
)
