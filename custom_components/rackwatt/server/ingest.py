"""Take in what agents send: who it is from, what is committed, what they are told."""

import asyncio
from dataclasses import dataclass
import time
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_INTEGRATION_DISCOVERY,
    ConfigEntry,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import discovery_flow, issue_registry as ir
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_KIND, DOMAIN, LOGGER, SERVER
from ..history.sample_writer import STORE_ERRORS, async_get_samples
from ..history.samples import Committed, Incoming
from .const import ISSUE_CLONED, ISSUE_WRONG_KEY
from .keys import KeyRing
from .report import MAX_SAMPLES, Ack, Batch, Enrolment, ReportError
from .throttle import Throttle
from .views import EnrollView, HelloView, IngestView

if TYPE_CHECKING:
    from .coordinator import ServerCoordinator

FAILURES_A_MINUTE = 10
# A wrong key is worth a notice when it was not only mistyped
FAILURES_FOR_ISSUE = 3
# Guessing codes from many addresses at once: 20 a minute against 8.5e11 codes
CODE_FAILURES_A_MINUTE = 20
# An agent that works sends every few seconds; one that flushes its backlog waits for
# each answer, which takes as long as a commit
REPORTS_IN_5_S = 30

_RECEPTION: HassKey[Reception] = HassKey(f"{DOMAIN}_reception")
_OPENING: HassKey[asyncio.Lock] = HassKey(f"{DOMAIN}_reception_opening")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends: a server, and whether with the key that replaces its old one."""

    server_id: str
    with_next_key: bool


class Reception:
    """All that agents talk to."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize the reception."""
        self._hass = hass
        self.keys = KeyRing(hass)
        self._coordinators: dict[str, ServerCoordinator] = {}
        self._failures = Throttle(FAILURES_A_MINUTE, 60)
        self._code_failures = Throttle(CODE_FAILURES_A_MINUTE, 60)
        self._reports = Throttle(REPORTS_IN_5_S, 5)
        self._wrong_addresses: dict[str, None] = {}
        self._first_reports: dict[str, asyncio.Event] = {}
        self._enrolled: set[str] = set()

    # ------------------------------------------------------- what Home Assistant does

    @callback
    def async_attach(self, server_id: str, coordinator: ServerCoordinator) -> None:
        """Give a server's reports to its coordinator."""
        self._coordinators[server_id] = coordinator

    @callback
    def async_detach(self, server_id: str) -> None:
        """Its entry is unloaded: the agent keeps what it measures."""
        self._coordinators.pop(server_id, None)

    def first_report(self, server_id: str) -> asyncio.Event:
        """Return what is set when a server without an entry reports."""
        return self._first_reports.setdefault(server_id, asyncio.Event())

    @callback
    def async_end_waiting(self, server_id: str, code: str) -> None:
        """The dialog that waited for a server is closed.

        A host that has enrolled all the same, but has no entry, is offered.
        """
        self._first_reports.pop(server_id, None)
        if code:
            self._hass.async_create_task(self.keys.async_cancel_code(code))
        credential = self.keys.credential(server_id)
        if (
            credential is not None
            and credential.machine is not None
            and self._entry(server_id) is None
        ):
            self.async_discover(server_id)

    async def async_forget(self, server_id: str) -> None:
        """A server is deleted: its key is dead at once, its samples go."""
        self._first_reports.pop(server_id, None)
        await self.keys.async_forget(server_id)
        self._delete_cloned_issue(server_id)
        try:
            samples = await async_get_samples(self._hass)
            await samples.async_run(samples.store.forget, server_id)
        except STORE_ERRORS as err:
            LOGGER.warning("The samples of a deleted server stay: %s", err)

    # ----------------------------------------------------------- what agents do

    async def async_hello(self, key: str | None, address: str) -> dict[str, Any]:
        """Tell an agent whether its key is valid."""
        server_id = self.authenticate(key, address).server_id
        entry = self._entry(server_id)
        credential = self.keys.credential(server_id)
        name = entry.title if entry else credential and credential.hostname
        return {"name": name, "adopted": entry is not None}

    async def async_enroll(self, raw: Any, address: str) -> dict[str, Any]:
        """Exchange a code for a key."""
        request = Enrolment.from_json(raw)
        redeemed = await self.keys.async_redeem(
            request.code,
            request.machine,
            request.hostname,
            request.macs[0] if request.macs else None,
        )
        if redeemed is None:
            now = time.monotonic()
            count = self._code_failures.hit("", now)
            if self._code_failures.is_over(count):
                raise _too_many("Too many wrong codes.")
            self._count_failure(address)
            raise ReportError(
                401,
                "unknown_code",
                "The code is wrong, used up or too old. Let Home Assistant show a"
                " new one.",
            )
        server_id, key, expected = redeemed
        self._enrolled.add(server_id)
        LOGGER.info("%s enrolled from %s", request.hostname, address)
        if not expected and self._entry(server_id) is None:
            self.async_discover(server_id)
        return {"server": server_id, "key": key}

    async def async_ingest(self, sender: Sender, address: str, raw: Any) -> Ack:
        """Take a report; the answer says up to where it is committed."""
        server_id = sender.server_id
        if self._reports.is_over(self._reports.hit(server_id, time.monotonic())):
            raise _too_many("This server sends too many reports.")
        batch = Batch.from_json(raw)
        coordinator = await self._async_coordinator(server_id)
        await self._async_check_machine(server_id, batch.machine, address)
        if sender.with_next_key:
            await self.keys.async_confirm(server_id)
        received = time.time_ns() // 1_000_000
        times = tuple(batch.time_of(sample, received) for sample in batch.samples)
        if batch.live is not None:
            batch.time_of(batch.live, received)
        committed = await self._async_commit(
            coordinator, server_id, batch, times, received
        )
        if committed.expected is not None:
            raise ReportError(
                409,
                "gap",
                f"Samples are missing from number {committed.expected} on.",
                expect=committed.expected,
            )
        if committed.described:
            coordinator.async_report(batch, times, received, committed)
        return Ack(
            seq=committed.seq,
            want_description=not committed.described,
            max_samples=MAX_SAMPLES,
            new_key=self.keys.pending_keys.get(server_id),
        )

    # ------------------------------------------------------------------- helpers

    async def _async_commit(
        self,
        coordinator: ServerCoordinator,
        server_id: str,
        batch: Batch,
        times: tuple[int, ...],
        received: int,
    ) -> Committed:
        """Store a report."""
        incoming = Incoming(
            host=server_id,
            epoch=batch.epoch,
            digest=batch.digest,
            keys=batch.layout.keys,
            metrics=batch.layout.describe() if batch.described else None,
            rows=[
                (sample.seq, time, sample.values)
                for sample, time in zip(batch.samples, times, strict=True)
            ],
            skip=batch.skip,
            received=received,
            state={"bye": batch.bye, "agent": batch.agent, "iv": batch.interval_ms},
        )
        try:
            return await coordinator.samples.async_commit(incoming)
        except STORE_ERRORS as err:
            # live values go on, and the agent keeps what could not be stored
            if batch.layout.metrics or coordinator.knows(batch):
                coordinator.async_report(batch, times, received, None)
            raise ReportError(
                503,
                "store",
                "Home Assistant cannot write the samples, its disk may be full. They"
                " are kept here until it can.",
                retry=30,
            ) from err

    def authenticate(
        self, key: str | None, address: str, machine: str | None = None
    ) -> Sender:
        """Return whose key was sent."""
        found = self.keys.owner_of(key) if key else None
        if found is None:
            # nobody else knows this name of the machine: it lost its key
            server_id = self.keys.owner_of_machine(machine) if machine else None
            if server_id and (entry := self._entry(server_id)) is not None:
                entry.async_start_reauth(self._hass)
            self._count_failure(address)
            raise ReportError(
                401,
                "unknown_key",
                "Home Assistant does not know this key. The server may have been"
                " deleted there; add it again and enrol this machine anew.",
            )
        return Sender(server_id=found[0], with_next_key=found[1])

    async def _async_coordinator(self, server_id: str) -> ServerCoordinator:
        """Return who takes the reports of a server."""
        event = self._first_reports.get(server_id)
        if event is not None and server_id in self._enrolled:
            self._enrolled.discard(server_id)
            event.set()
        if (coordinator := self._coordinators.get(server_id)) is not None:
            return coordinator
        credential = self.keys.credential(server_id)
        if (entry := self._entry(server_id)) is None:
            raise ReportError(
                403,
                "waiting",
                "Enrolled. Adopt the discovered server in Home Assistant to see it.",
                retry=2 if event else 30,
                adopt=event is None and credential is not None,
            )
        if entry.disabled_by or entry.source == SOURCE_IGNORE:
            raise ReportError(
                403,
                "disabled",
                "This server is disabled or ignored in Home Assistant.",
            )
        raise ReportError(
            503, "not_loaded", "Home Assistant has not loaded this server.", retry=10
        )

    async def _async_check_machine(
        self, server_id: str, machine: str, address: str
    ) -> None:
        """Refuse a key that came to a second machine, by cloning or copying."""
        credential = self.keys.credential(server_id)
        if credential is None or credential.machine == machine:
            return
        if credential.machine is None:
            await self.keys.async_bind(server_id, machine)
            return
        entry = self._entry(server_id)
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            f"{ISSUE_CLONED}_{server_id}",
            data={"server_id": server_id, "machine": machine},
            is_fixable=True,
            severity=ir.IssueSeverity.ERROR,
            translation_key=ISSUE_CLONED,
            translation_placeholders={
                "name": entry.title if entry else server_id,
                "address": address,
            },
        )
        raise ReportError(
            409,
            "key_bound_to_other_machine",
            "This key belongs to another machine. Where this is a clone, add it in Home"
            " Assistant and enrol it with its own code; where it replaces the other,"
            " confirm that in Home Assistant's repairs.",
        )

    @callback
    def _delete_cloned_issue(self, server_id: str) -> None:
        """The server is gone, or its machine was accepted."""
        ir.async_delete_issue(self._hass, DOMAIN, f"{ISSUE_CLONED}_{server_id}")

    async def async_accept_machine(self, server_id: str, machine: str) -> None:
        """The user says that the server moved to another machine."""
        await self.keys.async_bind(server_id, machine)
        self._delete_cloned_issue(server_id)

    def _count_failure(self, address: str) -> None:
        """Count a wrong key or code; never by the login errors that ban an address."""
        count = self._failures.hit(address, time.monotonic())
        if count >= FAILURES_FOR_ISSUE and address not in self._wrong_addresses:
            self._wrong_addresses[address] = None
            LOGGER.warning("Wrong server keys come from %s", address)
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                ISSUE_WRONG_KEY,
                data={"addresses": ", ".join(self._wrong_addresses)},
                is_fixable=True,
                severity=ir.IssueSeverity.WARNING,
                translation_key=ISSUE_WRONG_KEY,
                translation_placeholders={
                    "addresses": ", ".join(list(self._wrong_addresses)[-10:])
                },
            )
        if self._failures.is_over(count):
            raise _too_many("Too many wrong keys came from this address.")

    @callback
    def async_forgive(self) -> None:
        """The user has read of the wrong keys."""
        for address in self._wrong_addresses:
            self._failures.forget(address)
        self._wrong_addresses.clear()

    def _entry(self, server_id: str) -> ConfigEntry | None:
        """Return the entry of a server."""
        return self._hass.config_entries.async_entry_for_domain_unique_id(
            DOMAIN, server_id
        )

    @callback
    def async_discover(self, server_id: str) -> None:
        """Offer a host that enrolled by itself."""
        credential = self.keys.credential(server_id)
        assert credential is not None
        discovery_flow.async_create_flow(
            self._hass,
            DOMAIN,
            context={"source": SOURCE_INTEGRATION_DISCOVERY},
            data={
                "server_id": server_id,
                "hostname": credential.hostname,
                "mac": credential.mac,
            },
        )

    @callback
    def async_discover_waiting(self) -> None:
        """Offer again, after a start, what nobody has adopted yet."""
        entries = {
            entry.unique_id
            for entry in self._hass.config_entries.async_entries(DOMAIN)
            if entry.source == SOURCE_IGNORE or entry.data.get(CONF_KIND) == SERVER
        }
        for server_id, _ in list(self.keys.waiting(entries)):
            self.async_discover(server_id)


def _too_many(text: str) -> ReportError:
    """Return the answer to too many requests."""
    return ReportError(429, "too_many", f"{text} Try again in a minute.", retry=60)


async def async_open_reception(hass: HomeAssistant) -> Reception:
    """Return the reception, opened once for all servers.

    The first server's flow comes before the integration itself is set up.
    """
    async with hass.data.setdefault(_OPENING, asyncio.Lock()):
        if (reception := hass.data.get(_RECEPTION)) is not None:
            return reception
        reception = Reception(hass)
        await reception.keys.async_load()
        for view in (HelloView, EnrollView, IngestView):
            hass.http.register_view(view(reception))
        hass.data[_RECEPTION] = reception
    reception.async_discover_waiting()
    return reception


@callback
def async_reception(hass: HomeAssistant) -> Reception:
    """Return the reception that is open."""
    return hass.data[_RECEPTION]
