"""Config flow steps of a blip meter."""

from collections.abc import Mapping
from typing import Any, override

import probatio

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME, CONF_PORT, UnitOfPower
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    SerialPortSelector,
    TextSelector,
)
from homeassistant.helpers.service_info.usb import UsbServiceInfo

from ..const import BLIP_METER, CONF_KIND
from ..flow import SourceFlow
from .const import (
    CONF_BAUDRATE,
    CONF_IMPULSES_PER_KWH,
    CONF_LINE_FORMAT,
    CONF_MAX_POWER,
    CONF_METER_ID,
    CONF_PARITY,
    CONF_RATIO,
    SUBENTRY_METER,
)
from .line import LineFormat
from .port import (
    async_stable_port,
    async_test_port,
    port_error,
    port_error_key,
    printable_port,
)

# Line formats that tell which meter has blinked
BUS_FORMATS = (LineFormat.ID_MS, LineFormat.COUNTED)

PORT_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_PORT): SerialPortSelector(),
        probatio.Required(CONF_LINE_FORMAT, default=LineFormat.COUNTED): SelectSelector(
            SelectSelectorConfig(
                options=list(LineFormat),
                translation_key="line_format",
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
        probatio.Required(CONF_BAUDRATE, default=9600): NumberSelector(
            NumberSelectorConfig(
                min=50, max=4_000_000, step=1, mode=NumberSelectorMode.BOX
            )
        ),
        probatio.Required(CONF_PARITY, default="N"): SelectSelector(
            SelectSelectorConfig(
                options=[
                    SelectOptionDict(value=parity, label=f"8{parity}1")
                    for parity in ("N", "E", "O")
                ],
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
    }
)

METER_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_NAME): TextSelector(),
        probatio.Required(CONF_METER_ID, default=1): NumberSelector(
            NumberSelectorConfig(
                min=1, max=999_999_999, step=1, mode=NumberSelectorMode.BOX
            )
        ),
        probatio.Required(CONF_IMPULSES_PER_KWH, default=1000): NumberSelector(
            NumberSelectorConfig(
                min=0.001,
                max=1_000_000,
                step="any",
                mode=NumberSelectorMode.BOX,
                unit_of_measurement="imp/kWh",
            )
        ),
        probatio.Required(CONF_RATIO, default=1): NumberSelector(
            NumberSelectorConfig(
                min=0.001, max=1_000_000, step="any", mode=NumberSelectorMode.BOX
            )
        ),
        probatio.Required(CONF_MAX_POWER, default=25_000): NumberSelector(
            NumberSelectorConfig(
                min=1,
                max=1_000_000_000,
                step="any",
                mode=NumberSelectorMode.BOX,
                unit_of_measurement=UnitOfPower.WATT,
            )
        ),
    }
)


def meter_subentry(user_input: Mapping[str, Any]) -> ConfigSubentryData:
    """Return a meter as it is stored."""
    number = int(user_input[CONF_METER_ID])
    return ConfigSubentryData(
        subentry_type=SUBENTRY_METER,
        title=user_input[CONF_NAME],
        unique_id=str(number),
        data={**user_input, CONF_METER_ID: number},
    )


