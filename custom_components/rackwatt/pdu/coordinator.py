"""Poll a PDU, and find out what is wrong when it does not answer."""

from dataclasses import replace
from datetime import timedelta
import re
import time
from typing import Any, override

from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, HomeAssistantError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.update_coordinator import UpdateFailed

from ..const import DOMAIN, LOGGER
from ..coordinator import RackwattConfigEntry, RackwattCoordinator
from ..counter import CounterState
from ..history.store import HistoryStore, async_get_store
from ..requirements import PYSNMP, async_require
from .client import SnmpClient
from .const import CONF_POLL_INTERVAL, DEFAULT_POLL_INTERVAL, SURVEY_INTERVAL
from .diagnosis import Fault, diagnose
from .engine_id import AgentPortClosedError, discover_engine
from .errors import (
    STATUS_NAMES,
    SnmpAuthenticationError,
    SnmpError,
    SnmpResponseError,
    SnmpTimeoutError,
)
from .identity import Agent, identity_of, module_id, read_agent, unknown_identity
from .metering import MeterState, SteppedMeter
from .models import Circuit, Identity, Key, Module, Outlet, Pdu, Role
from .profile import Profile, load_profiles
from .reader import Structure, identify, poll, survey
from .settings import credentials_of
from .snmp_thread import async_acquire_thread, async_release_thread
from .switching import Act, CommandUnknownError, OutletSwitch, UnconfirmedError, press
from .walk import walk_enterprises

REFUSALS = 2
"""Polls in a row that must be refused before the user is asked for credentials."""
SILENT_POLLS = 5
"""Polls without an answer before we look whether a passphrase was changed: that looks
like a dead PDU."""

_CREDENTIAL_FAULTS = frozenset(
    {
        Fault.UNKNOWN_USER,
        Fault.WRONG_AUTH_PROTOCOL,
        Fault.WRONG_AUTH_KEY,
        Fault.WRONG_LEVEL,
        Fault.WRONG_PRIV_PROTOCOL,
        Fault.WRONG_PRIV_KEY,
    }
)


