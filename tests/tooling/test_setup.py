"""What `script/setup` chooses, and what it says where it cannot go on."""

from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
import os
from pathlib import Path
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEW, OLD = (3, 14, 8), (3, 14, 1)


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """Return the script as a module, with a cache of its own."""
    loader = SourceFileLoader("rackwatt_setup", str(ROOT / "script" / "setup"))
    spec = spec_from_loader("rackwatt_setup", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("RACKWATT_PYTHON", raising=False)
    return module


@pytest.fixture
def versions(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, tuple[int, ...]]]:
    """Return a way to say which interpreters there are."""

    def there_are(
        on_path: str | None = None, **known: tuple[int, ...]
    ) -> dict[str, tuple[int, ...]]:
        monkeypatch.setattr(setup, "version_of", lambda python: known.get(str(python)))
        monkeypatch.setattr(setup.shutil, "which", lambda name: on_path)
        return known

    return there_are


def test_the_users_own_python_comes_first(
    setup: ModuleType, versions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then one on the PATH, if it is new enough."""
    versions(on_path="path", path=NEW, own=NEW)
    assert setup.find_python("uv") == "path"
    monkeypatch.setenv("RACKWATT_PYTHON", "own")
    assert setup.find_python("uv") == "own"


def test_a_wrong_rackwatt_python_is_named(
    setup: ModuleType, versions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not passed over in silence."""
    versions(on_path="path", path=NEW, own=OLD)
    monkeypatch.setenv("RACKWATT_PYTHON", "own")
    with pytest.raises(setup.SetupError, match="RACKWATT_PYTHON is own, which is not"):
        setup.find_python("uv")


@pytest.mark.parametrize(("of_uv", "chosen"), [("of uv", "of uv"), (None, "of debian")])
def test_uv_comes_before_debian(
    setup: ModuleType,
    versions: Any,
    monkeypatch: pytest.MonkeyPatch,
    of_uv: str | None,
    chosen: str,
) -> None:
    """A Python on the PATH that is too old is passed over."""
    versions(on_path="path", path=OLD)
    monkeypatch.setattr(setup, "python_of_uv", lambda uv: of_uv)
    monkeypatch.setattr(setup, "python_of_debian", lambda uv, python: "of debian")
    assert setup.find_python("uv") == chosen


def test_no_python_and_no_debian(setup: ModuleType, versions: Any) -> None:
    """The sentence says what to install."""
    versions()
    with pytest.raises(setup.SetupError, match="Install CPython 3.14.2 or newer"):
        setup.python_of_debian("uv", Path("python3.14"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "debian.sources",
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm x\n",
        ),
        ("old.list", "deb [arch=amd64] http://mirror.example/debian bookworm main\n"),
    ],
)
def test_the_mirror_is_the_machines_own(
    setup: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    text: str,
) -> None:
    """In either format of apt's sources."""
    (tmp_path / name).write_text(text)
    real = Path
    monkeypatch.setattr(
        setup,
        "Path",
        lambda path: tmp_path if path.endswith(".d") else real(tmp_path / "none"),
    )
    assert setup.debian_mirror() == "http://mirror.example/debian"
    (tmp_path / name).unlink()
    with pytest.raises(setup.SetupError, match="No Debian mirror was found"):
        setup.debian_mirror()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("error: Connection refused (os error 111)", "the network cannot be reached"),
        ("OSError: No space left on device", "the disk is full"),
        ("no such package", r"failed:\n"),
    ],
)
def test_a_command_that_fails(setup: ModuleType, said: str, sentence: str) -> None:
    """The usual causes are named, and the end of what it said is shown."""
    fails = [sys.executable, "-c", f"import sys; print({said!r}); sys.exit(1)"]
    with pytest.raises(setup.SetupError, match=sentence) as raised:
        setup.run(fails, "Installing something")
    assert said in str(raised.value)
    with pytest.raises(setup.SetupError, match="no-such-tool is not installed"):
        setup.run(["no-such-tool"], "Installing something")


def test_a_full_disk_is_refused_early(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not after a download of minutes; a machine that has everything may be full."""
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    full = SimpleNamespace(free=1_000_000_000)
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda place: full)
    with pytest.raises(setup.SetupError, match=r"has 1\.0 GB free; about 3 GB"):
        setup.check_machine()
    for venv, *_ in setup.ENVIRONMENTS.values():
        (tmp_path / venv).mkdir()
        (tmp_path / venv / ".rackwatt-stamp").touch()
    setup.check_machine()


def test_another_system_is_refused(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The integration itself runs there."""
    monkeypatch.setattr(setup.sys, "platform", "darwin")
    with pytest.raises(setup.SetupError, match="need Linux"):
        setup.check_machine()


@pytest.mark.parametrize(("required", "raises"), [(True, True), (False, False)])
def test_packages_that_only_root_can_install(
    setup: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    required: bool,
    raises: bool,
) -> None:
    """Without them the tests cannot run; the demo can, and says what is missing."""
    listed = tmp_path / "packages.txt"
    listed.write_text("# what is needed\nno-such-package-1   # because\n")
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    sentence = "sudo apt-get install no-such-package-1"
    if raises:
        with pytest.raises(setup.SetupError, match=sentence):
            setup.ensure_packages(listed, required=required)
    else:
        setup.ensure_packages(listed, required=required)
        assert sentence in capsys.readouterr().out


def test_an_unknown_environment_is_refused() -> None:
    """With the usage, by a status that tells."""
    done = subprocess.run(
        [ROOT / "script" / "setup", "tests"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RACKWATT_PYTHON": ""},
    )
    assert done.returncode == 2
    assert "Unknown: tests" in done.stderr
