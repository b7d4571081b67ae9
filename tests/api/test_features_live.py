"""A real `regtape serve` with its scorer beside it: news that is posted is scored, folded, served, pushed and recorded."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from api.client import Features, Update
from tests.api.test_serve import a_free_port, wait_until_ready


class Server(NamedTuple):
    address: str
    home: Path
    reads: Path
    process: "subprocess.Popen[bytes]"


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("live")
    port, command = a_free_port(), shutil.which("regtape", path=str(Path(sys.executable).parent))
    environment = {
        "REGTAPE_HOME": str(folder / "home"), "REGTAPE_EMBEDDER": "hashing", "REGTAPE_NEWS_SCORER": "lexicon",
    }  # fmt: skip
    # A file: a pipe that nobody reads stops the server when it is full.
    said = (folder / "stderr").open("wb")
    process = subprocess.Popen(
        [str(command), "serve", "--port", str(port), "--workers", "0", "--record-reads", str(folder / "reads")],
        env=os.environ | environment,
        stderr=said,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, process)
        yield Server(address, folder / "home", folder / "reads", process)
    finally:
        process.kill()
        process.wait()
        said.close()
    assert "Traceback" not in (folder / "stderr").read_text()


def post(server: Server, id: str, symbol: str) -> None:
    row = {
        "id": id, "published_at": "2026-02-24T12:05:00Z", "source": "wire", "symbols": [symbol],
        "headline": f"Profit of the maker of lamps soars, says note {id}",
    }  # fmt: skip
    assert httpx2.post(f"{server.address}/v1/news", json=row).status_code == 201


@pytest.mark.slow
def test_what_is_posted_is_pushed_and_read_with_its_score(server: Server) -> None:
    with Features(server.address) as features:
        stream = features.stream(["LAMP"], names=["volume_1d", "sentiment_mean_1d"], after=0)
        updates: list[Update] = []
        for n in range(3):
            post(server, f"pushed-{n}", "LAMP")
            updates += islice(stream, 1)
        read = features.get("LAMP", names=["volume_1d", "sentiment_mean_1d"])

    assert [update.values["volume_1d"] for update in updates] == [1.0, 2.0, 3.0]
    assert read.values == updates[-1].values
    assert (read.values["sentiment_mean_1d"] or 0.0) > 0
    assert (read.model_version or "").startswith("lexicon")


@pytest.mark.slow
def test_reads_are_kept_in_the_folder_that_was_named(server: Server) -> None:
    with Features(server.address) as features:
        read = features.get("KEPT", names=["volume_1d"])
    for _ in range(50):
        lines = "".join(file.read_text() for file in server.reads.glob("*.jsonl")).splitlines()
        kept = [json.loads(line) for line in lines if "KEPT" in line]
        if kept:
            break
        time.sleep(0.1)

    assert kept == [{"receipt": dict(read.receipt), "values": dict(read.values)}]


@pytest.mark.slow
def test_a_server_that_is_stopped_ends_its_streams_and_itself(server: Server) -> None:
    with httpx2.stream(
        "GET", f"{server.address}/v1/stream/features", params={"symbols": "LAMP"}, timeout=30
    ) as response:
        lines = response.iter_lines()
        assert next(lines) == "event: start"
        server.process.send_signal(signal.SIGTERM)
        rest = list(lines)

    assert 'data: {"reason":"the server stops","prev":' in "".join(rest)
    assert server.process.wait(timeout=20) in (0, -signal.SIGTERM)
