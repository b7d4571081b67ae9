"""Features through the installed command and a real server: killed with kill -9, shared through Redis, replayed."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from eval.parity import MADE_UP_SYMBOLS, over_http, replay_apart, serving
from eval.parity import _ask as ask
from eval.parity import _post as post
from eval.parity import _rows as rows
from tests.conftest import Regtape
from tests.e2e.test_tape import eventually
from tests.sentiment.redis_server import redis_server

SYMBOLS = MADE_UP_SYMBOLS[:6]


@pytest.mark.slow
def test_what_a_server_answered_before_and_after_kill_9_is_what_the_tape_gives_back(
    tmp_path: Path, regtape: Regtape
) -> None:
    home, reads = tmp_path / "home", tmp_path / "reads.jsonl"
    counts = over_http(home, reads, SYMBOLS, 2, random.Random(1))
    found = replay_apart(home, reads)
    recorded = sorted(str(path) for path in tmp_path.glob("home-recorded/*.jsonl"))
    done = regtape("features", "replay", *recorded, "--json", REGTAPE_HOME=str(home))

    assert counts["kills"] == 2
    assert found.vectors == counts["vectors"] > 100
    assert found.mismatches.total() == 0, found.first
    assert found.not_verified == 0 < found.verified
    assert recorded
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_two_servers_over_one_redis_answer_alike_and_one_outlives_the_other(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with (
        redis_server() as url,
        serving(home, REGTAPE_REDIS_URL=url) as (first, process),
        serving(home, REGTAPE_REDIS_URL=url) as (second, _),
    ):
        for seed in range(4):
            post(first, rows(SYMBOLS, random.Random(seed)))
        assert eventually(lambda: _settled(first, second))
        as_of = ask(first, "/v1/features/AAPL?set=all")["as_of"].replace("+", "%2B")
        path = f"/v1/features/AAPL?set=all&as_of={as_of}"
        told = [ask(port, path) for port in (first, second)]
        os.killpg(process.pid, signal.SIGKILL)
        post(second, rows(SYMBOLS, random.Random(5)))
        assert eventually(lambda: _offset(second) > told[1]["receipt"]["offset"])
        again = ask(second, path)

    assert told[0]["values"] == told[1]["values"]
    assert any(value for value in told[0]["values"].values())
    assert again["values"] == told[0]["values"], "what comes later changes no read of the past"


def _settled(first: int, second: int) -> bool:
    """All is scored, and both have taken it in: else a score could come between two reads of one instant."""
    before = _offset(first)
    time.sleep(0.3)
    waiting = ask(first, "/readyz")["news"]["waiting"]
    return waiting == 0 and before == _offset(first) == _offset(second) > 12


def _offset(port: int) -> int:
    return int(ask(port, "/v1/features/AAPL?names=volume_1d")["receipt"]["offset"])


@pytest.mark.slow
def test_a_read_of_now_verifies_by_the_command_and_a_forged_one_does_not(
    tmp_path: Path, regtape: Regtape
) -> None:
    home = tmp_path / "home"
    with serving(home) as (port, _):
        post(port, rows(SYMBOLS, random.Random(4)))
        told: dict[str, Any] = ask(port, f"/v1/features/{SYMBOLS[0]}")
    good = json.dumps(told["receipt"])
    forged = json.dumps(told["receipt"] | {"values": "0" * 64})
    assert regtape("features", "verify", good, REGTAPE_HOME=str(home)).returncode == 0
    assert regtape("features", "verify", forged, REGTAPE_HOME=str(home)).returncode == 1
