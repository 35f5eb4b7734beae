"""A real Home Assistant in a directory of its own, and what its event loop goes through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
import tempfile
from typing import Any

from demo.client import Client
from demo.hass import ROOT, Hass, HassError, free_port

CONFIGURATION = """\
frontend:
recorder:
logger:
  default: warning
loop_lag:
"""


class MeasuredHass:
    """A running hass and a session of its user."""

    def __init__(self, hass: Hass, client: Client) -> None:
        """Put together what belongs together."""
        self.hass = hass
        self.client = client

    async def lag(self) -> dict[str, float]:
        """Return what the loop went through since the last call, in s."""
        answer: dict[str, Any] = await self.client.call(
            "call_service",
            domain="loop_lag",
            service="report",
            service_data={},
            return_response=True,
        )
        response: dict[str, float] = answer["response"]
        return response

    async def restart_in_order(self) -> None:
        """Stop it as its user would, and start it again."""
        await self.hass.stop()
        await self.restart()

    async def restart(self) -> None:
        """Start it again after a kill, with the same session."""
        await self.hass.start()
        token = self.client.token
        await self.client.__aexit__()
        self.client = await Client(self.hass.base, token).__aenter__()
        await self.client.wait_running()


@asynccontextmanager
async def measured_hass() -> AsyncIterator[MeasuredHass]:
    """Run a fresh hass with a user, without any entries."""
    setup = await asyncio.create_subprocess_exec(
        ROOT / "script" / "setup", "demo", stdout=asyncio.subprocess.DEVNULL
    )
    if await setup.wait():
        raise HassError("script/setup demo failed.")
    with tempfile.TemporaryDirectory(prefix="rackwatt-bench-") as directory:
        config = Path(directory)
        components = config / "custom_components"
        components.mkdir()
        (components / "loop_lag").symlink_to(ROOT / "benchmarks" / "loop_lag")
        (config / "configuration.yaml").write_text(CONFIGURATION)
        hass = Hass(config, free_port())
        await hass.start()
        measured = MeasuredHass(hass, await Client(hass.base).__aenter__())
        try:
            await measured.client.onboard()
            # a log-in's token ends after half an hour
            measured.client.token = await measured.client.make_lasting_token("bench")
            await measured.client.wait_running()
            yield measured
        finally:
            await measured.client.__aexit__()
            await hass.stop()
