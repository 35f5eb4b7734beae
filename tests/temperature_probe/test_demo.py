"""The probes of the demo: plausible days, and a bus that starts and stops."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
import statistics

import pytest

from homeassistant.core import HomeAssistant

from .conftest import add_tree, state_of
from demo.rack.temperature_probe import PROBES, Climate, TemperatureProbes

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(("name", "climate"), PROBES.values())
def test_plausible_days(name: str, climate: Climate) -> None:
    """A year stays within what a rack in a room can have, and moves all the time."""
    year = [climate(START + timedelta(hours=hours)) for hours in range(0, 8760, 7)]
    assert min(year) > 15
    assert max(year) < 50
    assert statistics.pstdev(year) > 0.5


def test_outlet_is_warmer() -> None:
    """What the rack draws comes out behind it."""
    inlet, outlet = PROBES["28-00000a41f09e"][1], PROBES["28-00000a4233b1"][1]
    for hours in range(0, 8760, 11):
        moment = START + timedelta(hours=hours)
        assert 2 < outlet(moment) - inlet(moment) < 25


async def test_part(hass: HomeAssistant, tmp_path: Path) -> None:
    """Home Assistant reads the demo's probes; a bus that was killed starts anew."""
    path = tmp_path / "sys" / "bus" / "w1" / "devices"
    (path / "w1_bus_master1").mkdir(parents=True)
    part = TemperatureProbes(tmp_path)
    await part.start()
    entry = await add_tree(hass, path)
    for probe_id, past in zip(PROBES, part.past(), strict=True):
        state = state_of(hass, f"{probe_id}_temperature")
        assert state is not None
        assert state.entity_id == past.entity_id
        assert float(state.state) == pytest.approx(past.value(datetime.now(UTC)), abs=1)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await part.stop()
    await part.stop()
    assert not path.exists()
    assert part.consumers() == ()
