"""`serve` and a command-line `ingest` share one home, and the served reader sees what came in
without a restart.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def get(url: str) -> object:
    with urllib.request.urlopen(url, timeout=30) as reply:
        return json.load(reply)


@pytest.fixture(name="env")
def _env(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"REGTAPE_HOME": str(tmp_path / "home"), "REGTAPE_EMBEDDER": "hashing"}


def ingest(env: dict[str, str], path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "ingest", str(path)],
        env=env,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(name="served")
def _served(env: dict[str, str], tmp_path: Path) -> Iterator[str]:
    first = tmp_path / "first.md"
    first.write_text(
        "# Ticks\n\nThe minimum increment is one penny for quotations of one dollar or more.\n"
    )
    ingest(env, first)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve", "--port", str(port)],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                get(f"{url}/readyz")
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_a_served_reader_sees_what_another_process_ingests(
    env: dict[str, str], served: str, tmp_path: Path
) -> None:
    query = f"{served}/v1/search?q=rebate+zebra&k=5"
    assert "zebra" not in json.dumps(get(query))

    second = tmp_path / "second.md"
    second.write_text(
        "# Rebates\n\nA zebra venue pays a rebate of $0.0020 per share for resting orders.\n"
    )
    ingest(env, second)

    assert "zebra venue pays a rebate" in json.dumps(get(query))
