"""Config flow steps of a PDU."""

from collections.abc import Mapping
from typing import Any, override

import probatio

from homeassistant.config_entries import SOURCE_REAUTH, ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_HOST, CONF_PORT, CONF_USERNAME
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo

from ..const import CONF_KIND, DOMAIN, PDU
from ..flow import SourceFlow
from ..requirements import PYSNMP, RequirementMissingError, async_require
from .client import SnmpClient
from .const import (
    CONF_AUTH_KEY,
    CONF_AUTH_PROTOCOL,
    CONF_COMMUNITY,
    CONF_COPY_FROM,
    CONF_MAC,
    CONF_POLL_INTERVAL,
    CONF_PRIV_KEY,
    CONF_PRIV_PROTOCOL,
    CONF_VERSION,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_PORT,
)
from .credentials import AuthProtocol, Credentials, PrivProtocol, Version
from .diagnosis import Fault, diagnose, reach
from .errors import SnmpError
from .identity import identity_of, read_agent, unknown_identity
from .models import Identity
from .profile import load_profiles
from .reader import identify, survey
from .settings import CREDENTIAL_KEYS, credentials_of, settings_of
from .snmp import SnmpThread
from .snmp_thread import async_acquire_thread, async_release_thread

_SECRET = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))

COMMUNITY_SCHEMA = probatio.Schema(
    {probatio.Required(CONF_COMMUNITY, default="public"): _SECRET}
)
USER_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_USERNAME): TextSelector(),
        probatio.Required(
            CONF_AUTH_PROTOCOL, default=AuthProtocol.SHA.value
        ): SelectSelector(
            SelectSelectorConfig(
                options=[protocol.value for protocol in AuthProtocol],
                translation_key="auth_protocol",
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
        probatio.Optional(CONF_AUTH_KEY): _SECRET,
        probatio.Required(
            CONF_PRIV_PROTOCOL, default=PrivProtocol.AES128.value
        ): SelectSelector(
            SelectSelectorConfig(
                options=[protocol.value for protocol in PrivProtocol],
                translation_key="priv_protocol",
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
        probatio.Optional(CONF_PRIV_KEY): _SECRET,
    }
)
OPTIONS_SCHEMA = probatio.Schema(
    {
        probatio.Required(
            CONF_POLL_INTERVAL, default=DEFAULT_POLL_INTERVAL
        ): NumberSelector(
            NumberSelectorConfig(
                min=5,
                max=3600,
                step=1,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement="s",
            )
        )
    }
)

# Where the sentence about a fault stands; those that no field of the form is to blame
# for stand above it
_FIELDS = {
    Fault.UNKNOWN_HOST: CONF_HOST,
    Fault.NO_ANSWER: CONF_HOST,
    Fault.PORT_CLOSED: CONF_PORT,
    Fault.WRONG_VERSION: CONF_VERSION,
    Fault.WRONG_COMMUNITY: CONF_COMMUNITY,
    Fault.UNKNOWN_USER: CONF_USERNAME,
    Fault.WRONG_AUTH_PROTOCOL: CONF_AUTH_PROTOCOL,
    Fault.WRONG_AUTH_KEY: CONF_AUTH_KEY,
    Fault.WRONG_LEVEL: CONF_PRIV_PROTOCOL,
    Fault.WRONG_PRIV_PROTOCOL: CONF_PRIV_PROTOCOL,
    Fault.WRONG_PRIV_KEY: CONF_PRIV_KEY,
}
# How protocols are written on a PDU's own pages
_WRITTEN = {
    "md5": "MD5",
    "sha": "SHA-1",
    "sha224": "SHA-224",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
    "des": "DES",
    "aes128": "AES-128",
    "aes192": "AES-192",
    "aes256": "AES-256",
}


class PduFlow(SourceFlow):
    """Ask where a PDU is and who may read it."""

    _pdu: Mapping[str, Any] | None = None
    _pdu_fault: Fault | None = None
    _pdu_works = ""

    @override
    async def async_step_dhcp(
        self, discovery_info: DhcpServiceInfo
    ) -> ConfigFlowResult:
        """Follow a PDU to its new address, or offer a new one."""
        mac = ":".join(discovery_info.macaddress[at : at + 2] for at in range(0, 12, 2))
        for entry in self._async_current_entries():
            if entry.data.get(CONF_MAC) == mac.lower():
                if entry.data[CONF_HOST] != discovery_info.ip:
                    # a loaded entry listens for its changes and reloads itself
                    self.hass.config_entries.async_update_entry(
                        entry, data={**entry.data, CONF_HOST: discovery_info.ip}
                    )
                return self.async_abort(reason="already_configured")
        self._async_abort_entries_match({CONF_HOST: discovery_info.ip, CONF_KIND: PDU})
        await self.async_set_unique_id(mac.lower())
        self._abort_if_unique_id_configured()
        self.context["title_placeholders"] = {
            "name": discovery_info.hostname or discovery_info.ip
        }
        self._pdu = {CONF_HOST: discovery_info.ip}
        return await self.async_step_pdu()

    async def async_step_pdu(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where the PDU is, and how it is asked."""
        if user_input is not None:
            return await self._async_located(user_input)
        entry = self.reconfigured_entry
        return self._pdu_form(
            "pdu", self._location_schema(), entry.data if entry else {}
        )

    async def _async_located(self, user_input: dict[str, Any]) -> ConfigFlowResult:
        """Go on to the credentials, if somebody is there to take them."""
        location = {
            CONF_HOST: user_input[CONF_HOST].strip(),
            CONF_PORT: int(user_input[CONF_PORT]),
            CONF_VERSION: user_input[CONF_VERSION],
        }
        self._pdu = location
        thread = await async_acquire_thread(self.hass)
        try:
            self._pdu_fault, self._pdu_works = await reach(
                thread,
                location[CONF_HOST],
                location[CONF_PORT],
                Version(location[CONF_VERSION]),
            )
        finally:
            await async_release_thread(self.hass)
        if self._pdu_fault is not None:
            return self._pdu_form("pdu", self._location_schema(), user_input)
        if source := self.hass.config_entries.async_get_entry(
            user_input.get(CONF_COPY_FROM, "")
        ):
            copied = {
                key: source.data[key] for key in CREDENTIAL_KEYS if key in source.data
            }
            self._pdu = {**location, **copied}
            if result := await self._async_try(credentials_of(copied)):
                return result
        if self._pdu[CONF_VERSION] == Version.V3.value:
            return await self.async_step_pdu_user()
        return await self.async_step_pdu_community()

    async def async_step_pdu_community(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the community of SNMP v1 and v2c."""
        return await self._async_credentials(
            "pdu_community", COMMUNITY_SCHEMA, user_input
        )

    async def async_step_pdu_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the user of SNMPv3."""
        return await self._async_credentials("pdu_user", USER_SCHEMA, user_input)

    async def async_step_pdu_reauth(self) -> ConfigFlowResult:
        """Ask for the credentials that the PDU takes now."""
        entry = self._get_reauth_entry()
        self._pdu = dict(entry.data)
        self.context["title_placeholders"] = {"name": entry.title}
        if entry.data[CONF_VERSION] == Version.V3.value:
            return await self.async_step_pdu_user()
        return await self.async_step_pdu_community()

    async def _async_credentials(
        self, step_id: str, schema: probatio.Schema, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Ask for credentials and try them."""
        assert self._pdu is not None
        if user_input is not None:
            given = {CONF_VERSION: self._pdu[CONF_VERSION], **user_input}
            if result := await self._async_try(credentials_of(given)):
                return result
        known = self.reconfigured_entry.data if self.reconfigured_entry else {}
        return self._pdu_form(step_id, schema, user_input or {**known, **self._pdu})

    async def _async_try(self, credentials: Credentials) -> ConfigFlowResult | None:
        """Try credentials and go on with them; None where they are wrong."""
        try:
            await async_require(self.hass, PYSNMP)
        except RequirementMissingError as err:
            return self.async_abort(
                reason="requirement_missing",
                description_placeholders=err.translation_placeholders,
            )
        assert self._pdu is not None
        thread = await async_acquire_thread(self.hass)
        try:
            found = await diagnose(
                thread, self._pdu[CONF_HOST], self._pdu[CONF_PORT], credentials
            )
            self._pdu_fault, self._pdu_works = found.fault, found.works
            if found.fault is not None:
                return None
            identity = await self._async_identity(thread, found.credentials)
        except SnmpError:
            self._pdu_fault = Fault.NO_ANSWER
            return None
        finally:
            await async_release_thread(self.hass)
        return await self._async_found(found.credentials, identity)

    async def _async_identity(
        self, thread: SnmpThread, credentials: Credentials
    ) -> Identity:
        """Return who the PDU is."""
        assert self._pdu is not None
        profiles = await self.hass.async_add_executor_job(load_profiles)
        client = SnmpClient(
            thread, self._pdu[CONF_HOST], self._pdu[CONF_PORT], credentials
        )
        agent = await read_agent(client)
        profile = await identify(client, profiles)
        if profile is None:
            return unknown_identity(agent)
        structure = await survey(client, profile)
        return identity_of(profile, structure.first, agent)

    async def _async_found(
        self, credentials: Credentials, identity: Identity
    ) -> ConfigFlowResult:
        """Create the entry, or update the one that this is about."""
        assert self._pdu is not None
        data = {
            CONF_HOST: self._pdu[CONF_HOST],
            CONF_PORT: self._pdu[CONF_PORT],
            CONF_MAC: identity.mac,
            **settings_of(credentials),
        }
        if self.source == SOURCE_REAUTH:
            if identity.unique_id:
                await self.async_set_unique_id(identity.unique_id)
                self._abort_if_unique_id_mismatch()
            return self.async_update(self._get_reauth_entry(), data)
        if identity.unique_id:
            await self.async_identify(
                identity.unique_id,
                {CONF_HOST: data[CONF_HOST], CONF_PORT: data[CONF_PORT]},
            )
        else:
            self._async_abort_entries_match(
                {
                    CONF_KIND: PDU,
                    CONF_HOST: data[CONF_HOST],
                    CONF_PORT: data[CONF_PORT],
                }
            )
        title = identity.name or f"{identity.manufacturer} {identity.model}"
        return await self.async_finish(PDU, title[:80], data)

    def _pdu_form(
        self, step_id: str, schema: probatio.Schema, known: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Show a form with what is known, and with what is wrong."""
        errors = {}
        if (fault := self._pdu_fault) is not None:
            field = _FIELDS.get(fault, "base")
            errors[field if field in schema.schema else "base"] = fault.value
        location = self._pdu or {}
        works = self._pdu_works
        self._pdu_fault, self._pdu_works = None, ""
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                schema, {**location, **known}
            ),
            errors=errors,
            description_placeholders={
                "host": str(location.get(CONF_HOST, "")),
                "port": str(location.get(CONF_PORT, "")),
                "works": _WRITTEN.get(works, works),
            },
        )

    def _location_schema(self) -> probatio.Schema:
        """Return the form of the first step."""
        fields: dict[Any, Any] = {
            probatio.Required(CONF_HOST): TextSelector(),
            probatio.Required(CONF_PORT, default=DEFAULT_PORT): NumberSelector(
                NumberSelectorConfig(
                    min=1, max=65535, step=1, mode=NumberSelectorMode.BOX
                )
            ),
            probatio.Required(CONF_VERSION, default=Version.V3.value): SelectSelector(
                SelectSelectorConfig(
                    options=[version.value for version in Version],
                    translation_key="snmp_version",
                    mode=SelectSelectorMode.DROPDOWN,
                )
            ),
        }
        others = [
            SelectOptionDict(value=entry.entry_id, label=entry.title)
            for entry in self.hass.config_entries.async_entries(DOMAIN)
            if entry.data[CONF_KIND] == PDU and entry is not self.reconfigured_entry
        ]
        if others:
            fields[probatio.Optional(CONF_COPY_FROM)] = SelectSelector(
                SelectSelectorConfig(options=others, mode=SelectSelectorMode.DROPDOWN)
            )
        return probatio.Schema(fields)


class PduOptionsFlow(OptionsFlow):
    """Ask how often a PDU is read."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the interval."""
        return await self.async_step_pdu_options(user_input)

    async def async_step_pdu_options(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the interval."""
        if user_input is not None:
            seconds = int(user_input[CONF_POLL_INTERVAL])
            return self.async_create_entry(data={CONF_POLL_INTERVAL: seconds})
        return self.async_show_form(
            step_id="pdu_options",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, self.config_entry.options
            ),
        )
