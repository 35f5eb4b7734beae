"""The one SNMP thread that all PDUs share while any of them is set up."""

import asyncio
from dataclasses import dataclass, field

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from .snmp import SnmpThread


@dataclass(kw_only=True)
class _Shared:
    """The thread and how many use it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    thread: SnmpThread | None = None
    users: int = 0


_SHARED: HassKey[_Shared] = HassKey(f"{DOMAIN}_snmp_thread")


async def async_acquire_thread(hass: HomeAssistant) -> SnmpThread:
    """Return the thread, started; each call is paid back by async_release_thread."""
    shared = hass.data.setdefault(_SHARED, _Shared())
    async with shared.lock:
        if shared.thread is None:
            shared.thread = SnmpThread()
            shared.thread.start()
        shared.users += 1
        return shared.thread


async def async_release_thread(hass: HomeAssistant) -> None:
    """Stop the thread when nobody uses it any more."""
    shared = hass.data[_SHARED]
    async with shared.lock:
        shared.users -= 1
        if not shared.users and (thread := shared.thread) is not None:
            shared.thread = None
            await hass.async_add_executor_job(thread.stop)
