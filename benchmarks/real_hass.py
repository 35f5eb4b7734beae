"""A real hass in a directory of its own, driven over its public API."""

import asyncio
from datetime import UTC, datetime
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import time
from typing import Any, Self

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
HASS = ROOT / ".venv-hass" / "bin" / "hass"
START_S = 180


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class RealHass:
    """One installation; it can be stopped, killed and started again."""

    def __init__(self, config: Path, configuration: str = "") -> None:
        """Make the directory of a fresh installation."""
        self.config = config
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._session: aiohttp.ClientSession
        self._headers: dict[str, str] = {}
        self._write(configuration)

    def _write(self, configuration: str) -> None:
        """Write what a start needs so that it asks nothing of the internet."""
        storage = self.config / ".storage"
        storage.mkdir(parents=True)
        http = {
            "server_host": ["127.0.0.1"],
            "server_port": self.port,
            "cors_allowed_origins": [],
            "login_attempts_threshold": 3,
            "ip_ban_enabled": True,
            "ssl_profile": "intermediate_v6",
            "use_x_frame_options": True,
            "created_at": datetime.now(UTC).isoformat(),
            "error": None,
            "error_message": None,
        }
        stored = {"stable": http, "pending": None, "yaml_migration_done": True}
        self._store(storage, "http", 3, stored)
        self._store(storage, "onboarding", 4, {"done": ["core_config"]})
        text = f"homeassistant:\nlogger:\n  default: warning\n{configuration}"
        (self.config / "configuration.yaml").write_text(text)
        components = self.config / "custom_components"
        components.mkdir()
        (components / "rackwatt").symlink_to(ROOT / "custom_components" / "rackwatt")

    @staticmethod
    def _store(storage: Path, key: str, version: int, data: Any) -> None:
        """Write one file of Home Assistant's storage."""
        raw = {"version": version, "minor_version": 1, "key": key, "data": data}
        (storage / key).write_text(json.dumps(raw))

    async def __aenter__(self) -> Self:
        """Start it, with a user."""
        self._session = aiohttp.ClientSession()
        await self.start()
        await self._onboard()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self._session.close()
        self.stop()

    async def start(self) -> float:
        """Start it; return the seconds until it answers."""
        keep = ("PYTHONDONTWRITEBYTECODE",)
        env = {key: value for key, value in os.environ.items() if key not in keep}
        env["UV_OFFLINE"] = "1"
        log = (self.config / "stdout.log").open("ab")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [str(HASS), "-c", str(self.config)], stdout=log, stderr=log, env=env
        )
        log.close()
        async with asyncio.timeout(START_S):
            while not await self._answers():
                assert self.process.poll() is None, self.log()
                await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def _answers(self) -> bool:
        """Tell whether it is up."""
        try:
            async with self._session.get(f"{self.url}/manifest.json") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it and wait for the end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)

    def log(self) -> str:
        """Return what it said."""
        return (self.config / "stdout.log").read_text()

    async def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Ask its HTTP API."""
        async with self._session.request(
            method, self.url + path, headers=self._headers, **arguments
        ) as answer:
            text = await answer.text()
            assert answer.status < 400, f"{method} {path}: {answer.status} {text}"
            return json.loads(text) if text else None

    async def _onboard(self) -> None:
        """Make the first user."""
        client = {"client_id": f"{self.url}/"}
        person = {"name": "Test", "username": "test", "password": "test"}
        made = await self.request(
            "POST", "/api/onboarding/users", json={**client, **person, "language": "en"}
        )
        token = await self.request(
            "POST",
            "/auth/token",
            data={
                **client,
                "grant_type": "authorization_code",
                "code": made["auth_code"],
            },
        )
        self._headers = {"Authorization": f"Bearer {token['access_token']}"}

    async def flow(self, step: Any, flow_id: str | None = None) -> Any:
        """Start a config flow, or go on with one."""
        path = "/api/config/config_entries/flow"
        return await self.request(
            "POST", f"{path}/{flow_id}" if flow_id else path, json=step
        )

    async def states(self) -> dict[str, str]:
        """Return all states."""
        return {
            item["entity_id"]: item["state"]
            for item in await self.request("GET", "/api/states")
        }

    async def wait_for(self, entity: str, state: str, seconds: float = 30) -> None:
        """Wait until an entity has a state."""
        async with asyncio.timeout(seconds):
            while (await self.states()).get(entity) != state:
                await asyncio.sleep(0.2)
