"""Make this machine known to a Home Assistant."""

from dataclasses import replace
import secrets
import sys
import time
from typing import Any

from . import __version__
from .backlog import boot_id
from .client import Home, Refused, split_url
from .collect.collector import Sampler
from .collect.families import collectors
from .config import RENEWED, Config, save
from .errors import AgentError, Exit
from .machine import fingerprint, hostname, macs, now_ms, system, up_ms
from .server.report import KEY_PREFIX, Batch, Enrolment, Sample, plain_code

FIRST_REPORT_S = 60.0
ASK_AGAIN_S = 2.0


def enroll(config: Config, url: str, code: str | None, key: str | None) -> str:
    """Get or check a key, write it into the settings, send the first report."""
    split_url(url)
    url = url.rstrip("/")
    # before the code is spent: a key that cannot be written is lost
    save(config.path, {"url": url})
    home = Home(url, ca_file=config.ca_file)
    try:
        key = check_key(home, key) if key else hand_in(home, config, code or "")
        save(config.path, {"url": url, "key": key})
        forget_renewed_key(config)
        return first_report(home, replace(config, url=url, key=key))
    finally:
        home.close()


def hand_in(home: Home, config: Config, code: str) -> str:
    """Exchange a code for a key."""
    answer = home.post(
        "/enroll",
        Enrolment(
            code=plain_code(code),
            machine=fingerprint(config.machine_id_file),
            hostname=hostname()[:128],
            agent=__version__,
            os=system(),
            macs=macs(),
        ).to_json(),
    )
    key = answer.get("key")
    if not isinstance(key, str) or not key.startswith(KEY_PREFIX):
        raise AgentError(Exit.REFUSED, "Home Assistant answered without a key.")
    home.key = key
    return key


def check_key(home: Home, key: str) -> str:
    """Ask whether a key that was pasted by hand is valid."""
    home.key = key.strip()
    home.get("/hello")
    return home.key


def forget_renewed_key(config: Config) -> None:
    """A key that replaced an older one does not outlive a new enrolment."""
    (config.state / RENEWED).unlink(missing_ok=True)


def first_report(home: Home, config: Config) -> str:
    """Send one report; Home Assistant may need a moment to make the entry for it."""
    sampler = Sampler(collectors(config))
    sampler.sample()
    until = time.monotonic() + FIRST_REPORT_S
    while True:
        try:
            home.post("/ingest", one_batch(config, sampler).to_json())
        except Refused as err:
            if err.error != "waiting":
                raise
            if err.body.get("adopt") is True or time.monotonic() >= until:
                return str(err)
            time.sleep(ASK_AGAIN_S)
        else:
            return f"Home Assistant at {home.url} has taken the first report."


def one_batch(config: Config, sampler: Sampler) -> Batch:
    """Return a batch of one sample, in an epoch of its own."""
    layout, values = sampler.sample()
    up = up_ms()
    return Batch(
        machine=fingerprint(config.machine_id_file),
        agent=__version__,
        epoch=secrets.token_hex(8),
        boot=boot_id(),
        now_ms=now_ms(),
        up_ms=up,
        interval_ms=int(config.interval * 1000),
        layout=layout,
        digest=layout.digest(),
        described=True,
        samples=(Sample(1, now_ms(), up, values),),
    )


def warn_if_plain(url: str) -> None:
    """Say that what is sent without TLS can be overheard."""
    if url.startswith("http://"):
        print(
            "Note: over http:// the key can be overheard on the network. It lets"
            " others only write this machine's values; use https:// if you can.",
            file=sys.stderr,
        )


def check(config: Config) -> dict[str, Any]:
    """Ask Home Assistant whether it knows the key."""
    home = Home(config.url, config.key, config.ca_file)
    try:
        answer: dict[str, Any] = home.get("/hello")
        return answer
    finally:
        home.close()