class BlipMeterFlow(SourceFlow):
    """Ask for the serial port and the first meter on it."""

    def __init__(self) -> None:
        """Initialize the flow."""
        super().__init__()
        self._port: dict[str, Any] = {}

    @override
    async def async_step_usb(self, discovery_info: UsbServiceInfo) -> ConfigFlowResult:
        """Ask whether an Arduino that was plugged in is a blip meter."""
        await self.async_identify(
            f"usb_{discovery_info.vid}_{discovery_info.pid}"
            f"_{discovery_info.serial_number or discovery_info.device}"
        )
        port = await async_stable_port(self.hass, discovery_info.device)
        self._async_abort_entries_match({CONF_KIND: BLIP_METER, CONF_PORT: port})
        self._port = {CONF_PORT: port}
        name = discovery_info.description or discovery_info.manufacturer or "Arduino"
        self.context["title_placeholders"] = {"name": name}
        return await self.async_step_blip_meter()

    async def async_step_blip_meter(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the port, and see whether it opens."""
        errors: dict[str, str] = {}
        placeholders = {"error": "", "port": ""}
        entry = self.reconfigured_entry
        if user_input is not None:
            data = {
                **user_input,
                CONF_PORT: await async_stable_port(self.hass, user_input[CONF_PORT]),
                CONF_BAUDRATE: int(user_input[CONF_BAUDRATE]),
            }
            self._async_abort_entries_match(
                {CONF_KIND: BLIP_METER, CONF_PORT: data[CONF_PORT]}
            )
            if not (err := await self._async_test(data, entry)):
                self._port = data
                if entry is not None:
                    return await self.async_finish(BLIP_METER, entry.title, data)
                return await self.async_step_meter()
            errors[CONF_PORT] = port_error_key(err)
            placeholders |= port_error(err) | {"port": printable_port(data[CONF_PORT])}
        return self.async_show_form(
            step_id="blip_meter",
            data_schema=self.add_suggested_values_to_schema(
                PORT_SCHEMA, user_input or (entry.data if entry else self._port)
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_test(
        self, data: Mapping[str, Any], entry: ConfigEntry | None
    ) -> Exception | None:
        """Return what is wrong with a port; the one that we read ourselves is right."""
        if entry is not None and entry.data[CONF_PORT] == data[CONF_PORT]:
            return None
        return await async_test_port(
            data[CONF_PORT], data[CONF_BAUDRATE], data[CONF_PARITY]
        )

    async def async_step_meter(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the first meter."""
        if user_input is not None:
            # another flow may have taken the port while this one waited
            self._async_abort_entries_match(
                {CONF_KIND: BLIP_METER, CONF_PORT: self._port[CONF_PORT]}
            )
            short = printable_port(self._port[CONF_PORT]).rpartition("/")[2]
            return await self.async_finish(
                BLIP_METER,
                f"Blip meter {short}",
                self._port,
                subentries=[meter_subentry(user_input)],
            )
        return self.async_show_form(step_id="meter", data_schema=METER_SCHEMA)


class MeterFlow(ConfigSubentryFlow):
    """Add a meter to a serial line, or change one."""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Add a meter."""
        if self._get_entry().data[CONF_LINE_FORMAT] not in BUS_FORMATS:
            return self.async_abort(reason="one_meter_only")
        return await self.async_step_meter(user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a meter."""
        return await self.async_step_meter(user_input)

    async def async_step_meter(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask for what stands on the meter."""
        changed = None
        if self.source == SOURCE_RECONFIGURE:
            changed = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        if user_input is not None:
            meter = meter_subentry(user_input)
            if any(
                other.unique_id == meter["unique_id"] and other is not changed
                for other in self._get_entry().subentries.values()
            ):
                errors[CONF_METER_ID] = "meter_exists"
            elif changed is None:
                return self.async_create_entry(
                    title=meter["title"],
                    data=meter["data"],
                    unique_id=meter["unique_id"],
                )
            else:
                return self._async_update_meter(changed.subentry_id, meter)
        return self.async_show_form(
            step_id="meter",
            data_schema=self.add_suggested_values_to_schema(
                METER_SCHEMA, user_input or (changed.data if changed else None)
            ),
            errors=errors,
        )

    def _async_update_meter(
        self, subentry_id: str, meter: ConfigSubentryData
    ) -> SubentryFlowResult:
        """Store what was changed; the entry reloads itself where it is loaded."""
        entry = self._get_entry()
        update = (
            self.async_update_and_abort
            if entry.update_listeners
            else self.async_update_reload_and_abort
        )
        return update(
            entry,
            entry.subentries[subentry_id],
            title=meter["title"],
            data=meter["data"],
            unique_id=meter["unique_id"],
        )
