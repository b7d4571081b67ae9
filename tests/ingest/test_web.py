"""One URL is fetched once, within limits, from a server on this machine."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingest.errors import BadRequest, OverBudget, SourceDown
from ingest.sources.web import download, file_name, is_url

MOVED = {"/moved": "/rule.txt", "/away": "file:///etc/hostname", "/off": "ftp://127.0.0.1:9/a"}


class Pages(BaseHTTPRequestHandler):
    """/rule.txt is there, /moved leads to it, /away and /off lead off the web, the rest is not there."""

    def do_GET(self) -> None:
        if self.path == "/rule.txt":
            self.answer(200, b"Each venue must keep one lamp lit.")
        elif self.path in MOVED:
            self.send_response(302)
            self.send_header("Location", MOVED[self.path])
            self.end_headers()
        else:
            self.answer(404, b"")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(name="site")
def _site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("page", ["/rule.txt", "/moved"])
def test_a_page_becomes_a_file(site: str, tmp_path: Path, page: str) -> None:
    file = download(site + page, tmp_path / "downloads")

    assert file.read_text() == "Each venue must keep one lamp lit."
    assert [f.name for f in file.parent.iterdir()] == [file.name], "nothing half done is left"


def test_what_is_not_there_is_said(site: str, tmp_path: Path) -> None:
    with pytest.raises(SourceDown, match="answered 404"):
        download(site + "/none", tmp_path)


def test_no_server_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceDown, match="did not answer"):
        download("http://127.0.0.1:9/rule.txt", tmp_path)


@pytest.mark.parametrize("page", ["/away", "/off"])
def test_a_server_cannot_lead_off_the_web(site: str, tmp_path: Path, page: str) -> None:
    with pytest.raises((BadRequest, SourceDown), match=r"not a web address|is not allowed"):
        download(site + page, tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/a", "http:///a"])
def test_only_the_web_is_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="not a web address"):
        download(url, tmp_path)


def test_a_page_over_the_limit_is_given_up_and_leaves_nothing(site: str, tmp_path: Path) -> None:
    with pytest.raises(OverBudget, match="larger than 10 bytes"):
        download(site + "/rule.txt", tmp_path, most=10)

    assert list(tmp_path.iterdir()) == []


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
