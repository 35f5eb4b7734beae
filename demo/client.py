"""A user's session with Home Assistant, over the API that its own frontend uses."""

import asyncio
from typing import Any, Self

import aiohttp

from .hass import HassError

USER = "demo"
PASSWORD = "rackwatt"
_FLOWS = "/api/config/config_entries/flow"
_SUBENTRY_FLOWS = "/api/config/config_entries/subentries/flow"


class CommandError(HassError):
    """What Home Assistant says to a websocket command that it cannot carry out."""

    def __init__(self, command: str, error: dict[str, str]) -> None:
        """Keep the code, which tells one error from another."""
        super().__init__(f"{command} failed: {error['message']}")
        self.code = error["code"]


class Client:
    """REST calls, websocket commands and flows of one user."""

    def __init__(self, base: str, token: str | None = None) -> None:
        """Keep where Home Assistant is; a token saves the log-in."""
        self.base = base
        self.token = token
        self._last_id = 0

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(self.base)
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        return self

    async def __aexit__(
        self,
        _type: object = None,
        err: BaseException | None = None,
        _traceback: object = None,
    ) -> None:
        """Close the session; say what a lost connection means."""
        await self._session.close()
        if isinstance(err, (aiohttp.ClientError, aiohttp.WSMessageTypeError)):
            raise HassError(f"Home Assistant went away: {err!r}") from err

    async def request(self, method: str, path: str, **kwargs: Any) -> Any:
        """Make a REST call and return what it answers."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else None
        async with self._session.request(
            method, path, headers=headers, **kwargs
        ) as answer:
            if not answer.ok:
                raise HassError(
                    f"Home Assistant refused {method} {path} with"
                    f" {answer.status}: {await answer.text()}"
                )
            return await answer.json() if answer.content_length != 0 else None

    async def call(self, command: str, **arguments: Any) -> Any:
        """Send a websocket command and return its result; one at a time."""
        socket = self._socket or await self._connect()
        self._last_id += 1
        await socket.send_json({"id": self._last_id, "type": command, **arguments})
        while True:
            message = await socket.receive_json()
            if message["type"] != "result" or message["id"] != self._last_id:
                continue
            if not message["success"]:
                raise CommandError(command, message["error"])
            return message["result"]

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        """Open the websocket and log in."""
        socket = await self._session.ws_connect("/api/websocket", max_msg_size=0)
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": self.token})
        if (await socket.receive_json())["type"] != "auth_ok":
            raise HassError(
                "Home Assistant no longer accepts the demo's token."
                " Make the demo anew: script/demo --reset"
            )
        self._socket = socket
        return socket

    async def wait_running(self) -> None:
        """Wait until everything that starts with Home Assistant has started."""
        while (await self.call("get_config"))["state"] != "RUNNING":
            await asyncio.sleep(0.1)

    # ------------------------------------------------------------ the first user

    async def onboard(self) -> None:
        """Go through the welcome pages: make the user and log in."""
        client_id = f"{self.base}/"
        user = {
            "name": "Demo",
            "username": USER,
            "password": PASSWORD,
            "client_id": client_id,
            "language": "en",
        }
        created = await self.request("POST", "/api/onboarding/users", json=user)
        grant = {
            "grant_type": "authorization_code",
            "code": created["auth_code"],
            "client_id": client_id,
        }
        tokens = await self.request("POST", "/auth/token", data=grant)
        self.token = tokens["access_token"]
        await self.request("POST", "/api/onboarding/analytics", json={})
        back = {"client_id": client_id, "redirect_uri": f"{client_id}?auth_callback=1"}
        await self.request("POST", "/api/onboarding/integration", json=back)

    async def make_lasting_token(self, name: str) -> str:
        """Return a token that stays valid for a year."""
        token: str = await self.call(
            "auth/long_lived_access_token", client_name=name, lifespan=365
        )
        return token

    # ----------------------------------------------------------- entries, states

    async def create_entry(self, *answers: dict[str, Any]) -> dict[str, Any]:
        """Add Rackwatt as a user does: an answer to each step of its flow.

        Returns the last step; its `result` is the entry. An entry that is there
        already is fine: an earlier run was interrupted after it had made it.
        """
        return await self._follow(_FLOWS, "rackwatt", answers)

    async def create_subentry(
        self, entry_id: str, kind: str, *answers: dict[str, Any]
    ) -> dict[str, Any]:
        """Add a part to an entry."""
        return await self._follow(_SUBENTRY_FLOWS, [entry_id, kind], answers)

    async def _follow(
        self, flows: str, handler: str | list[str], answers: tuple[dict[str, Any], ...]
    ) -> dict[str, Any]:
        """Go through a flow."""
        step: dict[str, Any] = await self.request(
            "POST", flows, json={"handler": handler, "show_advanced_options": False}
        )
        for answer in answers:
            step = await self.request("POST", f"{flows}/{step['flow_id']}", json=answer)
            if step.get("errors"):
                await self.request("DELETE", f"{flows}/{step['flow_id']}")
                raise HassError(f"The flow refused {answer}: {step['errors']}")
        done = step["type"] == "create_entry"
        if not done and step.get("reason") != "already_configured":
            raise HassError(f"The flow of {handler} ended unexpectedly: {step}")
        return step

    async def state(self, entity_id: str) -> str:
        """Return the state of an entity, `unavailable` where there is none."""
        for state in await self.call("get_states"):
            if state["entity_id"] == entity_id:
                return str(state["state"])
        return "unavailable"
