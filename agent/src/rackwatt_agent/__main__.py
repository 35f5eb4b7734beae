"""The command line of the agent."""

import argparse
from dataclasses import replace
import json
import logging
from pathlib import Path
import sys

from . import __version__, config as settings
from .config import Config
from .errors import AgentError, Exit


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a failure is one sentence and its exit status."""
    args = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING,
        format="%(levelname)s %(message)s",
    )
    try:
        print(_run(args), end="")
    except AgentError as err:
        print(f"rackwatt-agent: {err}", file=sys.stderr)
        return err.status
    except KeyboardInterrupt:
        return 130
    return Exit.OK


def _run(args: argparse.Namespace) -> str:
    """Run one command and return what it prints."""
    path = args.config or settings.default_path()
    if args.command == "enroll":
        return _enroll(path, args)
    if args.command == "uninstall-service":
        from .service import uninstall  # noqa: PLC0415  run needs none of this

        return uninstall() + "\n"
    if args.command == "once":
        from .run import once  # noqa: PLC0415

        return once(_load(path)) + "\n"
    config = settings.load(path)
    if args.command == "run":
        from .run import Agent  # noqa: PLC0415

        Agent(settings.with_renewed_key(config)).run()
        return ""
    if args.command == "install-service":
        from .service import install  # noqa: PLC0415

        return install(config, args.rapl) + "\n"
    return _status(settings.with_renewed_key(config))


def _enroll(path: Path, args: argparse.Namespace) -> str:
    """Enrol with a code or a key."""
    from .enroll import enroll, warn_if_plain  # noqa: PLC0415

    if bool(args.code) == bool(args.key):
        raise AgentError(Exit.USAGE, "Give either the code or --key.")
    config = _load(path)
    if args.ca_file:
        config = replace(config, ca_file=str(args.ca_file.resolve()))
        settings.save(path, {"ca_file": str(config.ca_file)})
    warn_if_plain(args.url)
    return enroll(config, args.url, args.code, args.key) + "\n"


def _status(config: Config) -> str:
    """Tell how things are."""
    from .backlog import Backlog, boot_id  # noqa: PLC0415
    from .enroll import check  # noqa: PLC0415

    queue = Backlog(config.state / "queue", boot_id(), config.interval)
    lines = {
        "agent": __version__,
        "settings": str(config.path),
        "home assistant": config.url,
        "samples on disk": queue.held,
    }
    print("".join(f"{name}: {value}\n" for name, value in lines.items()), end="")
    return (
        f"known there as: {json.dumps(check(config).get('name'), ensure_ascii=False)}\n"
    )


def _load(path: Path) -> Config:
    """Return the settings, or the defaults where there are none yet."""
    if path.exists():
        return settings.load(path)
    return Config(path=path, state=settings.default_state())


def _parser() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    parser = argparse.ArgumentParser(
        prog="rackwatt-agent",
        description="Report this machine to Rackwatt in Home Assistant.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--config", type=Path, help="settings file")
    parser.add_argument("--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    enroll = commands.add_parser("enroll", help="make this machine known")
    enroll.add_argument("url", metavar="URL", help="address of Home Assistant")
    enroll.add_argument("code", metavar="CODE", nargs="?", help="the code it shows")
    enroll.add_argument("--key", help="a key instead of a code")
    enroll.add_argument("--ca-file", type=Path, help="certificates to trust")
    commands.add_parser("run", help="report until stopped")
    commands.add_parser("once", help="print one report; nothing is sent")
    commands.add_parser("status", help="tell whether Home Assistant knows this machine")
    install = commands.add_parser("install-service", help="run as a systemd service")
    install.add_argument(
        "--rapl", action="store_true", help="let it read the processor's energy"
    )
    commands.add_parser("uninstall-service", help="remove the systemd service")
    return parser


if __name__ == "__main__":
    sys.exit(main())
