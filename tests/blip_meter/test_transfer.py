"""Import and export of blips by action."""

from datetime import timedelta
import gzip
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util

from .conftest import blip_entry, set_up
from .line import SerialLine

ENERGY = "sensor.rack_feed_energy"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _custom_integrations(
    recorder_mock: Recorder, enable_custom_integrations: None
) -> None:
    """Let Home Assistant find Rackwatt, after the recorder."""


@pytest.fixture
async def entry(
    hass: HomeAssistant, tmp_path: Path, line: SerialLine
) -> MockConfigEntry:
    """Return a loaded entry."""
    hass.config.allowlist_external_dirs = {str(tmp_path / "allowed")}
    (tmp_path / "allowed").mkdir()
    entry = blip_entry(line.port)
    await set_up(hass, entry)
    return entry


async def act(hass: HomeAssistant, action: str, **data: Any) -> Any:
    """Carry out an action and return its answer."""
    answer = await hass.services.async_call(
        "rackwatt",
        action,
        {"entity_id": ENERGY, **data},
        blocking=True,
        return_response=True,
    )
    assert answer is not None
    return answer[ENERGY]


@pytest.mark.usefixtures("entry")
async def test_there_and_back(hass: HomeAssistant, tmp_path: Path) -> None:
    """An import fills blips and statistics; an export gives the same blips."""
    begin = dt_util.utcnow().replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    first = int(begin.timestamp() * 1000)
    # 100, 200 and 300 Wh in three hours
    rows = [
        f"1,{first + hour * 3_600_000 + number * 5000},5000\n"
        for hour, blips in enumerate((100, 200, 300))
        for number in range(blips)
    ]
    path = tmp_path / "allowed" / "readings.csv.gz"
    path.write_bytes(
        gzip.compress(("id,stamp,ms\n" + "".join(rows) + "oops\n").encode())
    )
    answer = await act(hass, "import_blips", path=str(path), source_id=1)
    assert answer == {
        "blips": 600,
        "new": 600,
        "unknown_intervals": 0,
        "malformed": 1,
        "malformed_lines": [602],
        "statistics": 3,
    }
    await async_wait_recording_done(hass)
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        begin - HOUR,
        None,
        {ENERGY},
        "hour",
        {"energy": "Wh"},
        {"sum", "change"},
    )
    # the sum ends where a live one begins, at nought
    assert [row["sum"] for row in found[ENERGY]] == pytest.approx([-500, -300, 0])
    assert [row["change"] for row in found[ENERGY]][1:] == pytest.approx([200, 300])
    again = await act(hass, "import_blips", path=str(path), source_id=1)
    assert (again["blips"], again["new"], again["statistics"]) == (600, 0, 0)
    export = tmp_path / "allowed" / "blips.csv"
    assert await act(hass, "export_blips", path=str(export)) == {"blips": 600}
    assert export.read_text() == "id,stamp,ms\n" + "".join(rows)
    answer = await act(
        hass,
        "export_blips",
        path=str(export),
        start=(begin + HOUR).isoformat(),
        end=(begin + 2 * HOUR - timedelta(milliseconds=1)).isoformat(),
    )
    assert answer == {"blips": 200}
    assert sorted(file.name for file in export.parent.iterdir()) == [
        "blips.csv",
        "readings.csv.gz",
    ]


@pytest.mark.usefixtures("entry")
async def test_what_cannot_be_done(hass: HomeAssistant, tmp_path: Path) -> None:
    """Each fault is a sentence."""
    allowed = tmp_path / "allowed"
    (allowed / "broken.gz").write_bytes(gzip.compress(b"1" * 99)[:-9])
    (allowed / "folder").mkdir()
    for action, path, sentence in (
        ("import_blips", tmp_path / "elsewhere", "path_not_allowed"),
        ("export_blips", tmp_path / "elsewhere", "path_not_allowed"),
        ("import_blips", allowed / "missing", "dump_unreadable"),
        ("import_blips", allowed / "broken.gz", "dump_unreadable"),
        ("export_blips", allowed / "folder", "export_failed"),
        ("export_blips", allowed / "no" / "folder", "export_failed"),
    ):
        with pytest.raises(ServiceValidationError) as raised:
            await act(hass, action, path=str(path))
        assert raised.value.translation_key == sentence, path
    with pytest.raises(ServiceValidationError) as raised:
        await hass.services.async_call(
            "rackwatt",
            "import_blips",
            {"entity_id": "sensor.rack_feed_power", "path": str(allowed)},
            blocking=True,
        )
    assert raised.value.translation_key == "not_a_meter"
