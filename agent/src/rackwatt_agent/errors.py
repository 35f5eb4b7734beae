"""What can stop the agent, each with the sentence and the exit status it ends with."""

import enum


class Exit(enum.IntEnum):
    """Exit statuses; the documentation lists them."""

    OK = 0
    USAGE = 2
    WRONG_KEY = 3
    UNREACHABLE = 4
    TLS = 5
    NOT_LOADED = 6
    TOO_OLD = 7
    REFUSED = 8
    NOT_WRITABLE = 9


class AgentError(Exception):
    """A failure with the sentence that names cause and cure."""

    def __init__(self, status: Exit, text: str) -> None:
        """Keep the exit status beside the sentence."""
        super().__init__(text)
        self.status = status
