"""What may go wrong between us and an SNMP agent."""

from enum import StrEnum


class SnmpError(Exception):
    """The agent could not be asked, or its answer could not be used."""


class SnmpHostError(SnmpError):
    """The host name does not resolve."""


class SnmpTimeoutError(SnmpError):
    """No answer came."""


class AuthFailure(StrEnum):
    """Why an agent refused a user."""

    UNKNOWN_USER = "unknown_user"
    WRONG_DIGEST = "wrong_digest"
    UNSUPPORTED_LEVEL = "unsupported_level"
    AUTHORIZATION = "authorization"


class SnmpAuthenticationError(SnmpError):
    """The agent answered that it does not let this user in."""

    def __init__(self, reason: AuthFailure) -> None:
        """Keep the reason that the agent gave."""
        super().__init__(reason.value)
        self.reason = reason


class SnmpResponseError(SnmpError):
    """The agent answered with an error status."""

    def __init__(self, status: int, index: int) -> None:
        """Keep the status of RFC 3416 and the varbind it points at (from 1)."""
        super().__init__(f"{STATUS_NAMES.get(status, status)} at {index}")
        self.status = status
        self.index = index


TOO_BIG = 1
NO_SUCH_NAME = 2
GEN_ERR = 5
AUTHORIZATION_ERROR = 16

STATUS_NAMES = {
    TOO_BIG: "tooBig",
    NO_SUCH_NAME: "noSuchName",
    3: "badValue",
    4: "readOnly",
    GEN_ERR: "genErr",
    6: "noAccess",
    7: "wrongType",
    8: "wrongLength",
    9: "wrongEncoding",
    10: "wrongValue",
    11: "noCreation",
    12: "inconsistentValue",
    13: "resourceUnavailable",
    14: "commitFailed",
    15: "undoFailed",
    AUTHORIZATION_ERROR: "authorizationError",
    17: "notWritable",
    18: "inconsistentName",
}
