"""What the demo imports into the recorder."""

from datetime import UTC, datetime

from demo.history import rows_of
from demo.rack.part import Past

NOW = datetime(2026, 11, 22, 13, 37, tzinfo=UTC)
HOURS = 396 * 24


def test_measurement() -> None:
    """A measurement gets mean, minimum and maximum of each full hour."""
    past = Past(
        entity_id="sensor.power",
        unit="W",
        unit_class="power",
        value=lambda moment: float(moment.minute),
    )
    rows = rows_of(past, NOW)
    assert len(rows) == HOURS
    assert rows[-1] == {
        "start": "2026-11-22T12:00:00+00:00",
        "mean": 27.5,
        "min": 0.0,
        "max": 55.0,
    }


def test_total_ends_where_the_live_sum_starts() -> None:
    """A total grows by its rate and ends at zero."""
    past = Past(
        entity_id="sensor.energy",
        unit="kWh",
        unit_class="energy",
        value=lambda _: 0.25,
        is_total=True,
    )
    rows = rows_of(past, NOW)
    assert rows[0]["sum"] == 0.25 - HOURS * 0.25
    assert rows[-2]["sum"] == -0.25
    assert rows[-1]["sum"] == 0
