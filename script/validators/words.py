"""Which keys the code can mean: its string constants, resolved through their names."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache, lru_cache
import importlib.util
from pathlib import Path

from .checkout import Checkout, Module


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the named values of a module and of its classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.value is not None:
                yield node.target.id, node.value


@cache
def _home_assistant_constants() -> dict[str, str]:
    """Return the text constants of homeassistant.const, such as CONF_HOST."""
    spec = importlib.util.find_spec("homeassistant.const")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text())
    return {
        name: value.value
        for name, value in _constants(tree)
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


class Words:
    """All texts that the integration's code can produce as a key."""

    def __init__(self, checkout: Checkout) -> None:
        """Collect the named constants, then everything that is said."""
        self._named: dict[str, set[str]] = defaultdict(set)
        for module in checkout.modules:
            for name, value in _constants(module.tree):
                self._named[name] |= self.of(value)
        self._said: set[str] = set()
        self._patterns: set[str] = set()
        for module in checkout.modules:
            self._listen(module)

    def of(self, node: ast.expr | None) -> set[str]:
        """Return the texts that an expression may be; a * stands for what is open."""
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.JoinedStr(values=parts):
                return {
                    "".join(
                        part.value
                        if isinstance(part, ast.Constant)
                        and isinstance(part.value, str)
                        else "*"
                        for part in parts
                    )
                }
            case ast.IfExp(body=body, orelse=orelse):
                return self.of(body) | self.of(orelse)
            case ast.BoolOp(values=values):
                return {text for value in values for text in self.of(value)}
            case ast.Attribute(value=value, attr="value"):
                return self.of(value)
            case ast.Name(id=name) | ast.Attribute(attr=name):
                known = _home_assistant_constants().get(name)
                return self._named.get(name, set()) or ({known} if known else set())
        return set()

    def _listen(self, module: Module) -> None:
        """Take in what a module says, its documentation aside."""
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(module.tree)
            if isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            )
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._said.add(node.name.removeprefix("async_step_"))
            elif isinstance(node, ast.keyword) and node.arg:
                self._said.add(node.arg)
            elif isinstance(node, ast.Name | ast.Attribute | ast.JoinedStr) or (
                isinstance(node, ast.Constant) and id(node) not in documentation
            ):
                self._add(self.of(node))

    def _add(self, texts: set[str]) -> None:
        for text in texts:
            (self._patterns if "*" in text else self._said).add(text)

    def say(self, key: str) -> bool:
        """Tell whether the code can mean a key."""
        return key in self._said or any(
            # a bare * would excuse everything
            pattern.strip("*_") and fnmatchcase(key, pattern)
            for pattern in self._patterns
        )


@lru_cache(maxsize=1)
def words_of(checkout: Checkout) -> Words:
    """Return the words of a checkout, collected once for all rules."""
    return Words(checkout)
