"""Config flow steps of a server: a code on the screen, a command on the host."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
import ipaddress
import secrets
from typing import Any, override

import probatio

from homeassistant.config_entries import SOURCE_REAUTH, ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_MAC, CONF_NAME
from homeassistant.core import CALLBACK_TYPE
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.network import NoURLAvailableError, get_url
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    QrCodeSelector,
    QrCodeSelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
)

from ..const import SERVER
from ..flow import SourceFlow
from .const import (
    CONF_BROADCAST_ADDRESS,
    CONF_LINKED_ENERGY,
    CONF_LINKED_POWER,
    CONF_WRITE_INTERVAL,
    DEFAULT_WRITE_INTERVAL,
)
from .ingest import async_open_reception, async_reception
from .keys import CODE_LIFETIME
from .report import shown_code
from .wake import DEFAULT_BROADCAST, clean_broadcast, clean_mac

BROWSER_S = 15.0

CONF_ENROLMENT = "enrolment"
CONF_COUNT = "count"
CONF_HOURS = "hours"

SERVER_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_NAME): TextSelector(),
        probatio.Optional(CONF_MAC): TextSelector(),
        probatio.Optional(
            CONF_BROADCAST_ADDRESS, default=DEFAULT_BROADCAST
        ): TextSelector(),
    }
)
ENROLMENT = {
    probatio.Required(CONF_ENROLMENT, default="code"): SelectSelector(
        SelectSelectorConfig(
            options=["code", "key", "many"], translation_key="enrolment"
        )
    )
}
RENEWAL = {
    probatio.Required(CONF_ENROLMENT, default="keep"): SelectSelector(
        SelectSelectorConfig(
            options=["keep", "rotate", "code", "key"], translation_key="enrolment"
        )
    )
}
MANY_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_COUNT, default=10): NumberSelector(
            NumberSelectorConfig(min=1, max=1000, step=1, mode=NumberSelectorMode.BOX)
        ),
        probatio.Required(CONF_HOURS, default=24): NumberSelector(
            NumberSelectorConfig(min=1, max=720, step=1, mode=NumberSelectorMode.BOX)
        ),
    }
)
OPTIONS_SCHEMA = probatio.Schema(
    {
        probatio.Optional(CONF_LINKED_POWER): EntitySelector(
            EntitySelectorConfig(domain="sensor", device_class="power", multiple=True)
        ),
        probatio.Optional(CONF_LINKED_ENERGY): EntitySelector(
            EntitySelectorConfig(domain="sensor", device_class="energy", multiple=True)
        ),
        probatio.Required(
            CONF_WRITE_INTERVAL, default=DEFAULT_WRITE_INTERVAL
        ): NumberSelector(
            NumberSelectorConfig(
                min=0,
                max=3600,
                step=1,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement="s",
            )
        ),
    }
)


def clean(user_input: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings as they are stored, and what is wrong with them."""
    data: dict[str, Any] = {CONF_NAME: user_input[CONF_NAME].strip()}
    errors: dict[str, str] = {}
    if not data[CONF_NAME]:
        errors[CONF_NAME] = "no_name"
    if mac := user_input.get(CONF_MAC, "").strip():
        try:
            data[CONF_MAC] = clean_mac(mac)
        except ValueError:
            errors[CONF_MAC] = "no_mac"
    try:
        data[CONF_BROADCAST_ADDRESS] = clean_broadcast(
            user_input.get(CONF_BROADCAST_ADDRESS) or DEFAULT_BROADCAST
        )
    except ValueError, ipaddress.AddressValueError:
        errors[CONF_BROADCAST_ADDRESS] = "no_broadcast_address"
    return data, errors


