"""The description of the API, for programs and their makers."""

from pathlib import Path
from typing import Final

from aiohttp import web

from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import HomeAssistantView

from .blips import async_setup_blip_api
from .servers import DevicesView, LatestView, MetricsView, SeriesView

DOCUMENT: Final = Path(__file__).with_name("openapi.json")


class OpenApiView(HomeAssistantView):
    """The OpenAPI document; it holds nothing of this installation."""

    url = "/api/rackwatt/openapi.json"
    name = "api:rackwatt:openapi"
    requires_auth = False

    def __init__(self, document: str) -> None:
        """Keep the document."""
        self._document = document

    async def get(self, request: web.Request) -> web.Response:
        """Return the document."""
        return web.Response(text=self._document, content_type="application/json")


async def async_setup_api(hass: HomeAssistant) -> None:
    """Register what programs can ask."""
    document = await hass.async_add_executor_job(DOCUMENT.read_text, "utf-8")
    hass.http.register_view(OpenApiView(document))
    for view in (DevicesView, LatestView, MetricsView, SeriesView):
        hass.http.register_view(view())
    async_setup_blip_api(hass)
