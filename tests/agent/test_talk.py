"""The agent's side of the conversation, against a server that says what it is told to."""

from collections.abc import Callable, Iterator
import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
from pathlib import Path
import socket
import ssl
import subprocess
import sys
from threading import Thread
import time
from typing import Any

import pytest
import pytest_socket

from .conftest import fill
from rackwatt_agent import __main__ as command_line, enroll as enroll_module, service
from rackwatt_agent.backlog import Backlog
from rackwatt_agent.carrier import Carrier
from rackwatt_agent.client import Home, Refused
from rackwatt_agent.config import Config, load, renew_key, save, with_renewed_key
from rackwatt_agent.errors import AgentError, Exit
from rackwatt_agent.machine import fingerprint, is_hardware, macs
from rackwatt_agent.run import Agent
from rackwatt_agent.server.report import Batch, Layout
from rackwatt_agent.wire import Wire, WireError

type Answer = tuple[int, Any]


class Server(ThreadingHTTPServer):
    """A server that notes what it gets and answers from a list."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a port of its own."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer | Callable[[Any], Answer]] = []
        self.got: list[tuple[str, str | None, Any]] = []
        self.connections = 0
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may hang up."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        self.server.connections += 1

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a question."""
        self._answer(None)

    def do_POST(self) -> None:
        """Answer a message."""
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        self._answer(json.loads(raw))

    def _answer(self, body: Any) -> None:
        """Say what is next on the list; the last answer stays."""
        self.server.got.append((self.path, self.headers.get("X-Rackwatt-Key"), body))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        status, text = answer(body) if callable(answer) else answer
        raw = text if isinstance(text, bytes) else json.dumps(text).encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "https://elsewhere/")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server."""
    pytest_socket.enable_socket()
    pytest_socket.socket_allow_hosts(["127.0.0.1"])
    server = Server()
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def committed(body: Any) -> Answer:
    """Acknowledge everything."""
    return 200, {"ack": body["samples"][-1][0], "want": [], "cfg": {"max": 300}}


def carrier(server: Server, backlog: Backlog) -> Carrier:
    """Return who brings the queue to the server."""
    return Carrier(Home(server.url, "rwk_k"), backlog, "c" * 32, "boot-1")


def deliver(carrier: Carrier) -> None:
    """Give it five seconds."""
    carrier.deliver(time.monotonic() + 5, None)


def test_everything_is_delivered_over_one_connection(
    server: Server, backlog: Backlog, layout: Layout
) -> None:
    """700 samples are three batches; the columns are described once."""
    server.answers = [committed]
    fill(backlog, layout, 700)
    sender = carrier(server, backlog)
    deliver(sender)
    assert backlog.held == 0
    assert server.connections == 1
    batches = [Batch.from_json(body) for _, _, body in server.got]
    assert [len(batch.samples) for batch in batches] == [300, 300, 100]
    assert [batch.described for batch in batches] == [True, False, False]
    assert {key for _, key, _ in server.got} == {"rwk_k"}


def test_description_is_sent_when_it_is_wanted(
    server: Server, backlog: Backlog, layout: Layout
) -> None:
    """A restored Home Assistant may have forgotten the columns."""
    sender = carrier(server, backlog)
    server.answers = [committed]
    fill(backlog, layout, 1)
    deliver(sender)
    server.answers = [(200, {"ack": 1, "want": ["desc"]}), committed]
    fill(backlog, layout, 1, 1)
    deliver(sender)
    assert ["desc" in body for _, _, body in server.got] == [True, False, True]
    assert backlog.held == 0


def test_gap_is_declared(server: Server, backlog: Backlog, layout: Layout) -> None:
    """What the other side lost after it had acknowledged it is declared as gone."""
    sender = carrier(server, backlog)
    server.answers = [committed]
    fill(backlog, layout, 5)
    deliver(sender)
    gap = (409, {"error": "gap", "hint": "x.", "expect": 3})
    server.answers = [gap, committed]
    fill(backlog, layout, 1, 5)
    deliver(sender)
    assert server.got[-1][2]["skip"] == [[3, 5]]
    assert backlog.held == 0


def test_bad_sample_is_found_by_halving(
    server: Server, backlog: Backlog, layout: Layout
) -> None:
    """One sample that is never taken costs itself."""

    def picky(body: Any) -> Answer:
        if any(row[0] == 13 for row in body["samples"]):
            return 422, {"error": "bad_time", "hint": "No."}
        return committed(body)

    server.answers = [picky]
    fill(backlog, layout, 40)
    deliver(carrier(server, backlog))
    assert backlog.held == 0
    assert backlog.dropped == 1


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        ((401, {"error": "unknown_key", "hint": "Unknown."}), 300),
        ((409, {"error": "key_bound_to_other_machine", "hint": "Clone."}), 300),
        ((429, {"error": "too_many", "hint": "Slow.", "retry": 60}), 60),
        ((503, b""), 8),
        ((404, b"404: Not Found"), 8),
        ((500, b""), 8),
        ((200, b"<html>"), 8),
        ((200, {"hello": 1}), 8),
        ((301, b""), 8),
    ],
)
def test_nothing_goes_without_an_acknowledgement(
    server: Server, backlog: Backlog, layout: Layout, answer: Answer, waits: float
) -> None:
    """Whatever is answered: kept, told once, asked again after a while."""
    server.answers = [answer]
    fill(backlog, layout, 3)
    sender = carrier(server, backlog)
    deliver(sender)
    assert backlog.held == 3
    assert sender.error is not None
    assert len(server.got) == 1
    deliver(sender)
    assert len(server.got) == 1
    # two acknowledgements are missing: to disk
    assert backlog.spilling
    assert waits / 2 <= sender._not_before - time.monotonic() + 1 <= waits + 1
    sender._not_before = 0
    server.answers = [committed]
    deliver(sender)
    assert backlog.held == 0
    assert sender.error is None


def test_acknowledgement_that_does_not_move_is_no_loop(
    server: Server, backlog: Backlog, layout: Layout
) -> None:
    """A server that acknowledges nothing is not asked again at once."""
    server.answers = [(200, {"ack": 0, "want": []})]
    fill(backlog, layout, 3)
    deliver(carrier(server, backlog))
    assert len(server.got) == 1
    assert backlog.held == 3


def test_stale_connection_is_opened_again(
    server: Server, backlog: Backlog, layout: Layout
) -> None:
    """Home Assistant closed the idle connection: that is no failure."""
    sender = carrier(server, backlog)
    server.answers = [committed]
    fill(backlog, layout, 1)
    deliver(sender)
    connection = sender.home._connection
    assert connection is not None
    connection._sock.shutdown(socket.SHUT_RDWR)
    fill(backlog, layout, 1, 1)
    deliver(sender)
    assert backlog.held == 0
    assert sender.error is None


def sentence(url: str, **arguments: Any) -> tuple[Exit, str]:
    """Return how an attempt fails."""
    with pytest.raises(AgentError) as caught:
        Home(url, **arguments).get("/hello", timeout=2)
    return caught.value.status, str(caught.value)


def test_failures_are_sentences(server: Server, tmp_path: Path) -> None:
    """Wrong address, nobody there, no TLS, not Home Assistant: each names its cure."""
    assert sentence("homeassistant:8123")[0] is Exit.USAGE
    assert sentence("http://[")[0] is Exit.USAGE
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        status, text = sentence(f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert status is Exit.UNREACHABLE
    assert "Connection refused" in text
    server.answers = [(200, b"<html>")]
    assert "not Home Assistant" in sentence(server.url)[1]
    server.answers = [(302, b"")]
    assert "https://elsewhere/" in sentence(server.url)[1]
    server.answers = [(404, b"404: Not Found")]
    assert sentence(server.url)[0] is Exit.NOT_LOADED
    server.answers = [(426, {"error": "version", "hint": "Update."})]
    assert sentence(server.url) == (Exit.TOO_OLD, "Update.")
    server.answers = [(403, b"")]
    assert "ip_bans.yaml" in sentence(server.url)[1]
    server.answers = [(418, b"")]
    assert sentence(server.url) == (
        Exit.REFUSED,
        "Home Assistant answered with status 418.",
    )
    status, text = sentence(server.url.replace("http", "https"))
    assert status is Exit.TLS
    assert "ca_file" in text
    status, _ = sentence("https://localhost:1", ca_file=str(tmp_path / "none.pem"))
    assert status is Exit.TLS


def test_slow_answer(server: Server) -> None:
    """A server that takes the message and says nothing does not hold us up."""

    def sleepy(body: Any) -> Answer:
        time.sleep(0.5)
        return 200, {}

    server.answers = [sleepy]
    with pytest.raises(AgentError, match="does not answer"):
        Home(server.url).get("/hello", timeout=0.1)


def test_own_certificate(server: Server, tmp_path: Path) -> None:
    """A certificate of one's own is trusted where it is named."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-subj", "/CN=h"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.answers = [(200, {"name": "web1"})]
    url = server.url.replace("http", "https")
    assert sentence(url)[0] is Exit.TLS
    home = Home(url, ca_file=str(certificate))
    assert home.get("/hello") == {"name": "web1"}
    home.close()


