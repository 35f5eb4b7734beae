"""The blips of the meters, for programs: what blipserver answered, and a little more."""

from abc import abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
import sqlite3
import time
from typing import Any, ClassVar, Final, override

from aiohttp import hdrs, web

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers.http import KEY_AUTHENTICATED, KEY_HASS, HomeAssistantView

from ..history.block import DamagedBlockError
from ..history.store import HistoryClosedError, async_get_store
from . import blip_answers as answers
from .blip_meters import (
    AskedMeter,
    BlipApiError,
    RateLimit,
    TooOftenError,
    async_meters,
    find_meter,
    whole,
)

PREFIX: Final = "/api/rackwatt/blip"
# How many points blipserver gave at most, and how many can be asked for
POINTS_LIMIT: Final = 20_000
LIMIT_MAX: Final = 100_000
COUNT_MAX: Final = 1000
# How many may wait for a blip without a login
WAITING_MAX: Final = 2000
# When to ask again where they are too many, in s
RETRY_WAITING: Final = 10.0
# No time is later than what fifteen digits can say
EVER: Final = 10**15 - 1
# Compressing what fits into a few packets takes longer than sending it
COMPRESSED_FROM: Final = 4096

CSV: Final = "text/csv"
JSON: Final = "application/json"
HEADERS: Final = {hdrs.CACHE_CONTROL: "max-age=0, must-revalidate"}


class BlipView(HomeAssistantView):
    """What the views share: who may ask, errors as JSON, pages, ETags."""

    # a meter may be open to everybody: see find_meter()
    requires_auth = False
    # any page may ask, as with blipserver; without a token it only gets what is open
    cors_allowed = True

    route: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]] = ()
    limit: ClassVar[int | None] = None
    """How many rows there are where nobody says; None: there are no pages."""
    extends: ClassVar[bool] = False
    """Whether there is an extended form."""

    def __init__(self, hass: HomeAssistant, rate: RateLimit) -> None:
        """Be one of the routes that share their limits."""
        self.hass = hass
        self.rate = rate
        path = "".join(f"/{{{name}}}" for name in ("id", *self.parameters))
        self.url = f"{PREFIX}/{self.route}{path}"
        self.name = f"api:rackwatt:blip:{self.route}:{len(self.parameters)}"

    async def get(self, request: web.Request, **match: str) -> web.StreamResponse:
        """Answer a question."""
        try:
            meter = find_meter(request, match.pop("id"))
            numbers = {name: whole(name, text) for name, text in match.items()}
            self._limit_rate(request)
            return await self.answer(request, meter, **numbers)
        except BlipApiError as err:
            return self.json(err.body, err.status, err.headers)
        except ConfigEntryError, HistoryClosedError:
            return self._unavailable("The history is not open.")
        except (sqlite3.Error, OSError, DamagedBlockError) as err:
            return self._unavailable(f"The history cannot be read: {err}")

    async def head(self, request: web.Request, **match: str) -> web.StreamResponse:
        """Answer a question without the answer."""
        return await self.get(request, **match)

    def _unavailable(self, hint: str) -> web.Response:
        """Return that the answer has to wait."""
        return self.json(
            {"error": "history", "hint": hint}, HTTPStatus.SERVICE_UNAVAILABLE
        )

    def _limit_rate(self, request: web.Request) -> None:
        """Hold up whoever asks too often without a login."""
        if request.get(KEY_AUTHENTICATED, False):
            return
        if wait := self.rate.wait(request.remote or ""):
            raise TooOftenError(wait)

    @abstractmethod
    async def answer(
        self, request: web.Request, meter: AskedMeter, **numbers: int
    ) -> web.StreamResponse:
        """Return the answer."""

    async def send(
        self, request: web.Request, question: Any, *args: Any
    ) -> web.StreamResponse:
        """Ask the history and send what it says."""
        store = await async_get_store(self.hass)
        csv = CSV in request.headers.get(hdrs.ACCEPT, "")
        body = await store.async_ask(answers.answer, question, csv, *args)
        if body is None:
            raise BlipApiError(
                HTTPStatus.NOT_FOUND, "no_blips", "id", "No blip has come yet."
            )
        headers = {**HEADERS, hdrs.ETAG: body.etag, hdrs.VARY: hdrs.ACCEPT}
        if body.cursor is not None:
            following = request.rel_url.update_query(cursor=body.cursor)
            headers[hdrs.LINK] = f'<{following}>; rel="next"'
        if body.etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        response = web.Response(
            body=body.data,
            content_type=CSV if csv else JSON,
            charset="utf-8" if csv else None,
            headers=headers,
            zlib_executor_size=32768,
        )
        if len(body.data) > COMPRESSED_FROM:
            response.enable_compression()
        return response

    def page(self, query: Mapping[str, str], first: int) -> tuple[int, int]:
        """Return where a page begins, and how many rows it has."""
        assert self.limit is not None
        limit = self.limit
        if "limit" in query:
            limit = whole("limit", query["limit"], LIMIT_MAX)
        if limit < 1:
            raise BlipApiError(
                HTTPStatus.BAD_REQUEST, "too_small", "limit", "limit is at least 1."
            )
        if "cursor" in query:
            first = max(first, whole("cursor", query["cursor"]))
        return first, limit


