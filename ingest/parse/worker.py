"""Files in, parsed documents or reasons why not out; each file is parsed in another process, under limits.

A file that loops, swallows memory or crashes a C library costs its own process and its own time limit; the file after
it finds a fresh process. Workers stay alive from file to file, for starting one takes about half a second. They cannot
reach the network, and they die when this process does, even if it is killed.
"""

import hashlib
import importlib
import inspect
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any

from ingest.document import Document
from ingest.errors import BadRequest, OverBudget, Unreadable

PARSE = "ingest.parse:parse"
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
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One document of a file. sha256: of the file's bytes, or of the part's text where a file holds several."""

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


ParseFunction = Callable[..., Document | Sequence[Document]]


class ParseWorkers:
    """A few processes that parse. A context manager; `parse_all` may be called again and again, one call at a time.

    parse: "module:function" or a module-level callable, (data, name) -> Document or several; the worker imports it.
    """

    def __init__(
        self,
        workers: int,
        limits: Limits | None = None,
        *,
        parse: str | ParseFunction = PARSE,
        nice: int = 0,
    ) -> None:
        if workers < 1:
            raise BadRequest(f"{workers} parse workers; there must be at least one")
        self.limits = limits or Limits()
        self._children = [_Child(parse, self.limits, nice) for _ in range(workers)]

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
    """One worker process, seen from the parent; started again after it was stopped or died."""

    def __init__(self, parse: str | ParseFunction, limits: Limits, nice: int) -> None:
        self._parse, self._limits, self._nice = parse, limits, nice
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self.job: Job | None = None
        self.deadline = 0.0
        self._sent = 0.0
        self._sha256 = ""

    def start(self) -> None:
        # spawn, not fork: the parent may hold threads and open databases
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(theirs, self._parse, self._limits, self._nice),
            daemon=True,
            name="regtape-parse",
        )
        self._process.start()
        theirs.close()
        self._connection = ours

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = self.job = None

    def send(self, job: Job) -> None:
        if self._process is None or not self._process.is_alive():
            self.stop()
            self.start()
        assert self._connection is not None
        with suppress(OSError):  # it died this very moment; outcome() will see that, and tell
            self._connection.send((job.path, job.name, dict(job.given), job.data))
        self.job, self._sha256, self._sent = job, "", time.monotonic()
        self.deadline = self._sent + self._limits.seconds + _GRACE

    @property
    def awaited(self) -> list[Any]:
        """What becomes ready when there is something to look at."""
        return [self._connection, self._process.sentinel] if self._process else []

    def outcome(self) -> Parsed | Failed | None:
        """The current job's outcome if there is one yet; the worker is then free, or gone."""
        assert self.job is not None
        assert self._connection is not None
        assert self._process is not None
        try:
            while self._connection.poll():
                kind, *rest = self._connection.recv()
                if kind == "read":
                    self._sha256 = rest[0]
                    continue
                outcome = (
                    Parsed(self.job, *rest[1:]) if kind == "parsed" else Failed(self.job, *rest[1:])
                )
                self.job = None
                if rest[0]:  # it retires
                    self.stop()
                return outcome
            if time.monotonic() < self.deadline and self._process.is_alive():
                return None
        except (EOFError, OSError):
            pass
        return self._bury()

    def _bury(self) -> Failed:
        assert self.job is not None
        assert self._process is not None
        job, seconds = self.job, time.monotonic() - self._sent
        self._process.join(0.0 if time.monotonic() > self.deadline else 5.0)
        code = self._process.exitcode
        self.stop()
        if code is None or code == -signal.SIGALRM:
            error = _over_time(self._limits)
            return Failed(job, error.reason, str(error), error.hint, self._sha256, seconds)
        if code == -signal.SIGKILL:
            message, hint = (
                "the system ended the parser, most likely for want of memory",
                _memory_hint(self._limits),
            )
            return Failed(job, "memory", message, hint, self._sha256, seconds)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        hint = f"the file may be damaged, or need more than {self._limits.memory_mb} MiB; open and save it anew elsewhere"
        return Failed(
            job, "crashed", f"the parser crashed on it ({how})", hint, self._sha256, seconds
        )


def _over_time(limits: Limits) -> OverBudget:
    hint = "raise the time limit per file, or split the file"
    return OverBudget("time", f"parsing took longer than {limits.seconds:g} s", hint)


def _memory_hint(limits: Limits) -> str:
    return f"raise the memory limit per file (now {limits.memory_mb} MiB), or split the file"


# --- in the worker process ------------------------------------------------------------------------------------------


def _serve(connection: Connection, parse: str | ParseFunction, limits: Limits, nice: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _die_with_parent()
    _cut_network()
    if nice:
        os.nice(nice)
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
            parts = _parts(_resolve(parse), data, name, given, digest, limits)
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


def _resolve(parse: str | ParseFunction) -> ParseFunction:
    if not isinstance(parse, str):
        return parse
    module, _, function = parse.partition(":")
    found: ParseFunction = getattr(importlib.import_module(module), function)
    return found


def _parts(
    parse: ParseFunction,
    data: bytes,
    name: str,
    given: Mapping[str, str],
    digest: str,
    limits: Limits,
) -> tuple[Part, ...]:
    takes_given = given and "given" in inspect.signature(parse).parameters
    result = parse(data, name, given=given) if takes_given else parse(data, name)
    documents = [result] if isinstance(result, Document) else list(result)
    for document in documents:
        document.check()
    pages, chars = sum(len(d.pages) for d in documents), sum(len(d.text) for d in documents)
    if pages > limits.pages:
        raise OverBudget(
            "pages",
            f"{pages:,} pages; the limit is {limits.pages:,}",
            "raise the page limit, or split the file",
        )
    if chars > limits.text_chars:
        message = f"{chars:,} characters of text; the limit is {limits.text_chars:,}"
        raise OverBudget("size", message, "raise the text limit, or split the file")
    if len(documents) == 1:
        return (Part(documents[0], digest, name),)
    return tuple(
        Part(document, hashlib.sha256(document.text.encode()).hexdigest(), f"{name}#{number}")
        for number, document in enumerate(documents, start=1)
    )


def _die_with_parent() -> None:
    """End this process when the parent is gone: no pipe tells a worker so while it is parsing."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True, name="parent-watch").start()


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
