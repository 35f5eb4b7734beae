"""Servers and their samples, for programs with a token of Home Assistant's."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
import time
from typing import Any, Final, override

from aiohttp import web

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView
from homeassistant.util import dt as dt_util

from ..const import CONF_KIND, DOMAIN, SERVER
from ..history.sample_writer import STORE_ERRORS
from ..server.coordinator import ServerCoordinator
from ..server.report import API

LIMIT: Final = 1000
LIMIT_MAX: Final = 10_000
DAY_MS: Final = 86_400_000
# Beyond these HA's own datetimes end; SQLite's integers would not
TIME_MAX: Final = 253_402_300_799_999


class ApiError(Exception):
    """A question that has no answer: status and sentence."""

    def __init__(self, status: HTTPStatus, error: str, hint: str) -> None:
        """Keep what the asker is told."""
        super().__init__(hint)
        self.status = status
        self.body = {"error": error, "hint": hint}


class ServersView(HomeAssistantView):
    """What the views share: errors as JSON."""

    async def get(self, request: web.Request, **match: str) -> web.Response:
        """Answer a question."""
        try:
            return self.json(await self.answer(request, **match))
        except ApiError as err:
            return self.json(err.body, err.status)
        except STORE_ERRORS as err:
            hint = f"The samples cannot be read: {err}"
            return self.json(
                {"error": "store", "hint": hint}, HTTPStatus.SERVICE_UNAVAILABLE
            )

    @abstractmethod
    async def answer(self, request: web.Request, **match: str) -> Any:
        """Return the answer."""


class DevicesView(ServersView):
    """All servers."""

    url = f"{API}/devices"
    name = "api:rackwatt:devices"

    @override
    async def answer(self, request: web.Request, **match: str) -> Any:
        """Return the servers that are loaded."""
        servers = async_servers(request.app[KEY_HASS])
        return {"devices": [present(item) for item in servers.values()]}


class LatestView(ServersView):
    """The latest metrics of a server."""

    url = f"{API}/devices/{{device}}/latest"
    name = "api:rackwatt:latest"

    @override
    async def answer(self, request: web.Request, **match: str) -> Any:
        """Return the values; a server that is off has none."""
        server = find(request, match["device"])
        values = {key: gauge.value for key, gauge in server.gauges.items()}
        return {**present(server), "values": values}


class MetricsView(ServersView):
    """The metrics of a server."""

    url = f"{API}/devices/{{device}}/metrics"
    name = "api:rackwatt:metrics"

    @override
    async def answer(self, request: web.Request, **match: str) -> Any:
        """Return every metric that the samples still hold, vanished ones too."""
        server = find(request, match["device"])
        store = server.samples.store
        known = await server.samples.async_run(store.metrics, server.server_id)
        return {
            "metrics": [
                {"key": key, **metric, "current": key in server.gauges}
                for key, metric in known.items()
            ]
        }


class SeriesView(ServersView):
    """The samples of a metric."""

    url = f"{API}/devices/{{device}}/series/{{metric:.+}}"
    name = "api:rackwatt:series"

    @override
    async def answer(self, request: web.Request, **match: str) -> Any:
        """Return a page of samples, ascending."""
        server = find(request, match["device"])
        now = time.time_ns() // 1_000_000
        end = moment(request.query, "end", now)
        start = moment(request.query, "start", max(0, end - DAY_MS))
        limit = whole(request.query, "limit", LIMIT, LIMIT_MAX)
        store = server.samples.store
        # one more than asked for tells whether there is another page
        points = await server.samples.async_run(
            store.series, server.server_id, match["metric"], start, end, limit + 1
        )
        rest = points[limit:]
        return {
            "device": server.server_id,
            "metric": match["metric"],
            "points": points[:limit],
            "next": rest[0][0] if rest else None,
        }


@callback
def async_servers(hass: HomeAssistant) -> dict[str, ServerCoordinator]:
    """Return the servers that are loaded, by their ids."""
    return {
        entry.runtime_data.server_id: entry.runtime_data
        for entry in hass.config_entries.async_loaded_entries(DOMAIN)
        if entry.data[CONF_KIND] == SERVER
    }


def find(request: web.Request, device: str) -> ServerCoordinator:
    """Return a server."""
    if (server := async_servers(request.app[KEY_HASS]).get(device)) is None:
        raise ApiError(
            HTTPStatus.NOT_FOUND,
            "unknown_device",
            "There is no such server, or it is not loaded.",
        )
    return server


def present(server: ServerCoordinator) -> dict[str, Any]:
    """Return what is told of a server."""
    data = server.data
    last: datetime | None = data.last_report
    return {
        "id": server.server_id,
        "name": server.config_entry.title,
        "state": data.state,
        "last_report": last.isoformat() if last else None,
        "agent": data.agent,
    }


def moment(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a time in ms; both milliseconds and ISO 8601 are understood."""
    if (text := query.get(name)) is None:
        return default
    if text.isascii() and text.isdigit() and int(text) <= TIME_MAX:
        return int(text)
    if (parsed := dt_util.parse_datetime(text)) is not None:
        return max(0, int(dt_util.as_timestamp(parsed) * 1000))
    raise ApiError(
        HTTPStatus.BAD_REQUEST,
        "bad_time",
        f"The field {name} is neither milliseconds since 1970 nor an ISO 8601 time.",
    )


def whole(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a whole number from 1 up to a limit."""
    if (text := query.get(name)) is None:
        return default
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most:
        return int(text[:9])
    raise ApiError(
        HTTPStatus.BAD_REQUEST, "bad_number", f"The field {name} is 1 to {most}."
    )
