"""As much of HTTP/1.1 as the agent needs, over one connection that stays open.

The standard library's client brings its mail parser and TLS along, 8 MB that a small
host need not hold for a POST every eight seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

HEAD_MAX = 32 << 10
BODY_MAX = 64 << 10


class WireError(Exception):
    """What answers does not speak HTTP."""


class HungUpError(WireError):
    """The other side closed the connection before it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """One connection."""

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float,
        context: "ssl.SSLContext | None" = None,
    ) -> None:
        """Open it."""
        self._name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        sock = socket.create_connection((host, port), timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                sock = context.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
        self._sock = sock
        self._rest = b""
        self.is_open = True

    def close(self) -> None:
        """Hang up."""
        self.is_open = False
        self._sock.close()

    def exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> Answer:
        """Send a request and return what is answered."""
        self._sock.settimeout(timeout)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._name}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        self._sock.sendall(head + (body or b""))
        return self._answer()

    def _answer(self) -> Answer:
        """Read an answer; leave the connection open where its end is known."""
        status, headers = self._head()
        try:
            if headers.get("transfer-encoding", "").lower() == "chunked":
                body = self._chunks()
            elif "content-length" in headers:
                body = self._exactly(int(headers["content-length"]))
            else:
                body = self._everything()
        except ValueError as err:
            raise WireError("the answer's length is no number") from err
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status=status, headers=headers, body=body)

    def _head(self) -> tuple[int, dict[str, str]]:
        """Read the status and the headers."""
        first = self._line(HungUpError)
        parts = first.split(maxsplit=2)
        if (
            len(parts) < 2
            or not parts[0].startswith("HTTP/1.")
            or not parts[1].isdigit()
        ):
            raise WireError("no status line")
        if parts[0] == "HTTP/1.0":
            self.is_open = False
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
            if len(headers) > 200:
                raise WireError("too many headers")
        return int(parts[1]), headers

    def _line(self, at_end: type[WireError] = WireError) -> str:
        """Read up to the end of a line."""
        while b"\n" not in self._rest:
            if len(self._rest) > HEAD_MAX:
                raise WireError("a line is too long")
            self._more(at_end)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def _exactly(self, size: int) -> bytes:
        """Read so many bytes; a longer answer is not for us."""
        if not 0 <= size <= BODY_MAX:
            self.close()
            return b""
        while len(self._rest) < size:
            self._more()
        body, self._rest = self._rest[:size], self._rest[size:]
        return body

    def _chunks(self) -> bytes:
        """Read a body that comes in pieces."""
        body = b""
        while size := int(self._line().partition(";")[0], 16):
            body += self._exactly(size)
            self._line()
            if len(body) > BODY_MAX or not self.is_open:
                self.close()
                return b""
        while self._line():
            pass
        return body

    def _everything(self) -> bytes:
        """Read until the other side closes."""
        try:
            while len(self._rest) <= BODY_MAX:
                self._more(HungUpError)
        except HungUpError:
            pass
        self.close()
        return self._rest[:BODY_MAX]

    def _more(self, at_end: type[WireError] = WireError) -> None:
        """Read what is there."""
        data = self._sock.recv(16 << 10)
        if not data:
            raise at_end("the connection was closed")
        self._rest += data