class ServerFlow(SourceFlow):
    """Name a server, hand it a key, wait for its first report."""

    _server_id = ""
    _code = ""
    _wait: asyncio.Task[bool] | None = None
    _end: CALLBACK_TYPE | None = None

    def __init__(self) -> None:
        """Initialize the flow."""
        super().__init__()
        self._server: dict[str, Any] = {}

    async def async_step_server(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name, and for the address that wakes it."""
        await async_open_reception(self.hass)
        entry = self.reconfigured_entry
        errors: dict[str, str] = {}
        if user_input is not None:
            self._server, errors = clean(user_input)
            if not errors:
                self._server_id = (entry and entry.unique_id) or secrets.token_hex(16)
                return await self._async_enrol(user_input.get(CONF_ENROLMENT, "code"))
        fields = {**SERVER_SCHEMA.schema, **(RENEWAL if entry else ENROLMENT)}
        return self.async_show_form(
            step_id="server",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(fields), user_input or (entry.data if entry else None)
            ),
            errors=errors,
        )

    async def _async_enrol(self, how: str) -> ConfigFlowResult:
        """Go on as the user chose."""
        keys = async_reception(self.hass).keys
        if how == "many":
            return await self.async_step_server_many()
        if how == "key":
            return await self.async_step_server_key()
        if how == "code":
            return await self.async_step_server_code()
        if how == "rotate":
            await keys.async_rotate(self._server_id)
        return await self._async_finish_server()

    async def async_step_server_code(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the code, and the command to paste on the host."""
        if user_input is not None:
            return await self.async_step_server_wait()
        await self._async_cancel()
        keys = async_reception(self.hass).keys
        self._code = await keys.async_new_code(self._server_id)
        async_reception(self.hass).first_report(self._server_id).clear()
        return self.async_show_form(
            step_id="server_code",
            data_schema=probatio.Schema(
                {
                    probatio.Optional("qr_code"): QrCodeSelector(
                        QrCodeSelectorConfig(data=self._command, scale=5)
                    )
                }
            ),
            description_placeholders=self._placeholders,
        )

    async def async_step_server_wait(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Wait for the first report."""
        if self._wait is None:
            event = async_reception(self.hass).first_report(self._server_id)
            self._wait = self.hass.async_create_task(_async_wait(event))
        if not self._wait.done():
            return self.async_show_progress(
                step_id="server_wait",
                progress_action="server_wait",
                progress_task=self._wait,
                description_placeholders=self._placeholders,
            )
        reported = self._wait.result()
        self._wait = None
        if reported:
            # the browser asks for the end at once, unless it was closed meanwhile
            self._end = async_call_later(self.hass, BROWSER_S, self._async_end_alone)
        return self.async_show_progress_done(
            next_step_id="server_reported" if reported else "server_silent"
        )

    async def _async_end_alone(self, _: datetime) -> None:
        """Go on where nobody else did."""
        self._end = None
        with suppress(UnknownFlow):
            await self.hass.config_entries.flow.async_configure(self.flow_id)

    async def async_step_server_silent(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """The code is too old: offer a new one."""
        if user_input is not None:
            return await self.async_step_server_code()
        return self.async_show_form(step_id="server_silent")

    async def async_step_server_reported(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """The host has reported: the server is set up."""
        return await self._async_finish_server()

    async def async_step_server_key(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a key to be pasted by hand; it is shown only now."""
        if user_input is not None:
            return await self._async_finish_server()
        key = await async_reception(self.hass).keys.async_issue(self._server_id)
        command = f"sudo rackwatt-agent enroll {self._url} --key {key}"
        return self.async_show_form(
            step_id="server_key",
            description_placeholders={
                "key": key,
                "command": command,
                "overheard": self._overheard,
            },
        )

    async def async_step_server_many(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for how many hosts, and how long, a code shall hold."""
        if user_input is None:
            return self.async_show_form(step_id="server_many", data_schema=MANY_SCHEMA)
        self._code = await async_reception(self.hass).keys.async_new_code(
            None,
            count=int(user_input[CONF_COUNT]),
            lifetime=timedelta(hours=user_input[CONF_HOURS]),
        )
        placeholders = self._placeholders
        self._code = ""  # it outlives this flow
        return self.async_abort(
            reason="server_many_ready",
            description_placeholders={
                **placeholders,
                "count": str(int(user_input[CONF_COUNT])),
                "hours": str(int(user_input[CONF_HOURS])),
            },
        )

    @override
    async def async_step_integration_discovery(
        self, discovery_info: dict[str, Any]
    ) -> ConfigFlowResult:
        """A host enrolled with a code for many."""
        self._server_id = discovery_info["server_id"]
        await self.async_identify(self._server_id)
        self._server = {
            CONF_NAME: discovery_info["hostname"],
            CONF_BROADCAST_ADDRESS: DEFAULT_BROADCAST,
        }
        if discovery_info["mac"]:
            self._server[CONF_MAC] = discovery_info["mac"]
        self.context["title_placeholders"] = {"name": discovery_info["hostname"]}
        return await self.async_step_server_adopt()

    async def async_step_server_adopt(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """One click, and it is set up."""
        if user_input is not None:
            return await self._async_finish_server()
        self._set_confirm_only()
        return self.async_show_form(
            step_id="server_adopt",
            description_placeholders={"name": self._server[CONF_NAME]},
        )

    async def async_step_server_reauth(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """The agent lost its key: hand it another one."""
        entry = self._get_reauth_entry()
        self._server_id = entry.unique_id or ""
        self._server = {CONF_NAME: entry.title}
        if user_input is not None:
            return await self.async_step_server_code()
        return self.async_show_form(
            step_id="server_reauth", description_placeholders={"name": entry.title}
        )

    async def _async_finish_server(self) -> ConfigFlowResult:
        """Make the entry, or change it."""
        if self.source == SOURCE_REAUTH:
            await self._async_cancel()
            return self.async_abort(reason="reauth_successful")
        await self.async_identify(self._server_id)
        credential = async_reception(self.hass).keys.credential(self._server_id)
        if credential and credential.mac and not self.reconfigured_entry:
            self._server.setdefault(CONF_MAC, credential.mac)
        return await self.async_finish(SERVER, self._server[CONF_NAME], self._server)

    async def _async_cancel(self) -> None:
        """Let the code on the screen die."""
        if self._code:
            code, self._code = self._code, ""
            await async_reception(self.hass).keys.async_cancel_code(code)

    @override
    def async_remove(self) -> None:
        """The dialog was closed."""
        super().async_remove()
        if self._wait is not None:
            self._wait.cancel()
        if self._end is not None:
            self._end()
        if self._server_id:
            async_reception(self.hass).async_end_waiting(self._server_id, self._code)

    @property
    def _url(self) -> str:
        """Return the address at which the host will find us."""
        try:
            return get_url(self.hass, prefer_external=False).rstrip("/")
        except NoURLAvailableError:
            return "http://homeassistant.local:8123"

    @property
    def _command(self) -> str:
        """Return what to paste on the host."""
        return f"sudo rackwatt-agent enroll {self._url} {shown_code(self._code)}"

    @property
    def _overheard(self) -> str:
        """Return the sign that warns of plain HTTP."""
        return "⚠️" if self._url.startswith("http://") else "🔒"

    @property
    def _placeholders(self) -> dict[str, str]:
        """Return what the texts around a code name."""
        return {
            "name": self._server.get(CONF_NAME, ""),
            "code": shown_code(self._code),
            "command": self._command,
            "overheard": self._overheard,
        }


class ServerOptionsFlow(OptionsFlow):
    """Link a server to what feeds it, and say how often values are written."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the options."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, self.config_entry.options
            ),
        )


async def _async_wait(event: asyncio.Event) -> bool:
    """Return whether a host reported before its code ran out."""
    try:
        async with asyncio.timeout(CODE_LIFETIME.total_seconds()):
            await event.wait()
    except TimeoutError:
        return False
    return True
