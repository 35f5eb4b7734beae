"""The history file in Home Assistant."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
import logging
from pathlib import Path
import sqlite3
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from custom_components.rackwatt import backup
from custom_components.rackwatt.const import DOMAIN
from custom_components.rackwatt.counter import CounterState
from custom_components.rackwatt.history import store as store_module
from custom_components.rackwatt.history.database import SCHEMA_VERSION, Blip, Database
from custom_components.rackwatt.history.reader import Reader
from custom_components.rackwatt.history.store import (
    FILE_NAME,
    HistoryStore,
    async_get_store,
    async_loaded_store,
)


@pytest.fixture
async def store(hass: HomeAssistant) -> AsyncIterator[HistoryStore]:
    """Return the open store."""
    store = await async_get_store(hass)
    yield store
    hass.bus.async_fire(EVENT_HOMEASSISTANT_CLOSE)
    await hass.async_block_till_done()


def count(impulses: int) -> CounterState:
    """Return the state of a counter."""
    return CounterState(impulses=impulses, wh_per_impulse=1.0)


def rows(hass: HomeAssistant) -> int:
    """Return how many blips another program sees."""
    db = sqlite3.connect(f"file:{hass.config.path(FILE_NAME)}?mode=ro", uri=True)
    try:
        return int(db.execute("SELECT count(*) FROM blip").fetchone()[0])
    finally:
        db.close()


async def test_a_blip_is_stored_within_a_second(
    hass: HomeAssistant, store: HistoryStore
) -> None:
    """Without anybody asking for it."""
    meter = (await store.async_load_meter("a")).meter
    store.add_blip(Blip(meter, 1000, None), "a", count(1))
    store.add_blip(Blip(meter, 2000, 1000), "a", count(2))
    async with asyncio.timeout(1):
        while rows(hass) < 2:
            await asyncio.sleep(0.02)


async def test_what_was_just_saved_is_what_is_loaded(store: HistoryStore) -> None:
    """A reload does not go back to what was stored a second ago."""
    store.save_counter("clamp", CounterState(base_wh=7.5))
    assert await store.async_load_counter("clamp") == CounterState(base_wh=7.5)


async def test_one_store_for_all(hass: HomeAssistant, store: HistoryStore) -> None:
    """Two entries that load at once share it."""
    found = await asyncio.gather(async_get_store(hass), async_get_store(hass))
    assert found == [store, store]


async def test_the_last_blips_are_stored_at_the_end(hass: HomeAssistant) -> None:
    """Stopping Home Assistant loses nothing."""
    store = await async_get_store(hass)
    meter = (await store.async_load_meter("a")).meter
    store.add_blip(Blip(meter, 1000, None), "a", count(1))
    hass.bus.async_fire(EVENT_HOMEASSISTANT_CLOSE)
    await hass.async_block_till_done()
    assert async_loaded_store(hass) is None
    assert not Path(hass.config.path(FILE_NAME + "-wal")).exists()
    assert rows(hass) == 1


async def test_the_file_is_synced_every_30_s(
    hass: HomeAssistant, store: HistoryStore
) -> None:
    """A power cut loses no more than that."""
    with patch.object(Database, "sync", autospec=True) as sync:
        for times in (1, 2):
            later = dt_util.utcnow() + timedelta(seconds=31 * times)
            async_fire_time_changed(hass, later)
            async with asyncio.timeout(5):
                while sync.call_count < times:
                    await asyncio.sleep(0.01)
            # what fails once is tried again
            sync.side_effect = sqlite3.OperationalError("disk I/O error")


async def test_a_full_disk_loses_nothing(
    hass: HomeAssistant,
    store: HistoryStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The user is told once; what came in is written when there is room."""
    monkeypatch.setattr(store_module, "COMMIT_DELAY", 0.01)
    monkeypatch.setattr(store_module, "RETRY_DELAY", 0.02)
    meter = (await store.async_load_meter("a")).meter
    issues = ir.async_get(hass)
    full = sqlite3.OperationalError("database or disk is full")
    with patch.object(Database, "write", side_effect=full) as write:
        for number in range(5):
            store.add_blip(Blip(meter, 1000 + number, None), "a", count(number + 1))
            await asyncio.sleep(0.03)
        assert write.call_count >= 2
        issue = issues.async_get_issue(DOMAIN, "history_cannot_write")
        assert issue is not None and issue.translation_placeholders is not None
        assert "disk is full" in issue.translation_placeholders["error"]
    async with asyncio.timeout(5):
        while rows(hass) < 5:
            await asyncio.sleep(0.02)
        while issues.async_get_issue(DOMAIN, "history_cannot_write"):
            await asyncio.sleep(0.02)
    assert caplog.text.count("cannot be written") == 1
    assert caplog.text.count("is written again") == 1
    assert (await store.async_load_meter("a")).counter == count(5)


