"""Follow the probes of a 1-Wire tree as they come, measure and go."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, override

from homeassistant.const import CONF_PATH
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.update_coordinator import UpdateFailed

from ..const import DOMAIN, LOGGER
from ..coordinator import RackwattConfigEntry, RackwattCoordinator
from ..requirements import W1THERMSENSOR, async_require
from .bus import BusReport, Folder, NotOneWireError, find_buses
from .const import (
    CONF_OFFSETS,
    CONF_POLL_INTERVAL,
    CONF_RESOLUTION,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_RESOLUTION,
)
from .probe_state import ProbeState, newcomer
from .worker import BusWorker

# A bus of 64 parasitic probes takes 50 s; what it finds is shown when it is there, in s
WAIT_FOR_BUSES = 10.0
WAIT_FOR_END = 5.0  # s; a cycle that is told to stop ends after one conversion

MISSING_PULL_UP = "missing_pull_up"
READ_ONLY = "one_wire_read_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeData:
    """What is known of a tree: its probes by their ids, and its buses by their names."""

    probes: Mapping[str, ProbeState]
    cycle_seconds: float | None
    """How long the slowest bus took."""

    @property
    def present(self) -> int:
        """Return the number of probes that are plugged in."""
        return sum(probe.is_present for probe in self.probes.values())


class TemperatureProbeCoordinator(RackwattCoordinator[TreeData]):
    """Read every bus of a tree, each in its own thread."""

    def __init__(self, hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
        """Initialize the coordinator."""
        interval = entry.options.get(CONF_POLL_INTERVAL, DEFAULT_POLL_INTERVAL)
        super().__init__(hass, entry, timedelta(seconds=interval))
        self.path = Path(entry.data[CONF_PATH])
        self._resolution = int(entry.options.get(CONF_RESOLUTION, DEFAULT_RESOLUTION))
        self._offsets: Mapping[str, float] = entry.options.get(CONF_OFFSETS, {})
        self._workers: dict[str, BusWorker] = {}
        self._cycles: dict[str, asyncio.Task[None]] = {}
        self._probes: dict[str, ProbeState] = {}
        self._dark: set[str] = set()
        self._reports: dict[str, BusReport] = {}
        self._issues: dict[str, str] = {}
        self._is_updating = False

    @override
    async def _async_setup(self) -> None:
        """Have the library at hand that finds and opens probes."""
        await async_require(self.hass, W1THERMSENSOR)

    @override
    async def _async_update_data(self) -> TreeData:
        """Read all buses; a slow one hands in its probes when it has them."""
        folders = await self._async_find_buses()
        await self._async_follow(folders)
        self._judge_buses()
        self._is_updating = True
        try:
            for folder in folders:
                self._start_cycle(folder)
            done, _ = await asyncio.wait(self._cycles.values(), timeout=WAIT_FOR_BUSES)
        finally:
            self._is_updating = False
        for cycle in done:
            cycle.result()
        return self._present_data()

    async def _async_find_buses(self) -> list[Folder]:
        """Return the buses of the tree, or say why it cannot be read."""
        try:
            return await self.hass.async_add_executor_job(find_buses, self.path)
        except NotOneWireError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="no_bus_master",
                translation_placeholders={"path": str(self.path)},
            ) from err
        except OSError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="tree_unreadable",
                translation_placeholders={
                    "path": str(self.path),
                    "error": err.strerror or str(err),
                },
            ) from err

    async def _async_follow(self, folders: list[Folder]) -> None:
        """Take note of buses and probes that came and went."""
        present = {folder.name: folder for folder in folders}
        for name in self._workers.keys() - present.keys():
            await self._async_drop(name)
        for name, folder in present.items():
            if worker := self._workers.get(name):
                worker.folder = folder
            else:
                self._workers[name] = BusWorker(folder, self._resolution)
        plugged = {probe: name for name, f in present.items() for probe in f.probes}
        for probe_id, bus in plugged.items():
            known = self._probes.get(probe_id) or newcomer(probe_id, bus)
            self._set_probe(known.plugged_in(bus))
        for probe_id in self._probes.keys() - plugged.keys():
            self._set_probe(self._probes[probe_id].pulled_out())
        self._count_missed()

    def _count_missed(self) -> None:
        """A bus that has hung up gives bad readings too."""
        for worker in self._workers.values():
            if worker.is_stuck:
                for probe_id in worker.folder.probes:
                    self._set_probe(self._probes[probe_id].missed())

    def _start_cycle(self, folder: Folder) -> None:
        """Let a bus be read, unless it still is."""
        cycle = self._cycles.get(folder.name)
        if cycle is None or cycle.done():
            self._cycles[folder.name] = self.config_entry.async_create_background_task(
                self.hass, self._read_bus(folder), f"rackwatt {folder.name}"
            )

    async def _read_bus(self, folder: Folder) -> None:
        """Read a bus and show what it had."""
        report = await self._workers[folder.name].read(folder)
        self._reports[report.bus] = report
        for reading in report.readings:
            if (probe := self._probes.get(reading.probe_id)) and probe.is_present:
                self._set_probe(probe.after(reading))
        self._judge_buses()
        if not self._is_updating:
            self.async_set_updated_data(self._present_data())

    def _set_probe(self, probe: ProbeState) -> None:
        """Keep what is known of a probe; log once when it goes and when it is back."""
        before = self._probes.get(probe.probe_id)
        self._probes[probe.probe_id] = probe
        if before and before.is_available and not probe.is_available:
            self._dark.add(probe.probe_id)
            reason = probe.last_fault if probe.is_present else "pulled out"
            LOGGER.warning("%s on %s is lost: %s", probe.probe_id, probe.bus, reason)
        elif probe.is_available and probe.probe_id in self._dark:
            self._dark.remove(probe.probe_id)
            LOGGER.info("%s on %s is back", probe.probe_id, probe.bus)

    def _present_data(self) -> TreeData:
        """Return what is known, with the user's corrections."""
        return TreeData(
            probes={key: self._corrected(probe) for key, probe in self._probes.items()},
            cycle_seconds=max(
                (report.seconds for report in self._reports.values()), default=None
            ),
        )

    def _corrected(self, probe: ProbeState) -> ProbeState:
        """Return a probe with its offset."""
        offset = self._offsets.get(probe.probe_id)
        if probe.celsius is None or not offset:
            return probe
        return replace(probe, celsius=probe.celsius + offset)

    @callback
    def _judge_buses(self) -> None:
        """Tell the user what is wrong with the wiring or the permissions."""
        phantoms = [
            name for worker in self._workers.values() for name in worker.folder.phantoms
        ]
        self._set_issue(MISSING_PULL_UP, ", ".join(phantoms))
        forbidden = [
            report.bus
            for report in self._reports.values()
            if report.trigger_denied or report.resolution_denied
        ]
        self._set_issue(READ_ONLY, ", ".join(sorted(forbidden)))

    @callback
    def _set_issue(self, key: str, details: str) -> None:
        """Raise an issue that names details, or take it back where there are none."""
        if self._issues.get(key, "") == details:
            return
        self._issues[key] = details
        issue_id = f"{key}_{self.config_entry.entry_id}"
        if not details:
            ir.async_delete_issue(self.hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            issue_id,
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=key,
            translation_placeholders={
                "name": self.config_entry.title,
                "path": str(self.path),
                "details": details,
            },
        )

    async def _async_drop(self, name: str) -> None:
        """Stop reading a bus."""
        worker = self._workers.pop(name)
        if not await worker.close(WAIT_FOR_END):
            LOGGER.warning("%s of %s is stuck in the kernel", name, self.path)
        self._cycles.pop(name).cancel()
        self._reports.pop(name, None)

    @override
    async def async_close(self) -> None:
        """End the threads."""
        await asyncio.gather(*(self._async_drop(name) for name in list(self._workers)))
        for key in (MISSING_PULL_UP, READ_ONLY):
            self._set_issue(key, "")

    @callback
    @override
    def async_forget_device(self, device: DeviceEntry) -> bool:
        """Forget a probe that was removed by hand; one that is plugged in stays."""
        probes = {key for domain, key in device.identifiers if domain == DOMAIN}
        if self.config_entry.entry_id in probes or any(
            probe.is_present for key, probe in self._probes.items() if key in probes
        ):
            return False
        for key in probes:
            self._probes.pop(key, None)
        self.async_set_updated_data(self._present_data())
        return True

    @override
    def diagnostics(self) -> dict[str, Any]:
        """Return how the buses were read last."""
        return {
            name: {
                "method": report.method,
                "seconds": round(report.seconds, 3),
                "phantoms": report.phantoms,
                "trigger_denied": report.trigger_denied,
                "resolution_denied": report.resolution_denied,
                "is_stuck": self._workers[name].is_stuck,
            }
            for name, report in self._reports.items()
        }
