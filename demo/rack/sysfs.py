"""Files whose reads and writes block while somebody answers, as attributes of sysfs do.

An attribute is a FIFO with a fresh inode for everybody who opens it: inotify tells that
it was opened, and the next one takes its place. A reader waits until the answer has
been written and our end is closed. A writer finds it full, and waits until it has been
drained.
"""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Awaitable, Callable
import contextlib
import ctypes
import fcntl
import os
from pathlib import Path
import struct
import threading
from typing import override

# From <sys/inotify.h>
IN_CLOSE_WRITE, IN_OPEN = 0x8, 0x20
EVENT = struct.Struct("iIII")
PIPE_SIZE = 4096
# An attribute of the real sysfs that not even root may open for writing
READ_ONLY = Path("/sys/kernel/uevent_seqnum")


def deny(attribute: Path) -> None:
    """Make an attribute one that cannot be written, not even by root."""
    attribute.unlink()
    attribute.symlink_to(READ_ONLY)


class Pipe:
    """The inode that one reader or writer of an attribute opens."""

    def __init__(self, attribute: Attribute) -> None:
        """Make it beside the attribute; watched before anybody can open it."""
        path = attribute.path.with_name(f".{attribute.path.name}")
        self._attribute = attribute
        os.mkfifo(path, 0o644)
        # For both directions, so that our own open does not block
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        attribute.prepare(self)
        self._watch = attribute.files.watch(path, self, attribute.mask)
        self._task: asyncio.Task[None] | None = None
        path.rename(attribute.path)

    def opened(self) -> None:
        """Put a fresh inode into place, and serve whoever has opened this one."""
        if self._task is None:
            self._attribute.renew()
            self._task = asyncio.create_task(self._attribute.serve(self))
            self._task.add_done_callback(self._served)

    def closed(self) -> None:
        """Take what a writer has written."""
        self._attribute.written(self)
        self.close()

    def _served(self, task: asyncio.Task[None]) -> None:
        """Our end is the last of a reader's file; a writer closes his himself."""
        if not self._attribute.mask & IN_CLOSE_WRITE:
            self.close()
        if not task.cancelled():
            task.result()

    def close(self) -> None:
        """Let go; whoever waits gets nothing."""
        self._attribute.files.unwatch(self._watch)
        if self._task is not None:
            self._task.cancel()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Attribute(ABC):
    """One blocking file."""

    mask = IN_OPEN

    def __init__(self, files: BlockingFiles, path: Path) -> None:
        """Make the file."""
        self.path = path
        self.files = files
        self._pipes: list[Pipe] = []
        self.renew()

    def renew(self) -> None:
        """Put a fresh pipe into place."""
        self._pipes = [pipe for pipe in self._pipes if pipe.descriptor >= 0]
        self._pipes.append(Pipe(self))

    @abstractmethod
    def prepare(self, pipe: Pipe) -> None:
        """Make a pipe block."""

    @abstractmethod
    async def serve(self, pipe: Pipe) -> None:
        """Do what makes whoever has opened a pipe wait, then let him go on."""

    @abstractmethod
    def written(self, pipe: Pipe) -> None:
        """Take what was written into a pipe."""

    def forget(self) -> None:
        """Let go of the file."""
        for pipe in self._pipes:
            pipe.close()


class Readable(Attribute):
    """A file that blocks its reader until there is an answer."""

    def __init__(
        self, files: BlockingFiles, path: Path, answer: Callable[[], Awaitable[str]]
    ) -> None:
        """Make the file."""
        self._answer = answer
        super().__init__(files, path)

    @override
    def prepare(self, pipe: Pipe) -> None:
        """Leave it as it is: an empty pipe blocks its reader by itself."""

    @override
    async def serve(self, pipe: Pipe) -> None:
        """Write the answer."""
        os.write(pipe.descriptor, (await self._answer()).encode("latin-1"))

    @override
    def written(self, pipe: Pipe) -> None:
        """Ignore it: nobody writes into it but we."""


class Writable(Attribute):
    """A file that blocks its writer while the work that he asks for is done."""

    mask = IN_OPEN | IN_CLOSE_WRITE

    def __init__(
        self,
        files: BlockingFiles,
        path: Path,
        work: Callable[[], Awaitable[None]],
        take: Callable[[bytes], None],
    ) -> None:
        """Make the file."""
        self._work = work
        self._take = take
        super().__init__(files, path)

    @override
    def prepare(self, pipe: Pipe) -> None:
        """Leave no room in the pipe."""
        fcntl.fcntl(pipe.descriptor, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        os.write(pipe.descriptor, bytes(PIPE_SIZE))

    @override
    async def serve(self, pipe: Pipe) -> None:
        """Do the work, then drain what blocks the writer."""
        await self._work()
        os.read(pipe.descriptor, PIPE_SIZE)

    @override
    def written(self, pipe: Pipe) -> None:
        """Hand over what was written, if anything was."""
        with contextlib.suppress(BlockingIOError):
            self._take(os.read(pipe.descriptor, PIPE_SIZE).lstrip(b"\0"))


class BlockingFiles:
    """The thread that answers for blocking files."""

    def __init__(self) -> None:
        """Start the thread."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK)
        self._pipes: dict[int, Pipe] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="blocking-files")
        self._thread.start()

    def _run(self) -> None:
        """Answer until stopped."""
        self._loop.add_reader(self._inotify, self._notice)
        self._loop.run_forever()
        self._loop.close()

    def call[**P, T](
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function in the thread."""

        async def run() -> T:
            return function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def watch(self, path: Path, pipe: Pipe, mask: int) -> int:
        """Tell a pipe when it is opened or closed."""
        watch: int = self._libc.inotify_add_watch(
            self._inotify, os.fsencode(path), mask
        )
        if watch < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(path))
        self._pipes[watch] = pipe
        return watch

    def unwatch(self, watch: int) -> None:
        """Tell nobody any more."""
        if self._pipes.pop(watch, None):
            self._libc.inotify_rm_watch(self._inotify, watch)

    def _notice(self) -> None:
        """Hand on what inotify has seen."""
        events = os.read(self._inotify, 64 * EVENT.size)
        for watch, mask, _, _ in EVENT.iter_unpack(events):
            pipe = self._pipes.get(watch)
            if pipe and mask & IN_OPEN:
                pipe.opened()
            if pipe and mask & IN_CLOSE_WRITE:
                pipe.closed()

    async def _forget_all(self) -> None:
        """Let go of every file and wait for those who answer."""
        for pipe in list(self._pipes.values()):
            pipe.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Let go of every file and end the thread."""
        asyncio.run_coroutine_threadsafe(self._forget_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        os.close(self._inotify)
