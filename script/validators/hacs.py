"""The rules of HACS and of Home Assistant's Marketplace."""

from collections.abc import Iterator
import re

from awesomeversion import AwesomeVersion
import probatio

from .checkout import DOMAIN, Checkout, Rule, misfits


def _version(value: str) -> str:
    if not AwesomeVersion(value).valid:
        raise probatio.Invalid(f"'{value}' is not a version")
    return value


HACS = probatio.Schema(
    {
        probatio.Required("name"): str,
        probatio.Required("homeassistant"): probatio.All(str, _version),
        probatio.Optional("content_in_root"): bool,
        probatio.Optional("country"): probatio.Any(str, [str]),
        probatio.Optional("filename"): str,
        probatio.Optional("hacs"): probatio.All(str, _version),
        probatio.Optional("hide_default_branch"): bool,
        probatio.Optional("persistent_directory"): str,
        probatio.Optional("render_readme"): bool,
        probatio.Optional("zip_release"): bool,
    }
)
LICENCES = re.compile(
    r"Apache License|MIT License|GNU (LESSER |)GENERAL PUBLIC LICENSE|Mozilla Public"
)


def hacs_json_is_right(checkout: Checkout) -> Iterator[str]:
    """What HACS or the Marketplace would not take from hacs.json."""
    path = checkout.root / "hacs.json"
    if not path.exists():
        yield "hacs.json: is missing"
        return
    content = checkout.json(path)
    yield from misfits(HACS, content, "hacs.json")
    if content.get("zip_release") and not content.get("filename"):
        yield "hacs.json: zip_release needs a filename"


def release_zips_that_file(checkout: Checkout) -> Iterator[str]:
    """A release whose archive is not the one that hacs.json names."""
    filename = checkout.json(checkout.root / "hacs.json").get("filename")
    workflow = checkout.root / ".github/workflows/release.yml"
    if filename and (not workflow.exists() or filename not in workflow.read_text()):
        yield f".github/workflows/release.yml: does not make {filename} of hacs.json"


def project_is_complete(checkout: Checkout) -> Iterator[str]:
    """A page, a licence or a folder that the store looks for."""
    if not (checkout.root / "README.md").exists():
        yield "README.md: is missing"
    licence = checkout.root / "LICENSE"
    if not licence.exists():
        yield "LICENSE: is missing"
    elif not LICENCES.search(licence.read_text()):
        yield "LICENSE: is none that HACS knows"
    folder = checkout.root / "custom_components"
    names = sorted(
        path.name
        for path in folder.glob("*")
        if path.is_dir() and path.name != "__pycache__"
    )
    if names != [DOMAIN]:
        yield f"custom_components: holds {', '.join(names)} instead of only {DOMAIN}"
    # pytest would take the folder for the package and not find the integration
    if (folder / "__init__.py").exists():
        yield "custom_components/__init__.py: has to go"


RULES: tuple[Rule, ...] = (
    hacs_json_is_right,
    release_zips_that_file,
    project_is_complete,
)
