"""Blips over HTTP, from a real server with a meter on a serial line."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
import time
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
from tests.blip_meter.conftest import blip_entry, meter_subentry, set_up
from tests.blip_meter.line import SerialLine

from custom_components.rackwatt.api import blip_meters, blips
from custom_components.rackwatt.history.block import HOUR_MS
from custom_components.rackwatt.history.database import Blip, Database
from custom_components.rackwatt.history.store import (
    HistoryStore,
    async_get_store,
    async_loaded_store,
)

API = "/api/rackwatt/blip"
HOUR = 490_000
START = HOUR * HOUR_MS
# two hours with a gap between them, and a blip whose interval nobody knows
BLIPS = [
    (START, None),
    (START + 2000, 2000),
    (START + 5000, 3000),
    (START + 2 * HOUR_MS, 4000),
    (START + 2 * HOUR_MS + 60_000, 60_000),
]


@pytest.fixture
def entry(tmp_path: Any) -> MockConfigEntry:
    """Return a line with a meter; its port is not there."""
    meter = meter_subentry(impulses_per_kwh=500, ratio=2)
    return blip_entry(str(tmp_path / "blip"), meter)


@pytest.fixture
async def store(hass: HomeAssistant, entry: MockConfigEntry) -> HistoryStore:
    """Return a history with blips."""
    store = await async_get_store(hass)
    (subentry,) = entry.subentries.values()
    meter = (await store.async_load_meter(subentry.subentry_id)).meter
    await store._run(
        Database.write, store._opened, [Blip(meter, *blip) for blip in BLIPS], {}
    )
    return store


@pytest.fixture
async def client(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    store: HistoryStore,
    hass_client: ClientSessionGenerator,
) -> AsyncIterator[TestClient]:
    """Return a logged-in client."""
    await set_up(hass, entry)
    yield await hass_client()
    await hass.config_entries.async_unload(entry.entry_id)


async def ask(client: TestClient, path: str, **headers: str) -> Any:
    """Return the answer to a good question."""
    response = await client.get(f"{API}/{path}", headers=headers)
    assert response.status == HTTPStatus.OK, await response.text()
    assert response.headers["Cache-Control"] == "max-age=0, must-revalidate"
    return await response.json()


ANSWERS: list[tuple[str, Any]] = [
    ("last/1", [*BLIPS[-1]]),
    ("since/1/0", [list(blip) for blip in BLIPS]),
    (f"since/1/{START + 2000}", [list(blip) for blip in BLIPS[1:]]),
    (f"range/1/{START}/{START + 2000}", [[START, None], [START + 2000, 2000]]),
    (f"range/1/{START + 1}/{START}", []),
    ("last/1/999999999999999", [list(blip) for blip in BLIPS]),
    ("last/1/0", []),
    ("usage/1/999999999999999", [5]),
    ("usage/1/0", [0]),
    (f"aggregate/1/{START}/{HOUR_MS}/3", [[0, 3], [2 * HOUR_MS, 2]]),
    (f"aggregate/1/{START + 1}/3000/2", [[0, 1], [3000, 1]]),
    (f"aggregate/1/{START}/{HOUR_MS}/0", []),
    # 500 a kWh behind a transformer of 2: 4 Wh a blip, 14,400 J over 2.5 s
    (
        f"hourly/1/{START}/{START + 2 * HOUR_MS}",
        [
            [START, 3, 5760.0, 2000, 3000],
            [START + 2 * HOUR_MS, 2, 450.0, 4000, 60000],
        ],
    ),
    (f"hourly/1/{START + 1}/{START + HOUR_MS}", []),
    (
        f"hourly/1/{START}/{START}?extended=1",
        [[START, 3, 5760.0, 2000, 3000, 5000 / HOUR_MS, 12.0]],
    ),
    (
        f"minutely/1/{START + 1}/{START + 2 * HOUR_MS + 60_000}",
        [
            [START + 2 * HOUR_MS, 1, 3600.0, 4000, 4000],
            [START + 2 * HOUR_MS + 60_000, 1, 240.0, 60000, 60000],
        ],
    ),
    (
        f"minutely/1/{START}/{START}?extended=1",
        [[START, 3, 5760.0, 2000, 3000, 5000 / 60_000, 12.0]],
    ),
    (f"aggregate_hourly/1/{START}/{24 * HOUR_MS}/2", [[0, 6210.0]]),
    (
        f"aggregate_hourly/1/{START}/{2 * HOUR_MS}/2",
        [[0, 5760.0], [2 * HOUR_MS, 450.0]],
    ),
]


async def test_answers(client: TestClient) -> None:
    """As blipserver gave them; power by the meter's own constant and ratio."""
    for path, expected in ANSWERS:
        assert await ask(client, path) == expected, path