class NextBlipView(BlipView):
    """The next blip, as soon as it comes."""

    route = "blip"

    def __init__(self, hass: HomeAssistant, rate: RateLimit) -> None:
        """Start with nobody waiting."""
        super().__init__(hass, rate)
        self._waiting = 0

    @override
    def _limit_rate(self, request: web.Request) -> None:
        """Who waits does not ask often; only how many wait is limited."""
        if self._waiting >= WAITING_MAX and not request.get(KEY_AUTHENTICATED, False):
            raise TooOftenError(RETRY_WAITING)

    @override
    async def answer(
        self, request: web.Request, meter: AskedMeter, **numbers: int
    ) -> web.StreamResponse:
        """Wait for a blip."""
        store = await async_get_store(self.hass)
        self._waiting += 1
        try:
            blip = await store.async_next_blip(meter.counted.place)
        finally:
            self._waiting -= 1
        return self.json([blip.stamp, blip.ms], headers=HEADERS)


class LastBlipView(BlipView):
    """The latest blip."""

    route = "last"

    @override
    async def answer(
        self, request: web.Request, meter: AskedMeter, **numbers: int
    ) -> web.StreamResponse:
        """Return it."""
        return await self.send(request, answers.last, meter.scale)


class RangeView(BlipView):
    """Blips between two stamps, both included; the oldest of them."""

    route = "range"
    parameters: ClassVar[tuple[str, ...]] = ("from", "to")
    limit = LIMIT_MAX

    @override
    async def answer(
        self, request: web.Request, meter: AskedMeter, **numbers: int
    ) -> web.StreamResponse:
        """Return a page of them."""
        first, to = self.span(**numbers)
        first, limit = self.page(request.query, first)
        return await self.send(request, answers.points, meter.scale, first, to, limit)

    def span(self, **numbers: int) -> tuple[int, int]:
        """Return the first and last stamp that is asked for."""
        return numbers["from"], numbers["to"]


class SinceView(RangeView):
    """Blips since a stamp, the oldest of them."""

    route = "since"
    parameters: ClassVar[tuple[str, ...]] = ("stamp",)
    limit = POINTS_LIMIT

    @override
    def span(self, **numbers: int) -> tuple[int, int]:
        """Return the first and last stamp that is asked for."""
        return numbers["stamp"], EVER


class LatestView(RangeView):
    """Blips of the last so many milliseconds, the oldest of them."""

    route = "last"
    parameters: ClassVar[tuple[str, ...]] = ("ms",)
    limit = POINTS_LIMIT

    @override
    def span(self, **numbers: int) -> tuple[int, int]:
        """Return the first and last stamp that is asked for."""
        return ago(numbers["ms"]), EVER


