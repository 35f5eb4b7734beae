"""What the config flows of all sources share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
)


class SourceFlow(ConfigFlow):
    """A config flow that each source adds its steps to."""

    @abstractmethod
    async def async_identify(
        self, unique_id: str, updates: Mapping[str, Any] | None = None
    ) -> None:
        """Abort where the device is set up already; update its address."""

    @abstractmethod
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

    @property
    def reconfigured_entry(self) -> ConfigEntry | None:
        """Return the entry that is reconfigured, if any."""
        if self.source == SOURCE_RECONFIGURE:
            return self._get_reconfigure_entry()
        return None

    def async_update(
        self, entry: ConfigEntry, data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Update an entry, which is then loaded anew.

        A loaded entry listens for its changes and reloads itself. One that could not
        be loaded does not, and must not wait for its next try.
        """
        if entry.update_listeners:
            return self.async_update_and_abort(entry, data_updates=data)
        return self.async_update_reload_and_abort(entry, data_updates=data)