async def test_memory_has_an_end_too(
    store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a disk that never takes anything the oldest blips go, not the counter."""
    monkeypatch.setattr(store_module, "MAX_PENDING_BLIPS", 3)
    full = sqlite3.OperationalError("database or disk is full")
    with patch.object(Database, "write", side_effect=full):
        for number in range(5):
            store.add_blip(Blip(1, number, None), "a", count(number + 1))
        with pytest.raises(sqlite3.OperationalError):
            await store.async_flush()
    assert [blip.stamp for blip in store._blips] == [2, 3, 4]
    assert (await store.async_load_counter("a")) == count(5)


async def test_a_disk_that_is_full_to_the_end_is_told_of(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopping does not hang or raise."""
    store = await async_get_store(hass)
    full = sqlite3.OperationalError("database or disk is full")
    store.save_counter("a", count(1))
    with (
        patch.object(Database, "write", side_effect=full),
        patch.object(Database, "close", side_effect=full),
    ):
        hass.bus.async_fire(EVENT_HOMEASSISTANT_CLOSE)
        await hass.async_block_till_done()
    assert "The last readings could not be stored" in caplog.text
    assert "The history could not be closed" in caplog.text
    caplog.handler.setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("newer", "history_too_new"),
        ("folder", "history_cannot_open"),
    ],
)
async def test_a_file_that_cannot_be_used(
    hass: HomeAssistant, damage: str, sentence: str
) -> None:
    """The user is told why, and what to do."""
    path = Path(hass.config.path(FILE_NAME))
    if damage == "newer":
        Database(path).close()
        db = sqlite3.connect(path)
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
        db.close()
    else:
        path.mkdir()
    with pytest.raises(ConfigEntryError) as raised:
        await async_get_store(hass)
    assert raised.value.translation_key == sentence
    assert async_loaded_store(hass) is None


async def test_a_backup_copies_a_still_file(
    hass: HomeAssistant, store: HistoryStore
) -> None:
    """Blips go on being stored while the main file does not change."""
    meter = (await store.async_load_meter("a")).meter
    path = Path(hass.config.path(FILE_NAME))
    await backup.async_pre_backup(hass)
    before = path.read_bytes()
    store.add_blip(Blip(meter, 1000, None), "a", count(1))
    await store.async_flush()
    await store._async_sync(dt_util.utcnow())
    assert path.read_bytes() == before
    assert rows(hass) == 1
    await backup.async_post_backup(hass)
    await store._async_sync(dt_util.utcnow())
    assert path.read_bytes() != before


async def test_a_backup_without_a_history(hass: HomeAssistant) -> None:
    """Nothing is opened for it."""
    await backup.async_pre_backup(hass)
    await backup.async_post_backup(hass)
    assert not Path(hass.config.path(FILE_NAME)).exists()


@pytest.mark.parametrize("damage", ["text", "foreign"])
async def test_a_file_that_is_not_ours_is_moved_aside(
    hass: HomeAssistant, damage: str
) -> None:
    """The user is told, and a new one is begun."""
    path = Path(hass.config.path(FILE_NAME))
    if damage == "text":
        path.write_text("nothing of ours" * 100)
    else:
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE other (x)")
        db.commit()
        db.close()
    before = path.read_bytes()
    store = await async_get_store(hass)
    (aside,) = path.parent.glob("rackwatt-damaged-*.db")
    assert aside.read_bytes() == before
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "history_moved_aside")
    assert issue is not None and issue.translation_placeholders is not None
    assert issue.translation_placeholders["aside"] == str(aside)
    meter = (await store.async_load_meter("a")).meter
    store.add_blip(Blip(meter, 1000, None), "a", count(1))
    await store.async_flush()
    assert rows(hass) == 1
    hass.bus.async_fire(EVENT_HOMEASSISTANT_CLOSE)
    await hass.async_block_till_done()


async def test_what_a_damaged_file_still_holds_is_saved(hass: HomeAssistant) -> None:
    """Counters go on where they were, and so does every hour that can be read."""
    path = Path(hass.config.path(FILE_NAME))
    file = Database(path)
    meter = file.load_meter("a").meter
    hours, start = 60, 490_000 * 3_600_000
    for hour in range(hours):
        stamps = range(start + hour * 3_600_000, start + (hour + 1) * 3_600_000, 2000)
        file.write([Blip(meter, stamp, 2000) for stamp in stamps], {"a": count(hour)})
    file.close()
    data = bytearray(path.read_bytes())
    # in the midst of the blocks
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = bytes(range(256)) * 16
    path.write_bytes(data)
    store = await async_get_store(hass)
    assert await store.async_load_counter("a") == count(hours - 1)
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "history_moved_aside")
    assert issue is not None and issue.translation_placeholders is not None
    saved = int(issue.translation_placeholders["hours"])
    assert hours - 10 < saved < hours
    found = await store.async_ask(Reader.hours, meter, 0, 2**24 - 1)
    assert sum(found.events) == sum(
        len(points.stamps)
        for points in [await store.async_ask(Reader.points, meter, 0, 10**15, 10**6)]
    )
    assert len(found.hours) == saved + 1
    hass.bus.async_fire(EVENT_HOMEASSISTANT_CLOSE)
    await hass.async_block_till_done()
