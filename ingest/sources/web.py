"""One URL in, one file out: fetched once, from a public address, within limits of time, size and kind.

A name is resolved here, every address that it has is looked at, and the connection goes to one that was looked at: a name
that means another address when it is asked again gains nothing. Each redirect is looked at like the first address. Proxies
of the environment are not used: behind one, nobody here would see which address is reached.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from threading import Timer
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from ingest.errors import BadRequest, OverBudget, SourceDown, Unreadable

AGENT = "RegTape/0.1 (document ingest)"
MOST_REDIRECTS = 5

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]  # host, port -> the addresses of a name
Allows = Callable[[Address, int], bool]  # address, port -> whether it may be reached

_BLOCK = 1 << 16
_PORTS = {"http": 80, "https": 443}
_MOVED = (301, 302, 303, 307, 308)
_NAT64 = IPv6Network("64:ff9b::/96")
# Types that a parser here may read; what has none, or says only that it is bytes, is looked at by its bytes.
_READ = re.compile(r"text/.*|application/(pdf|xml|octet-stream|markdown)|.*\+xml", re.IGNORECASE)


def is_url(words: str) -> bool:
    """Whether it names something to fetch rather than a path."""
    return bool(re.match(r"[a-z][a-z0-9+.-]*://", words, re.IGNORECASE))


def check_url(url: str) -> None:
    """Raises BadRequest on what no fetch would try: other schemes, a password in it, a private address written out."""
    place = _place(url)
    written = _written_out(place)
    if written is not None and not is_public(written, _port(place)):
        raise _not_public(url)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system knows them. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: Address, port: int) -> bool:
    """Whether it is an address of the public web: not of this machine, not of a network that only its members reach."""
    if isinstance(address, IPv6Address):
        if address.sixtofour or address.teredo or address.is_site_local:
            return (
                False  # old tunnels into networks of version 4, and what private networks once had
            )
        embedded = address.ipv4_mapped or (
            IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        )
        if embedded is not None:
            return is_public(embedded, port)
    kept = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not kept and port in _PORTS.values()


class Web:
    """Fetches. seconds, most: what one fetch may take, in time and bytes; agent: who it says that it is.

    resolve, allows: how names become addresses, and which of those may be reached.
    """

    def __init__(
        self,
        *,
        agent: str = AGENT,
        seconds: float = 60.0,
        most: int = 200_000_000,
        resolve: Resolve = resolve,
        allows: Allows = is_public,
    ) -> None:
        self._agent, self._seconds, self._most = agent, seconds, most
        self._resolve, self._allows = resolve, allows

    def download(self, url: str, folder: Path) -> Path:
        """Fetch into `folder` and return the file.

        Raises BadRequest on an address that is not of the public web, SourceDown, OverBudget (reason "size" or "time"), and
        Unreadable (reason "content-type") on what no parser here reads.
        """
        _place(url)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / file_name(url)
        part = target.with_name(target.name + ".part")  # a killed fetch leaves no half document
        deadline = time.monotonic() + self._seconds
        try:
            with self._answer(url, deadline) as answer, part.open("wb") as file:
                size = 0
                while block := answer.read1(_BLOCK):
                    size += len(block)
                    if size > self._most:
                        raise OverBudget("size", f"{url} is larger than {self._most:,} bytes")
                    file.write(block)
                if time.monotonic() >= deadline:  # it was cut, which looks like an end
                    raise self._over_time(url)
                stated = answer.headers.get("Content-Length", "")
                if stated.isdecimal() and size < int(stated):
                    raise SourceDown(f"{url} broke off after {size:,} of {int(stated):,} bytes")
            return part.replace(target)
        except (OSError, HTTPException) as exc:
            if isinstance(exc, SourceDown):
                raise
            if time.monotonic() >= deadline:
                raise self._over_time(url) from exc
            raise SourceDown(f"{url} did not answer: {_said(exc)}") from exc
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def _answer(self, url: str, deadline: float) -> Iterator[HTTPResponse]:
        """What the address, or the one that it leads to, answers: a document that is about to be read."""
        asked = url
        for _ in range(MOST_REDIRECTS + 1):
            place = _place(url)
            connection = _Pinned(place, self._addresses(place), deadline)
            # A server that sends a byte now and then stays within every timeout of a socket.
            cut = Timer(max(0.0, deadline - time.monotonic()), connection.cut)
            cut.daemon = True
            cut.start()
            try:
                connection.request("GET", _target(place), headers=self._headers())
                answer = connection.getresponse()
                if answer.status not in _MOVED:
                    _check(answer, url)
                    yield answer
                    return
                url = _next(url, answer.headers.get("Location"))
            finally:
                cut.cancel()
                connection.cut()
                connection.close()
        raise SourceDown(f"{asked} leads on more than {MOST_REDIRECTS} times")

    def _over_time(self, url: str) -> OverBudget:
        return OverBudget("time", f"{url} took longer than {self._seconds:g} seconds")

    def _headers(self) -> dict[str, str]:
        return {"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": "identity"}

    def _addresses(self, place: SplitResult) -> list[Address]:
        """Those of the place, each of which may be reached. One that may not refuses all: the others are beside the point."""
        host, port = place.hostname or "", _port(place)
        written = _written_out(place)
        try:
            found = [written] if written else [ip_address(a) for a in self._resolve(host, port)]
        except (OSError, UnicodeError) as exc:
            raise SourceDown(f"{host} is no name that can be resolved") from exc
        if not found or not all(self._allows(address, port) for address in found):
            raise _not_public(place.geturl())
        return list(dict.fromkeys(found))


class _Pinned(HTTPConnection):
    """A connection to one of these addresses, whatever the name means elsewhere or later."""

    def __init__(self, place: SplitResult, addresses: Sequence[Address], deadline: float) -> None:
        self._secure = place.scheme == "https"
        self._addresses, self._deadline = addresses, deadline
        self._held: socket.socket | None = None
        self.default_port = _PORTS[place.scheme]
        super().__init__(_ascii(place.hostname or ""), _port(place))

    def connect(self) -> None:
        self._held = self.sock = self._reach()
        if self._secure:
            self._held = self.sock = ssl.create_default_context().wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def _reach(self) -> socket.socket:
        *others, last = self._addresses
        for address in others:
            with suppress(OSError):
                return self._reached(address)
        return self._reached(last)

    def _reached(self, address: Address) -> socket.socket:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return socket.create_connection((str(address), self.port), left)

    def cut(self) -> None:
        """End it at once, whoever waits for it; from any thread."""
        held = self._held
        if held is not None:
            with suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)


def _place(url: str) -> SplitResult:
    """The parts of an address of the web. Raises BadRequest."""
    try:
        place = urlsplit(url.strip())
        port, host = place.port, _ascii(place.hostname or "")
    except ValueError:  # a port that is none, or half an address in brackets
        port, host = None, ""
        place = SplitResult("", "", "", "", "")
    if place.scheme not in _PORTS or not host or port == 0 or re.search(r"[^!-~]", host):
        raise BadRequest(f"{url} is not a web address; write http://… or https://…")
    if place.username is not None or place.password is not None:
        raise BadRequest("an address with a name or password in it is not fetched")
    return place


def _written_out(place: SplitResult) -> Address | None:
    """The address that stands where a name could."""
    try:
        return ip_address(place.hostname or "")
    except ValueError:
        return None


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()


def _port(place: SplitResult) -> int:
    return place.port or _PORTS[place.scheme]


def _target(place: SplitResult) -> str:
    """What is asked of the server: never more than one line."""
    path = quote(place.path or "/", safe="/%:@!$&'()*+,;=~")
    return path + (f"?{quote(place.query, safe='/%:@!$&()*+,;=~?')}" if place.query else "")


def _next(url: str, location: str | None) -> str:
    if not location:
        raise SourceDown(f"{url} leads on, and does not say where")
    there = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(there).scheme == "http":
        raise BadRequest(f"{url} leads from https to http, which is not followed")
    return there


def _check(answer: HTTPResponse, url: str) -> None:
    """Raises on what is not a document."""
    if answer.status != 200:
        raise SourceDown(f"{url} answered {answer.status} {answer.reason}")
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind and not _READ.fullmatch(kind):
        hint = "give the address of a PDF, or of a page of HTML, XML or text"
        raise Unreadable("content-type", f"{url} is {kind}", hint)
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise SourceDown(f"{url} answered in a compressed form that was not asked for")


def _not_public(url: str) -> BadRequest:
    # Which address it is, is not said: names of a network inside are not to be found out from outside.
    return BadRequest(f"{url} does not lead to an address of the public web")


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def file_name(url: str) -> str:
    """The last part of the path, made safe, behind a hash that tells two addresses apart."""
    last = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-")[-80:] or "page"
    return f"{sha256(url.encode()).hexdigest()[:12]}-{safe}"