async def test_an_interval_that_nobody_knows_counts_as_a_blip_only(
    client: TestClient, store: HistoryStore, entry: MockConfigEntry
) -> None:
    """An hour without any known interval has no power."""
    (subentry,) = entry.subentries.values()
    meter = (await store.async_load_meter(subentry.subentry_id)).meter
    stamp = START + 9 * HOUR_MS
    await store._run(Database.write, store._opened, [Blip(meter, stamp, None)], {})
    assert await ask(client, f"hourly/1/{stamp}/{stamp}") == [
        [stamp, 1, None, None, None]
    ]
    assert await ask(client, f"minutely/1/{stamp}/{stamp}") == [
        [stamp, 1, None, None, None]
    ]
    assert await ask(client, f"aggregate_hourly/1/{stamp}/{HOUR_MS}/1") == []


BAD_QUESTIONS = [
    ("last/7", 404, "unknown_meter", "id"),
    ("blip/7", 404, "unknown_meter", "id"),
    ("last/99999999999999999999", 400, "too_long", "id"),
    ("last/x", 400, "not_a_number", "id"),
    ("last/1/1000000000000000", 400, "too_long", "ms"),
    ("since/1/12x", 400, "not_a_number", "stamp"),
    ("since/1/\u0661", 400, "not_a_number", "stamp"),
    ("range/1/0/-1", 400, "not_a_number", "to"),
    ("aggregate/1/0/0/10", 400, "too_small", "interval"),
    ("aggregate/1/0/1/1001", 400, "too_large", "count"),
    ("aggregate_hourly/1/0/0/10", 400, "too_small", "interval"),
    ("aggregate_hourly/1/0/1/1001", 400, "too_large", "count"),
    ("hourly/1/0/1?extended=2", 400, "too_large", "extended"),
    ("since/1/0?limit=0", 400, "too_small", "limit"),
    ("since/1/0?limit=100001", 400, "too_large", "limit"),
    ("since/1/0?cursor=x", 400, "not_a_number", "cursor"),
    ("usage/1/1.5", 400, "not_a_number", "ms"),
]


async def test_bad_questions(client: TestClient) -> None:
    """The answer names the parameter."""
    for path, status, error, parameter in BAD_QUESTIONS:
        response = await client.get(f"{API}/{path}")
        assert response.status == status
        body = await response.json()
        assert (body["error"], body["parameter"]) == (error, parameter)
        assert body["hint"].endswith(".")


FAR_AWAY = [
    "aggregate/1/999999999999999/999999999999999/1000",
    "aggregate_hourly/1/999999999999999/999999999999999/1000",
    "hourly/1/999999999999999/999999999999999",
    "minutely/1/999999999999999/999999999999999",
    "range/1/999999999999999/999999999999999",
]


async def test_far_away_there_is_nothing(client: TestClient) -> None:
    """Fifteen digits are a good number, even where no time is."""
    for path in FAR_AWAY:
        assert await ask(client, path) == [], path


async def test_a_meter_without_a_blip(
    hass: HomeAssistant, tmp_path: Any, hass_client: ClientSessionGenerator
) -> None:
    """The original's whole server stopped at this question."""
    await set_up(hass, blip_entry(str(tmp_path / "blip")))
    client = await hass_client()
    response = await client.get(f"{API}/last/1")
    assert response.status == HTTPStatus.NOT_FOUND
    assert (await response.json())["error"] == "no_blips"
    assert await ask(client, "usage/1/5000") == [0]
    assert await ask(client, "since/1/0") == []


