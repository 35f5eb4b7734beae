"""Child processes that end when we end, whatever ends us."""

import asyncio
from collections.abc import Mapping
import contextlib
import ctypes
from pathlib import Path
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """Ask the kernel for SIGTERM when our parent dies, even by SIGKILL."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def spawn(
    *command: str | Path, log: Path, env: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start a program whose output goes to the end of a log.

    It gets a session of its own: Ctrl-C in the terminal reaches only us, and we
    stop our children in order.
    """
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )


async def terminate(process: asyncio.subprocess.Process, patience: float) -> int:
    """End a program, by force when it takes longer than our patience in seconds."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(patience):
            return await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()
