"""How a command runs until it is done or told to stop."""

import asyncio
import contextlib
import io
import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

STOPPED = 130  # the exit code of a command that was stopped before it was done


def run(work: Coroutine[Any, Any, int | None]) -> int:
    """Run to the end; the exit code. Ctrl-C or SIGTERM leaves cleanly, a second one at once."""
    try:
        return asyncio.run(_until_stopped(work)) or 0
    except KeyboardInterrupt:
        return STOPPED


async def _until_stopped(work: Coroutine[Any, Any, int | None]) -> int | None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, lambda *_: os._exit(STOPPED))
        task.cancel()

    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
    _watch_output(lambda: loop.call_soon_threadsafe(task.cancel))
    try:
        return await task
    except asyncio.CancelledError:
        return STOPPED


def _watch_output(closed: Callable[[], object]) -> None:
    """Call when the reader of our output has enough of it, as `head` has; not on Windows."""
    try:
        output = sys.stdout.fileno()
    except (AttributeError, io.UnsupportedOperation):  # there is none, or it is no file
        return

    def watch() -> None:
        poll = select.poll()
        poll.register(output, 0)
        if any(event & select.POLLERR for _, event in poll.poll()):
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                closed()

    if hasattr(select, "poll") and stat.S_ISFIFO(os.fstat(output).st_mode):
        threading.Thread(target=watch, daemon=True).start()


async def until_stdin_closes(work: Coroutine[Any, Any, None]) -> None:
    """Run until the process that started us ends, however it does: it holds our stdin open."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(0, 1024):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(task.cancel)

    # A daemon, and no reader's lock: nothing waits for this thread when we end first.
    threading.Thread(target=watch, daemon=True).start()
    with contextlib.suppress(asyncio.CancelledError):
        await task
