"""Keys of servers and the codes that they are exchanged for.

Only digests are stored. A key is 256 random bits, shown once; a code is short, lives
for minutes (or for a counted number of hosts) and is worth nothing afterwards.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
import secrets
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from .report import CODE_ALPHABET, CODE_LENGTH, KEY_PREFIX, key_digest

STORAGE_KEY = f"{DOMAIN}.servers"
STORAGE_VERSION = 1
CODE_LIFETIME = timedelta(minutes=10)
MAX_WAITING = 1000


def new_key() -> str:
    """Return a fresh key."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What is kept of a server's key, and of the machine that uses it."""

    digest: str | None
    next_digest: str | None = None
    machine: str | None = None
    hostname: str | None = None
    mac: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a host may hand in for a key."""

    server_id: str | None
    """The server that the code is for; none where each host becomes its own."""
    left: int
    expires: float

    def is_valid(self, now: datetime) -> bool:
        """Tell whether the code can still be used."""
        return self.left > 0 and now.timestamp() < self.expires


class KeyRing:
    """All keys and codes; kept in a file that only Home Assistant can read."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize an empty ring."""
        self._store: Store[dict[str, Any]] = Store(
            hass, STORAGE_VERSION, STORAGE_KEY, private=True, atomic_writes=True
        )
        self._credentials: dict[str, Credential] = {}
        self._owners: dict[str, str] = {}
        self._codes: dict[str, Code] = {}
        self.pending_keys: dict[str, str] = {}
        """New keys that wait to be handed over with the next answer, by server."""

    async def async_load(self) -> None:
        """Read the ring."""
        raw = await self._store.async_load() or {}
        for server_id, fields in raw.get("servers", {}).items():
            self._put(server_id, Credential(**fields))
        self._codes = {
            digest: Code(**fields) for digest, fields in raw.get("codes", {}).items()
        }

    async def async_save(self) -> None:
        """Write the ring at once: what it says was told to a host."""
        now = dt_util.utcnow()
        self._codes = {d: c for d, c in self._codes.items() if c.is_valid(now)}
        await self._store.async_save(
            {
                "servers": {k: asdict(v) for k, v in self._credentials.items()},
                "codes": {d: asdict(c) for d, c in self._codes.items()},
            }
        )

    def owner_of(self, key: str) -> tuple[str, bool] | None:
        """Return whose key this is, and whether it is the one that replaces another.

        A digest of 256 random bits tells nothing about its neighbours, so looking it
        up needs no constant time.
        """
        digest = key_digest(key)
        if (server_id := self._owners.get(digest)) is None:
            return None
        return server_id, self._credentials[server_id].next_digest == digest

    def credential(self, server_id: str) -> Credential | None:
        """Return what is kept of a server."""
        return self._credentials.get(server_id)

    def waiting(self, entries: set[str | None]) -> Iterator[tuple[str, Credential]]:
        """Yield the hosts that enrolled but belong to no entry."""
        for server_id, credential in self._credentials.items():
            if server_id not in entries and credential.machine is not None:
                yield server_id, credential

    def owner_of_machine(self, machine: str) -> str | None:
        """Return the server that a machine was enrolled as."""
        for server_id, credential in self._credentials.items():
            if credential.machine == machine:
                return server_id
        return None

    async def async_issue(self, server_id: str) -> str:
        """Return a new key for a server; any older one is dead."""
        key = new_key()
        self._put(server_id, Credential(digest=key_digest(key)))
        self.pending_keys.pop(server_id, None)
        await self.async_save()
        return key

    async def async_rotate(self, server_id: str) -> None:
        """Hand out a new key with the next answer; the old one lives until it is used."""
        key = new_key()
        credential = self._credentials.get(server_id) or Credential(digest=None)
        self._put(server_id, replace(credential, next_digest=key_digest(key)))
        self.pending_keys[server_id] = key
        await self.async_save()

    async def async_confirm(self, server_id: str) -> None:
        """The new key was used: the old one is dead."""
        credential = self._credentials[server_id]
        self._put(
            server_id,
            replace(credential, digest=credential.next_digest, next_digest=None),
        )
        self.pending_keys.pop(server_id, None)
        await self.async_save()

    async def async_bind(self, server_id: str, machine: str | None) -> None:
        """Remember the machine that uses a key, or forget it."""
        credential = self._credentials[server_id]
        self._put(server_id, replace(credential, machine=machine))
        await self.async_save()

    async def async_forget(self, server_id: str) -> None:
        """Let the key of a server die."""
        self._drop(server_id)
        self._codes = {
            digest: code
            for digest, code in self._codes.items()
            if code.server_id != server_id
        }
        await self.async_save()

    async def async_new_code(
        self,
        server_id: str | None,
        count: int = 1,
        lifetime: timedelta = CODE_LIFETIME,
    ) -> str:
        """Return a new code."""
        code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
        self._codes[key_digest(code)] = Code(
            server_id=server_id,
            left=count,
            expires=(dt_util.utcnow() + lifetime).timestamp(),
        )
        await self.async_save()
        return code

    async def async_cancel_code(self, code: str) -> None:
        """Let a code die before its time."""
        if self._codes.pop(key_digest(code), None) is not None:
            await self.async_save()

    async def async_redeem(
        self, code: str, machine: str, hostname: str, mac: str | None
    ) -> tuple[str, str, bool] | None:
        """Exchange a code: return server, key and whether the code was for that one only.

        Where the code is for many, a machine that comes again keeps its server.
        """
        digest = key_digest(code)
        found = self._codes.get(digest)
        if found is None or not found.is_valid(dt_util.utcnow()):
            return None
        server_id = found.server_id
        if server_id is None:
            server_id = self.owner_of_machine(machine) or secrets.token_hex(16)
            if len(self._credentials) >= MAX_WAITING and (
                server_id not in self._credentials
            ):
                return None
        self._codes[digest] = replace(found, left=found.left - 1)
        key = new_key()
        self._put(
            server_id,
            Credential(
                digest=key_digest(key), machine=machine, hostname=hostname, mac=mac
            ),
        )
        self.pending_keys.pop(server_id, None)
        await self.async_save()
        return server_id, key, found.server_id is not None

    def _put(self, server_id: str, credential: Credential) -> None:
        """Take a credential in, its digests findable."""
        self._drop(server_id)
        self._credentials[server_id] = credential
        for digest in (credential.digest, credential.next_digest):
            if digest is not None:
                self._owners[digest] = server_id

    def _drop(self, server_id: str) -> None:
        """Take a credential out."""
        self._credentials.pop(server_id, None)
        self._owners = {d: s for d, s in self._owners.items() if s != server_id}
