"""A home in, how long answers and feature reads of one server take while twenty people ask it out.

Each asker asks, waits for the answer, reads it for a while, and asks the next question; meanwhile features are read and news
comes in at fixed rates (eval/load.py, timed from when a request was due) and is scored. Askers are closed loops: a server that
is slow is asked less, so beside the times stands how many answers each asker got. The server is `regtape serve` of a copy of
the home, with a made-up history of news and otherwise as it is installed.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from api.console import DONE, print_json, regtape_command, settings, wants_json
from api.settings import Settings
from eval import load
from eval.load import Stream
from eval.parity import serving
from eval.scoring import SEED, Measures
from eval.speed_features import (
    SYMBOLS,
    Progress,
    _copy,
    _finbert,
    _silent,
    _table,
    _watch,
    _with_news,
    news,
    one_symbol,
    write_history,
)
from ingest.errors import BadRequest

QUESTIONS = Path(__file__).with_name("gold") / "ours_dev.jsonl"
STARVED_SECONDS = 10.0
_GOALS = {
    "p95_ms": ("answers", "p95_ms"),
    "features_p99_ms": ("features", "p99_ms"),
    "starved": ("answers", "starved"),
    "failed": ("answers", "failed"),
}


@dataclass(slots=True)
class _Asker:
    """One who asks: seconds of each answer, and how many were none."""

    port: int
    questions: Sequence[str]
    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    def ask(self) -> None:
        """Ask the next question, over a connection of its own as a browser would after a while."""
        words = self.questions[len(self.seconds) % len(self.questions)]
        began = time.perf_counter()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.request(
                    "POST", "/v1/ask", json.dumps({"question": words}), {"Content-Type": "application/json"}
                )  # fmt: skip
                answer = connection.getresponse()
                answer.read()
            finally:
                connection.close()
            self.failed += answer.status != 200
        except OSError:
            self.failed += 1
        self.seconds.append(time.perf_counter() - began)

    def go_on(self, until: float, think: float, draw: random.Random) -> None:
        """Until time.monotonic() is `until`: read between half and one and a half times `think` seconds, and ask."""
        time.sleep(draw.random() * think)  # not all at the same instant
        while time.monotonic() < until:
            self.ask()
            time.sleep(think * (0.5 + draw.random()))


def serve_speed(
    chosen: Settings,
    questions: Sequence[str],
    *,
    seconds: float,
    askers: int = 20,
    think: float = 10.0,
    reads: float = 100.0,
    arriving: float = 5.0,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Ask a server of a copy of the home for so long.

    groups   answers: p50, p95, max, how many the asker with the fewest got, askers starved (an answer of more than
             STARVED_SECONDS, or none), failed; features: of the reads and the news; memory: MiB of the server and of the
             processes beside it, and by how much they grew in the second half
    """
    if not questions:
        raise BadRequest("there is no question to ask")
    with TemporaryDirectory(prefix="regtape-serve-") as name:
        folder = Path(name)
        home = _copy(chosen.home, folder / "home")
        write_history(home, 20_000, SYMBOLS, _finbert())
        environment = {"REGTAPE_EMBEDDER": chosen.embedder, "REGTAPE_NEWS_SCORER": "finbert"}
        with serving(home, None, **environment) as (port, server):
            address = f"http://127.0.0.1:{port}"
            draw = random.Random(SEED)
            crew = [_Asker(port, draw.sample(questions, len(questions))) for _ in range(askers)]
            crew[0].ask()  # its worker has opened the home then
            crew[0].seconds.clear()
            crew[0].failed = 0
            streams = {
                "reads": Stream(one_symbol(address), reads),
                "news": news(address, seconds, "serve", arriving),
            }
            process = load.start(address, streams, seconds, folder)
            until = time.monotonic() + seconds
            threads = [
                threading.Thread(target=each.go_on, args=(until, think, random.Random(n)))
                for n, each in enumerate(crew)
            ]
            for thread in threads:
                thread.start()
            _, resident = _watch(server.pid, process, seconds, progress)
            for thread in threads:
                thread.join()
            told = _with_news(load.finish(process, folder), address)
    groups = {"answers": _answers(crew), "features": told, "memory": _memory(resident)}
    return {
        "task": "speed", "dataset": f"serve, {chosen.home.name}", "n": int(groups["answers"]["p95_ms"]["n"] or 0),
        "metrics": {name: groups[group][figure] for name, (group, figure) in _GOALS.items()},
        "groups": groups,
        "settings": {
            "seconds": seconds, "askers": askers, "think_seconds": think, "reads_per_second": reads,
            "news_per_second": arriving, "ask_workers": chosen.ask_workers, "questions": len(questions),
            "embedder": chosen.embedder,
        },
    }  # fmt: skip


