"""The rack's PDUs: network cards that are net-snmp's agents, and the units behind them."""

import asyncio
from collections.abc import Mapping
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
import shutil
from typing import ClassVar

from .blip import watts_at
from .part import Consumer, PartUnavailableError, Past
from .pdu_trees import RARITAN, RPDU, RPDU2, Tree, raritan, rpdu, rpdu2
from .pdu_unit import RARITAN_WIRING, RPDU2_WIRING, RPDU_WIRING, Unit, Wiring
from .snmpd import AUTH_KEY, PRIV_KEY, USERNAME, Snmpd
from demo.client import Client

LOOK = 1.0  # s between looks at the commands that came in
MEASURE = 5.0  # s between new readings
COUNTING_SINCE = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A PDU of the rack."""

    slug: str
    tree: Tree
    wiring: Wiring
    outlets: int
    share: float
    """How much of the rack's power it carries."""
    metered_outlets: bool = False


MODELS = (
    Model(
        slug="left",
        tree=rpdu2(name="pdu-left"),
        wiring=RPDU2_WIRING,
        outlets=24,
        share=0.4,
        metered_outlets=True,
    ),
    Model(
        slug="switched",
        tree=rpdu2(
            serial="ZA1700000011",
            model="AP7921B",
            name="pdu-switched",
            outlets=8,
            metered=False,
            probe=False,
            mac="00:c0:b7:10:20:31",
        ),
        wiring=RPDU2_WIRING,
        outlets=8,
        share=0.1,
    ),
    Model(
        slug="chain",
        tree=rpdu2(
            serial="ZA1700000021",
            model="AP8641",
            name="pdu-chain",
            outlets=4,
            probe=False,
            guests=("ZA1700000022",),
            mac="00:c0:b7:10:20:32",
        ),
        wiring=RPDU2_WIRING,
        outlets=8,
        share=0.15,
        metered_outlets=True,
    ),
    Model(slug="old", tree=rpdu(outlets=8), wiring=RPDU_WIRING, outlets=8, share=0.1),
    Model(
        slug="right",
        tree=raritan(outlets=12),
        wiring=RARITAN_WIRING,
        outlets=12,
        share=0.25,
        metered_outlets=True,
    ),
)


def outlet_share(model: Model, number: int) -> float:
    """Return how much of a PDU's power hangs on an outlet: every sixth one is free."""
    loads = [n for n in range(1, model.outlets + 1) if n % 6]
    return 0.0 if number % 6 == 0 else (1 + number % 5) / sum(1 + n % 5 for n in loads)


def readings(model: Model, on: Mapping[int, bool], moment: datetime) -> dict[str, int]:
    """Return what a PDU measures at an instant, by the names of its objects."""
    watts = watts_at(moment) * model.share
    hours = (moment - COUNTING_SINCE).total_seconds() / 3600
    counted = 380 * model.share * hours  # Wh at the rack's mean power
    live = {number: outlet_share(model, number) * on[number] for number in on}
    watts *= sum(live.values())
    if model.wiring is RARITAN_WIRING:
        return _raritan(watts, counted, live)
    if model.wiring is RPDU_WIRING:
        return {
            f"{RPDU}.1.16.0": round(watts),
            f"{RPDU}.2.3.1.1.2.1": round(watts / 23),
        }
    found: dict[str, int] = {}
    modules = [n for n in (1, 2) if f"{RPDU2}.4.3.1.5.{n}" in model.tree]
    each = watts / len(modules)
    for module in modules:
        found |= {
            f"{RPDU2}.4.3.1.5.{module}": round(each / 10),
            f"{RPDU2}.4.3.1.9.{module}": int(counted / len(modules) / 100),
            f"{RPDU2}.4.3.1.16.{module}": round(each / 9.6),
            f"{RPDU2}.6.3.1.5.{module}": round(each / 23),
            f"{RPDU2}.6.3.1.7.{module}": round(each / 10),
        }
    if model.metered_outlets:
        for number, share in live.items():
            mine = outlet_share(model, number)
            found[f"{RPDU2}.9.4.3.1.6.{number}"] = round(watts * share / 23)
            found[f"{RPDU2}.9.4.3.1.7.{number}"] = round(watts * share)
            found[f"{RPDU2}.9.4.3.1.11.{number}"] = int(counted * mine / 100)
    return found


