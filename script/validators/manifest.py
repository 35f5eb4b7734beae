"""hassfest's and the Marketplace's rules of manifest.json."""

from collections.abc import Iterator
import importlib.util
from pathlib import Path
import re
from typing import Any

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from packaging.requirements import InvalidRequirement, Requirement
import probatio

from .checkout import DOMAIN, Checkout, Rule, misfits

IOT_CLASSES = [
    "assumed_state",
    "calculated",
    "cloud_polling",
    "cloud_push",
    "local_polling",
    "local_push",
]
INTEGRATION_TYPES = ["device", "entity", "hardware", "helper", "hub", "service"]
# The values of Home Assistant 2026.11 that a rack can be about
CATEGORIES = [
    "computers_network",
    "computers_network.monitoring",
    "energy",
    "energy.meters_monitoring",
    "plugs_switches",
    "security_safety.cameras",
    "sensors",
    "sensors.temperature_humidity",
]
CONNECTIVITY = ["esphome", "host", "mqtt", "network", "onewire", "serial"]
VERSION_STRATEGIES = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]


def _lower(value: str) -> str:
    if value != value.lower():
        raise probatio.Invalid(f"'{value}' has to be lower case")
    return value


def _upper(value: str) -> str:
    if value != value.upper():
        raise probatio.Invalid(f"'{value}' has to be upper case")
    return value


def _wildcard(value: str) -> str:
    if "*" not in value:
        raise probatio.Invalid(f"'{value}' needs a wildcard")
    return value


def _documentation(value: str) -> str:
    if not re.match(r"https://[^/]+\.[^/]+/", value):
        raise probatio.Invalid("has to be an https address")
    if re.match(r"https://[^/]*home-assistant\.io/", value):
        raise probatio.Invalid("a custom integration is not documented there")
    return value


def _version(value: str) -> str:
    if AwesomeVersion(value).strategy not in VERSION_STRATEGIES:
        raise probatio.Invalid(f"'{value}' is not a version")
    return value


def _requirement(value: str) -> str:
    try:
        Requirement(value)
    except InvalidRequirement as err:
        raise probatio.Invalid(f"'{value}' is not a requirement: {err}") from err
    return value


def _texts(*checks: Any) -> list[Any]:
    return [probatio.All(str, *checks)]


MANIFEST = probatio.Schema(
    {
        probatio.Required("domain"): str,
        probatio.Required("name"): str,
        probatio.Required("codeowners"): probatio.All(
            [probatio.Match(r"^@[\w/-]+$")], probatio.Length(min=1)
        ),
        probatio.Required("config_flow"): True,
        probatio.Required("documentation"): probatio.All(str, _documentation),
        probatio.Required("integration_type"): probatio.In(INTEGRATION_TYPES),
        probatio.Required("iot_class"): probatio.In(IOT_CLASSES),
        probatio.Required("issue_tracker"): probatio.Match(r"^https?://"),
        probatio.Required("version"): probatio.All(str, _version),
        probatio.Optional("after_dependencies"): [str],
        probatio.Optional("categories"): [probatio.In(CATEGORIES)],
        probatio.Optional("connectivity"): [probatio.In(CONNECTIVITY)],
        probatio.Optional("dependencies"): [str],
        probatio.Optional("dhcp"): [
            {
                probatio.Optional("macaddress"): probatio.All(str, _upper, _wildcard),
                probatio.Optional("hostname"): probatio.All(str, _lower),
                probatio.Optional("registered_devices"): bool,
            }
        ],
        probatio.Optional("import_executor"): bool,
        probatio.Optional("loggers"): [str],
        probatio.Optional("mqtt"): [str],
        probatio.Optional("preview_features"): dict,
        probatio.Optional("quality_scale"): probatio.In(["silver", "gold", "platinum"]),
        probatio.Optional("requirements"): _texts(_requirement),
        probatio.Optional("single_config_entry"): bool,
        probatio.Optional("usb"): [
            {
                probatio.Optional("vid"): probatio.All(str, _upper),
                probatio.Optional("pid"): probatio.All(str, _upper),
                probatio.Optional("serial_number"): probatio.All(str, _lower),
                probatio.Optional("manufacturer"): probatio.All(str, _lower),
                probatio.Optional("description"): probatio.All(str, _lower),
                probatio.Optional("known_devices"): [str],
            }
        ],
        probatio.Optional("zeroconf"): list,
    }
)


def _name(checkout: Checkout) -> str:
    return checkout.name(checkout.integration / "manifest.json")


def fits_the_schema(checkout: Checkout) -> Iterator[str]:
    """A key that is missing, unknown or of the wrong kind."""
    yield from misfits(MANIFEST, checkout.manifest, _name(checkout))
    domain = checkout.manifest.get("domain")
    if domain != DOMAIN:
        yield f"{_name(checkout)}: the domain {domain} is not the folder's name"


def keys_are_in_order(checkout: Checkout) -> Iterator[str]:
    """Keys that hassfest wants in another order."""
    keys = list(checkout.manifest)
    first = [key for key in ("domain", "name") if key in keys]
    wanted = [*first, *sorted(key for key in keys if key not in first)]
    for key, right in zip(keys, wanted, strict=True):
        if key != right:
            yield (
                f"{_name(checkout)}: {right} has to stand where {key} stands:"
                " domain, name, then alphabetically"
            )
            return


def _components() -> Path:
    spec = importlib.util.find_spec("homeassistant.components")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))


def dependencies_exist(checkout: Checkout) -> Iterator[str]:
    """A dependency that is none of Home Assistant's components, or stands twice."""
    needed = checkout.manifest.get("dependencies", [])
    after = checkout.manifest.get("after_dependencies", [])
    for domain in [*needed, *after]:
        if not (_components() / domain / "manifest.json").exists():
            yield f"{_name(checkout)}: Home Assistant has no component {domain}"
    for domain in sorted(set(needed) & set(after)):
        yield (
            f"{_name(checkout)}: {domain} is both in dependencies and in"
            " after_dependencies"
        )


RULES: tuple[Rule, ...] = (fits_the_schema, keys_are_in_order, dependencies_exist)