class AggregateView(BlipView):
    """How many blips came in each interval."""

    route = "aggregate"
    parameters: ClassVar[tuple[str, ...]] = ("from", "interval", "count")
    question: ClassVar[Any] = staticmethod(answers.aggregate)

    @override
    async def answer(
        self, request: web.Request, meter: AskedMeter, **numbers: int
    ) -> web.StreamResponse:
        """Return the counts."""
        if numbers["count"] > COUNT_MAX:
            raise BlipApiError(
                HTTPStatus.BAD_REQUEST,
                "too_large",
                "count",
                f"count is at most {COUNT_MAX}.",
            )
        if numbers["interval"] == 0:
            raise BlipApiError(
                HTTPStatus.BAD_REQUEST,
                "too_small",
                "interval",
                "interval is at least 1.",
            )
        return await self.send(request, self.question, meter.scale, *numbers.values())


class AggregateHourlyView(AggregateView):
    """The hours' mean power, summed over each interval."""

    route = "aggregate_hourly"
    question = staticmethod(answers.aggregate_hourly)


class HourlyView(BlipView):
    """The sums of the hours between two stamps, both included."""

    route = "hourly"
    parameters: ClassVar[tuple[str, ...]] = ("from", "to")
    limit = LIMIT_MAX
    extends = True
    question: ClassVar[Any] = staticmethod(answers.hourly)

    @override
    async def answer(
        self, request: web.Request, meter: AskedMeter, **numbers: int
    ) -> web.StreamResponse:
        """Return a page of them."""
        first, limit = self.page(request.query, numbers["from"])
        extended = whole("extended", request.query.get("extended", "0"), 1) == 1
        return await self.send(
            request, self.question, meter.scale, first, numbers["to"], limit, extended
        )


class MinutelyView(HourlyView):
    """The sums of the minutes between two stamps, both included."""

    route = "minutely"
    question = staticmethod(answers.minutely)


class UsageView(BlipView):
    """How many blips came in the last so many milliseconds."""

    route = "usage"
    parameters: ClassVar[tuple[str, ...]] = ("ms",)

    @override
    async def answer(
        self, request: web.Request, meter: AskedMeter, **numbers: int
    ) -> web.StreamResponse:
        """Return the count."""
        first = ago(numbers["ms"])
        return await self.send(request, answers.usage, meter.scale, first)


class MetersView(HomeAssistantView):
    """The meters that can be asked about."""

    url = f"{PREFIX}/meters"
    name = "api:rackwatt:blip:meters"

    async def get(self, request: web.Request) -> web.Response:
        """Return their ids and what a blip stands for."""
        meters = async_meters(request.app[KEY_HASS])
        numbers = [meter.counted.number for meter in meters]
        return self.json(
            {
                "meters": [
                    {
                        "id": str(number)
                        if numbers.count(number) == 1
                        else meter.qualified,
                        "qualified_id": meter.qualified,
                        "name": meter.name,
                        "line": meter.title,
                        "wh_per_blip": meter.scale.wh,
                        "open": meter.open,
                    }
                    for number, meter in zip(numbers, meters, strict=True)
                ]
            }
        )


VIEWS: Final[tuple[type[BlipView], ...]] = (
    NextBlipView,
    LastBlipView,
    LatestView,
    SinceView,
    RangeView,
    AggregateView,
    AggregateHourlyView,
    HourlyView,
    MinutelyView,
    UsageView,
)


def ago(ms: int) -> int:
    """Return when so many milliseconds before now was; not before 1970."""
    return max(0, time.time_ns() // 1_000_000 - ms)


def async_setup_blip_api(hass: HomeAssistant) -> None:
    """Register what programs can ask about blips."""
    rate = RateLimit()
    hass.http.register_view(MetersView())
    for view in VIEWS:
        hass.http.register_view(view(hass, rate))
