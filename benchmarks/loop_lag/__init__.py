"""A tiny integration that tells how long Home Assistant's event loop was held up.

Benchmarks link it into the configuration of the real hass that they measure.
"""

import asyncio
import time

from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
)
from homeassistant.helpers.typing import ConfigType

DOMAIN = "loop_lag"
# how often the loop is asked whether it is there, in s
INTERVAL = 0.005


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Start to measure."""
    lags: list[float] = []
    since = [time.process_time(), time.monotonic(), time.thread_time()]

    async def sample() -> None:
        """Note by how much each short sleep was too long."""
        while True:
            start = time.monotonic()
            await asyncio.sleep(INTERVAL)
            lags.append(time.monotonic() - start - INTERVAL)

    async def report(call: ServiceCall) -> ServiceResponse:
        """Return what was measured since the last call, in s, and start anew."""
        ordered = sorted(lags)
        lags.clear()
        before = list(since)
        since[:] = [time.process_time(), time.monotonic(), time.thread_time()]
        return {
            "p50": ordered[len(ordered) // 2] if ordered else None,
            "p99": ordered[len(ordered) * 99 // 100] if ordered else None,
            "max": ordered[-1] if ordered else None,
            "cpu": since[0] - before[0],
            "wall": since[1] - before[1],
            "loop_cpu": since[2] - before[2],
        }

    hass.async_create_background_task(sample(), "loop lag")
    hass.services.async_register(
        DOMAIN, "report", report, supports_response=SupportsResponse.ONLY
    )
    return True
