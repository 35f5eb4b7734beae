"""The connection to Home Assistant: one that stays open, and failures as sentences."""

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit
import zlib

from . import __version__
from .errors import AgentError, Exit
from .server.report import API, KEY_HEADER, MACHINE_HEADER
from .wire import Answer, HungUpError, Wire, WireError

if TYPE_CHECKING:
    import ssl

CONNECT_S = 5.0
GZIP_FROM = 512  # a smaller body grows


class Refused(AgentError):
    """Home Assistant answered, and said no."""

    def __init__(self, code: int, body: Any, retry_s: float | None) -> None:
        """Keep what it said."""
        raw = body if isinstance(body, dict) else {}
        self.code = code
        self.error = str(raw.get("error", ""))
        self.body = raw
        self.retry_s = retry_s
        super().__init__(_status(code, self.error), _sentence(code, raw))


class Home:
    """One Home Assistant; opens TLS only where the address asks for it."""

    def __init__(
        self,
        url: str,
        key: str = "",
        ca_file: str | None = None,
        machine: str = "",
    ) -> None:
        """Check the address; nothing is sent yet."""
        self.url = url
        self._parts = split_url(url)
        self._ca_file = ca_file
        self._connection: Wire | None = None
        self.key = key
        self._machine = machine

    def get(self, path: str, timeout: float = CONNECT_S) -> Any:
        """Ask for something."""
        return self._exchange("GET", path, None, timeout)

    def post(self, path: str, message: Any, timeout: float = CONNECT_S) -> Any:
        """Send a message, packed where that makes it smaller."""
        text = json.dumps(message, separators=(",", ":"), allow_nan=False)
        return self._exchange("POST", path, text.encode(), timeout)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(
        self, method: str, path: str, body: bytes | None, timeout: float
    ) -> Any:
        """Send one request; a connection that went stale meanwhile is opened again."""
        stale_is_possible = self._connection is not None
        try:
            return self._once(method, path, body, timeout)
        except (HungUpError, ConnectionError) as err:
            self.close()
            if not stale_is_possible:
                raise self._unreachable(err) from err
        except (OSError, WireError) as err:
            self.close()
            raise self._unreachable(err) from err
        try:
            return self._once(method, path, body, timeout)
        except (OSError, WireError) as err:
            self.close()
            raise self._unreachable(err) from err

    def _once(self, method: str, path: str, body: bytes | None, timeout: float) -> Any:
        """Send one request over the open connection, or a new one."""
        if self._connection is None:
            self._connection = self._connect(timeout)
        headers = {
            "User-Agent": f"rackwatt-agent/{__version__}",
            "Accept": "application/json",
        }
        if self.key:
            headers[KEY_HEADER] = self.key
        if self._machine:
            headers[MACHINE_HEADER] = self._machine
        if body is not None:
            headers["Content-Type"] = "application/json"
            if len(body) >= GZIP_FROM:
                headers["Content-Encoding"] = "gzip"
                packer = zlib.compressobj(6, wbits=31)  # 31: as gzip
                body = packer.compress(body) + packer.flush()
        connection = self._connection
        answer = connection.exchange(
            method, self._parts.path + API + path, headers, body, timeout
        )
        if not connection.is_open:
            self.close()
        return self._judge(answer)

    def _judge(self, answer: Answer) -> Any:
        """Return the body of an answer, or raise what it refuses."""
        try:
            body = json.loads(answer.body) if answer.body else None
        except ValueError:
            body = None
        if 300 <= answer.status < 400:
            where = answer.headers.get("location", "another address")
            raise AgentError(
                Exit.UNREACHABLE,
                f"{self.url} sends us on to {where}. Use that address.",
            )
        if answer.status != 200:
            raise Refused(answer.status, body, _retry_after(answer, body))
        if not isinstance(body, dict):
            raise AgentError(
                Exit.UNREACHABLE,
                f"What answers at {self.url} is not Home Assistant."
                " Check the address and the port.",
            )
        return body

    def _connect(self, timeout: float) -> Wire:
        """Open a connection."""
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return Wire(host, port or 80, timeout)
        return Wire(host, port or 443, timeout, self._context())

    def _context(self) -> "ssl.SSLContext":
        """Return what decides whether a certificate is trusted."""
        import ssl  # noqa: PLC0415  3 MB that a plain connection need not hold

        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as err:
            raise AgentError(
                Exit.TLS,
                f"The certificates in ca_file ({self._ca_file}) cannot be used: {err}.",
            ) from err

    def _unreachable(self, err: Exception) -> AgentError:
        """Return a failure of the connection as a sentence."""
        if type(err).__module__ == "ssl":
            said = (
                getattr(err, "verify_message", "") or getattr(err, "reason", "") or err
            )
            return AgentError(
                Exit.TLS,
                f"No secure connection to {self.url}: {said}. If the certificate is"
                " your own, name it as ca_file in the settings; if Home Assistant"
                " speaks plain HTTP, use http:// in the address.",
            )
        return AgentError(
            Exit.UNREACHABLE,
            f"{self.url} cannot be reached: {_reason(err)}. Check the address and the"
            " port, and that Home Assistant runs.",
        )


def split_url(url: str) -> SplitResult:
    """Return the parts of an address."""
    try:
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme in {"http", "https"} and parts.hostname:
            _ = parts.port
            return parts
    except ValueError:
        pass
    raise AgentError(
        Exit.USAGE,
        f"{url or 'An empty text'} is no address of Home Assistant; it looks like"
        " http://homeassistant.local:8123.",
    )


def _retry_after(answer: Answer, body: Any) -> float | None:
    """Return after how many seconds to come again."""
    raw = answer.headers.get("retry-after")
    if raw is None and isinstance(body, dict):
        raw = body.get("retry")
    try:
        return min(max(float(raw), 1.0), 3600.0) if raw is not None else None
    except (TypeError, ValueError):
        return None


def _reason(err: Exception) -> str:
    """Return what the system says about a failure."""
    if isinstance(err, TimeoutError):
        return "it does not answer"
    if isinstance(err, WireError):
        return "what answers does not speak HTTP"
    return getattr(err, "strerror", None) or str(err) or type(err).__name__


def _status(code: int, error: str) -> Exit:
    """Return the exit status of a refusal."""
    if code == 404:
        return Exit.NOT_LOADED
    if code == 426:
        return Exit.TOO_OLD
    if code in {401, 403} and error:
        return Exit.WRONG_KEY
    return Exit.UNREACHABLE if code >= 500 else Exit.REFUSED


def _sentence(code: int, raw: dict[str, Any]) -> str:
    """Return what Home Assistant said, or what its silence means."""
    if hint := raw.get("hint"):
        return str(hint)
    if code == 404:
        return (
            "Rackwatt does not answer there. Either the address is not Home"
            " Assistant's, or the Rackwatt integration is not installed or has no"
            " server added yet."
        )
    if code == 403:
        return (
            "Home Assistant refuses this machine's address. It may be banned"
            " (ip_bans.yaml) after failed logins."
        )
    if code in {502, 503, 504}:
        return "Home Assistant is starting or stopping; nothing is lost."
    return f"Home Assistant answered with status {code}."
