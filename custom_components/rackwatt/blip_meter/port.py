"""Serial ports: whether one opens, and what to say where it does not."""

import asyncio
from contextlib import suppress
import errno
from urllib.parse import urlsplit, urlunsplit

from serialx import PinState, SerialException, open_serial_connection
from serialx.common import UnknownUriScheme

from homeassistant.components import usb
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

OPEN_TIMEOUT = 10.0
CLOSE_TIMEOUT = 2.0

PARITY_NONE = "N"

# What a port that cannot be opened, or is lost, raises. (An ESPHome proxy whose
# integration is not loaded yet raises an error of Home Assistant's.)
PORT_ERRORS = (OSError, SerialException, TimeoutError, ValueError, HomeAssistantError)


async def async_stable_port(hass: HomeAssistant, port: str) -> str:
    """Return the name of a port that stays the same when devices are plugged."""
    if "://" in port:
        return port
    return await hass.async_add_executor_job(usb.get_serial_by_id, port)


async def async_open_port(
    port: str, baudrate: int, parity: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a port for us alone.

    Raises:
        PORT_ERRORS: it cannot be opened.
    """
    try:
        return await _async_open(port, baudrate, parity)
    except OSError as err:
        # A line that has no parity of its own (a pseudo-terminal, some adapters)
        # refuses the setting, and needs none.
        if err.errno != errno.EINVAL or parity == PARITY_NONE:
            raise
    return await _async_open(port, baudrate, PARITY_NONE)


async def _async_open(
    port: str, baudrate: int, parity: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a port with just these settings."""
    async with asyncio.timeout(OPEN_TIMEOUT):
        return await open_serial_connection(
            port,
            baudrate=baudrate,
            parity=parity,
            exclusive=True,
            # Dropping DTR resets an Arduino, and with it its running count
            dtr_on_open=PinState.UNDEFINED,
            rts_on_open=PinState.UNDEFINED,
            dtr_on_close=PinState.UNDEFINED,
            rts_on_close=PinState.UNDEFINED,
        )


async def async_close_port(writer: asyncio.StreamWriter) -> None:
    """Close a port; when this returns, somebody else can open it."""
    writer.close()
    # a lost port tells once more that it is lost
    with suppress(*PORT_ERRORS):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await writer.wait_closed()


async def async_test_port(port: str, baudrate: int, parity: str) -> Exception | None:
    """Open a port and close it again; return what went wrong."""
    try:
        _, writer = await async_open_port(port, baudrate, parity)
    except PORT_ERRORS as err:
        return err
    await async_close_port(writer)
    return None


def port_error_key(err: Exception) -> str:
    """Return the key of the sentence that names cause and cure."""
    if isinstance(err, UnknownUriScheme):
        return "unknown_scheme"
    if isinstance(err, TimeoutError):
        return "timeout"
    if isinstance(err, FileNotFoundError):
        return "no_such_port"
    if isinstance(err, PermissionError):
        return "no_permission"
    if isinstance(err, ConnectionRefusedError):
        return "refused"
    if isinstance(err, OSError) and err.errno in (errno.EBUSY, errno.EAGAIN):
        return "port_in_use"
    if isinstance(err, OSError) and err.errno == errno.ENOTTY:
        return "not_serial"
    return "cannot_open"


def port_error(err: Exception) -> dict[str, str]:
    """Return an error as the placeholder of a sentence."""
    return {"error": str(err) or type(err).__name__}


def printable_port(port: str) -> str:
    """Return a port without the credentials that its URL may carry."""
    if "://" not in port:
        return port
    parts = urlsplit(port)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
