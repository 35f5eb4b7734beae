"""Keep the history files still while Home Assistant copies it into a backup."""

from homeassistant.core import HomeAssistant

from .history.sample_writer import async_loaded_samples
from .history.store import async_loaded_store


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Bring the files into a state that can be copied."""
    if (store := async_loaded_store(hass)) is not None:
        await store.async_freeze()
    if (samples := async_loaded_samples(hass)) is not None:
        await samples.async_run(samples.store.freeze)


async def async_post_backup(hass: HomeAssistant) -> None:
    """Go on as before."""
    if (store := async_loaded_store(hass)) is not None:
        await store.async_thaw()
    if (samples := async_loaded_samples(hass)) is not None:
        await samples.async_run(samples.store.thaw)
