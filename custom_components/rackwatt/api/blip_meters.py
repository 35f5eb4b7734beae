"""Which meter a question is about, and who may ask."""

from dataclasses import dataclass
from http import HTTPStatus
import math
import time
from typing import Final

from aiohttp import hdrs, web

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import KEY_AUTHENTICATED, KEY_HASS

from ..blip_meter.const import CONF_OPEN_API
from ..blip_meter.coordinator import BlipMeterCoordinator, CountedMeter
from ..const import BLIP_METER, CONF_KIND, DOMAIN
from .blip_answers import Scale

# Numbers are whole and up to this long, as blipserver had it
DIGITS_MAX: Final = 15
# Without a login: so many questions at once, and so many a second for ever
BURST: Final = 100
RATE: Final = 20.0
# Addresses that are remembered; more at once are nobody's dormitory
ADDRESSES_MAX: Final = 10_000


class BlipApiError(Exception):
    """A question that has no answer: status and sentence."""

    def __init__(
        self, status: HTTPStatus, error: str, parameter: str, hint: str
    ) -> None:
        """Keep what the asker is told."""
        super().__init__(hint)
        self.status = status
        self.body = {"error": error, "parameter": parameter, "hint": hint}
        self.headers: dict[str, str] = {}


class TooOftenError(BlipApiError):
    """Somebody without a login asks too much."""

    def __init__(self, seconds: float) -> None:
        """Say when to ask again."""
        hint = "Too many questions without a login; wait a little."
        super().__init__(HTTPStatus.TOO_MANY_REQUESTS, "too_often", "", hint)
        del self.body["parameter"]
        self.headers = {hdrs.RETRY_AFTER: str(math.ceil(seconds))}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMeter:
    """A meter that can be asked about."""

    entry_id: str
    title: str
    name: str
    counted: CountedMeter
    open: bool

    @property
    def qualified(self) -> str:
        """Return the id that no other meter has."""
        return f"{self.entry_id}-{self.counted.number}"

    @property
    def scale(self) -> Scale:
        """Return what its blips stand for."""
        settings = self.counted.meter.settings
        return Scale(
            meter=self.counted.place,
            watt_ms=settings.watt_ms,
            wh=self.counted.counter.state.wh_per_impulse,
        )


@callback
def async_meters(hass: HomeAssistant) -> list[AskedMeter]:
    """Return the meters that are loaded."""
    return [
        AskedMeter(
            entry_id=entry.entry_id,
            title=entry.title,
            name=entry.subentries[counted.key].title,
            counted=counted,
            open=entry.options.get(CONF_OPEN_API, False),
        )
        for entry in hass.config_entries.async_loaded_entries(DOMAIN)
        if entry.data[CONF_KIND] == BLIP_METER
        and isinstance(entry.runtime_data, BlipMeterCoordinator)
        for counted in entry.runtime_data.meters.values()
    ]


@callback
def find_meter(request: web.Request, asked: str) -> AskedMeter:
    """Return the meter of an id: its number on the bus, or with its entry before it."""
    meters = async_meters(request.app[KEY_HASS])
    entry_id, _, text = asked.rpartition("-")
    number = whole("id", text)
    found = [
        meter
        for meter in meters
        if meter.counted.number == number and entry_id in ("", meter.entry_id)
    ]
    if not request.get(KEY_AUTHENTICATED, False):
        if not any(meter.open for meter in meters):
            raise web.HTTPUnauthorized
        found = [meter for meter in found if meter.open]
    if len(found) > 1:
        ids = ", ".join(meter.qualified for meter in found)
        raise BlipApiError(
            HTTPStatus.CONFLICT,
            "ambiguous",
            "id",
            f"Several meters have this number; ask for one of {ids}.",
        )
    if not found:
        raise BlipApiError(
            HTTPStatus.NOT_FOUND,
            "unknown_meter",
            "id",
            "There is no such meter, or it is not loaded.",
        )
    return found[0]


def whole(name: str, text: str, most: int | None = None) -> int:
    """Return a whole number of at most 15 digits."""
    if not (text.isascii() and text.isdigit()):
        raise BlipApiError(
            HTTPStatus.BAD_REQUEST, "not_a_number", name, f"{name} is a whole number."
        )
    if len(text) > DIGITS_MAX:
        raise BlipApiError(
            HTTPStatus.BAD_REQUEST,
            "too_long",
            name,
            f"{name} has at most {DIGITS_MAX} digits.",
        )
    if most is not None and int(text) > most:
        raise BlipApiError(
            HTTPStatus.BAD_REQUEST, "too_large", name, f"{name} is at most {most}."
        )
    return int(text)


class RateLimit:
    """How often an address may ask: a burst, and a steady rate after it."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, address: str) -> float:
        """Take note of a question; return the seconds to wait if it is one too many."""
        now = time.monotonic()
        left, since = self._left.pop(address, (float(BURST), now))
        left = min(float(BURST), left + (now - since) * RATE)
        wait = 0.0 if left >= 1 else (1 - left) / RATE
        self._left[address] = (left - (wait == 0), now)
        if len(self._left) > ADDRESSES_MAX:
            # the one that has been quiet for longest
            del self._left[next(iter(self._left))]
        return wait
