"""Config flow for Rackwatt."""

from collections.abc import Mapping, Sequence
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.core import callback

from .blip_meter.const import SUBENTRY_METER
from .blip_meter.flow import BlipMeterFlow, MeterFlow
from .blip_meter.options_flow import BlipMeterOptionsFlow
from .const import (
    BLIP_METER,
    CONF_KIND,
    CT_CLAMP,
    DOMAIN,
    PDU,
    SERVER,
    TEMPERATURE_PROBE,
)
from .ct_clamp.channel_flow import ChannelFlow
from .ct_clamp.const import SUBENTRY_CHANNEL
from .ct_clamp.flow import CtClampFlow
from .pdu.const import SUBENTRY_OUTLET_GROUP
from .pdu.flow import PduFlow, PduOptionsFlow
from .pdu.group_flow import OutletGroupFlow
from .server.flow import ServerFlow, ServerOptionsFlow
from .temperature_probe.flow import TemperatureProbeFlow, TemperatureProbeOptionsFlow

# What the menu offers: the sources that work
SOURCES = (BLIP_METER, CT_CLAMP, PDU, SERVER, TEMPERATURE_PROBE)

SUBENTRY_FLOWS: dict[str, dict[str, type[ConfigSubentryFlow]]] = {
    BLIP_METER: {SUBENTRY_METER: MeterFlow},
    CT_CLAMP: {SUBENTRY_CHANNEL: ChannelFlow},
    PDU: {SUBENTRY_OUTLET_GROUP: OutletGroupFlow},
}

OPTIONS_FLOWS: dict[str, type[OptionsFlow]] = {
    BLIP_METER: BlipMeterOptionsFlow,
    TEMPERATURE_PROBE: TemperatureProbeOptionsFlow,
    PDU: PduOptionsFlow,
    SERVER: ServerOptionsFlow,
}


class RackwattConfigFlow(
    BlipMeterFlow,
    CtClampFlow,
    TemperatureProbeFlow,
    PduFlow,
    ServerFlow,
    domain=DOMAIN,
):
    """Pick a source, then follow its own steps."""

    VERSION = 1

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the parts that a user can add to a source."""
        return SUBENTRY_FLOWS.get(config_entry.data[CONF_KIND], {})

    @classmethod
    @callback
    @override
    def async_supports_options_flow(cls, config_entry: ConfigEntry) -> bool:
        """Return whether a source has options."""
        return config_entry.data[CONF_KIND] in OPTIONS_FLOWS

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the options of a source."""
        return OPTIONS_FLOWS[config_entry.data[CONF_KIND]]()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Pick a source."""
        return self.async_show_menu(step_id="user", menu_options=list(SOURCES))

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Follow the steps of the source of this entry."""
        steps = {
            BLIP_METER: self.async_step_blip_meter,
            CT_CLAMP: self.async_step_ct_clamp,
            TEMPERATURE_PROBE: self.async_step_temperature_probe,
            PDU: self.async_step_pdu,
            SERVER: self.async_step_server,
        }
        return await steps[self._get_reconfigure_entry().data[CONF_KIND]]()

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Follow the steps of the source whose credentials are refused."""
        steps = {
            PDU: self.async_step_pdu_reauth,
            SERVER: self.async_step_server_reauth,
        }
        return await steps[entry_data[CONF_KIND]]()

    @override
    async def async_identify(
        self, unique_id: str, updates: Mapping[str, Any] | None = None
    ) -> None:
        """Abort where the device is set up already; update its address."""
        await self.async_set_unique_id(unique_id)
        if self.source == SOURCE_RECONFIGURE:
            self._abort_if_unique_id_mismatch()
        else:
            # a loaded entry listens for its changes and reloads itself
            self._abort_if_unique_id_configured(
                updates=dict(updates or {}), reload_on_update=False
            )

    @override
    async def async_finish(
        self,
        kind: str,
        title: str,
        data: Mapping[str, Any],
        *,
        options: Mapping[str, Any] | None = None,
        subentries: Sequence[ConfigSubentryData] = (),
    ) -> ConfigFlowResult:
        """Create the entry of a source, or update the one that is reconfigured."""
        if (entry := self.reconfigured_entry) is not None:
            return self.async_update(entry, data)
        return self.async_create_entry(
            title=title,
            data={CONF_KIND: kind, **data},
            options=options,
            subentries=list(subentries),
        )
