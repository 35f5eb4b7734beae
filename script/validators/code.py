"""What hassfest reads in the integration's code."""

import ast
from collections.abc import Iterator

from homeassistant.const import Platform

from .checkout import Checkout, Module, Rule, calls

# Components that every installation has loaded, or that are only base classes
ALWAYS_THERE = {
    *(platform.value for platform in Platform),
    "automation",
    "conversation",
    "default_config",
    "device_automation",
    "frontend",
    "group",
    "homeassistant",
    "input_boolean",
    "input_button",
    "input_datetime",
    "input_number",
    "input_select",
    "input_text",
    "media_source",
    "onboarding",
    "panel_custom",
    "persistent_notification",
    "person",
    "script",
    "shopping_list",
    "sun",
    "system_health",
    "system_log",
    "timer",
    "webhook",
    "websocket_api",
    "zone",
    "mjpeg",
    "stream",
}
# A discovery in the manifest brings its component with it
DISCOVERIES = ("bluetooth", "dhcp", "mqtt", "ssdp", "usb", "zeroconf")
# Steps that begin by a discovery: the device has to be known again by an id
DISCOVERY_STEPS = {f"async_step_{name}" for name in DISCOVERIES}


def _assigns(module: Module, name: str) -> bool:
    """Tell whether a module itself assigns a name."""
    targets = []
    for node in module.tree.body:
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign):
            targets.append(node.target)
    return any(isinstance(item, ast.Name) and item.id == name for item in targets)


def platforms_limit_parallel_updates(checkout: Checkout) -> Iterator[str]:
    """A root platform file that does not itself assign PARALLEL_UPDATES."""
    for module in checkout.modules:
        if module.folder is None and module.parts[0] in list(Platform):
            if not _assigns(module, "PARALLEL_UPDATES"):
                yield f"{module.path}: does not assign PARALLEL_UPDATES"


def discovered_devices_are_identified(checkout: Checkout) -> Iterator[str]:
    """A config_flow.py that takes discoveries and does not itself set a unique id."""
    module = checkout.module("config_flow")
    if module is None:
        yield f"{checkout.name(checkout.integration)}: there is no config_flow.py"
        return
    discoverable = DISCOVERY_STEPS & {
        node.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.AsyncFunctionDef)
    } or set(DISCOVERIES) & set(checkout.manifest)
    if discoverable and not any(
        name == "async_set_unique_id" for name, _ in calls(module)
    ):
        yield f"{module.path}: does not call async_set_unique_id itself"


def _components(module: Module) -> Iterator[tuple[int, str]]:
    """Yield each component that a module imports, not only for its types."""
    pending: list[ast.AST] = [module.tree]
    while pending:
        node = pending.pop()
        if (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            pending += node.orelse
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("homeassistant.components."):
                    yield node.lineno, alias.name.split(".")[2]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "homeassistant.components":
                for alias in node.names:
                    yield node.lineno, alias.name
            elif node.module.startswith("homeassistant.components."):
                yield node.lineno, node.module.split(".")[2]


def imported_components_are_declared(checkout: Checkout) -> Iterator[str]:
    """An imported component that the manifest does not depend on."""
    manifest = checkout.manifest
    allowed = {
        *ALWAYS_THERE,
        *manifest.get("dependencies", []),
        *manifest.get("after_dependencies", []),
        *(name for name in DISCOVERIES if name in manifest),
    }
    for module in checkout.modules:
        for line, component in sorted(_components(module)):
            # a root file (or folder) of the same name is a platform of that component
            own = checkout.integration / component
            if component in allowed or own.is_dir() or own.with_suffix(".py").is_file():
                continue
            yield (
                f"{module.path}:{line}: imports {component}, which the manifest names"
                " neither in dependencies nor in after_dependencies"
            )


def setup_has_a_schema(checkout: Checkout) -> Iterator[str]:
    """An async_setup without a CONFIG_SCHEMA."""
    module = checkout.module("__init__")
    if module is None:
        yield f"{checkout.name(checkout.integration)}: there is no __init__.py"
        return
    functions = (
        node.name for node in module.tree.body if isinstance(node, ast.AsyncFunctionDef)
    )
    if "async_setup" in functions and not _assigns(module, "CONFIG_SCHEMA"):
        yield f"{module.path}: has async_setup, so it needs CONFIG_SCHEMA"


RULES: tuple[Rule, ...] = (
    platforms_limit_parallel_updates,
    discovered_devices_are_identified,
    imported_components_are_declared,
    setup_has_a_schema,
)
