"""Each rule of the validators finds what breaks it, and says so in a sentence."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
from typing import Any

import pytest

from script.validators.__main__ import findings, main
from script.validators.quality_scale import NAMES

ROOT = Path(__file__).parents[2]
OURS = "custom_components/rackwatt/"
AGENT = "agent/src/rackwatt_agent/"
BRAND = OURS + "brand/"

type Edit = Callable[[Path], None]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Return a sound checkout in a temporary directory."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "tests/tooling/sample", root)
    for name in ("hacs.json", "LICENSE", ".github", BRAND):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, root / name)
    rules = "".join(f"  {name}: done\n" for name in NAMES)
    (root / OURS / "quality_scale.yaml").write_text(f"rules:\n{rules}")
    return root


def replace(name: str, old: str, new: str) -> Edit:
    """Return an edit that replaces a text in a file, which has to be there."""

    def edit(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return edit


def remove(name: str) -> Edit:
    """Return an edit that removes a file or directory."""

    def edit(root: Path) -> None:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return edit


def write(name: str, text: str) -> Edit:
    """Return an edit that writes a file."""

    def edit(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    return edit


def change(name: str, *path: str, to: Any = None) -> Edit:
    """Return an edit that sets a value in a JSON file, or removes it."""

    def edit(root: Path) -> None:
        content = json.loads((root / name).read_text())
        part = content
        for key in path[:-1]:
            part = part[key]
        if to is None:
            del part[path[-1]]
        else:
            part[path[-1]] = to
        (root / name).write_text(json.dumps(content))

    return edit


def english(*path: str, to: Any = None) -> Edit:
    """Return an edit of the English texts."""
    return change(OURS + "translations/en.json", *path, to=to)


def german(*path: str, to: Any = None) -> Edit:
    """Return an edit of the German texts."""
    return change(OURS + "translations/de.json", *path, to=to)


def manifest(key: str, to: Any = None) -> Edit:
    """Return an edit of the manifest, which keeps the order of its keys."""
    return change(OURS + "manifest.json", key, to=to)


INTERVAL = ("entity", "sensor", "interval", "name")
PORT = ("config", "step", "meter", "data_description", "port")

BREAKS: dict[str, tuple[Edit, str]] = {
    # files
    "broken JSON": (write(OURS + "icons.json", "{"), "icons.json: does not parse"),
    "key twice": (
        write("hacs.json", '{"name": "a", "name": "b", "homeassistant": "1"}'),
        "hacs.json: does not parse: the key name stands there twice",
    ),
    "broken YAML": (
        write(OURS + "services.yaml", "a: [b"),
        "services.yaml: does not parse",
    ),
    # manifest
    "manifest without a version": (manifest("version"), "manifest.json: version: "),
    "no version": (manifest("version", "first"), "'first' is not a version"),
    "unknown key": (
        replace(OURS + "manifest.json", '"version"', '"versions"'),
        "manifest.json: versions: ",
    ),
    "order of keys": (
        replace(
            OURS + "manifest.json",
            '"domain": "rackwatt",\n  "name": "Rackwatt"',
            '"name": "Rackwatt",\n  "domain": "rackwatt"',
        ),
        "domain has to stand where name stands: domain, name, then alphabetically",
    ),
    "other domain": (manifest("domain", "rack"), "the domain rack is not the folder"),
    "documentation at core": (
        manifest("documentation", "https://www.home-assistant.io/integrations/x"),
        "a custom integration is not documented there",
    ),
    "documentation without https": (
        manifest("documentation", "http://example.com/x"),
        "has to be an https address",
    ),
    "no integration type": (manifest("integration_type"), "manifest.json: integration_t"),
    "unknown IoT class": (manifest("iot_class", "fast"), "manifest.json: iot_class: "),
    "nobody owns it": (manifest("codeowners", []), "manifest.json: codeowners: "),
    "unknown category": (manifest("categories", ["racks"]), "categories.0: "),
    "unknown connectivity": (manifest("connectivity", ["w1"]), "connectivity.0: "),
    "lower case in usb": (
        manifest("usb", [{"vid": "23ab"}]),
        "'23ab' has to be upper case",
    ),
    "upper case in usb": (
        manifest("usb", [{"description": "Arduino"}]),
        "'Arduino' has to be lower case",
    ),
    "no wildcard in dhcp": (
        manifest("dhcp", [{"macaddress": "00C0B7"}]),
        "'00C0B7' needs a wildcard",
    ),
    "broken requirement": (
        manifest("requirements", ["serialx>>1"]),
        "'serialx>>1' is not a requirement",
    ),
    "unknown dependency": (
        manifest("dependencies", ["http", "htttp"]),
        "Home Assistant has no component htttp",
    ),
    "dependency twice": (
        manifest("after_dependencies", ["http"]),
        "http is both in dependencies and in after_dependencies",
    ),
    # quality scale
    "rule missing": (
        replace(OURS + "quality_scale.yaml", "  devices: done\n", ""),
        "quality_scale.yaml: has no answer to devices",
    ),
    "unknown rule": (
        replace(OURS + "quality_scale.yaml", "  devices:", "  gadgets:"),
        "there is no rule gadgets",
    ),
    "no such answer": (
        replace(OURS + "quality_scale.yaml", "devices: done", "devices: soon"),
        "devices has to be done, todo or exempt",
    ),
    "exempt without a reason": (
        replace(OURS + "quality_scale.yaml", "devices: done", "devices: exempt"),
        "devices is exempt without a comment that says why",
    ),
    "todo under a higher claim": (
        replace(OURS + "quality_scale.yaml", "devices: done", "devices: todo"),
        "devices is todo, but the manifest says platinum",
    ),
    "done without diagnostics": (
        remove(OURS + "diagnostics.py"),
        "diagnostics is done, but diagnostics.py has no async_get_config_entry_diag",
    ),
    "done without runtime data": (
        replace(OURS + "__init__.py", "entry.runtime_data = coordinator", "pass"),
        "async_setup_entry does not set entry.runtime_data",
    ),
    "done without a test before setup": (
        lambda root: (
            replace(OURS + "__init__.py", "first_refresh", "refresh")(root),
            replace(OURS + "coordinator.py", "ConfigEntryNotReady", "OSError")(root),
        )[0],
        "nothing raises ConfigEntryNotReady",
    ),
    "done without discovery": (
        lambda root: (manifest("usb")(root), manifest("dhcp")(root))[0],
        "discovery is done, but the manifest declares none",
    ),
    "done without types": (
        replace(OURS + "diagnostics.py", ": RackwattConfigEntry", ""),
        "async_get_config_entry_diagnostics does not take a typed RackwattConfigEntry",
    ),
    # code
    "unlimited updates": (
        replace(OURS + "sensor.py", "PARALLEL_UPDATES = 0", ""),
        "sensor.py: does not assign PARALLEL_UPDATES",
    ),
    "no config flow": (remove(OURS + "config_flow.py"), "there is no config_flow.py"),
    "no reauth": (
        replace(OURS + "config_flow.py", "async_step_reauth", "async_step_again"),
        "reauthentication-flow is done, but config_flow.py has no async_step_reauth",
    ),
    "entries twice": (
        replace(OURS + "config_flow.py", "_abort_if_unique_id_configured", "check"),
        "config_flow.py calls neither _abort_if_unique_id_configured nor",
    ),
    "no unique id": (
        replace(OURS + "config_flow.py", "async_set_unique_id", "identify"),
        "config_flow.py: does not call async_set_unique_id itself",
    ),
    "undeclared component": (
        replace(
            OURS + "meter/flow.py",
            "import probatio",
            "from homeassistant.components import recorder\nimport probatio",
        ),
        "meter/flow.py:3: imports recorder, which the manifest names neither in",
    ),
    "undeclared component by its module": (
        replace(
            OURS + "meter/flow.py",
            "import probatio",
            "import homeassistant.components.stt.legacy\nimport probatio\n"
            "from homeassistant.components.recorder.util import session_scope",
        ),
        "meter/flow.py:5: imports recorder",
    ),
    "no schema": (
        replace(OURS + "__init__.py", "CONFIG_SCHEMA", "SCHEMA"),
        "__init__.py: has async_setup, so it needs CONFIG_SCHEMA",
    ),
    "no package": (remove(OURS + "__init__.py"), "there is no __init__.py"),
    # translations
    "language missing": (remove(OURS + "translations/ko.json"), "ko.json: is missing"),
    "key missing": (german(*INTERVAL), "de.json: entity.sensor.interval.name is missing"),
    "key too many": (
        german("title", to="Rackwatt"),
        "de.json: title is not in the English texts",
    ),
    "other placeholder": (
        german(*PORT, to="Der Anschluss, etwa {beispiel}."),
        "{beispiel} is not in both this and the English text",
    ),
    "not translated": (
        german(*PORT, to="The port of the adapter, such as {example}."),
        "de.json: 1 still English: config.step.meter.data_description.port",
    ),
    "unknown section": (english("texts", to={}), "en.json: texts: "),
    "URL": (english(*INTERVAL, to="See https://example.com"), "interval.name: holds a URL"),
    "HTML": (english(*INTERVAL, to="An <b>interval</b>"), "interval.name: holds HTML"),
    "quoted placeholder": (
        english(*PORT, to="Such as '{example}'"),
        "holds a placeholder in single quotes",
    ),
    "unbalanced braces": (english(*PORT, to="Such as {example"), "has unbalanced braces"),
    "placeholder that is no name": (
        english(*PORT, to="Such as {an example}"),
        "has a placeholder that is no name: {an example}",
    ),
    "edge space": (english(*INTERVAL, to="Interval "), "begins or ends with a space"),
    "empty text": (english(*INTERVAL, to=""), "interval.name: is empty"),
    "text of another kind": (english(*INTERVAL, to=5), "interval.name: has to be a text"),
    "reference": (english(*INTERVAL, to="[%key:x%]"), "refers to another key"),
    "placeholder in a state": (
        english("entity", "sensor", "meter_state", "state", "open", to="{open}"),
        "meter_state.state.open: may not hold placeholders",
    ),
    "wrong key": (
        english("entity", "sensor", "meter__state", to={"name": "x"}),
        "'meter__state' is not a translation key",
    ),
    "description without a field": (
        english("config", "step", "meter", "data_description", "speed", to="x"),
        "config.step.meter: data_description.speed is not in data",
    ),
    "subentry without its name": (
        english(
            "config_subentries",
            to={"line_format": {"step": {}, "initiate_flow": {"user": "Add"}}},
        ),
        "config_subentries.line_format.entry_type: ",
    ),
    "subentry that nobody starts": (
        english("config_subentries", to={"line_format": {"step": {}, "entry_type": "x"}}),
        "config_subentries.line_format.initiate_flow: ",
    ),
    "issue without a cure": (
        english("issues", "new_meter", to={"title": "A new meter"}),
        "needs a description or a fix_flow, not both",
    ),
    # keys of the code
    "entity without a text": (
        english("entity", "sensor", "interval"),
        "meter/sensor.py:6: no text for entity.sensor.interval",
    ),
    "entities without a text": (
        lambda root: (
            english("entity", "sensor", "input_0")(root),
            english("entity", "sensor", "input_1")(root),
        )[0],
        "no text for entity.sensor.input_*",
    ),
    "entity class without a text": (
        english("entity", "sensor", "meter_state"),
        "no text for entity.sensor.meter_state",
    ),
    "exception without a text": (
        english("exceptions", "cannot_connect"),
        "coordinator.py:10: no text for exceptions.cannot_connect",
    ),
    "issue without a text": (
        english("issues", "new_meter"),
        "no text for issues.new_meter",
    ),
    "selector without a text": (
        english("selector", "line_format"),
        "no text for selector.line_format",
    ),
    "step without a text": (
        english("config", "step", "meter"),
        "meter/flow.py:23: no text for the step meter",
    ),
    "progress without a text": (
        replace(
            OURS + "meter/flow.py",
            "return self.async_abort(",
            'return self.async_show_progress(step_id="scan", progress_action="scan")\n'
            "        self.async_abort(",
        ),
        "no text for the progress scan",
    ),
    "field without a label": (
        lambda root: (
            english(*PORT)(root),
            english("config", "step", "meter", "data", "port")(root),
        )[0],
        "no label for the field port",
    ),
    "menu option without a text": (
        english("config", "step", "user", "menu_options", "meter"),
        "config_flow.py:11: no text for the menu option meter",
    ),
    "abort without a text": (
        english("config", "abort", "no_port"),
        "no text for the abort no_port",
    ),
    "helper's abort without a text": (
        english("config", "abort", "already_configured"),
        "no text for the abort already_configured",
    ),
    "error without a text": (
        english("config", "error", "cannot_open"),
        "no text for the error cannot_open",
    ),
    "unused entity": (
        english("entity", "sensor", "current", to={"name": "Current"}),
        "en.json: entity.sensor.current is not used",
    ),
    "unused error": (
        english("config", "error", "bad_luck", to="Bad luck"),
        "en.json: error.bad_luck is not used",
    ),
    "unused option": (
        english("selector", "line_format", "options", "hex", to="Hexadecimal"),
        "en.json: selector.line_format.options.hex is not used",
    ),
    "unused field": (
        english("config", "step", "meter", "data", "speed", to="Speed"),
        "en.json: step.*.data.speed is not used",
    ),
    # icons
    "no icon": (
        change(OURS + "icons.json", "entity", "sensor", "interval", "default", to="clock"),
        "icons.json: entity.sensor.interval.default: ",
    ),
    "icon of a state repeats": (
        change(
            OURS + "icons.json",
            *("entity", "sensor", "meter_state", "state", "lost"),
            to="mdi:connection",
        ),
        "state.lost has the default icon",
    ),
    "icon of nothing": (
        change(OURS + "icons.json", "entity", "sensor", "x", to={"default": "mdi:x"}),
        "icons.json: no entity.sensor.x in the texts",
    ),
    # actions
    "broken selector": (
        replace(OURS + "services.yaml", "number:", "numbers:"),
        "services.yaml: set_reading.fields.reading",
    ),
    "action without an icon": (
        change(OURS + "icons.json", "services", "set_reading"),
        "set_reading has no icon in icons.json",
    ),
    "action without a text": (
        english("services", "set_reading"),
        "set_reading has no services.set_reading in the texts",
    ),
    "action's field without a text": (
        english("services", "set_reading", "fields", "reading"),
        "no services.set_reading.fields.reading in the texts",
    ),
    "text of no field": (
        english("services", "set_reading", "fields", "unit", to={"name": "Unit"}),
        "has no services.set_reading.fields.unit, which the texts have",
    ),
    "action that is not described": (
        replace(OURS + "services.yaml", "set_reading:", "set_readings:"),
        "set_reading is missing, but has texts or an icon",
    ),
    "no services.yaml": (
        remove(OURS + "services.yaml"),
        "__init__.py:14: registers an action; no services.yaml",
    ),
    # stores
    "no hacs.json": (remove("hacs.json"), "hacs.json: is missing"),
    "nameless": (change("hacs.json", "name"), "hacs.json: name: "),
    "unknown key for HACS": (change("hacs.json", "domains", to=[]), "hacs.json: domains"),
    "zip without a name": (
        change("hacs.json", "filename"),
        "zip_release needs a filename",
    ),
    "release makes another file": (
        change("hacs.json", "filename", to="other.zip"),
        "release.yml: does not make other.zip",
    ),
    "no page": (remove("README.md"), "README.md: is missing"),
    "no licence": (remove("LICENSE"), "LICENSE: is missing"),
    "own licence": (write("LICENSE", "All mine."), "LICENSE: is none that HACS knows"),
    "second integration": (
        write("custom_components/other/manifest.json", "{}"),
        "custom_components: holds other, rackwatt instead of only rackwatt",
    ),
    "package of integrations": (
        write("custom_components/__init__.py", ""),
        "custom_components/__init__.py: has to go",
    ),
    # brand
    "no dark logo": (remove(BRAND + "dark_logo.png"), "dark_logo.png: is missing"),
    "small icon": (
        lambda root: shutil.copy(root / BRAND / "icon.png", root / BRAND / "icon@2x.png")
        and None,
        "icon@2x.png: is 256 × 256, has to be 512 × 512",
    ),
    "small logo": (
        lambda root: (
            shutil.copy(root / BRAND / "logo@2x.png", root / BRAND / "logo.png") and None
        ),
        "logo.png: its shorter side is 512, has to be 128 to 256",
    ),
    "no image": (write(BRAND + "icon.png", "<svg/>"), "icon.png: is not a PNG image"),
    # house
    "source imports source": (
        replace(OURS + "probe/flow.py", "from ..coord", "from ..meter import blip\nfrom ..coord"),
        "probe/flow.py:3: imports from the source meter",
    ),
    "source imports source by its full name": (
        replace(
            OURS + "probe/flow.py",
            "from ..coord",
            "import custom_components.rackwatt.meter.blip\nfrom ..coord",
        ),
        "probe/flow.py:3: imports from the source meter",
    ),
    "starred imports Home Assistant": (
        replace(OURS + "reading.py", "from data", "import homeassistant.const\nfrom data"),
        "reading.py:3: is a starred module and may not import homeassistant.const",
    ),
    "starred imports an ordinary module": (
        replace(OURS + "meter/blip.py", "..reading import Power", ".flow import Power"),
        "may not import custom_components.rackwatt.meter.flow.Power",
    ),
    "package of a starred module imports": (
        write(OURS + "meter/__init__.py", "from .flow import MeterFlow\n"),
        "meter/__init__.py:1: is a starred module and may not import",
    ),
    "starred module is gone": (
        remove(OURS + "reading.py"),
        "lists custom_components/rackwatt/reading.py as starred, which does not exist",
    ),
    "wheel with more": (
        replace("agent/pyproject.toml", "meter/blip.py", "meter/flow.py"),
        "the wheel takes custom_components/rackwatt/meter/flow.py, which is not starred",
    ),
    "wheel with another place": (
        replace("agent/pyproject.toml", "agent/meter/blip", "agent/blip"),
        "meter/blip.py belongs at meter/blip.py of the package",
    ),
    "link to more": (
        lambda root: (root / AGENT / "flow.py").symlink_to(
            "../../../custom_components/rackwatt/meter/flow.py"
        ),
        "the wheel takes custom_components/rackwatt/meter/flow.py, which is not starred",
    ),
    "agent imports what the wheel lacks": (
        write(AGENT + "watch.py", "from .meter.blip import parse\nfrom .pdu import snmp\n"),
        "agent/src/rackwatt_agent/watch.py:2: imports pdu, which the wheel does not hold",
    ),
    "agent imports by its full name what the wheel lacks": (
        write(AGENT + "watch.py", "from rackwatt_agent.pdu.snmp import walk\n"),
        "watch.py:1: imports pdu.snmp, which the wheel does not hold",
    ),
    "registry": (
        write("docs/x.md", "From py" + "pi.org\n"),
        "docs/x.md:1: names py" + "pi.org",
    ),
    "developer's directory": (
        write("docs/x.md", "\nIn /wor" + "k/main\n"),
        "docs/x.md:2: names /wor" + "k/m",
    ),
}  # fmt: skip


def test_sample_is_sound(sample: Path) -> None:
    """Nothing is found where nothing is wrong."""
    write(AGENT + "watch.py", "from . import other\nfrom .meter.blip import parse\n")(
        sample
    )
    (sample / AGENT / "reading.py").symlink_to(
        "../../../custom_components/rackwatt/reading.py"
    )
    assert not list(findings(sample))


def test_source_that_is_not_there_is_not_missed(sample: Path) -> None:
    """The list of starred modules may name sources that are still to come."""
    replace("pyproject.toml", "probe/sysfs", "pdu/snmp")(sample)
    for name in ("__init__", "sysfs"):
        replace(
            "agent/pyproject.toml",
            f'"../custom_components/rackwatt/probe/{name}.py"'
            f' = "rackwatt_agent/probe/{name}.py"\n',
            "",
        )(sample)
    assert not list(findings(sample))


@pytest.mark.parametrize("name", BREAKS)
def test_rule_says_what_is_wrong(sample: Path, name: str) -> None:
    """A checkout that one thing is wrong with."""
    edit, sentence = BREAKS[name]
    edit(sample)
    found = list(findings(sample))
    assert any(sentence in line for line in found), "\n".join(found)


def test_command_fails_on_a_finding(
    sample: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command prints each sentence and fails."""
    monkeypatch.setattr("sys.argv", ["validate", str(sample)])
    assert main() == 0
    remove("README.md")(sample)
    assert main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "README.md: is missing"
    assert lines[2].endswith("1 findings")
