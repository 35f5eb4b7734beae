"""Config and options flow steps of a 1-Wire tree."""

from pathlib import Path
from typing import Any

import probatio

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_PATH, UnitOfTemperature, UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from ..const import CONF_KIND, DOMAIN, TEMPERATURE_PROBE
from ..flow import SourceFlow
from ..requirements import W1THERMSENSOR, RequirementMissingError, async_require
from .bus import NotOneWireError, find_buses
from .const import (
    CONF_OFFSETS,
    CONF_POLL_INTERVAL,
    CONF_RESOLUTION,
    DEFAULT_PATH,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_RESOLUTION,
)
from .probe import family_of

PATH_SCHEMA = probatio.Schema(
    {probatio.Required(CONF_PATH, default=DEFAULT_PATH): TextSelector()}
)

OFFSET = NumberSelector(
    NumberSelectorConfig(
        min=-20,
        max=20,
        step="any",
        mode=NumberSelectorMode.BOX,
        unit_of_measurement=UnitOfTemperature.CELSIUS,
    )
)


def tree_error(path: Path) -> str | None:
    """Return what keeps a path from being a tree with probes; reads no probe."""
    try:
        buses = find_buses(path)
    except FileNotFoundError:
        return "no_such_path"
    except NotOneWireError, NotADirectoryError:
        return "no_bus_master"
    except PermissionError:
        return "path_forbidden"
    except OSError:
        return "path_unreadable"
    probes = [bus.path / probe for bus in buses for probe in bus.probes]
    if not probes:
        return "only_phantoms" if any(bus.phantoms for bus in buses) else "no_probes"
    if not any((probe / "w1_slave").exists() for probe in probes):
        return "driver_missing"
    return None


class TemperatureProbeFlow(SourceFlow):
    """Ask where the kernel shows the 1-Wire bus."""

    async def async_step_temperature_probe(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the path, and see whether there are probes."""
        errors: dict[str, str] = {}
        placeholders = {"package": "", "reason": ""}
        entry = self.reconfigured_entry
        if user_input is not None:
            path = Path(user_input[CONF_PATH].strip())
            data = {CONF_PATH: str(path)}
            self._async_abort_entries_match({CONF_KIND: TEMPERATURE_PROBE, **data})
            if not (errors := await self._async_test_tree(path, placeholders)):
                title = entry.title if entry else "1-Wire"
                return await self.async_finish(TEMPERATURE_PROBE, title, data)
        return self.async_show_form(
            step_id="temperature_probe",
            data_schema=self.add_suggested_values_to_schema(
                PATH_SCHEMA, user_input or (entry.data if entry else None)
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_test_tree(
        self, path: Path, placeholders: dict[str, str]
    ) -> dict[str, str]:
        """Return what is wrong with a path, or with this installation."""
        if error := await self.hass.async_add_executor_job(tree_error, path):
            return {CONF_PATH: error}
        try:
            await async_require(self.hass, W1THERMSENSOR)
        except RequirementMissingError as err:
            placeholders |= err.translation_placeholders or {}
            return {"base": "requirement_missing"}
        return {}


class TemperatureProbeOptionsFlow(OptionsFlow):
    """Ask how often and how finely to read, and how far each probe is off."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Begin with the step that is named for this source."""
        return await self.async_step_temperature_probe()

    async def async_step_temperature_probe(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for everything at once."""
        options = self.config_entry.options
        offsets: dict[str, float] = dict(options.get(CONF_OFFSETS, {}))
        fields = self._offset_fields(offsets)
        if user_input is not None:
            given = user_input.pop(CONF_OFFSETS, {})
            offsets |= {fields[field]: offset for field, offset in given.items()}
            # an emptied field is no offset
            for field in fields.keys() - given.keys():
                offsets.pop(fields[field], None)
            return self.async_create_entry(
                data={
                    CONF_POLL_INTERVAL: int(user_input[CONF_POLL_INTERVAL]),
                    CONF_RESOLUTION: int(user_input[CONF_RESOLUTION]),
                    CONF_OFFSETS: {
                        key: value for key, value in offsets.items() if value
                    },
                }
            )
        return self.async_show_form(
            step_id="temperature_probe", data_schema=self._schema(fields, offsets)
        )

    def _offset_fields(self, offsets: dict[str, float]) -> dict[str, str]:
        """Return the probes by what the form calls them."""
        registry = dr.async_get(self.hass)
        names: dict[str, str] = dict.fromkeys(offsets, "")
        for device in dr.async_entries_for_config_entry(
            registry, self.config_entry.entry_id
        ):
            for domain, key in device.identifiers:
                if domain == DOMAIN and family_of(key):
                    names[key] = device.name_by_user or ""
        return {
            f"{name} ({probe_id})" if name else probe_id: probe_id
            for probe_id, name in sorted(names.items())
        }

    def _schema(
        self, fields: dict[str, str], offsets: dict[str, float]
    ) -> probatio.Schema:
        """Return the form, filled with what is set."""
        options = self.config_entry.options
        schema: dict[Any, Any] = {
            probatio.Required(
                CONF_POLL_INTERVAL,
                default=options.get(CONF_POLL_INTERVAL, DEFAULT_POLL_INTERVAL),
            ): NumberSelector(
                NumberSelectorConfig(
                    min=5,
                    max=3600,
                    step=1,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement=UnitOfTime.SECONDS,
                )
            ),
            probatio.Required(
                CONF_RESOLUTION,
                default=str(options.get(CONF_RESOLUTION, DEFAULT_RESOLUTION)),
            ): SelectSelector(
                SelectSelectorConfig(
                    options=["9", "10", "11", "12"],
                    translation_key="resolution",
                    mode=SelectSelectorMode.DROPDOWN,
                )
            ),
        }
        if fields:
            schema[probatio.Required(CONF_OFFSETS)] = section(
                probatio.Schema(
                    {
                        probatio.Optional(
                            field,
                            description={"suggested_value": offsets.get(probe_id)},
                        ): OFFSET
                        for field, probe_id in fields.items()
                    }
                ),
                {"collapsed": True},
            )
        return probatio.Schema(schema)