def _answers(crew: Sequence[_Asker]) -> Measures:
    took = np.array([1000 * s for each in crew for s in each.seconds])
    if not len(took):
        raise BadRequest("nobody got to ask within the time; make it longer")
    starved = sum(not each.seconds or max(each.seconds) > STARVED_SECONDS for each in crew)
    return {
        "p50_ms": load.quantile(took, 0.5),
        "p95_ms": load.quantile(took, 0.95),
        "max_ms": load.plain(float(took.max()), len(took)),
        "fewest_of_an_asker": load.plain(min(len(each.seconds) for each in crew), len(crew)),
        "most_of_an_asker": load.plain(max(len(each.seconds) for each in crew), len(crew)),
        "starved": load.plain(starved, len(crew)),
        "failed": load.plain(sum(each.failed for each in crew), len(took)),
    }


def _memory(resident: Sequence[Mapping[str, float]]) -> Measures:
    found: Measures = {}
    for name in ("server", "others"):
        mib = np.array([each[name] for each in resident])
        half = len(mib) // 2
        grown = float(mib[-5:].mean() - mib[half : half + 5].mean())
        found[f"{name}_mib"] = {
            "value": float(mib[-1]), "low": float(mib.min()), "high": float(mib.max()), "n": len(mib),
        }  # fmt: skip
        found[f"{name}_mib_growth_second_half"] = load.plain(grown, len(mib))
    return found


@regtape_command(
    "serve",
    short_help="Answers and feature reads while twenty ask.",
    examples=(
        "regtape eval speed serve --seconds 30",
        "regtape eval speed serve --seconds 600 --json",
        "regtape eval speed serve --think 0 --askers 4",
    ),
)
@click.option(
    "--seconds", type=click.FloatRange(5), default=60.0, show_default=True, help="Of load."
)
@click.option(
    "--askers", type=click.IntRange(1, 200), default=20, show_default=True, help="Who ask at once."
)
@click.option(
    "--think", type=click.FloatRange(0), default=10.0, show_default=True,
    help="Seconds for which an asker reads an answer, on average, before the next question.",
)  # fmt: skip
@click.option(
    "--reads", type=click.FloatRange(1), default=100.0, show_default=True, help="Feature reads a second."
)  # fmt: skip
@click.option(
    "--news", "arriving", type=click.FloatRange(1), default=5.0, show_default=True, help="Items of news a second."
)  # fmt: skip
@click.option(
    "--questions", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=QUESTIONS,
    help="JSONL with `question`. Default: those of eval/gold/ours_dev.jsonl.",
)  # fmt: skip
def command(
    seconds: float, askers: int, think: float, reads: float, arriving: float, questions: Path
) -> int:
    """Serve a copy of REGTAPE_HOME, let askers ask while features are read and news comes in, and say how long each took."""
    from api.console import progress

    words = [json.loads(line)["question"] for line in questions.read_text("utf-8").splitlines()]
    with progress("eval", "seconds") as tell:
        found = serve_speed(
            settings(), words, seconds=seconds, askers=askers, think=think, reads=reads, arriving=arriving,
            progress=tell,
        )  # fmt: skip
    if wants_json():
        print_json(found)
    else:
        click.echo(_table(found))
    return DONE