# ------------------------------------------------------------------ the command line


@pytest.fixture
def settings(config: Config) -> Path:
    """Return a settings file."""
    config.path.write_text(
        f'machine_id_file = "{config.machine_id_file}"\nstate = "{config.state}"\n'
        "# mine\n[mounts]\ninclude = ['/']\n"
    )
    return config.path


def agent(settings: Path, *arguments: str) -> int:
    """Run a command."""
    return command_line.main(["--config", str(settings), *arguments])


def test_enroll(
    server: Server, settings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """The key is written, the file's other lines stay, the first report is sent."""
    monkeypatch.setattr(enroll_module, "ASK_AGAIN_S", 0.01)
    server.answers = [
        (200, {"key": "rwk_new", "server": "x"}),
        (403, {"error": "waiting", "hint": "Wait."}),
        committed,
    ]
    assert agent(settings, "enroll", f"{server.url}/", "abcd-efgh") == Exit.OK
    said = capsys.readouterr()
    assert "has taken the first report" in said.out
    assert "overheard" in said.err
    assert server.got[0][2]["code"] == "ABCDEFGH"
    assert server.got[2][1] == "rwk_new"
    text = settings.read_text()
    assert text.index('key = "rwk_new"') < text.index("[mounts]")
    assert "# mine" in text
    assert settings.stat().st_mode & 0o777 == 0o600
    assert load(settings).url == server.url


def test_enroll_with_a_pasted_key(
    server: Server, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key is checked at once; a wrong one is said and not written."""
    server.answers = [(401, {"error": "unknown_key", "hint": "Unknown key."})]
    assert agent(settings, "enroll", server.url, "--key", "rwk_x") == Exit.WRONG_KEY
    assert "Unknown key." in capsys.readouterr().err
    assert load(settings).key == ""
    server.answers = [(200, {"name": "web1"}), committed]
    assert agent(settings, "enroll", server.url, "--key", " rwk_y ") == Exit.OK
    assert load(settings).key == "rwk_y"


def test_enroll_waits_for_adoption(
    server: Server, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a code for many the user adopts later: the command ends."""
    waiting = {"error": "waiting", "hint": "Adopt it.", "adopt": True}
    server.answers = [(200, {"key": "rwk_n"}), (403, waiting)]
    assert agent(settings, "enroll", server.url, "AAAABBBB") == Exit.OK
    assert "Adopt it." in capsys.readouterr().out


def test_enroll_refusals(
    server: Server, settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each ends with its own status; a code is not spent when nothing can be written."""
    server.answers = [(401, {"error": "unknown_code", "hint": "Old code."})]
    assert agent(settings, "enroll", server.url, "AAAA") == Exit.WRONG_KEY
    assert agent(settings, "enroll", server.url) == Exit.USAGE
    assert agent(settings, "enroll", "nonsense", "AAAA") == Exit.USAGE
    server.answers = [(200, {"server": "x"})]
    assert agent(settings, "enroll", server.url, "AAAA") == Exit.REFUSED
    server.answers = [(200, {"key": "rwk_n"}), (409, {"error": "x", "hint": "Clone."})]
    assert agent(settings, "enroll", server.url, "AAAA") == Exit.REFUSED
    before = len(server.got)
    (tmp_path / "file").write_text("")
    unwritable = tmp_path / "file" / "agent.toml"
    assert agent(unwritable, "enroll", server.url, "AAAA") == Exit.NOT_WRITABLE
    assert len(server.got) == before
    assert "Traceback" not in capsys.readouterr().err


def test_status_and_once(
    server: Server, settings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """What a person asks on the host."""
    server.answers = [(200, {"name": "web1"})]
    save(settings, {"url": server.url, "key": "rwk_k"})
    assert agent(settings, "status") == Exit.OK
    said = capsys.readouterr().out
    assert 'known there as: "web1"' in said
    assert "samples on disk: 0" in said
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert agent(settings, "once") == Exit.OK
    once = json.loads(capsys.readouterr().out)
    assert once["metrics"]["mem"]["unit"] == "%"
    assert len(server.got) == 1


def test_run_says_goodbye(server: Server, settings: Path) -> None:
    """The agent runs until SIGTERM and reports that it ends."""
    server.answers = [committed]
    save(settings, {"url": server.url, "key": "rwk_k"})
    process = subprocess.Popen(
        [sys.executable, "-m", "rackwatt_agent", "--config", str(settings), "run"],
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
    )
    try:
        while not server.got:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.02)
        process.terminate()
        assert process.wait(5) == 0
    finally:
        process.kill()
        assert process.stderr
        process.stderr.close()
    assert server.got[-1][2]["events"][0]["k"] == "bye"
    assert [body["samples"][-1][0] for _, _, body in server.got] == [1, 2]
    assert not (load(settings).state / "queue").exists()


def test_run_in_process(server: Server, settings: Path, monkeypatch: Any) -> None:
    """Ticks, tells systemd, takes a new key, keeps what it cannot deliver."""
    told = settings.parent / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(told))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(told))
        save(settings, {"url": server.url, "key": "rwk_k"})
        worker = Agent(load(settings))
        server.answers = [
            lambda body: (200, {**committed(body)[1], "newkey": "rwk_fresh"}),
            committed,
        ]
        worker.tick(time.monotonic() + 5)
        assert load(settings).key == "rwk_fresh"
        worker.tick(time.monotonic() + 5)
        assert server.got[-1][1] == "rwk_fresh"
        server.answers = [(503, b"")]
        worker.end("stop")
        assert listener.recv(100) == b"WATCHDOG=1"
    assert list((load(settings).state / "queue").iterdir())


def test_renewed_key_of_a_service(settings: Path, monkeypatch: Any) -> None:
    """Where the settings are read-only, the new key lies beside the queue."""
    save(settings, {"key": "rwk_old"})
    config = load(settings)

    def refuse(path: Path, changes: Any) -> None:
        raise AgentError(Exit.NOT_WRITABLE, "no")

    monkeypatch.setattr("rackwatt_agent.config.save", refuse)
    renew_key(config, "rwk_2")
    assert with_renewed_key(config).key == "rwk_2"
    # renewed again: still for the same settings
    renew_key(with_renewed_key(config), "rwk_3")
    assert with_renewed_key(config).key == "rwk_3"
    monkeypatch.undo()
    save(settings, {"key": "rwk_other"})
    assert with_renewed_key(load(settings)).key == "rwk_other"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("interval = ", "TOML"),
        ("interval = 0", "interval"),
        ("queue_mb = 0", "queue_mb"),
        ("[metrics]\nnosuch = true", "nosuch"),
        ("[[custom]]\nname = 'x'", "command or path"),
        ("[[custom]]\nname = 'x'\ncommand = 'ls'", "a list"),
        ("[[custom]]\npath = 'x'", "name"),
        ("mounts = 3", "wrong value"),
    ],
)
def test_wrong_settings(
    tmp_path: Path, text: str, names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong line is named."""
    path = tmp_path / "agent.toml"
    path.write_text(text)
    assert agent(path, "run") == Exit.USAGE
    assert names in capsys.readouterr().err


def test_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be set; a file that others can read is closed to them."""
    path = tmp_path / "agent.toml"
    assert agent(path, "run") == Exit.USAGE
    assert "enroll" in capsys.readouterr().err
    path.write_text(
        "interval = 30\nqueue_mb = 8\n[metrics]\ndisk = false\n"
        "[interfaces]\ninclude = ['docker0', 'eth*']\nexclude = ['eth9']\n"
        "[[custom]]\nname = 'jobs'\ncommand = ['/bin/true']\n"
    )
    path.chmod(0o644)
    config = load(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert config.interval == 30
    assert config.queue_bytes == 8 << 20
    assert "disk" not in config.families
    assert config.interfaces.takes("docker0")
    assert not config.interfaces.takes("eth9")
    assert not config.interfaces.takes("wlan0")
    assert config.custom[0].command == ("/bin/true",)
    assert agent(path, "run") == Exit.USAGE
    assert agent(path, "install-service") == Exit.USAGE


def test_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where settings and queue lie: systemd's places first, then the user's own."""
    from rackwatt_agent.config import default_path, default_state  # noqa: PLC0415

    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_path() == Path("/etc/rackwatt/agent.toml")
    assert default_state() == Path("/var/lib/rackwatt")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "rackwatt" / "agent.toml"
    assert default_state() == tmp_path / "rackwatt"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/c")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/private/rackwatt:/x")
    assert default_path() == Path("/run/c/agent.toml")
    assert default_state() == Path("/var/lib/private/rackwatt")
    monkeypatch.setenv("RACKWATT_AGENT_CONFIG", "/etc/mine.toml")
    assert default_path() == Path("/etc/mine.toml")


def test_machine(config: Config, tmp_path: Path) -> None:
    """Another machine id is another machine; the id itself is not told."""
    first = fingerprint(config.machine_id_file)
    assert first == fingerprint(config.machine_id_file)
    assert "0123456789abcdef" not in first
    config.machine_id_file.write_text("other\n")
    assert fingerprint(config.machine_id_file) != first
    with pytest.raises(AgentError, match="machine_id_file"):
        fingerprint(tmp_path / "none")
    assert len(fingerprint(Path("/etc/machine-id"))) == 32
    assert not is_hardware("lo")
    assert all(mac.count(":") == 5 for mac in macs())


# ----------------------------------------------------------------------- the service


def test_service(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit is written, started, and removed again."""
    called = []

    def systemctl(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        called.append(command[1])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(service.subprocess, "run", systemctl)
    monkeypatch.setattr(service.sys, "executable", "/opt/agent/bin/python")
    config.path.write_text('key = "rwk_k"\n')
    ready = load(config.path)
    assert "not installed" in service.uninstall(tmp_path)
    service.install(ready, rapl=False, units=tmp_path)
    text = (tmp_path / service.NAME).read_text()
    assert "ExecStart=/opt/agent/bin/python -m rackwatt_agent run" in text
    assert f"LoadCredential=agent.toml:{config.path}" in text
    assert "CapabilityBoundingSet=\n" in text
    assert "ProtectHome=yes" in text
    service.install(ready, rapl=True, units=tmp_path)
    assert (
        "AmbientCapabilities=CAP_DAC_READ_SEARCH"
        in (tmp_path / service.NAME).read_text()
    )
    assert called == ["daemon-reload", "enable", "restart"] * 2
    service.uninstall(tmp_path)
    assert not (tmp_path / service.NAME).exists()
    with pytest.raises(AgentError, match="as root"):
        service.install(ready, rapl=False, units=tmp_path / "none")
    monkeypatch.setattr(service.sys, "executable", "/root/.local/bin/python")
    with pytest.raises(AgentError, match="--global"):
        service.install(ready, rapl=False, units=tmp_path)


def test_service_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said in a sentence."""

    def missing(*_: Any, **__: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(service.subprocess, "run", missing)
    with pytest.raises(AgentError, match="no systemd"):
        service._systemctl("daemon-reload")

    def failing(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "Access denied")

    monkeypatch.setattr(service.subprocess, "run", failing)
    with pytest.raises(AgentError, match="Access denied"):
        service._systemctl("daemon-reload")


def test_unit_is_valid(tmp_path: Path) -> None:
    """Systemd itself finds nothing wrong with the unit."""
    path = tmp_path / service.NAME
    path.write_text(
        service.unit_text(Path("/etc/rackwatt/agent.toml"), Path("/usr/bin/env"), True)
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Unknown" not in done.stderr
    assert "Failed to parse" not in done.stderr


def test_refusal_keeps_what_was_said() -> None:
    """The body of a refusal is at hand."""
    err = Refused(409, {"error": "gap", "hint": "Missing.", "expect": 3}, None)
    assert (err.error, err.body["expect"], str(err)) == ("gap", 3, "Missing.")


# -------------------------------------------------------------------------- the wire


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n",
            b"{}",
        ),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", None),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None),
        (b"\x15\x03\x01", None),
        (b"x" * 40_000, None),
        (
            b"HTTP/1.1 200 OK\r\n"
            + b"a: b\r\n" * 3
            + b"".join(b"h%d: x\r\n" % n for n in range(300)),
            None,
        ),
        (b"", None),
    ],
)
def test_whatever_answers(raw: bytes, body: bytes | None, server: Server) -> None:
    """Whole answers are read, others are errors of the wire."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(raw)
        connection.close()

    Thread(target=serve, daemon=True).start()
    wire = Wire("127.0.0.1", listener.getsockname()[1], 2)
    try:
        if body is None:
            with pytest.raises((WireError, ConnectionError)):
                wire.exchange("GET", "/", {}, None, 2)
        else:
            assert wire.exchange("GET", "/", {}, None, 2).body == body
    finally:
        wire.close()
        listener.close()
