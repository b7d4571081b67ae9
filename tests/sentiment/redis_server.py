"""Debian's redis-server on a spare port of this machine, for as long as a test session runs; nothing of it stays."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest


@contextmanager
def redis_server() -> Iterator[str]:
    """The URL of an empty server. Skips the test where there is none to start, and says how to get one."""
    command = shutil.which("redis-server")
    if command is None:
        pytest.skip("needs redis-server; apt-get install redis-server")
    pytest.importorskip("redis", reason="needs the Redis client; pip install 'regtape[redis]'")
    with tempfile.TemporaryDirectory() as folder:
        port = _spare_port()
        server = subprocess.Popen(
            [
                command, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder,
                "--save", "", "--appendonly", "no",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(timeout=10)


def _spare_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "redis-server ended at once"
        time.sleep(0.01)
    raise AssertionError("redis-server does not answer")