class PduCoordinator(RackwattCoordinator[Pdu]):
    """Hold what a PDU, or a chain of them, shows."""

    client: SnmpClient
    identity: Identity
    structure: Structure | None = None

    def __init__(self, hass: HomeAssistant, entry: RackwattConfigEntry) -> None:
        """Initialize the coordinator."""
        seconds = entry.options.get(CONF_POLL_INTERVAL, DEFAULT_POLL_INTERVAL)
        super().__init__(hass, entry, timedelta(seconds=seconds))
        self.unique_id: str = entry.unique_id or entry.entry_id
        self.implausible = 0
        self._profile: Profile | None = None
        self._profiles: tuple[Profile, ...] = ()
        self._agent: Agent | None = None
        self._walk: dict[str, str] = {}
        self._store: HistoryStore
        self._has_thread = False
        self._meters: dict[str, SteppedMeter] = {}
        self._surveyed: float | None = None
        self._uptime: int | None = None
        self._engine_id: bytes | None = None
        self._refusals = 0
        self._silent = 0
        self._shown: Pdu | None = None

    @override
    async def _async_setup(self) -> None:
        """Prepare to ask."""
        self._store = await async_get_store(self.hass)
        self._profiles = await self.hass.async_add_executor_job(load_profiles)
        await async_require(self.hass, PYSNMP)
        self._has_thread = True
        thread = await async_acquire_thread(self.hass)
        data = self.config_entry.data
        self.client = SnmpClient(
            thread, data[CONF_HOST], data[CONF_PORT], credentials_of(data)
        )

    @override
    async def async_close(self) -> None:
        """Give the thread back."""
        if self._has_thread:
            self._has_thread = False
            await async_release_thread(self.hass)
        for issue in ("pdu_replaced", "pdu_unknown"):
            self._delete_issue(issue)

    @override
    async def _async_update_data(self) -> Pdu:
        """Read the PDU."""
        try:
            pdu = await self._async_read()
        except SnmpAuthenticationError as err:
            return await self._async_refused(err)
        except SnmpTimeoutError as err:
            pdu = await self._async_silent(err)
        except SnmpError as err:
            raise self._failed("cannot_read", error=str(err)) from err
        self._refusals = self._silent = 0
        self.implausible += pdu.implausible
        self._shown = await self._async_metered(pdu)
        return self._shown

    async def _async_read(self) -> Pdu:
        """Poll; survey before, if it is due or if the PDU has changed."""
        due = self._surveyed is None or (
            time.monotonic() - self._surveyed >= SURVEY_INTERVAL.total_seconds()
        )
        if due or self.structure is None:
            return await self._async_survey()
        reading = await poll(self.client, self.structure)
        before, self._uptime = self._uptime, reading.uptime
        restarted = (
            before is not None
            and reading.uptime is not None
            and reading.uptime < before
        )
        if restarted or not reading.stands:
            return await self._async_survey()
        return reading.pdu

    async def _async_survey(self) -> Pdu:
        """Find out who the PDU is and what it is made of."""
        agent = self._agent = await read_agent(self.client)
        if self._profile is None or self.structure is None:
            self._profile = await identify(self.client, self._profiles)
        if self._profile is None:
            return await self._async_unknown(agent)
        structure = await survey(self.client, self._profile)
        identity = identity_of(self._profile, structure.first, agent)
        self._refuse_other(identity)
        self._delete_issue("pdu_unknown")
        self.identity, self.structure = identity, structure
        self._uptime = agent.uptime
        self._surveyed = time.monotonic()
        info = await self._async_engine()
        self._engine_id = info or self._engine_id
        return structure.first

    async def _async_unknown(self, agent: Agent) -> Pdu:
        """Say what was seen of a PDU that no profile fits."""
        identity = unknown_identity(agent)
        self._refuse_other(identity)
        self.identity = identity
        if not self._walk:
            self._walk = await walk_enterprises(self.client)
            self._create_issue(
                "pdu_unknown",
                {
                    "description": agent.description or "–",
                    "object_id": agent.object_id or "–",
                },
            )
        return Pdu(modules=(Module(),))

    def _refuse_other(self, identity: Identity) -> None:
        """Raise if this is another PDU than the one that was set up."""
        known = self.config_entry.unique_id
        if not known or not identity.unique_id or known == identity.unique_id:
            self._delete_issue("pdu_replaced")
            return
        self.structure = None
        self._create_issue(
            "pdu_replaced",
            {"found": identity.unique_id, "model": identity.model},
            fixable=True,
        )
        raise self._failed("pdu_replaced", found=identity.unique_id)

    async def _async_refused(self, err: SnmpAuthenticationError) -> Pdu:
        """Ask for credentials when the PDU has refused them in two polls running.

        At the start there is no poll to come: the second one is made at once.
        """
        self._refusals += 1
        if self._refusals < REFUSALS and self._shown is None:
            return await self._async_update_data()
        if self._refusals >= REFUSALS:
            raise ConfigEntryAuthFailed(
                translation_domain=DOMAIN,
                translation_key="credentials_refused",
                translation_placeholders={"name": self.name, "reason": str(err)},
            ) from err
        raise self._failed("cannot_read", error=str(err)) from err

    async def _async_silent(self, err: SnmpTimeoutError) -> Pdu:
        """Find out why no answer came; return the PDU if it was only replaced."""
        self._silent += 1
        engine_id = await self._async_engine()
        if engine_id is not None and engine_id != self._engine_id:
            self._engine_id = engine_id
            self.client.thread.renew()
            try:
                return await self._async_survey()
            except SnmpAuthenticationError as refusal:
                return await self._async_refused(refusal)
            except SnmpError as still:
                err = SnmpTimeoutError(str(still))
        if engine_id is not None and self._silent >= SILENT_POLLS:
            await self._async_look_for_changed_keys()
        raise self._failed("no_answer") from err

    async def _async_look_for_changed_keys(self) -> None:
        """Tell a changed passphrase from a PDU that is busy or far away."""
        client = self.client
        found = await diagnose(
            client.thread, client.host, client.port, client.credentials
        )
        if found.fault in _CREDENTIAL_FAULTS:
            self._refusals += 1
            if self._refusals >= REFUSALS:
                raise ConfigEntryAuthFailed(
                    translation_domain=DOMAIN,
                    translation_key="credentials_refused",
                    translation_placeholders={
                        "name": self.name,
                        "reason": found.fault.value,
                    },
                )

    async def _async_engine(self) -> bytes | None:
        """Return the SNMP engine at the address, if one answers there."""
        try:
            address = await self.client.thread.resolve(
                self.client.host, self.client.port
            )
            info = await discover_engine(address.host, address.port)
        except AgentPortClosedError, SnmpError, OSError:
            return None
        return info.engine_id if info else None

    def _failed(self, key: str, **placeholders: str) -> UpdateFailed:
        """Return a failure as a sentence."""
        return UpdateFailed(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders={
                "name": self.name,
                "host": self.config_entry.data[CONF_HOST],
                **placeholders,
            },
        )

    async def _async_metered(self, pdu: Pdu) -> Pdu:
        """Return the PDU with energy that never falls, and has no steps."""
        if self.structure is None:
            return pdu
        steps = self.structure.steps()
        now = time.time()

        async def metered[_LoadT: (Module, Circuit, Outlet)](
            role: Role, parts: tuple[_LoadT, ...]
        ) -> tuple[_LoadT, ...]:
            shown = []
            for part in parts:
                step = steps.get((role, part.key))
                if part.energy is None or step is None:
                    shown.append(part)
                    continue
                name = f"{self.part_id(role, part.key)}_energy"
                meter = await self.async_meter(name, step)
                energy = meter.read(part.energy, part.power, now)
                self.save_meter(name, meter)
                shown.append(replace(part, energy=energy))
            return tuple(shown)

        return replace(
            pdu,
            modules=await metered(Role.MODULE, pdu.modules),
            phases=await metered(Role.PHASE, pdu.phases),
            outlets=await metered(Role.OUTLET, pdu.outlets),
        )

    async def async_meter(self, name: str, step: float) -> SteppedMeter:
        """Return a meter as it was left."""
        if name not in self._meters:
            stored = await self._store.async_load_counter(name)
            state = None
            if stored and stored.device_count is not None and stored.stamp is not None:
                state = MeterState(
                    energy=stored.base_wh,
                    device=stored.device_count,
                    stamp=stored.stamp / 1000,
                )
            self._meters[name] = SteppedMeter(step, state)
        return self._meters[name]

    @callback
    def save_meter(self, name: str, meter: SteppedMeter) -> None:
        """Store where a meter stands."""
        if (state := meter.state) is not None:
            self._store.save_counter(
                name,
                CounterState(
                    base_wh=state.energy,
                    device_count=state.device,
                    stamp=round(state.stamp * 1000),
                ),
            )

    def part_id(self, role: Role, key: Key) -> str:
        """Return what identifies a part for ever."""
        pdu = self.structure.first if self.structure else Pdu(modules=(Module(),))
        module = module_id(self.unique_id, pdu, key[0])
        return module if role is Role.MODULE else f"{module}_{role.value}_{key[1]}"

    def can(self, key: Key, act: Act) -> bool:
        """Return if an outlet knows a command."""
        return self.knows(Role.OUTLET, key, act.value)

    def knows(self, role: Role, key: Key, name: str) -> bool:
        """Return if a part knows a command."""
        return (
            self.structure is not None and (role, key, name) in self.structure.commands
        )

    async def async_turn(self, key: Key, on: bool) -> None:
        """Turn an outlet on or off."""
        await self._async_command(self._switch.turn(key, on), key)

    async def async_cycle(self, key: Key) -> None:
        """Turn an outlet off and on again."""
        await self._async_command(self._switch.cycle(key), key)

    async def async_press(self, role: Role, key: Key, name: str) -> None:
        """Send another command."""
        assert self.structure is not None
        await self._async_command(
            press(self.client, self.structure, (role, key, name)), key
        )

    @property
    def _switch(self) -> OutletSwitch:
        """Return who switches the outlets."""
        assert self.structure is not None
        return OutletSwitch(self.client, self.structure)

    async def _async_command(self, command: Any, key: Key) -> None:
        """Do what the user asked for, and say it plainly if that failed."""
        placeholders = {"name": self.name, "outlet": str(key[1])}
        try:
            await command
        except UnconfirmedError as err:
            raise _command_failed("outlet_unconfirmed", placeholders) from err
        except CommandUnknownError as err:
            raise _command_failed("command_unknown", placeholders) from err
        except SnmpAuthenticationError as err:
            raise _command_failed("may_not_switch", placeholders) from err
        except SnmpResponseError as err:
            reason = STATUS_NAMES.get(err.status, str(err.status))
            raise _command_failed(
                "command_refused", placeholders | {"reason": reason}
            ) from err
        except SnmpError as err:
            raise _command_failed("command_lost", placeholders) from err
        finally:
            await self.async_request_refresh()

    @callback
    def _create_issue(
        self, key: str, placeholders: dict[str, str], fixable: bool = False
    ) -> None:
        """Tell the user what he can do."""
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            f"{key}_{self.config_entry.entry_id}",
            is_fixable=fixable,
            severity=ir.IssueSeverity.WARNING,
            translation_key=key,
            translation_placeholders={"name": self.name, **placeholders},
            data={"entry_id": self.config_entry.entry_id, **placeholders},
        )

    @callback
    def _delete_issue(self, key: str) -> None:
        """Take back what is no longer true."""
        ir.async_delete_issue(self.hass, DOMAIN, f"{key}_{self.config_entry.entry_id}")

    @callback
    def async_main_device_id(self) -> str:
        """Register the first module, so that other devices can refer to it."""
        connections = set()
        if mac := self.identity.mac:
            connections.add((dr.CONNECTION_NETWORK_MAC, mac))
        device = dr.async_get(self.hass).async_get_or_create(
            config_entry_id=self.config_entry.entry_id,
            identifiers={(DOMAIN, self.unique_id)},
            connections=connections,
            manufacturer=self.identity.manufacturer,
            model=self.identity.model,
            name=self.identity.name or self.config_entry.title,
            serial_number=self.identity.serial,
            sw_version=self.identity.firmware,
        )
        return device.id

    @override
    def async_forget_device(self, device: DeviceEntry) -> bool:
        """Let the user remove a module or an outlet that is gone."""
        present = {
            (DOMAIN, self.part_id(role, part.key))
            for role in (Role.MODULE, Role.OUTLET)
            for part in self.data.parts(role)
        }
        groups = {(DOMAIN, key) for key in self.config_entry.subentries}
        return not device.identifiers & (present | groups)

    @override
    def diagnostics(self) -> dict[str, Any]:
        """Return what helps to find a fault, or to write a profile."""
        agent = self._agent
        return {
            "family": self._profile.key if self._profile else None,
            # APC's description holds the serial number
            "description": re.sub(r"SN: ?\S+", "SN:", agent.description)
            if agent
            else None,
            "object_id": agent.object_id if agent else None,
            "most_varbinds": self.client.most_varbinds,
            "can_bulk": self.client.can_bulk,
            "requests": self.client.statistics.requests,
            "timeouts": self.client.statistics.timeouts,
            "strange_answers": self.client.statistics.strange_answers,
            "implausible_values": self.implausible,
            "walk": self._walk,
        }


def _command_failed(key: str, placeholders: dict[str, str]) -> HomeAssistantError:
    """Return why a command failed, as a sentence."""
    LOGGER.debug("%s: %s", key, placeholders)
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders,
    )
