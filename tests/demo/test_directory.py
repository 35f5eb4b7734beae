"""The demo's configuration directory in all the states that a start can meet."""

from pathlib import Path

import pytest

from demo.directory import Directory, Progress
from demo.hass import HassError


def make(path: Path, progress: Progress) -> None:
    """Leave what a start leaves that came this far."""
    directory = Directory(path)
    with directory.claimed():
        directory.open(reset=False)
        directory.progress = progress
        directory.save()
        (path / ".storage").mkdir()
        (path / ".storage" / "auth").touch()
        (path / "hass.log").touch()


def test_complete_directory_is_kept(tmp_path: Path) -> None:
    """A second start goes on with what the first one made."""
    make(tmp_path, Progress(token="secret", parts=["blip_meter"]))
    directory = Directory(tmp_path)
    with directory.claimed():
        directory.open(reset=False)
    assert directory.progress == Progress(token="secret", parts=["blip_meter"])
    assert (tmp_path / ".storage" / "auth").exists()
    mark = tmp_path / ".rackwatt-demo.json"
    assert mark.stat().st_mode & 0o777 == 0o600


def test_half_made_directory_is_made_anew(tmp_path: Path) -> None:
    """A start that died before there was a user leaves nothing worth keeping."""
    make(tmp_path, Progress())
    directory = Directory(tmp_path)
    with directory.claimed():
        directory.open(reset=False)
    assert [item.name for item in tmp_path.iterdir()] == [".rackwatt-demo.json"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"token": "x"}'])
def test_damaged_mark(tmp_path: Path, damage: str) -> None:
    """A mark that cannot be read counts as half made."""
    make(tmp_path, Progress(token="secret"))
    (tmp_path / ".rackwatt-demo.json").write_text(damage)
    directory = Directory(tmp_path)
    with directory.claimed():
        directory.open(reset=False)
    assert directory.progress == Progress()
    assert not (tmp_path / ".storage").exists()


def test_reset(tmp_path: Path) -> None:
    """A reset empties the directory; links are removed, not followed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    config = tmp_path / "config"
    make(config, Progress(token="secret", parts=["blip_meter"]))
    (config / "custom_components").symlink_to(elsewhere)
    directory = Directory(config)
    with directory.claimed():
        directory.open(reset=True)
    assert directory.progress == Progress()
    assert [item.name for item in config.iterdir()] == [".rackwatt-demo.json"]
    assert (elsewhere / "precious").exists()


def test_foreign_directory_is_left_alone(tmp_path: Path) -> None:
    """A directory with other files is refused, also to a reset."""
    (tmp_path / "thesis.tex").touch()
    directory = Directory(tmp_path)
    with pytest.raises(HassError, match="left alone"), directory.claimed():
        directory.open(reset=True)
    assert (tmp_path / "thesis.tex").exists()


def test_one_demo_at_a_time(tmp_path: Path) -> None:
    """A second demo on the same directory is told what to do."""
    with Directory(tmp_path).claimed():
        second = Directory(tmp_path)
        with pytest.raises(HassError, match="--config DIR --port N"), second.claimed():
            pass
    with second.claimed():
        second.open(reset=False)
