"""Show Rackwatt in a real Home Assistant with a simulated rack."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
import signal
import sys
import time

from . import history
from .board import set_up_board
from .client import PASSWORD, USER, Client
from .directory import Directory
from .hass import RESTART_EXIT_CODE, ROOT, Hass, HassError
from .rack import PARTS
from .rack.part import Part, PartUnavailableError

_STARTED = time.monotonic()

_READY = """
  Rackwatt's demo is ready.

    Open      {url}
    User      {user}
    Password  {password}

    The page begins with the rack's power and energy, live and of the past year.
    Energy dashboard  {url}/energy
    The integration   {url}/config/integrations/integration/rackwatt

  It answers on this machine only; from another one, first open a tunnel:
  ssh -L {port}:127.0.0.1:{port} THIS_MACHINE

  Ctrl-C stops it. What it keeps lies in {config}
"""


def say(text: str) -> None:
    """Tell what is going on."""
    print(f"[demo {time.monotonic() - _STARTED:5.1f} s] {text}", flush=True)


def tcp_port(text: str) -> int:
    """Return a TCP port."""
    if 0 < (port := int(text)) < 65536:
        return port
    raise ValueError(text)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument(
        "--port",
        type=tcp_port,
        default=8123,
        help="TCP port of the page (default: 8123)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=ROOT / ".demo",
        help="Home Assistant's directory (default: .demo in the checkout)",
    )
    parser.add_argument(
        "--reset", action="store_true", help="forget everything and begin anew"
    )
    return parser.parse_args()


async def start_rack(rack: Sequence[Part]) -> list[Part]:
    """Start the parts that this machine can run."""
    running = []
    for part in rack:
        try:
            await part.start()
            running.append(part)
        except PartUnavailableError as err:
            say(f"Without {part.name}: {err}")
    return running


async def prepare(client: Client, directory: Directory, rack: Sequence[Part]) -> None:
    """Make the user, the entries and their history, as far as they are not made yet."""
    progress = directory.progress
    if progress.token is None:
        say("Making the user")
        await client.onboard()
        progress.token = await client.make_lasting_token("Rackwatt demo")
        directory.save()
    await client.wait_running()
    for part in rack:
        if part.name in progress.parts:
            continue
        say(f"Adding {part.name} and thirteen months of history")
        await part.create(client)
        await history.import_past(client, part.past())
        progress.parts.append(part.name)
        directory.save()
    consumers = [line for part in rack for line in part.consumers()]
    await history.set_up_energy(client, consumers)
    await set_up_board(client, consumers)


async def keep_running(hass: Hass) -> None:
    """Start Home Assistant again when its user asks for a restart."""
    while (status := await hass.wait()) == RESTART_EXIT_CODE:
        say("Restarting Home Assistant")
        await hass.start()
        say("Home Assistant is back")
    raise HassError(f"Home Assistant ended by itself with status {status}.")


async def run(directory: Directory, port: int, *, reset: bool) -> None:
    """Run rack and Home Assistant until we are cancelled."""
    hass = Hass(directory.path, port)
    await hass.make_way()
    directory.open(reset=reset)
    hass.log.unlink(missing_ok=True)
    rack = [part(directory.path / "rack") for part in PARTS]
    try:
        running = await start_rack(rack)
        say("Starting Home Assistant")
        await hass.start()
        async with Client(hass.base, directory.progress.token) as client:
            await prepare(client, directory, running)
        url = f"http://localhost:{port}"
        print(
            _READY.format(
                url=url,
                port=port,
                user=USER,
                password=PASSWORD,
                config=directory.path,
            ),
            flush=True,
        )
        await keep_running(hass)
    except HassError:
        say(f"Home Assistant's log is {hass.log}")
        raise
    finally:
        say("Stopping")
        await hass.stop()
        for part in reversed(rack):
            await part.stop()


async def run_until_signal(directory: Directory, port: int, *, reset: bool) -> None:
    """Run until Ctrl-C, SIGTERM or a closed terminal."""
    task = asyncio.ensure_future(run(directory, port, reset=reset))
    loop = asyncio.get_running_loop()
    is_stopping = False

    def stop() -> None:
        nonlocal is_stopping
        if is_stopping:
            say("Home Assistant is saving its state; a moment")
            return
        is_stopping = True
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not is_stopping:
            raise
        say("Stopped")


def main() -> int:
    """Run the demo."""
    options = parse_options()
    directory = Directory(options.config.absolute())
    try:
        with directory.claimed():
            asyncio.run(run_until_signal(directory, options.port, reset=options.reset))
    except HassError as err:
        print(f"[demo] {err}", file=sys.stderr)
        return 1
    except OSError as err:
        where = f": {err.filename}" if err.filename else ""
        print(f"[demo] {err.strerror}{where}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
