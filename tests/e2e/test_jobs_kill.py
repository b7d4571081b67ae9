"""`regtape serve` is killed in the middle of a job; the next one goes on with it, nothing lost and nothing twice."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.catalog import Catalog

FILES = 60

pytestmark = pytest.mark.slow


@contextmanager
def serving(home: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve", "--port", str(port)],
        env=os.environ | {
            "REGTAPE_HOME": str(home), "REGTAPE_EMBEDDER": "hashing", "REGTAPE_NEWS_SCORER": "none",
        },
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: reached(f"{address}/healthz"))
        yield address, process
    finally:
        process.terminate()
        process.wait(20)


def reached(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def wait_for(there: Any) -> None:
    for _ in range(1200):
        if there():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within two minutes")


def test_a_job_goes_on_after_the_server_was_killed_in_the_middle_of_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    sent = [
        (
            "files",
            (f"{n}.md", f"# Lamp {n}\n\nEach venue must keep lamp number {n} lit.\n".encode()),
        )
        for n in range(FILES)
    ]
    with serving(home) as (address, process):
        id = httpx.post(f"{address}/v1/documents", files=sent).json()["id"]
        job = f"{address}/v1/jobs/{id}"
        wait_for(lambda: httpx.get(job).json()["progress"]["done"] > 0)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Catalog(home) as catalog:
        before = len(catalog.documents())
    assert before < FILES, "it was killed in the middle"

    with serving(home) as (address, _):
        job = f"{address}/v1/jobs/{id}"
        wait_for(lambda: httpx.get(job).json()["ended_at"])
        told = httpx.get(job, params={"limit": 500}).json()
        found = httpx.get(f"{address}/v1/search", params={"q": "lamp number 59", "k": 5}, timeout=60).json()  # fmt: skip

    assert (told["state"], told["progress"]["added"]) == ("done", FILES)
    with Catalog(home) as catalog:
        assert sorted(held.path for held in catalog.documents()) == sorted(f"{n}.md" for n in range(FILES))  # fmt: skip
    assert found["passages"]
