"""Requests and a rate in, how long each took out: an open-loop client for HTTP/1.1 over loopback, the same for every server.

The n-th request is due at start + n / rate, whatever became of those before it, and its time runs from when it was *due* to
the last byte of its answer. A server that stalls is so charged for everybody who would have come meanwhile; a client that
waits for its answers would not even have sent those (coordinated omission).

It runs in a process of its own, keeps its connections open, knows of HTTP what it takes to see where an answer ends, and
waits with select(2), whose timeout counts microseconds: epoll's, which asyncio takes by default, counts milliseconds.
"""

import asyncio
import gc
import json
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from eval.scoring import Measure

CONNECTIONS = 32
GRACE = (
    5.0  # seconds after the last request was due; what has no answer by then counts as that long
)
_LEAD = 0.2  # seconds until the first request is due

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests to one server, sent in turn and again from the first, so many a second. expect: the good statuses."""

    requests: Sequence[bytes]
    rate: float
    connections: int = CONNECTIONS
    expect: tuple[int, ...] = (200,)


@dataclass(frozen=True, slots=True)
class Load:
    """What became of a stream, request by request: when it was due (s from the start), how long it took from then to its
    answer (s), how much later than due it was sent because of the client or because no connection was free (s)."""

    due: Floats
    seconds: Floats
    late: Floats
    refused: int  # answers with another status
    unanswered: int

    def milliseconds(self, share: float) -> Measure:
        """A quantile of the time, in ms."""
        return quantile(1000 * self.seconds, share)

    def figures(self) -> dict[str, Measure]:
        """What a table says of a stream."""
        count = len(self.due)
        return {
            "p50_ms": self.milliseconds(0.5),
            "p99_ms": self.milliseconds(0.99),
            "max_ms": plain(1000 * float(self.seconds.max()), count),
            "sent_late_p99_ms": quantile(1000 * self.late, 0.99),
            "refused": plain(self.refused, count),
            "unanswered": plain(self.unanswered, count),
        }


def get(address: str, path: str) -> bytes:
    """A GET as it goes over the wire."""
    return _head("GET", address, path) + b"\r\n"


def post(address: str, path: str, body: object) -> bytes:
    """A POST of JSON as it goes over the wire."""
    content = json.dumps(body).encode()
    head = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return _head("POST", address, path) + head.encode() + content


def _head(method: str, address: str, path: str) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\nAccept: */*\r\n".encode()
    )


def quantile(values: Floats, share: float) -> Measure:
    """A quantile with the 95 % interval of its rank (normal approximation to the binomial, values taken as independent)."""
    if not len(values):
        return {"value": None, "low": None, "high": None, "n": 0}
    ordered, count = np.sort(values), len(values)
    middle, spread = share * (count - 1), 1.96 * (share * (1 - share) * count) ** 0.5
    low, high = (
        float(ordered[int(min(max(round(rank), 0), count - 1))])
        for rank in (middle - spread, middle + spread)
    )
    return {"value": float(np.quantile(values, share)), "low": low, "high": high, "n": count}


def plain(value: float, count: int) -> Measure:
    """A figure without an interval, of so many."""
    return {"value": value, "low": value, "high": value, "n": count}


def run(
    address: str, streams: Mapping[str, Stream], seconds: float, folder: Path
) -> dict[str, Load]:
    """Send all streams to one server for so long, from another process; by name, what became of each.

    folder: where the job and its report lie. Raises RuntimeError with what that process said when it fails.
    """
    with start(address, streams, seconds, folder) as process:
        return finish(process, folder)


def start(
    address: str, streams: Mapping[str, Stream], seconds: float, folder: Path
) -> "subprocess.Popen[str]":
    """As `run`, without waiting; `finish` gives what came of it."""
    job = {
        "address": address,
        "seconds": seconds,
        "streams": {
            name: {
                "requests": [one.decode("latin-1") for one in stream.requests],
                "rate": stream.rate,
                "connections": stream.connections,
                "expect": list(stream.expect),
            }
            for name, stream in streams.items()
        },
    }
    (folder / "load.json").write_text(json.dumps(job))
    command = [sys.executable, "-m", "eval.load", str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]", folder: Path) -> dict[str, Load]:
    """Wait for a client and read its report."""
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load client failed: {said.strip()[-1000:]}")
    with np.load(folder / "load.npz") as found:
        names = {key.partition("/")[0] for key in found.files}
        return {
            name: Load(
                found[f"{name}/due"],
                found[f"{name}/seconds"],
                found[f"{name}/late"],
                int(found[f"{name}/refused"]),
                int(found[f"{name}/unanswered"]),
            )
            for name in names
        }


# ---- inside the process


@dataclass(slots=True)
class _Sending:
    """A stream at work."""

    stream: Stream
    due: Floats
    loop: asyncio.AbstractEventLoop
    seconds: Floats
    late: Floats
    began: float = 0.0
    free: "deque[_Connection]" = field(default_factory=deque)
    waiting: deque[int] = field(default_factory=deque)
    left: int = 0
    refused: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def send_all(self) -> None:
        """Send each when it is due; one for which no connection is free waits, and its clock runs."""
        for number, due in enumerate(self.due):
            wait = self.began + due - self.loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if self.free:
                # In rotation: servers close a connection that has been idle for some seconds.
                self.free.popleft().ask(number, self.began + due)
            else:
                self.waiting.append(number)
        try:
            await asyncio.wait_for(self.done.wait(), GRACE)
        except TimeoutError:
            unanswered = np.isnan(self.seconds)
            self.seconds[unanswered] = self.loop.time() - self.began - self.due[unanswered]

    def answered(self, connection: "_Connection", status: int) -> None:
        """Note an answer; the connection takes the next that waits."""
        self.seconds[connection.number] = self.loop.time() - connection.due
        self.refused += status not in self.stream.expect
        self.left -= 1
        if not self.left:
            self.done.set()
        if self.waiting:
            number = self.waiting.popleft()
            connection.ask(number, self.began + self.due[number])
        else:
            self.free.append(connection)


class _Connection(asyncio.Protocol):
    """One request at a time over a connection that stays open."""

    def __init__(self, sending: _Sending) -> None:
        self.number, self.due = -1, 0.0
        self._sending = sending
        self._read, self._end, self._status = bytearray(), -1, 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self in self._sending.free:
            self._sending.free.remove(self)

    def ask(self, number: int, due: float) -> None:
        """Send a request."""
        self.number, self.due = number, due
        requests = self._sending.stream.requests
        self._sending.late[number] = self._sending.loop.time() - due
        if self._transport is not None:
            self._transport.write(requests[number % len(requests)])

    def data_received(self, data: bytes) -> None:
        """Where an answer ends is said by Content-Length, or by the empty last chunk."""
        self._read += data
        if self._end < 0:
            split = self._read.find(b"\r\n\r\n")
            if split < 0:
                return
            head = bytes(self._read[:split]).lower()
            self._status = int(head[9:12])
            found = head.find(b"content-length:")
            self._end = split + 4
            self._end += int(head[found + 15 :].split(b"\r\n", 1)[0]) if found >= 0 else 1 << 40
        if len(self._read) >= self._end or (
            self._end >= 1 << 40 and self._read.endswith(b"0\r\n\r\n")
        ):
            status = self._status
            self._read, self._end = bytearray(), -1
            self._sending.answered(self, status)


async def _send(job: dict[str, Any]) -> dict[str, _Sending]:
    loop = asyncio.get_running_loop()
    where = urlsplit(job["address"])
    seconds = job["seconds"]
    sendings: dict[str, _Sending] = {}
    for name, told in job["streams"].items():
        requests = [one.encode("latin-1") for one in told["requests"]]
        stream = Stream(requests, told["rate"], told["connections"], tuple(told["expect"]))
        due = np.arange(int(seconds * stream.rate)) / stream.rate
        empty = np.full(len(due), np.nan)
        sendings[name] = _Sending(stream, due, loop, empty, np.zeros(len(due)), left=len(due))
    for sending in sendings.values():
        for _ in range(sending.stream.connections):
            _, connection = await loop.create_connection(
                lambda sending=sending: _Connection(sending),  # type: ignore[misc]
                where.hostname,
                where.port,
            )
            sending.free.append(connection)
    for sending in sendings.values():
        sending.began = loop.time() + _LEAD
    await asyncio.gather(*(sending.send_all() for sending in sendings.values()))
    return sendings


def _main(folder: Path) -> None:
    job = json.loads((folder / "load.json").read_bytes())
    gc.disable()  # a collection in the middle would be charged to the server
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        sendings = runner.run(_send(job))
    report: dict[str, Any] = {}
    for name, sending in sendings.items():
        report[f"{name}/due"], report[f"{name}/seconds"] = sending.due, sending.seconds
        report[f"{name}/late"] = sending.late
        report[f"{name}/refused"] = np.array(sending.refused)
        report[f"{name}/unanswered"] = np.array(sending.left)
    np.savez(folder / "load.npz", **report)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
