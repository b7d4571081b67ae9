"""What happens in a server in, a line of JSON each on stderr out, each with the id of the request it belongs to.

A log that nobody reads never stops the server: lines wait for a thread that writes them, and where too many wait, those that
come are counted and left out.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO

import orjson

REQUEST: ContextVar[str | None] = ContextVar("request", default=None)

_MOST_WAITING = 10_000
_WRITE_SECONDS = 0.1  # lines of so long are written at once
_END_SECONDS = 1.0  # how long the end of the server waits for a reader of its log


class Log:
    """Lines to a stream, from any thread."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._waiting: deque[dict[str, object]] = deque()
        self._left_out = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def tell(self, event: str, **values: object) -> None:
        """A line: what happened, when, and more about it."""
        if len(self._waiting) >= _MOST_WAITING:
            self._left_out += 1
            return
        self._waiting.append({"at": time.time(), "event": event, **values})

    def close(self) -> None:
        """Write what waits."""
        self._ended.set()
        self._thread.join(_END_SECONDS)

    def _write(self) -> None:
        while not self._ended.wait(_WRITE_SECONDS):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        lines = []
        while self._waiting:
            lines.append(_line(self._waiting.popleft()))
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            lines.append(_line({"at": time.time(), "event": "lines left out", "count": left_out}))
        if lines:
            try:
                self._stream.write("".join(lines))
                self._stream.flush()
            except (OSError, ValueError):  # its reader is gone, and there is nobody to tell
                pass


def _line(values: dict[str, object]) -> str:
    at = values.pop("at")
    assert isinstance(at, float)
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return orjson.dumps({"at": moment, **values}, default=str).decode() + "\n"


class LogHandler(logging.Handler):
    """What the program and its libraries log, as lines of a Log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._traces = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """A line with level, logger, message, and the trace where there is one."""
        more: dict[str, object] = {"request": id} if (id := REQUEST.get()) else {}
        if record.exc_info:
            more["trace"] = self._traces.formatException(record.exc_info)
        self._log.tell(
            "log", level=record.levelname.lower(), logger=record.name, message=record.getMessage(), **more
        )  # fmt: skip


@contextmanager
def logging_to(stream: IO[str]) -> Iterator[Log]:
    """A Log that takes in what this process logs otherwise, too, until the end of the block."""
    log = Log(stream)
    handler, root = LogHandler(log), logging.getLogger()
    root.addHandler(handler)
    try:
        yield log
    finally:
        root.removeHandler(handler)
        log.close()
