"""One URL is fetched once, within limits, and never from an address that is not of the public web."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import BadRequest, OverBudget, RegTapeError, SourceDown, Unreadable
from ingest.sources.web import AGENT, Address, Web, check_url, file_name, is_public, is_url

RULE = b"Each venue must keep one lamp lit."
MOVED = {
    "/moved": "/rule.txt",
    "/away": "file:///etc/hostname",
    "/off": "ftp://127.0.0.1:9/a",
    "/inside": "http://169.254.169.254/latest/meta-data",
    "/round": "/round",
    "/nowhere": "",
}
KINDS = {
    "/lamp.png": "image/png",
    "/lamp.pdf": "application/pdf",
    "/lamp.xml": "application/atom+xml",
}


class Pages(BaseHTTPRequestHandler):
    """Serves what the tests name; `asked` keeps what was asked."""

    asked: list[tuple[str, str | None, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Host"], self.headers["User-Agent"]))
        if self.path.startswith("/rule.txt"):
            self.answer(200, RULE)
        elif self.path in KINDS:
            self.answer(200, RULE, {"Content-Type": KINDS[self.path]})
        elif self.path == "/packed":
            self.answer(200, RULE, {"Content-Encoding": "gzip"})
        elif self.path == "/short":
            self.answer(200, RULE, {"Content-Length": "999"})
        elif self.path in ("/slow", "/slow-head"):
            self.drip(b"HTTP/1.0 200 OK\r\n" + (b"" if self.path == "/slow-head" else b"\r\n"))
        elif self.path in MOVED:
            self.answer(302, b"", {"Location": MOVED[self.path]} if MOVED[self.path] else {})
        else:
            self.answer(404, b"")

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, first: bytes) -> None:
        try:
            self.wfile.write(first)
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Quiet."""


def here(address: Address, port: int) -> bool:
    return address.is_loopback


WEB = Web(allows=here)


@pytest.fixture(name="pages")
def _pages() -> type[Pages]:
    return type("OwnPages", (Pages,), {"asked": []})


@pytest.fixture(name="site")
def _site(pages: type[Pages]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


# ---- what is fetched


@pytest.mark.parametrize("page", ["/rule.txt", "/moved", "/lamp.pdf", "/lamp.xml"])
def test_a_page_becomes_a_file(site: str, tmp_path: Path, page: str) -> None:
    file = WEB.download(site + page, tmp_path / "downloads")

    assert file.read_bytes() == RULE
    assert [f.name for f in file.parent.iterdir()] == [file.name], "nothing half done is left"


def test_it_says_who_it_is_and_asks_for_one_line(
    site: str, tmp_path: Path, pages: type[Pages]
) -> None:
    WEB.download(site + "/rule.txt?day=1 March\r\nX: y#part", tmp_path)

    ((path, host, agent),) = pages.asked
    assert path == "/rule.txt?day=1%20MarchX:%20y"
    assert host == site.removeprefix("http://")
    assert agent == AGENT


@pytest.mark.parametrize(
    ("page", "kind", "says"),
    [
        ("/none", SourceDown, "answered 404"),
        ("/nowhere", SourceDown, "does not say where"),
        ("/round", SourceDown, "leads on more than 5 times"),
        ("/packed", SourceDown, "compressed"),
        ("/short", SourceDown, "broke off after 34 of 999 bytes"),
        ("/lamp.png", Unreadable, "is image/png"),
    ],
)
def test_what_is_not_a_document_is_told_and_leaves_nothing(
    site: str, tmp_path: Path, page: str, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        WEB.download(site + page, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_no_server_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceDown, match="did not answer: Connection refused"):
        WEB.download("http://127.0.0.1:9/rule.txt", tmp_path)


def test_a_page_over_the_limit_is_given_up_and_leaves_nothing(site: str, tmp_path: Path) -> None:
    with pytest.raises(OverBudget, match="larger than 10 bytes"):
        Web(allows=here, most=10).download(site + "/rule.txt", tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", ["/slow", "/slow-head"])
def test_a_server_that_drips_is_given_up_in_time(site: str, tmp_path: Path, page: str) -> None:
    began = time.monotonic()
    with pytest.raises(OverBudget, match=r"longer than 0\.3 seconds"):
        Web(allows=here, seconds=0.3).download(site + page, tmp_path)

    assert time.monotonic() - began < 1.0
    assert list(tmp_path.iterdir()) == []


def test_a_server_must_prove_its_name(site: str, tmp_path: Path) -> None:
    port = int(site.rpartition(":")[2])
    with pytest.raises(SourceDown, match="did not answer"):
        WEB.download(f"https://127.0.0.1:{port}/rule.txt", tmp_path)


# ---- what is not


@pytest.mark.parametrize("page", ["/away", "/off", "/inside"])
def test_a_server_cannot_lead_elsewhere(site: str, tmp_path: Path, page: str) -> None:
    with pytest.raises(BadRequest, match=r"not a web address|not lead to an address of the public"):
        WEB.download(site + page, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/hostname", "ftp://example.org/a", "http:///a", "http://[::1", "http://a:port/", "gopher://a",
        "http://who:secret@example.org/", "http://who@example.org/", "https://exa mple.org/", "http://a:0/", "http://\x00/",
    ],
)  # fmt: skip
def test_only_the_web_is_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"not a web address|password in it"):
        check_url(url)
    with pytest.raises(BadRequest, match=r"not a web address|password in it"):
        WEB.download(url, tmp_path)


INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd12::1", "fec0::1", "ff02::1", "ff0e::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "64:ff9b:1::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address), 443)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111"]
)
def test_an_address_of_the_web_is_public_on_its_ports_alone(address: str) -> None:
    assert is_public(ip_address(address), 80)
    assert is_public(ip_address(address), 443)
    assert not is_public(ip_address(address), 6379)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "10.1.2.3", "8.8.8.8:25"]
)
def test_a_private_address_written_out_is_refused_before_anything_is_resolved(host: str) -> None:
    with pytest.raises(BadRequest, match="public web"):
        check_url(f"http://{host}/")


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f000001", "127.1", "017700000001"])
def test_other_spellings_of_this_machine_are_refused(
    site: str, tmp_path: Path, host: str, pages: type[Pages]
) -> None:
    """Resolved by the system itself, which reads all of them as the loopback."""
    port = site.rpartition(":")[2]
    resolved = Web(
        allows=lambda address, _: is_public(address, 80),
        resolve=lambda host, port: [socket.gethostbyname(host)] if host == "localhost" else [
            socket.inet_ntoa(socket.inet_aton(host))
        ],
    )  # fmt: skip
    with pytest.raises(BadRequest, match="public web"):
        resolved.download(f"http://{host}:{port}/rule.txt", tmp_path)

    assert pages.asked == []


