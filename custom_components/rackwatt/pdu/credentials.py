"""Who asks a PDU, and how: SNMP v1, v2c and the users of v3."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

SHORTEST_PASSPHRASE = 8
"""RFC 3414, section 11.2: no shorter passphrase may be accepted by an agent."""


class Version(StrEnum):
    """A version of SNMP."""

    V1 = "1"
    V2C = "2c"
    V3 = "3"


class AuthProtocol(StrEnum):
    """How an SNMPv3 message proves who sent it."""

    NONE = "none"
    MD5 = "md5"
    SHA = "sha"
    SHA224 = "sha224"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class PrivProtocol(StrEnum):
    """How an SNMPv3 message is encrypted."""

    NONE = "none"
    DES = "des"
    AES128 = "aes128"
    AES192 = "aes192"
    AES256 = "aes256"


class KeyExtension(StrEnum):
    """How a digest shorter than the key is stretched for AES-192 and AES-256.

    No standard says: net-snmp follows Blumenthal's draft, Cisco and APC follow Reeder's.
    """

    BLUMENTHAL = "blumenthal"
    REEDER = "reeder"


_DIGEST_BYTES = {
    AuthProtocol.MD5: 16,
    AuthProtocol.SHA: 20,
    AuthProtocol.SHA224: 28,
    AuthProtocol.SHA256: 32,
    AuthProtocol.SHA384: 48,
    AuthProtocol.SHA512: 64,
}
_KEY_BYTES = {PrivProtocol.AES192: 24, PrivProtocol.AES256: 32}


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """All that a request needs to be let in."""

    version: Version
    community: str = ""
    username: str = ""
    auth_protocol: AuthProtocol = AuthProtocol.NONE
    auth_key: str = ""
    priv_protocol: PrivProtocol = PrivProtocol.NONE
    priv_key: str = ""
    key_extension: KeyExtension = KeyExtension.REEDER

    @property
    def without_privacy(self) -> Self:
        """Return the same user, authenticated but not encrypted."""
        return replace(self, priv_protocol=PrivProtocol.NONE, priv_key="")

    @property
    def key_is_stretched(self) -> bool:
        """Return if the digest is too short for the key, so that the two ways differ."""
        needed = _KEY_BYTES.get(self.priv_protocol, 0)
        return _DIGEST_BYTES.get(self.auth_protocol, 0) < needed
