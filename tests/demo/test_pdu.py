"""The demo's PDUs: what their units measure, and that they do as they are told."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.rack import pdu as pdu_part
from demo.rack.blip import watts_at
from demo.rack.part import PartUnavailableError
from demo.rack.pdu import MODELS, Pdus, readings
from demo.rack.pdu_trees import RPDU2

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_readings_follow_the_rack() -> None:
    """A PDU carries its share, and less when outlets are off."""
    model = MODELS[0]
    on = dict.fromkeys(range(1, 25), True)
    whole = readings(model, on, NOON)
    assert whole[f"{RPDU2}.4.3.1.5.1"] * 10 == pytest.approx(
        watts_at(NOON) * model.share, abs=10
    )
    less = readings(model, on | {3: False}, NOON)
    assert less[f"{RPDU2}.9.4.3.1.7.3"] == 0
    assert less[f"{RPDU2}.4.3.1.5.1"] < whole[f"{RPDU2}.4.3.1.5.1"]


@pytest.mark.parametrize("model", MODELS)
def test_readings_are_objects_of_the_tree(model: pdu_part.Model) -> None:
    """Nothing is written that the card does not serve."""
    on = dict.fromkeys(range(1, model.outlets + 1), True)
    assert readings(model, on, NOON).keys() <= model.tree.keys()


async def test_pdus_run(
    tmp_path: Path, socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cards answer, measure and obey, on the same ports after a restart."""
    monkeypatch.setattr(pdu_part, "LOOK", 0.02)
    rack = Pdus(tmp_path)
    await rack.start()
    ports = [unit.card.port for unit in rack._units]
    left = rack._units[0]
    await left.card.set({f"{RPDU2}.9.2.4.1.5.3": 2})
    while left.on[3]:
        await asyncio.sleep(0.01)
    await rack.stop()
    again = Pdus(tmp_path)
    assert [unit.card.port for unit in again._units] == ports
    assert len(again.past()) == 8
    assert [line.name for line in again.consumers()][0] == "PDU left"


async def test_machine_without_net_snmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without net-snmp the part says what to install."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(PartUnavailableError, match="snmpd"):
        await Pdus(tmp_path).start()
