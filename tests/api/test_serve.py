"""A real `regtape serve`, asked over the wire: it stays awake while it answers, and sees what others ingest."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Regtape

QUESTION = {"question": "What minimum pricing increment did the Commission adopt in 2024?"}


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(name="server", scope="module")
def _server(
    sample_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Its address and its home, which is a copy: a test ingests into it."""
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(sample_home, home)
    port, command = a_free_port(), shutil.which("regtape", path=str(Path(sys.executable).parent))
    environment = {"REGTAPE_HOME": str(home), "REGTAPE_EMBEDDER": "hashing"}
    process = subprocess.Popen(
        [str(command), "serve", "--port", str(port)],
        env=os.environ | environment,
        stderr=subprocess.PIPE,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, process)
        yield address, home
    finally:
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert b"Traceback" not in said, said.decode()


def wait_until_ready(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            if httpx2.get(f"{address}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server was not ready within a minute")


@pytest.mark.slow
def test_a_served_answer_is_the_same_as_an_asked_one(
    server: tuple[str, Path], regtape: Regtape
) -> None:
    import json

    address, home = server
    body = QUESTION | {"as_of": "2025-06-30"}
    served = httpx2.post(f"{address}/v1/ask", json=body, timeout=60).json()
    asked = json.loads(
        regtape(
            "ask", QUESTION["question"], "--as-of", "2025-06-30", "--json",
            REGTAPE_HOME=str(home), REGTAPE_EMBEDDER="hashing",
        ).stdout
    )  # fmt: skip

    assert served["sentences"]
    assert served | {"steps": []} == asked | {"steps": []}


@pytest.mark.slow
def test_steps_are_streamed_from_the_worker(server: tuple[str, Path]) -> None:
    headers = {"Accept": "text/event-stream"}
    with httpx2.stream(
        "POST", f"{server[0]}/v1/ask", json=QUESTION, headers=headers, timeout=60
    ) as response:
        names = [line[7:] for line in response.iter_lines() if line.startswith("event: ")]

    assert names[0] == "step"
    assert names[-1] == "done"
    assert "sentence" in names


@pytest.mark.slow
def test_health_answers_within_fifty_milliseconds_while_four_ask(server: tuple[str, Path]) -> None:
    """The median of many: on two busy cores a single reading is the scheduler's, not the server's."""
    address, _ = server
    until = time.monotonic() + 4
    answered: list[int] = []

    def ask() -> None:
        while time.monotonic() < until:
            answered.append(httpx2.post(f"{address}/v1/ask", json=QUESTION, timeout=60).status_code)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    took = []
    with httpx2.Client(base_url=address) as client:
        while time.monotonic() < until:
            began = time.perf_counter()
            assert client.get("/healthz").status_code == 200
            took.append(time.perf_counter() - began)
            time.sleep(0.02)
    for thread in asking:
        thread.join()

    assert set(answered) == {200}
    assert len(answered) >= 4
    assert sorted(took)[len(took) // 2] < 0.05


@pytest.mark.slow
def test_what_another_process_ingests_is_served_without_a_restart(
    server: tuple[str, Path], regtape: Regtape, tmp_path: Path
) -> None:
    address, home = server
    words = "Zymurgic venues must keep a quokka on the premises."
    (tmp_path / "quokka.txt").write_text(f"Quokkas\n\n{words}\n")
    before = httpx2.get(f"{address}/v1/search", params={"q": "zymurgic quokka"}).json()
    done = regtape(
        "ingest", str(tmp_path / "quokka.txt"), REGTAPE_HOME=str(home), REGTAPE_EMBEDDER="hashing"
    )
    after = httpx2.get(f"{address}/v1/search", params={"q": "zymurgic quokka"}).json()

    assert done.returncode == 0, done.stderr
    assert not any("quokka" in p["text"] for p in before["passages"])
    assert words in after["passages"][0]["text"]
