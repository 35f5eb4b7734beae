"""The archive that HACS and the Marketplace install."""

from pathlib import Path
import shutil
import subprocess
import zipfile

ROOT = Path(__file__).parents[2]


def test_archive_has_the_manifest_at_its_root(tmp_path: Path) -> None:
    """Exactly what is committed, without the folders above and without caches."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "tests/tooling/sample", root)
    (root / "script").mkdir()
    shutil.copy(ROOT / "script/release", root / "script/release")
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "Sample")):
        subprocess.run([*git, *command], cwd=root, check=True)
    cache = root / "custom_components/rackwatt/__pycache__/x.pyc"
    cache.parent.mkdir()
    cache.write_bytes(b"")
    subprocess.run([root / "script/release"], check=True, capture_output=True)
    with zipfile.ZipFile(root / "dist/rackwatt.zip") as archive:
        names = archive.namelist()
    assert {"manifest.json", "__init__.py", "translations/en.json"} <= set(names)
    assert not [
        name for name in names if "pycache" in name or name.startswith("custom")
    ]
