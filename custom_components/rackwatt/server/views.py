"""The addresses that agents speak to.

Errors are returned, never raised as HTTPUnauthorized: Home Assistant takes that for a
failed login and bans the address, the user's own where both share a router.
"""

import time
from typing import TYPE_CHECKING, Any, Final
import zlib

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from homeassistant.helpers.http import HomeAssistantView
from homeassistant.util.json import json_loads

from .report import (
    API,
    KEY_HEADER,
    MACHINE_HEADER,
    MAX_BODY,
    SCHEMA,
    ReportError,
    bad_body,
)

if TYPE_CHECKING:
    from .ingest import Reception


# What aiohttp raises for a body that is not what its headers say
BODY_ERRORS: Final = (
    ClientPayloadError,
    HttpProcessingError,
    web.RequestPayloadError,
    zlib.error,
    ConnectionError,
    TimeoutError,
)


async def async_read_json(request: web.Request) -> Any:
    """Return the body; its size counts inflated."""
    # 2026.11 has an attribute of the view for this, 2026.10 has not
    request._client_max_size = MAX_BODY  # noqa: SLF001
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge as err:
        raise ReportError(
            413,
            "too_large",
            f"A body may have {MAX_BODY} bytes, inflated. Send fewer samples at once.",
        ) from err
    except BODY_ERRORS as err:
        # aiohttp would read on after the answer, and log its own error of it
        request.content.feed_eof()
        raise bad_body("The body is not what its Content-Encoding says.") from err
    try:
        return json_loads(body)
    except ValueError as err:
        raise bad_body("The body is not JSON.") from err


class AgentView(HomeAssistantView):
    """What the views share: no login of Home Assistant's, errors as JSON."""

    requires_auth = False
    max_body_size = MAX_BODY

    def __init__(self, reception: Reception) -> None:
        """Initialize the view."""
        self._reception = reception

    def _refuse(self, request: web.Request, err: ReportError) -> web.Response:
        """Return an error that programs and people can read."""
        headers = None
        if (retry := err.more.get("retry")) is not None:
            headers = {"Retry-After": str(retry)}
        response = self.json(err.to_json(), err.status, headers)
        if request.content.exception() is not None:
            response.force_close()  # nobody knows where the next request begins
        return response


class IngestView(AgentView):
    """Reports."""

    url = f"{API}/ingest"
    name = "api:rackwatt:ingest"

    async def post(self, request: web.Request) -> web.Response:
        """Take a report."""
        try:
            address = request.remote or ""
            # whoever has no key shall not make us read a megabyte
            sender = self._reception.authenticate(
                request.headers.get(KEY_HEADER),
                address,
                request.headers.get(MACHINE_HEADER),
            )
            raw = await async_read_json(request)
            ack = await self._reception.async_ingest(sender, address, raw)
        except ReportError as err:
            return self._refuse(request, err)
        return self.json(ack.to_json(time.time_ns() // 1_000_000))


class HelloView(AgentView):
    """Whether a key is valid."""

    url = f"{API}/hello"
    name = "api:rackwatt:hello"

    async def get(self, request: web.Request) -> web.Response:
        """Tell an agent that it is known."""
        try:
            answer = await self._reception.async_hello(
                request.headers.get(KEY_HEADER), request.remote or ""
            )
        except ReportError as err:
            return self._refuse(request, err)
        return self.json({"v": SCHEMA, **answer})


class EnrollView(AgentView):
    """A code against a key."""

    url = f"{API}/enroll"
    name = "api:rackwatt:enroll"

    async def post(self, request: web.Request) -> web.Response:
        """Make a host known."""
        try:
            raw = await async_read_json(request)
            answer = await self._reception.async_enroll(raw, request.remote or "")
        except ReportError as err:
            return self._refuse(request, err)
        return self.json({"v": SCHEMA, **answer})
