"""Files whose reads and writes block while somebody answers, as attributes of sysfs do.

An attribute to read is a FIFO with a fresh inode for every reader: inotify tells that
it was opened, the next one takes its place, and the reader waits until the answer has
been written and our end is closed. An attribute to write is a FIFO kept full: a write
blocks until it has been drained.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
import contextlib
import ctypes
import fcntl
import os
from pathlib import Path
import struct
import threading
from typing import Any, override

# From <sys/inotify.h>
IN_CLOSE_WRITE, IN_OPEN, IN_ONESHOT = 0x8, 0x20, 0x8000_0000
EVENT = struct.Struct("iIII")
PIPE_SIZE = 4096
# An attribute of the real sysfs that not even root may open for writing
READ_ONLY = Path("/sys/kernel/uevent_seqnum")


def deny(attribute: Path) -> None:
    """Make an attribute one that cannot be written, not even by root."""
    attribute.unlink()
    attribute.symlink_to(READ_ONLY)


class Attribute:
    """One blocking file."""

    mask = IN_OPEN

    def __init__(self, files: BlockingFiles, path: Path) -> None:
        """Make the file."""
        self.path = path
        self._files = files
        self._tasks: dict[asyncio.Task[None], int] = {}
        self._descriptor = -1
        self._watch = -1

    def _make(self, path: Path) -> None:
        """Make a FIFO; the open for both directions never blocks."""
        os.mkfifo(path, 0o644)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def opened(self) -> None:
        """Somebody has opened the file."""
        raise NotImplementedError

    def closed(self) -> None:
        """Somebody who could write has closed the file."""

    def forget(self) -> None:
        """Let go of the file; whoever waits for it gets nothing."""
        self._files.unwatch(self._watch)
        for task in self._tasks:
            task.cancel()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Readable(Attribute):
    """A file that blocks its reader until there is an answer."""

    mask = IN_OPEN | IN_ONESHOT

    def __init__(
        self, files: BlockingFiles, path: Path, answer: Callable[[], Awaitable[str]]
    ) -> None:
        """Make the file."""
        super().__init__(files, path)
        self._answer = answer
        self._arm()

    def _arm(self) -> None:
        """Put a fresh FIFO into place, watched before it can be opened."""
        fresh = self.path.with_name(f".{self.path.name}")
        self._make(fresh)
        self._watch = self._files.watch(fresh, self)
        fresh.rename(self.path)

    @override
    def opened(self) -> None:
        """Answer this reader; the next one gets the next FIFO."""
        descriptor = self._descriptor
        self._arm()
        task = asyncio.create_task(self._serve(descriptor))
        self._tasks[task] = descriptor
        task.add_done_callback(self._served)

    async def _serve(self, descriptor: int) -> None:
        """Write the answer."""
        os.write(descriptor, (await self._answer()).encode("latin-1"))

    def _served(self, task: asyncio.Task[None]) -> None:
        """Close our end, which is the end of the file for the reader."""
        os.close(self._tasks.pop(task))
        if not task.cancelled():
            task.result()


class Writable(Attribute):
    """A file that blocks its writer while the work that he asks for is done."""

    mask = IN_OPEN | IN_CLOSE_WRITE

    def __init__(
        self,
        files: BlockingFiles,
        path: Path,
        work: Callable[[], Coroutine[Any, Any, None]],
        written: Callable[[bytes], None],
    ) -> None:
        """Make the file."""
        super().__init__(files, path)
        self._work = work
        self._written = written
        self._make(path)
        fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        self._fill()
        self._watch = files.watch(path, self)

    def _fill(self) -> None:
        """Leave no room for the next writer."""
        os.write(self._descriptor, bytes(PIPE_SIZE))

    @override
    def opened(self) -> None:
        """Do the work, then let the writer write."""
        task = asyncio.create_task(self._serve())
        self._tasks[task] = -1
        task.add_done_callback(lambda task: self._tasks.pop(task) and None)

    async def _serve(self) -> None:
        """Do the work, then drain what blocks the writer."""
        await self._work()
        os.read(self._descriptor, PIPE_SIZE)

    @override
    def closed(self) -> None:
        """Hand over what was written."""
        with contextlib.suppress(BlockingIOError):
            self._written(os.read(self._descriptor, PIPE_SIZE))
        with contextlib.suppress(BlockingIOError):
            self._fill()


class BlockingFiles:
    """The thread that answers for blocking files."""

    def __init__(self) -> None:
        """Start the thread."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK)
        self._attributes: dict[int, Attribute] = {}
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

    def watch(self, path: Path, attribute: Attribute) -> int:
        """Tell an attribute when its file is opened or closed."""
        watch: int = self._libc.inotify_add_watch(
            self._inotify, os.fsencode(path), ctypes.c_uint32(attribute.mask)
        )
        if watch < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(path))
        self._attributes[watch] = attribute
        return watch

    def unwatch(self, watch: int) -> None:
        """Tell nobody any more."""
        if self._attributes.pop(watch, None):
            self._libc.inotify_rm_watch(self._inotify, watch)

    def _notice(self) -> None:
        """Hand on what inotify has seen."""
        events = os.read(self._inotify, 64 * EVENT.size)
        for watch, mask, _, _ in EVENT.iter_unpack(events):
            attribute = self._attributes.get(watch)
            if attribute is None:
                continue
            if attribute.mask & IN_ONESHOT:
                del self._attributes[watch]
            if mask & IN_OPEN:
                attribute.opened()
            if mask & IN_CLOSE_WRITE:
                attribute.closed()

    async def _forget_all(self) -> None:
        """Let go of every file and wait for those who answer."""
        for attribute in list(self._attributes.values()):
            attribute.forget()
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