def _raritan(watts: float, counted: float, live: Mapping[int, float]) -> dict[str, int]:
    """Return what a Raritan measures."""
    found = {
        f"{RARITAN}.5.2.3.1.4.1.1.1": round(watts / 0.229),
        f"{RARITAN}.5.2.3.1.4.1.1.5": round(watts),
        f"{RARITAN}.5.2.3.1.4.1.1.8": int(counted),
    }
    for number, share in live.items():
        place = f"{RARITAN}.5.4.3.1.4.1.{number}"
        found[f"{place}.1"] = round(watts * share / 0.229)
        found[f"{place}.5"] = round(watts * share)
        found[f"{place}.8"] = int(counted / len(live))
    return found


class Pdus:
    """Five PDUs: metered by outlet, switched, a chain of two, an old one, a Raritan."""

    name: ClassVar[str] = "pdu"

    def __init__(self, directory: Path) -> None:
        """Describe them; ports and engines stay what they are over restarts."""
        self._units = []
        for number, model in enumerate(MODELS):
            place = directory / f"pdu_{model.slug}"
            card = Snmpd(
                directory=place,
                tree=model.tree,
                engine_id=f"0x80001f88807261636b{number:02x}",
                port=_lasting_port(place / "port"),
            )
            self._units.append(
                Unit(card=card, wiring=model.wiring, outlets=model.outlets)
            )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Give the PDUs power."""
        if not all(map(shutil.which, ("snmpd", "snmpget", "snmpset"))):
            raise PartUnavailableError(
                "net-snmp is missing. Install the packages snmpd and snmp."
            )
        for unit in self._units:
            await unit.card.start()
            (unit.card.directory / "port").write_text(str(unit.card.port))
            unit.start(every=LOOK)
        self._task = asyncio.create_task(self._measure())

    async def stop(self) -> None:
        """Take their power away."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for unit in self._units:
            await unit.stop()
            await unit.card.stop()

    async def _measure(self) -> None:
        """Let the loads follow the day's curve."""
        while True:
            for model, unit in zip(MODELS, self._units, strict=True):
                # the agent may be stopping
                with contextlib.suppress(RuntimeError):
                    now = readings(model, unit.on, datetime.now(UTC))
                    await unit.card.set(now)
            await asyncio.sleep(MEASURE)

    async def create(self, client: Client) -> None:
        """Add the PDUs to Home Assistant, and a group of two outlets."""
        for unit in self._units:
            step = await client.create_entry(
                {"next_step_id": "pdu"},
                {"host": "127.0.0.1", "port": unit.card.port, "version": "3"},
                {
                    "username": USERNAME,
                    "auth_protocol": "sha256",
                    "auth_key": AUTH_KEY,
                    "priv_protocol": "aes128",
                    "priv_key": PRIV_KEY,
                },
            )
            if unit is self._units[0] and step["type"] == "create_entry":
                await client.create_subentry(
                    step["result"]["entry_id"],
                    "outlet_group",
                    {"name": "Storage server", "outlets": ["1.3", "1.4"]},
                )

    def past(self) -> tuple[Past, ...]:
        """Return power and energy of the PDUs that count energy."""
        return tuple(
            past
            for model in MODELS
            if model.wiring is not RPDU_WIRING
            for past in _past_of(model)
        )

    def consumers(self) -> tuple[Consumer, ...]:
        """Return the PDUs as devices behind the rack's feed."""
        return tuple(
            Consumer(
                name=f"PDU {model.slug}",
                energy=f"sensor.{_entity(model)}_energy",
                power=f"sensor.{_entity(model)}_power",
            )
            for model in MODELS
            if model.wiring is not RPDU_WIRING
        )


def _entity(model: Model) -> str:
    """Return how the entities of a PDU begin."""
    return "rack_right" if model.slug == "right" else f"pdu_{model.slug}"


def _past_of(model: Model) -> tuple[Past, ...]:
    """Return the history of a PDU."""

    def watts(moment: datetime) -> float:
        return watts_at(moment) * model.share

    return (
        Past(
            entity_id=f"sensor.{_entity(model)}_power",
            unit="W",
            unit_class="power",
            value=watts,
        ),
        Past(
            entity_id=f"sensor.{_entity(model)}_energy",
            unit="kWh",
            unit_class="energy",
            value=lambda moment: watts(moment) / 1000,
            is_total=True,
        ),
    )


def _lasting_port(path: Path) -> int:
    """Return the port that an earlier run had, 0 for a new one."""
    try:
        return int(path.read_text())
    except FileNotFoundError, ValueError:
        return 0
