"""The menu."""

from .meter.flow import MeterFlow


class RackwattConfigFlow(MeterFlow, domain="rackwatt"):
    """Pick a source."""

    async def async_step_user(self, user_input=None):
        """Show the menu."""
        return self.async_show_menu(step_id="user", menu_options=["meter"])

    async def async_step_reauth(self, entry_data):
        """Ask again."""
        return await self.async_step_meter()

    async def async_step_reconfigure(self, user_input=None):
        """Change."""
        return await self.async_step_meter()

    async def finish(self, port):
        """Create the entry."""
        await self.async_set_unique_id(port)
        self._abort_if_unique_id_configured()
