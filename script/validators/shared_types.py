"""Type-check the agent, with the modules that it shares, as the Python of its hosts.

The files are laid out as the agent's wheel has them, so that no import leads back
to Home Assistant, whose syntax Python 3.11 does not know.
"""

from pathlib import Path
import subprocess
import sys
import tempfile

from . import starred

ROOT = Path(__file__).resolve().parents[2]
AGENT = Path("agent/src/rackwatt_agent")


def layout(root: Path) -> dict[str, Path]:
    """Return where each file of the agent's package comes from."""
    files = {place: path for path, place in starred.with_packages(root)}
    for path in sorted((root / AGENT).rglob("*.py")):
        # a link is a shared module, which is known by its own name
        if not path.is_symlink():
            files[str(path.relative_to(root / AGENT))] = path.relative_to(root)
    return files


def check(root: Path) -> int:
    """Run mypy on the laid-out package; its messages name the real files."""
    files = layout(root)
    if not files:
        return 0
    with tempfile.TemporaryDirectory() as tmp:
        package = Path(tmp) / AGENT.name
        for place, path in files.items():
            (package / place).parent.mkdir(parents=True, exist_ok=True)
            (package / place).write_bytes((root / path).read_bytes())
        (package / "__init__.py").touch()
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "mypy",
                f"--config-file={root / 'pyproject.toml'}",
                f"--cache-dir={root / '.mypy_cache' / 'shared'}",
                f"--python-version={starred.PYTHON}",
                # `override` came with Python 3.12
                "--disable-error-code=explicit-override",
                str(package),
            ],
            env={"MYPYPATH": tmp},
            cwd=tmp,
            capture_output=True,
            text=True,
            check=False,
        )
    sys.stderr.write(done.stderr)
    for line in done.stdout.splitlines():
        place, colon, rest = line.partition(":")
        source = files.get(place.removeprefix(f"{AGENT.name}/"), place)
        print(f"{source}{colon}{rest}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(check(ROOT))