async def test_pages(client: TestClient) -> None:
    """Following the links gives every row once."""
    for path in ("since/1/0", f"range/1/0/{10**15 - 1}", f"hourly/1/0/{10**15 - 1}"):
        everything, rows = await ask(client, path), []
        link: str | None = f"{API}/{path}?limit=2"
        while link is not None:
            response = await client.get(link)
            page = await response.json()
            assert len(page) <= 2
            rows += page
            following = response.links.get("next")
            link = None if following is None else str(following["url"].relative())
        assert rows == everything
    assert len(await ask(client, f"minutely/1/0/{10**15 - 1}?limit=2")) == 2


async def test_csv(client: TestClient) -> None:
    """For spreadsheets."""
    response = await client.get(
        f"{API}/since/1/0?limit=2", headers={"Accept": "text/csv"}
    )
    assert response.content_type == "text/csv"
    assert await response.text() == f"stamp,ms\n{START},\n{START + 2000},2000\n"
    response = await client.get(f"{API}/last/1", headers={"Accept": "text/csv"})
    assert await response.text() == f"stamp,ms\n{BLIPS[-1][0]},60000\n"


async def test_what_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    """By its ETag."""
    path = f"{API}/since/1/0"
    response = await client.get(path)
    again = await client.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status == HTTPStatus.NOT_MODIFIED
    assert await again.read() == b""
    other = await client.get(
        path + "?limit=1", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert other.status == HTTPStatus.OK


async def test_head(client: TestClient) -> None:
    """As the original."""
    response = await client.head(f"{API}/last/1")
    assert response.status == HTTPStatus.OK
    assert await response.read() == b""


async def test_meters_are_listed(client: TestClient, entry: MockConfigEntry) -> None:
    """With what a blip stands for."""
    response = await client.get(f"{API}/meters")
    assert await response.json() == {
        "meters": [
            {
                "id": "1",
                "qualified_id": f"{entry.entry_id}-1",
                "name": "Rack feed",
                "line": "Blip meter",
                "wh_per_blip": 4.0,
                "open": False,
            }
        ]
    }
    assert await ask(client, f"last/{entry.entry_id}-1") == [*BLIPS[-1]]


async def test_two_meters_of_one_number(
    hass: HomeAssistant, client: TestClient, entry: MockConfigEntry, tmp_path: Any
) -> None:
    """Their entries tell them apart."""
    other = blip_entry(str(tmp_path / "other"))
    await set_up(hass, other)
    response = await client.get(f"{API}/last/1")
    assert response.status == HTTPStatus.CONFLICT
    hint = (await response.json())["hint"]
    assert f"{entry.entry_id}-1" in hint
    assert f"{other.entry_id}-1" in hint
    assert await ask(client, f"usage/{other.entry_id}-1/5") == [0]
    assert await ask(client, f"last/{entry.entry_id}-1") == [*BLIPS[-1]]
    assert (await client.get(f"{API}/last/nobody-1")).status == HTTPStatus.NOT_FOUND
    listed = await (await client.get(f"{API}/meters")).json()
    assert [meter["id"] for meter in listed["meters"]] == [
        f"{entry.entry_id}-1",
        f"{other.entry_id}-1",
    ]


async def test_without_a_login(
    hass: HomeAssistant,
    client: TestClient,
    entry: MockConfigEntry,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closed as long as the option does not open it; then open, but not for ever."""
    anybody = await hass_client_no_auth()
    for path in ("last/1", "last/7", "blip/1", "meters"):
        response = await anybody.get(f"{API}/{path}")
        assert response.status == HTTPStatus.UNAUTHORIZED
    hass.config_entries.async_update_entry(entry, options={"open_api": True})
    await hass.async_block_till_done()
    origin = {"Origin": "http://power.example"}
    response = await anybody.get(f"{API}/last/1", headers=origin)
    assert await response.json() == [*BLIPS[-1]]
    assert response.headers["Access-Control-Allow-Origin"] == "http://power.example"
    assert (await anybody.get(f"{API}/last/7")).status == HTTPStatus.NOT_FOUND
    assert (await anybody.get(f"{API}/meters")).status == HTTPStatus.UNAUTHORIZED
    assert (await anybody.post(f"{API}/last/1")).status == HTTPStatus.METHOD_NOT_ALLOWED
    monkeypatch.setattr(blip_meters, "BURST", 3)
    monkeypatch.setattr(blip_meters, "RATE", 0.001)
    statuses = [(await anybody.get(f"{API}/last/1")) for _ in range(6)]
    assert statuses[-1].status == HTTPStatus.TOO_MANY_REQUESTS
    assert int(statuses[-1].headers["Retry-After"]) > 0
    assert (await statuses[-1].json())["error"] == "too_often"
    # whoever has a login is not held up
    assert await ask(client, "last/1") == [*BLIPS[-1]]


async def test_who_asks_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address has its own allowance, which comes back; few are remembered."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    rate = blip_meters.RateLimit()
    assert [rate.wait("a") for _ in range(blip_meters.BURST)] == [0] * 100
    assert rate.wait("a") == pytest.approx(1 / blip_meters.RATE)
    assert rate.wait("b") == 0
    now += 0.11
    assert [rate.wait("a") == 0 for _ in range(3)] == [True, True, False]
    monkeypatch.setattr(blip_meters, "ADDRESSES_MAX", 2)
    rate.wait("c")
    assert set(rate._left) == {"a", "c"}


async def test_waiting_for_a_blip(
    hass: HomeAssistant,
    tmp_path: Any,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everybody who waits gets it; whoever leaves costs nothing."""
    line = SerialLine(tmp_path / "blip")
    line.plug()
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    client = await hass_client()
    store = async_loaded_store(hass)
    assert store is not None
    tasks = [asyncio.create_task(client.get(f"{API}/blip/1")) for _ in range(20)]
    await until_waiting(store, 20)
    for task in tasks[:5]:
        task.cancel()
    await until_waiting(store, 15)
    line.send(b"1 1234\n1 1500\n1 1600\n")
    answers = [await task for task in tasks[5:]]
    bodies = [await answer.json() for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert abs(bodies[0][0] - time.time() * 1000) < 5000
    assert (await ask(client, "last/1"))[0] >= bodies[0][0]
    # without a login only so many may wait
    hass.config_entries.async_update_entry(entry, options={"open_api": True})
    await hass.async_block_till_done()
    monkeypatch.setattr(blips, "WAITING_MAX", 0)
    anybody = await hass_client_no_auth()
    response = await anybody.get(f"{API}/blip/1")
    assert response.status == HTTPStatus.TOO_MANY_REQUESTS
    # and a stop does not wait for anybody
    waiting = asyncio.create_task(client.get(f"{API}/blip/1"))
    await until_waiting(store, 1)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    assert (await waiting).status == HTTPStatus.SERVICE_UNAVAILABLE
    line.unplug()


async def until_waiting(store: HistoryStore, number: int) -> None:
    """Wait until so many wait."""
    async with asyncio.timeout(5):
        while sum(len(waiting) for waiting in store._waiting.values()) != number:
            await asyncio.sleep(0.01)


async def test_a_history_that_cannot_be_read(
    hass: HomeAssistant, client: TestClient, store: HistoryStore
) -> None:
    """The answer says so."""
    await store._run(lambda: store._opened._db.execute("UPDATE block SET data = x'00'"))
    response = await client.get(f"{API}/since/1/0")
    assert response.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "cannot be read" in (await response.json())["hint"]
    await store.async_close()
    response = await client.get(f"{API}/last/1")
    assert response.status == HTTPStatus.SERVICE_UNAVAILABLE


async def test_every_route_is_described(hass_client_no_auth: Any, client: Any) -> None:
    """In the OpenAPI document, with its parameters, and the schemas that it names."""
    anybody = await hass_client_no_auth()
    document = await (await anybody.get("/api/rackwatt/openapi.json")).json()
    described = {path for path in document["paths"] if path.startswith(API)}
    urls = {view(None, None).url for view in blips.VIEWS}  # type: ignore[arg-type]
    assert described == urls | {f"{API}/meters"}
    for view in blips.VIEWS:
        url = view(None, None).url  # type: ignore[arg-type]
        names = {
            (item["name"], item["in"])
            for item in document["paths"][url]["get"]["parameters"]
        }
        asked = {(name, "path") for name in ("id", *view.parameters)}
        if view.limit is not None:
            asked |= {("limit", "query"), ("cursor", "query")}
        if view.extends:
            asked.add(("extended", "query"))
        assert names == asked
