"""One URL in, one file out: fetched once, within limits of time and size."""

import re
import time
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ingest.errors import BadRequest, OverBudget, SourceDown

_BLOCK = 1 << 16


class _WebOnly(HTTPRedirectHandler):
    """A server may send us on to another page, never to a file of this machine."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_url(words: str) -> bool:
    """Whether it names something to fetch rather than a path."""
    return bool(re.match(r"[a-z][a-z0-9+.-]*://", words, re.IGNORECASE))


def check_url(url: str) -> None:
    """Raises BadRequest on anything but http and https."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest(f"{url} is not a web address; write http://… or https://…")


def download(url: str, folder: Path, *, seconds: float = 60.0, most: int = 200_000_000) -> Path:
    """Fetch into `folder` and return the file. Raises SourceDown, OverBudget (reason "size" or "time") or BadRequest."""
    check_url(url)
    request = Request(url, headers={"User-Agent": "regtape/0.1 (document ingest)", "Accept": "*/*"})
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file_name(url)
    part = target.with_name(target.name + ".part")  # a killed download leaves no half document
    deadline = time.monotonic() + seconds
    try:
        with (
            build_opener(_WebOnly).open(request, timeout=seconds) as answer,
            part.open("wb") as file,
        ):
            size = 0
            while block := answer.read(_BLOCK):
                size += len(block)
                if size > most:
                    raise OverBudget("size", f"{url} is larger than {most} bytes")
                if time.monotonic() > deadline:
                    raise OverBudget("time", f"{url} took longer than {seconds:g} seconds")
                file.write(block)
    except HTTPError as exc:
        raise SourceDown(f"{url} answered {exc.code} {exc.reason}") from exc
    except (URLError, HTTPException, TimeoutError, ConnectionError) as exc:
        raise SourceDown(f"{url} did not answer: {getattr(exc, 'reason', exc)}") from exc
    else:
        return part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def file_name(url: str) -> str:
    """The last part of the path, made safe, behind a hash that tells two addresses apart."""
    last = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-")[-80:] or "page"
    return f"{sha256(url.encode()).hexdigest()[:12]}-{safe}"