def test_one_private_address_among_public_ones_refuses_all(tmp_path: Path) -> None:
    mixed = Web(resolve=lambda _host, _port: ["8.8.8.8", "10.0.0.7"])
    with pytest.raises(BadRequest, match="public web") as told:
        mixed.download("http://rules.example/a", tmp_path)

    assert "10.0.0.7" not in str(told.value), "names inside are not to be found out"


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_looked_at(
    site: str, tmp_path: Path, pages: type[Pages]
) -> None:
    """DNS rebinding: public when it is looked at, the metadata service of a cloud when it is asked again."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    port = site.rpartition(":")[2]
    file = Web(resolve=rebinding, allows=here).download(
        f"http://rules.example:{port}/rule.txt", tmp_path
    )

    assert file.read_bytes() == RULE
    assert asked == ["rules.example"]
    assert [host for _, host, _ in pages.asked] == [f"rules.example:{port}"], "by its own name"


def test_a_redirect_back_to_the_same_name_is_looked_at_anew(
    site: str, tmp_path: Path, pages: type[Pages]
) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    port = site.rpartition(":")[2]
    with pytest.raises(BadRequest, match="public web"):
        Web(resolve=lambda _host, _port: next(answers), allows=here).download(
            f"http://rules.example:{port}/moved", tmp_path
        )

    assert [path for path, _, _ in pages.asked] == ["/moved"]


def test_the_next_address_is_tried_where_the_first_does_not_answer(
    site: str, tmp_path: Path
) -> None:
    port = site.rpartition(":")[2]
    found = Web(resolve=lambda _host, _port: ["127.0.0.9", "127.0.0.1"], allows=here).download(
        f"http://rules.example:{port}/rule.txt", tmp_path
    )

    assert found.read_bytes() == RULE


@pytest.mark.parametrize(
    "error", [socket.gaierror(-2, "Name or service not known"), UnicodeError()]
)
def test_a_name_that_is_none_is_said(tmp_path: Path, error: Exception) -> None:
    def fails(host: str, port: int) -> Sequence[str]:
        raise error

    with pytest.raises(SourceDown, match=r"rules\.example is no name"):
        Web(resolve=fails).download("https://rules.example/a", tmp_path)


def test_https_never_leads_to_http(tmp_path: Path, site: str, monkeypatch: Any) -> None:
    """Over a real server whose certificate is taken as it is."""
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(ssl, "create_default_context", lambda: plain)
    monkeypatch.setattr(plain, "wrap_socket", lambda sock, **_: _Bare(sock), raising=False)
    port = site.rpartition(":")[2]
    MOVED["/down"] = f"http://127.0.0.1:{port}/rule.txt"
    with pytest.raises(BadRequest, match="from https to http"):
        WEB.download(f"https://127.0.0.1:{port}/down", tmp_path)


class _Bare(socket.socket):
    """A socket that takes the handshake as done."""

    def __init__(self, over: socket.socket) -> None:
        super().__init__(fileno=over.detach())
        self.settimeout(5)

    def do_handshake(self) -> None:
        """Nothing to prove."""


# ---- names


def test_names_are_safe_and_tell_addresses_apart() -> None:
    hostile = file_name("https://example.org/..%2F..%2Fetc/pass wd?x=1")

    assert "/" not in hostile
    assert not hostile.startswith(".")
    assert file_name("https://a.org/x.pdf") != file_name("https://b.org/x.pdf")
    assert file_name("https://a.org/x.pdf").endswith("-x.pdf")


@pytest.mark.parametrize(
    ("words", "url"),
    [("https://a.org", True), ("ftp://a", True), ("C:/a.pdf", False), ("a", False)],
)
def test_addresses_are_told_from_paths(words: str, url: bool) -> None:
    assert is_url(words) is url


def test_every_refusal_is_one_of_ours(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1/", "http://[::ffff:10.0.0.1]/", "http://10.0.0.1/"):
        with pytest.raises(RegTapeError):
            Web().download(url, tmp_path)
