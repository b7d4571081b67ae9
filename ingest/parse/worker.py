"""Files in, parsed documents or reasons why not out; each file is parsed in another process, under limits.

A file that loops, swallows memory or crashes a C library costs its own process and its own time limit; the file after
it finds a fresh process. Workers stay alive from file to file, for starting one takes about half a second. They cannot
reach the network, and they die when this process does, even if it is killed.
"""

import hashlib
import importlib
import inspect
import logging
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any

from ingest.document import Document
from ingest.errors import BadRequest, OverBudget, RegTapeError, Unreadable

PARSE, SPLIT = "ingest.parse:parse", "ingest.parse:parts"
_GRACE = (
    20.0  # the worker's own alarm ends it at the limit; this is for one that did not even start
)
_RETIRE_AT = 400 << 20  # bytes a worker may keep between files before a fresh one takes its place


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: seconds of wall time, MiB above the empty worker, bytes of file, pages, characters."""

    seconds: float = 120.0
    memory_mb: int = 1500
    bytes: int = 200_000_000
    pages: int = 20_000
    text_chars: int = 50_000_000

    @property
    def fingerprint(self) -> str:
        """Changes when a limit does: what failed under other limits is worth another try."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Job:
    """One file to parse: read from `path` by the worker, or given as `data`. `given`: its manifest row."""

    path: Path | None
    name: str
    given: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """One document of a file. sha256: of the bytes it was read from, the whole file's where it holds just one."""

    document: Document
    sha256: str
    name: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file that was parsed. sha256, size: of its bytes; seconds: reading and parsing, in the worker."""

    job: Job
    parts: tuple[Part, ...]
    sha256: str
    size: int
    seconds: float

    @property
    def document(self) -> Document:
        """The first document, for formats which hold one."""
        return self.parts[0].document

    @property
    def pages(self) -> int:
        """Pages of all parts; a document without pages counts as one."""
        return sum(max(1, len(part.document.pages)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that was not parsed.

    reason: a code of Unreadable, or "time", "memory", "size", "pages", "crashed", "missing" (not readable on disk);
    hint: what a person can do; sha256: of its bytes, "" where the worker did not come that far.
    """

    job: Job
    reason: str
    message: str
    hint: str
    sha256: str = ""
    seconds: float = 0.0


ParseFunction = Callable[..., Document]
SplitFunction = Callable[[bytes, str], Iterable[tuple[str, bytes]]]
Functions = tuple[str | ParseFunction, str | SplitFunction | None]


class ParseWorkers:
    """A few processes that parse. A context manager; `parse_all` may be called again and again, one call at a time.

    parse: "module:function" or a module-level callable, (data, name[, given]) -> Document; the worker imports it.
    split: the same for (data, name) -> (name, data) of each document in a file; with the default parser, its own.
    """

    def __init__(
        self,
        workers: int,
        limits: Limits | None = None,
        *,
        parse: str | ParseFunction = PARSE,
        split: str | SplitFunction | None = None,
        nice: int = 0,
    ) -> None:
        if workers < 1:
            raise BadRequest(f"{workers} parse workers; there must be at least one")
        self.limits = limits or Limits()
        functions = (parse, SPLIT if parse == PARSE and split is None else split)
        self._children = [_Child(functions, self.limits, nice) for _ in range(workers)]

    def __enter__(self) -> "ParseWorkers":
        for child in self._children:
            child.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            child.stop()

    def parse_all(self, jobs: Iterable[Job]) -> Iterator[Parsed | Failed]:
        """Every job's outcome, as they come; at most two jobs a worker are taken from `jobs` ahead of the caller."""
        waiting, ready = iter(jobs), deque[Parsed | Failed]()
        more = True
        try:
            while True:
                for child in self._children:
                    if more and child.job is None and len(ready) < len(self._children):
                        job = next(waiting, None)
                        more = job is not None
                        if job is not None:
                            child.send(job)
                came = self._collect(0.0 if ready else None)
                ready.extend(came)
                if came:
                    continue  # the workers that brought them get their next job first
                if not ready:
                    return
                yield ready.popleft()
        finally:
            for child in self._children:
                if child.job is not None:
                    child.stop()

    def _collect(self, timeout: float | None) -> list[Parsed | Failed]:
        """Outcomes of the busy workers; waits for the first one if `timeout` is None and any worker is busy."""
        came: list[Parsed | Failed] = []
        while busy := [child for child in self._children if child.job is not None]:
            patience = max(0.0, min(child.deadline for child in busy) - time.monotonic())
            wait(
                [thing for child in busy for thing in child.awaited],
                patience if timeout is None else timeout,
            )
            came += [outcome for child in busy if (outcome := child.outcome()) is not None]
            if came or timeout is not None:
                break
        return came


