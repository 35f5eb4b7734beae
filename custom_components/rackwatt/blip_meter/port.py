"""Serial ports: whether one opens, and what to say where it does not."""

import asyncio
import errno
from urllib.parse import urlsplit, urlunsplit

from serialx import SerialException, open_serial_connection
from serialx.common import UnknownUriScheme

from homeassistant.components import usb
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

TEST_TIMEOUT = 10.0


async def async_stable_port(hass: HomeAssistant, port: str) -> str:
    """Return the name of a port that stays the same when devices are plugged."""
    if "://" in port:
        return port
    return await hass.async_add_executor_job(usb.get_serial_by_id, port)


async def async_test_port(port: str, baudrate: int, parity: str) -> Exception | None:
    """Open a port and close it again; return what went wrong."""
    try:
        async with asyncio.timeout(TEST_TIMEOUT):
            _, writer = await open_serial_connection(
                port, baudrate=baudrate, parity=parity, exclusive=True
            )
    except (
        OSError,
        SerialException,
        TimeoutError,
        ValueError,
        HomeAssistantError,
    ) as err:
        return err
    writer.close()
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
