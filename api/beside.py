"""What the processes that a server keeps beside it have in common: how one begins, and a bell that wakes it."""

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

# Forking a process with threads can hang.
CONTEXT = multiprocessing.get_context("spawn")


def begin(niceness: int) -> None:
    """To be called first inside such a process: it gives way to the server, and ends with it and not by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.nice(niceness)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def a_bell() -> tuple[Connection, Connection]:
    """What is heard, for the process, and what rings it. Ringing never waits: a bell that is full has been rung."""
    heard, rings = CONTEXT.Pipe(duplex=False)
    os.set_blocking(rings.fileno(), False)
    return heard, rings


def ring(bell: Connection) -> None:
    """Wake the process, if it still lives."""
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(bell.fileno(), b"\0")


def heard_within(bell: Connection, seconds: float) -> bool:
    """Whether it rings before so many seconds are over; all that has rung counts once."""
    rung = bell.poll(seconds)
    if rung:
        os.read(bell.fileno(), 4096)
    return rung