class _Child:
    """One worker process, seen from the parent; started again after it was stopped or died.

    A plain subprocess rather than multiprocessing's spawn, which would run the caller's main module again in each
    worker: half a second of imports, and a fork bomb where a script has no main guard.
    """

    def __init__(self, functions: Functions, limits: Limits, nice: int) -> None:
        self._functions, self._limits, self._nice = functions, limits, nice
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self.job: Job | None = None
        self.deadline = 0.0
        self._ready = False
        self._sent = 0.0
        self._sha256 = ""

    def start(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        # The worker watches its standard input: a pipe that ends when this process does, however it ends.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {__name__} import serve; serve({theirs.fileno()})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        )
        theirs.close()
        self._connection, self._ready = ours, False
        with suppress(OSError):
            ours.send((self._functions, self._limits, self._nice))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = self.job = None

    def send(self, job: Job) -> None:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self.start()
        assert self._connection is not None
        with suppress(OSError):  # it died this very moment; outcome() will see that, and tell
            self._connection.send((job.path, job.name, dict(job.given), job.data))
        self.job, self._sha256, self._sent = job, "", time.monotonic()
        self.deadline = self._sent + self._limits.seconds + _GRACE

    @property
    def awaited(self) -> list[Connection]:
        """What becomes ready when there is something to look at: an answer, or the worker's end."""
        return [self._connection] if self._connection else []

    def outcome(self) -> Parsed | Failed | None:
        """The current job's outcome if there is one yet; the worker is then free, or gone."""
        assert self.job is not None
        assert self._connection is not None
        try:
            while self._connection.poll():
                kind, *rest = self._connection.recv()
                if kind == "ready":
                    self._ready = True
                elif kind == "read":
                    self._sha256 = rest[0]
                else:
                    retires, *values = rest
                    made = Parsed if kind == "parsed" else Failed
                    outcome: Parsed | Failed = made(self.job, *values)
                    self.job = None
                    if retires:
                        self.stop()
                    return outcome
            if time.monotonic() < self.deadline:
                return None
        except (EOFError, OSError):
            pass
        return self._bury()

    def _bury(self) -> Failed:
        assert self.job is not None
        assert self._process is not None
        job, seconds = self.job, time.monotonic() - self._sent
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(0.0 if time.monotonic() > self.deadline else 5.0)
        self.stop()
        if not self._ready:  # no fault of the file
            raise RegTapeError(f"a parse worker could not be started ({_how(code)})")
        if code is None or code == -signal.SIGALRM:
            error = _over_time(self._limits)
            return Failed(job, error.reason, str(error), error.hint, self._sha256, seconds)
        if code == -signal.SIGKILL:
            message = "the system ended the parser, most likely for want of memory"
            hint = _memory_hint(self._limits)
            return Failed(job, "memory", message, hint, self._sha256, seconds)
        message = f"the parser crashed on it ({_how(code)})"
        hint = f"it may be damaged, or need more than {self._limits.memory_mb} MiB; save it anew elsewhere"
        return Failed(job, "crashed", message, hint, self._sha256, seconds)


def _how(code: int | None) -> str:
    if code is None:
        return "no answer"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _over_time(limits: Limits) -> OverBudget:
    hint = "raise the time limit per file, or split the file"
    return OverBudget("time", f"parsing took longer than {limits.seconds:g} s", hint)


def _memory_hint(limits: Limits) -> str:
    return f"raise the memory limit per file (now {limits.memory_mb} MiB), or split the file"


# --- in the worker process ------------------------------------------------------------------------------------------


def serve(descriptor: int) -> None:
    """The worker's main loop over its end of the pipe; returns when the parent closes the other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True, name="parent-watch").start()
    _cut_network()
    # What a library has to say about a bad file is not for the user's terminal.
    logging.disable()
    warnings.simplefilter("ignore")
    connection = Connection(descriptor)
    functions, limits, nice = connection.recv()
    if nice:
        os.nice(nice)
    connection.send(("ready",))
    floor = _memory(resident=True)
    while True:
        try:
            path, name, given, data = connection.recv()
        except (EOFError, OSError):
            return
        started = time.monotonic()
        # The kernel's alarm ends the process even while C code holds the interpreter.
        signal.setitimer(signal.ITIMER_REAL, limits.seconds)
        retire = False
        digest = ""
        try:
            _limit_memory(limits.memory_mb << 20)
            data = _read(path, limits) if data is None else data
            _check_size(len(data), limits)
            digest = hashlib.sha256(data).hexdigest()
            connection.send(("read", digest))
            parts = _parts(functions, data, name, given, limits)
            size = len(data)
            data = b""
            answer: tuple[Any, ...] = ("parsed", False, parts, digest, size)
        except (Unreadable, OverBudget) as error:
            answer = ("failed", False, error.reason, str(error), error.hint, digest)
        except MemoryError:
            retire = True
            message = f"parsing needed more than {limits.memory_mb} MiB"
            answer = ("failed", True, "memory", message, _memory_hint(limits), digest)
        except RecursionError:
            answer = (
                "failed",
                False,
                "too-deep",
                "nested deeper than the parser can follow",
                "flatten or split the file",
                digest,
            )
        except Exception as error:  # noqa: BLE001 - one bad file must not end the batch; its reason goes to the ledger
            message = f"the parser failed on it: {type(error).__name__}: {error}"[:500]
            answer = (
                "failed",
                False,
                "damaged",
                message,
                "open and save it anew elsewhere, or report it",
                digest,
            )
        signal.setitimer(signal.ITIMER_REAL, 0)
        _limit_memory(None)
        retire = retire or _memory(resident=True) - floor > _RETIRE_AT
        connection.send((answer[0], retire, *answer[2:], time.monotonic() - started))
        if retire:
            return
        del answer


def _read(path: Path, limits: Limits) -> bytes:
    try:
        _check_size(path.stat().st_size, limits)
        return path.read_bytes()
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise Unreadable("missing", message, "check the path and the permissions") from error


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.bytes:
        message = f"{size:,} bytes; the limit is {limits.bytes:,}"
        raise OverBudget("size", message, "raise the size limit per file, or split the file")


def _parts(
    functions: Functions, data: bytes, name: str, given: Mapping[str, str], limits: Limits
) -> tuple[Part, ...]:
    parse: ParseFunction = _resolve(functions[0])
    split: SplitFunction | None = _resolve(functions[1])
    takes_given = bool(given) and "given" in inspect.signature(parse).parameters
    parts: list[Part] = []
    left_out: list[Unreadable] = []
    pages = chars = 0
    for part_name, piece in [(name, data)] if split is None else split(data, name):
        try:
            document = parse(piece, part_name, **({"given": given} if takes_given else {}))
        except Unreadable as error:  # the other documents of the file are as good as ever
            left_out.append(error)
            continue
        document.check()
        pages, chars = pages + len(document.pages), chars + len(document.text)
        _check_count("page", pages, limits.pages)
        _check_count("character", chars, limits.text_chars)
        parts.append(Part(document, hashlib.sha256(piece).hexdigest(), part_name))
    if not parts:
        raise (
            left_out[0]
            if left_out
            else Unreadable("no-text", f"{name} holds no document", "fetch it again")
        )
    parts[0].document.warnings += tuple(f"left out: {error}" for error in left_out)
    return tuple(parts)


def _check_count(what: str, count: int, limit: int) -> None:
    if count > limit:
        reason = "pages" if what == "page" else "size"
        message = f"more than {limit:,} {what}s; that is the limit per file"
        raise OverBudget(reason, message, f"raise the {what} limit per file, or split the file")


def _resolve(function: Any) -> Any:
    """The function behind "module:function"; anything else as it is."""
    if not isinstance(function, str):
        return function
    module, _, attribute = function.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _die_with_parent() -> None:
    """End this process when the parent is gone; the job pipe tells nothing while a file is being parsed."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _cut_network() -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise PermissionError("parsing a document never needs the network")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        setattr(socket.socket, name, refuse)
    socket.create_connection = refuse
    socket.getaddrinfo = refuse


def _limit_memory(extra: int | None) -> None:
    """Allow `extra` bytes of address space above what is in use now (None: no limit); only where the system tells it."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    in_use = _memory(resident=False)
    if not in_use:
        return
    soft = hard if extra is None else in_use + extra
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard) if soft != resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _memory(*, resident: bool) -> int:
    """Bytes of this process, resident or as address space; 0 where /proc is not (then there is no memory limit)."""
    if not sys.platform.startswith("linux"):
        return 0
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1 if resident else 0]) * resource.getpagesize()
