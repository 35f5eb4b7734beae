"""The checkout that the rules look at, each file read once."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
import json
from pathlib import Path
import subprocess
from typing import Any

import probatio
import yaml

DOMAIN = "rackwatt"
LANGUAGES = ("da", "de", "en", "ja", "ko")

# Never part of the project, wherever git is not there to say so
_FOREIGN = {".git", ".venv", ".venv-hass", ".demo", "__pycache__", "node_modules"}


@dataclass(frozen=True, kw_only=True)
class Module:
    """A Python module of the integration."""

    path: Path
    """Relative to the checkout."""
    parts: tuple[str, ...]
    """Relative to the integration, without the ending."""
    tree: ast.Module

    @property
    def folder(self) -> str | None:
        """Return the folder of the integration that the module is in."""
        return self.parts[0] if len(self.parts) > 1 else None


# Two looks at one directory are not the same: it may have changed in between
@dataclass(frozen=True, kw_only=True, eq=False)
class Checkout:
    """A copy of the project."""

    root: Path

    @property
    def integration(self) -> Path:
        """Return the integration's folder."""
        return self.root / "custom_components" / DOMAIN

    def name(self, path: Path) -> str:
        """Return a path as the sentences name it."""
        return str(path.relative_to(self.root))

    def json(self, path: Path) -> dict[str, Any]:
        """Return a JSON object; empty where it is broken, which a rule of its own says."""
        try:
            value = json.loads(path.read_text())
        except OSError, ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def yaml(self, path: Path) -> dict[str, Any]:
        """Return a YAML mapping; empty where it is missing or broken."""
        try:
            value = yaml.safe_load(path.read_text())
        except OSError, yaml.YAMLError:
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Return the integration's manifest."""
        return self.json(self.integration / "manifest.json")

    @cached_property
    def translations(self) -> dict[str, dict[str, Any]]:
        """Return the texts by language."""
        folder = self.integration / "translations"
        return {path.stem: self.json(path) for path in sorted(folder.glob("*.json"))}

    @cached_property
    def icons(self) -> dict[str, Any]:
        """Return the icons."""
        return self.json(self.integration / "icons.json")

    @cached_property
    def services(self) -> dict[str, Any]:
        """Return the descriptions of the actions."""
        return self.yaml(self.integration / "services.yaml")

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """Return the integration's modules."""
        return tuple(self._parse(sorted(self.integration.rglob("*.py"))))

    def _parse(self, paths: list[Path]) -> Iterator[Module]:
        for path in paths:
            yield Module(
                path=path.relative_to(self.root),
                parts=path.relative_to(self.integration).with_suffix("").parts,
                tree=ast.parse(path.read_text(), str(path)),
            )

    def module(self, name: str) -> Module | None:
        """Return a root module of the integration."""
        return next((item for item in self.modules if item.parts == (name,)), None)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Return the project's own files."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if listed.returncode == 0 and (self.root / ".git").exists():
            paths = [self.root / name for name in listed.stdout.split("\0") if name]
        else:
            paths = [
                path
                for path in sorted(self.root.rglob("*"))
                if not _FOREIGN.intersection(path.relative_to(self.root).parts)
            ]
        return tuple(path for path in paths if path.is_file())


type Rule = Callable[[Checkout], Iterator[str]]


def misfits(schema: probatio.Schema, value: Any, name: str) -> Iterator[str]:
    """Yield where a value does not fit a schema."""
    try:
        schema(value)
    except probatio.MultipleInvalid as err:
        for error in err.errors:
            place = ".".join(str(part) for part in error.path)
            yield f"{name}: {place or 'the file'}: {error.error_message}"


def calls(module: Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of a module with the last part of the called name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr, node
            elif isinstance(node.func, ast.Name):
                yield node.func.id, node
            elif isinstance(node.func, ast.Subscript) and isinstance(
                node.func.value, ast.Name
            ):
                yield node.func.value.id, node
