"""A machine in, milliseconds of a feature read, instants a second, seconds of a replay and bytes a symbol out.

Beside ours, where `--feast` names its environment, stand Feast's Python feature server with its SQLite and its Redis store, its
`get_historical_features`, and pandas (eval/feast_recipe): on the same machine, in the same run, asked by the same client
(eval/load.py, which says how it counts). Feast stores 50 ready-made floats and gets no news while it is measured; ours
computes 50 when it is asked, while news comes in over HTTP and FinBERT scores it beside the server.

What is made up: the history (items with drawn scores, written by Tape.append and Tape.record_scores) and the words of the
news. What is real: the server, the scorer, the tape, the stores.
"""

import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np

from api.console import DONE, print_json, regtape_command, wants_json
from eval import load
from eval.load import Load, Stream
from eval.parity import redis_server, serving
from eval.scoring import SEED, Measure, Measures
from ingest.errors import BadRequest, ModelMissing
from ingest.moment import now, to_micros
from ingest.news import NewsItem, Precision
from sentiment.entities import open_resolver
from sentiment.log import Score, Tape, TargetScore
from sentiment.store import HELD

FEATURES = 50  # of the set core50, and of Feast's view
RATES = (100, 200, 500)
NEWS_RATE = 50.0
SYMBOLS = tuple(
    """AAPL MSFT BA INTC WMT PFE TSLA NVDA F TGT BAC AIG IBM XOM CVX GE JPM C WFC GS KO PEP MCD DIS T VZ CSCO ORCL HD LOW
    CAT DE MMM HON UPS FDX MRK ABT LLY JNJ UNH CVS COST SBUX NKE AMZN META NFLX AMD QCOM""".split()
)
TEN = SYMBOLS[:10]
WEEKS = 8
_RECIPE = Path(__file__).with_name("feast_recipe") / "recipe.py"
_MEBIBYTE = 1 << 20
_WRITTEN_AT_ONCE = 1000
_FEAST_SECONDS = 300.0  # until its server is ready

Progress = Callable[[int, int | None, str], None]


def _silent(_done: int, _all: int | None, _what: str) -> None:
    pass


def features_speed(
    *,
    seconds: float = 8.0,
    items: int = 1_000_000,
    instants: int = 200_000,
    feast: Path | None = None,
    kept: Path | None = None,
    parts: Sequence[str] = (),
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Measure each part, or those named.

    groups   a part and its circumstances each, with its figures; metrics: the ones that the project has goals for
    n        requests that were sent to our server at RATES
    kept     a folder in which the long history is kept for the next time
    """
    groups: dict[str, Measures] = {}
    chosen = list(parts or PARTS)
    with tempfile.TemporaryDirectory(prefix="regtape-speed-") as name, redis_server() as redis:
        folder = Path(name)
        job = _Job(folder, kept or folder, seconds, items, instants, feast, redis)
        for number, part in enumerate(chosen):
            progress(number, len(chosen), part)
            groups |= PARTS[part](job)
    sent = [
        figures["p99_ms"]["n"] or 0
        for name, figures in groups.items()
        if name.startswith("regtape, one")
    ]
    return {
        "task": "speed",
        "dataset": "features",
        "n": int(sum(sent)),
        "metrics": {
            name: groups[group][figure] for name, (group, figure) in _GOALS.items() if group in groups
        },
        "groups": groups,
        "settings": {
            "seconds": seconds, "items": items, "instants": instants, "news_per_second": NEWS_RATE,
            "symbols": len(SYMBOLS), "features": FEATURES, "cores": len(os.sched_getaffinity(0)),
            "client": f"open loop, timed from when a request was due, {load.CONNECTIONS} connections kept open",
            "feast": _versions(feast) if feast else None,
        },
    }  # fmt: skip


_GOALS = {
    "p99_ms": ("regtape, one symbol, 500/s", "p99_ms"),
    "ten_symbols_p99_ms": ("regtape, ten symbols, 100/s", "p99_ms"),
    "live_p99_ms": ("live", "p99_ms"),
    "instants_per_second": ("bulk, regtape", "per_second"),
    "sustained_per_second": ("sustained", "per_second"),
    "replay_seconds": ("replay", "seconds"),
    "bytes_per_symbol": ("replay", "bytes_per_symbol"),
}


class _Job:
    """What parts share."""

    def __init__(
        self, folder: Path, kept: Path, seconds: float, items: int, instants: int, feast: Path | None, redis: str | None
    ) -> None:  # fmt: skip
        self.folder, self.kept, self.seconds, self.items = folder, kept, seconds, items
        self.instants, self.feast, self.redis = instants, feast, redis

    def home(self) -> Path:
        """A home with eight weeks of history of SYMBOLS, the same for all parts that read over HTTP."""
        home = self.folder / "home"
        if not home.exists():
            write_history(home, 20_000, SYMBOLS, _finbert())
        return home


def _finbert() -> str:
    """The version under which FinBERT scores here: a history that has its scores is not scored again."""
    from api.settings import load_settings
    from sentiment.scorer import open_scorer

    return open_scorer("finbert", cache_dir=load_settings().models_folder).version


# ---- a history


def write_history(
    home: Path, items: int, symbols: Sequence[str], version: str, *, leaving: int = 0
) -> None:
    """A tape with so many scored items, spread over the eight weeks before now.

    leaving: so many of them leave what a store holds from two minutes after now on, NEWS_RATE a second.
    """
    draw = random.Random(SEED)
    until = now() - timedelta(minutes=1)
    step = timedelta(weeks=WEEKS) / (items - leaving)
    oldest = until - timedelta(microseconds=HELD) + timedelta(minutes=3)
    times = [oldest + timedelta(seconds=number / NEWS_RATE) for number in range(leaving)]
    times += [until - step * number for number in range(items - leaving, 0, -1)]
    resolver = open_resolver()
    entity = {s: resolver.find("", "", (s,), until)[0].entity for s in symbols}
    with Tape(home) as tape:
        for first in range(0, items, _WRITTEN_AT_ONCE):
            numbers = range(first, min(items, first + _WRITTEN_AT_ONCE))
            moments = times[first : first + _WRITTEN_AT_ONCE]
            about = [symbols[draw.randrange(len(symbols))] for _ in numbers]
            became = tape.append(
                [_history_item(n, at, s) for n, at, s in zip(numbers, moments, about, strict=True)],
                backfill=True,
            )
            tape.record_scores(
                [
                    _drawn(draw, appended.offset, symbol, entity[symbol], version)
                    for appended, symbol in zip(became, about, strict=True)
                ]
            )


def _history_item(number: int, at: datetime, symbol: str) -> NewsItem:
    return NewsItem(
        id=f"made-{number}", source="wire", published_at=at, precision=Precision.INSTANT, public_at=at,
        headline=f"Made-up note {number} on {symbol}", symbols=(symbol,),
    )  # fmt: skip


def _drawn(draw: random.Random, offset: int, symbol: str, entity: str, version: str) -> Score:
    negative, positive = draw.random() / 2, draw.random() / 2
    said = negative, 1.0 - negative - positive, positive
    target = TargetScore(entity, symbol, draw.random(), draw.random(), offset, *said)
    return Score(offset, "finbert", version, *said, draw.random(), offset, (target,))


# ---- over HTTP


def _over_http(job: _Job) -> dict[str, Measures]:
    """One symbol at RATES, and ten, while news comes in and is scored."""
    found: dict[str, Measures] = {}
    home = _copy(job.home(), job.folder / "http")
    with serving(home, REGTAPE_NEWS_SCORER="finbert") as (port, server):
        address = f"http://127.0.0.1:{port}"
        _warm(address, one_symbol(address), job)
        for name, requests, rate in (
            *((f"one symbol, {rate}/s", one_symbol(address), rate) for rate in RATES),
            ("ten symbols, 100/s", ten_symbols(address), 100),
        ):
            streams = {"reads": Stream(requests, rate), "news": news(address, job.seconds, name)}
            loads, cpu = _loaded(job, address, streams, (server.pid,))
            found[f"regtape, {name}"] = _with_news(loads, address) | cpu
            _settle(address)
    return found


def _loaded(
    job: _Job, address: str, streams: Mapping[str, Stream], pids: Sequence[int]
) -> tuple[dict[str, Load], Measures]:
    """A load, and the processor time that these processes took for each read: what else the machine does changes that little."""
    import psutil

    processes = [psutil.Process(pid) for pid in pids]

    def spent() -> float:
        return sum(sum(each.cpu_times()[:2]) for each in processes)

    before = spent()
    loads = load.run(address, streams, job.seconds, job.folder)
    count = max(1, len(loads["reads"].due) - loads["reads"].unanswered)
    return loads, {"cpu_ms": load.plain(1000 * (spent() - before) / count, count)}


def _settle(address: str) -> None:
    """Wait until all news is scored, but not for ever."""
    until = time.monotonic() + 10
    while _waiting(address) and time.monotonic() < until:
        time.sleep(0.1)


def one_symbol(address: str) -> list[bytes]:
    """Reads of 50 features of one symbol after another."""
    return [load.get(address, f"/v1/features/{symbol}") for symbol in SYMBOLS]


def ten_symbols(address: str) -> list[bytes]:
    """Reads of 50 features of ten symbols at once."""
    return [load.post(address, "/v1/features", {"symbols": list(TEN), "set": "core50"})]


def news(address: str, seconds: float, prefix: str, rate: float = NEWS_RATE) -> Stream:
    """News, an item a request, each about one of SYMBOLS and of its own words."""
    from eval.speed_sentiment import headlines

    count = int(seconds * rate)
    at = now().isoformat()
    rows = [
        {
            "id": f"{prefix} {number}", "published_at": at, "source": "wire", "symbols": [SYMBOLS[number % len(SYMBOLS)]],
            "headline": f"{words}, note {prefix} {number}",
        }
        for number, words in enumerate(headlines(count))
    ]  # fmt: skip
    requests = [load.post(address, "/v1/news", row) for row in rows]
    return Stream(requests, rate, connections=8, expect=(201,))


def _with_news(loads: Mapping[str, Load], address: str) -> Measures:
    """Figures of the reads; of the news only whether it was taken and kept up with."""
    taken = loads["news"].figures()
    return loads["reads"].figures() | {
        "news_p99_ms": taken["p99_ms"],
        "news_refused": taken["refused"],
        "news_unscored_after": load.plain(_waiting(address), len(loads["news"].due)),
    }


def _waiting(address: str) -> float:
    from urllib.request import urlopen

    with urlopen(f"{address}/readyz") as answer:
        return float(json.load(answer)["news"]["waiting"])


def _warm(address: str, requests: list[bytes], job: _Job) -> None:
    """A second of requests that is not counted, the same for each server."""
    load.run(address, {"reads": Stream(requests, 50)}, 1.0, job.folder)


def _copy(home: Path, to: Path) -> Path:
    shutil.copytree(home, to)
    return to


# ---- Feast's server


def _feast_server(job: _Job) -> dict[str, Measures]:
    """The same reads of Feast's server, over each of its stores; no news comes in."""
    if job.feast is None:
        return {}
    found: dict[str, Measures] = {}
    for store, online in (
        ("sqlite", "sqlite"),
        ("redis", job.redis and job.redis[8:].partition("/")[0]),
    ):
        if not online:
            continue
        repository = job.folder / f"feast-{store}"
        repository.mkdir()
        _recipe(job.feast, "prepare", str(repository), str(_items_table(job, 2_000)), online)
        with _feast_serving(job.feast, repository) as (address, pids):
            single = [one for symbol in TEN for one in feast_symbols(address, (symbol,))]
            _warm(address, single, job)
            for name, requests, rate in (
                *((f"one symbol, {rate}/s", single, rate) for rate in RATES),
                ("ten symbols, 100/s", feast_symbols(address, TEN), 100),
            ):
                loads, cpu = _loaded(job, address, {"reads": Stream(requests, rate)}, pids)
                found[f"feast {store}, {name}"] = loads["reads"].figures() | cpu
                time.sleep(load.GRACE)  # what it had not answered, it works off
    return found


def feast_symbols(address: str, symbols: Sequence[str]) -> list[bytes]:
    """Reads of all 50 features of symbols, as Feast's clients send them."""
    body = {"feature_service": "all", "entities": {"symbol": list(symbols)}}
    return [load.post(address, "/get-online-features", body)]


@contextmanager
def _feast_serving(venv: Path, repository: Path) -> Iterator[tuple[str, list[int]]]:
    """Address and processes: one worker, no access log, and none of its restarts after a thousand requests."""
    import psutil

    port = _spare_port()
    command = [
        str(venv / "bin" / "feast"), "--chdir", str(repository), "serve", "--port", str(port), "--no-access-log",
        "--workers", "1", "--max-requests", "0", "--max-requests-jitter", "0",
    ]  # fmt: skip
    with (repository / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_for_feast(port, process, repository / "log")
            workers = psutil.Process(process.pid).children(recursive=True)
            yield f"http://127.0.0.1:{port}", [process.pid, *(each.pid for each in workers)]
        finally:
            process.terminate()
            process.wait()


def _wait_for_feast(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _FEAST_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    raise ModelMissing(f"Feast's server did not become ready: {log.read_text()[-1000:]}")


def _spare_port() -> int:
    import socket

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _recipe(venv: Path, *words: str) -> dict[str, Any]:
    """Run the recipe in its environment; what it prints last."""
    done = subprocess.run(
        [str(venv / "bin" / "python"), str(_RECIPE), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ModelMissing(f"the recipe failed: {done.stderr.strip()[-1000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _versions(venv: Path) -> Any:
    listed = subprocess.run(
        [str(venv / "bin" / "python"), "-c", "import json, sys; from importlib.metadata import version as v;"
         "print(json.dumps({p: v(p) for p in ('feast', 'pandas', 'redis', 'duckdb')}))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(listed.stdout)


def _items_table(job: _Job, each: int) -> Path:
    """Items of ten symbols as the recipes take them: symbol, known_at, sentiment, relevance, novelty, confidence."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = job.folder / f"items-{each}.parquet"
    draw = np.random.default_rng(SEED)
    width = WEEKS * 7 * 86_400 * 10**6
    count, until = each * len(TEN), to_micros(now())
    columns = {
        "symbol": np.repeat(TEN, each),
        "known_at": pa.array(until - draw.integers(1, width, count), pa.timestamp("us", "UTC")),
        **{name: draw.uniform(low, 1.0, count) for name, low in _NUMBERS.items()},
    }
    pq.write_table(pa.table(columns), path)
    return path


_NUMBERS = {"sentiment": -1.0, "relevance": 0.0, "novelty": 0.0, "confidence": 0.34}


# ---- bulk


def _bulk(job: _Job) -> dict[str, Measures]:
    """Instants a second: 50 features of one symbol by our Reader, then the two recipes."""
    from sentiment.read import Reader

    found: dict[str, Measures] = {}
    until = to_micros(now())
    draw = np.random.default_rng(SEED)
    at = until - np.sort(draw.integers(0, 14 * 86_400 * 10**6, job.instants))
    with Tape(job.home()) as tape:
        reader = Reader(tape, open_resolver())
        reader.matrix(TEN[:1], at[:1000])
        seconds = []
        for symbol in TEN[:3]:
            began = time.perf_counter()
            values = reader.matrix((symbol,), at).values
            seconds.append(time.perf_counter() - began)
            assert values.shape == (1, job.instants, FEATURES)
    found["bulk, regtape"] = {"per_second": _runs([job.instants / s for s in seconds])}
    if job.feast is None:
        return found
    items = _items_table(job, 2_000)
    few, many = _instants_table(job, 2_000), _instants_table(job, 20_000)
    repository = job.folder / "feast-bulk"
    repository.mkdir()
    _recipe(job.feast, "prepare", str(repository), str(items), "sqlite")
    for name, count, words in (
        ("feast, duckdb", 2_000, ("historical", str(repository), str(few), "duckdb")),
        ("feast, file", 2_000, ("historical", str(repository), str(few), "file")),
        ("pandas", 20_000, ("pandas", str(items), str(many))),
    ):
        taken = _recipe(job.feast, *words)["seconds"]
        found[f"bulk, {name}"] = {"per_second": load.plain(count / taken, 1)}
    return found


def _instants_table(job: _Job, count: int) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = job.folder / f"instants-{count}.parquet"
    draw = np.random.default_rng(SEED)
    at = to_micros(now()) - draw.integers(0, 14 * 86_400 * 10**6, count)
    symbols = np.array(TEN)[draw.integers(0, len(TEN), count)]
    pq.write_table(
        pa.table({"symbol": symbols, "as_of": pa.array(at, pa.timestamp("us", "UTC"))}), path
    )
    return path


def _runs(values: Sequence[float]) -> Measure:
    """The mean of a few runs, between their extremes."""
    return {
        "value": float(np.mean(values)),
        "low": min(values),
        "high": max(values),
        "n": len(values),
    }


# ---- live


def _live(job: _Job) -> dict[str, Measures]:
    """From sending a POST with an item to the event with the features it changed: logged, scored, folded, computed, told."""
    count = max(30, int(job.seconds * 20))
    with serving(_copy(job.home(), job.folder / "live"), REGTAPE_NEWS_SCORER="finbert") as (
        port,
        _,
    ):
        address = f"http://127.0.0.1:{port}"
        with _Events(port, SYMBOLS) as events:
            requests = news(address, count / NEWS_RATE + 1, "live").requests
            seconds = [_until_told(port, events, requests[number]) for number in range(count + 10)][
                10:
            ]
    return {
        "live": {
            "p50_ms": load.quantile(1000 * np.array(seconds), 0.5),
            "p99_ms": load.quantile(1000 * np.array(seconds), 0.99),
        }
    }


class _Events:
    """Server-sent events of some symbols."""

    def __init__(self, port: int, symbols: Sequence[str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        path = "/v1/stream/features?set=core50&symbols=" + ",".join(symbols)
        self._connection.request("GET", path, headers={"Accept": "text/event-stream"})
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise BadRequest(f"{path}: {self._answer.status} {self._answer.read().decode()[:500]}")

    def __enter__(self) -> "_Events":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def next(self) -> dict[str, Any]:
        """The next event with features."""
        kind = ""
        while line := self._answer.readline():
            if line.startswith(b"event:"):
                kind = line[6:].strip().decode()
            elif line.startswith(b"data:") and kind == "features":
                found: dict[str, Any] = json.loads(line[5:])
                return found
        raise RuntimeError("the stream of events ended")


def _until_told(port: int, events: _Events, request: bytes) -> float:
    """Seconds from sending an item to the event with its effect, after a pause, as in life."""
    import socket

    time.sleep(0.02 + 0.03 * random.random())
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        connection.sendall(request)
        events.next()
        taken = time.perf_counter() - began
        connection.recv(65536)
    return taken


# ---- sustained, replay


def _sustained(job: _Job) -> dict[str, Measures]:
    """Items a second from rows to windows: logged, their scores recorded, both folded into a store, batch by batch."""
    from sentiment.store import MemoryStore, follow

    count = 20_000
    home = job.folder / "sustained"
    draw, rates = random.Random(SEED), list[float]()
    resolver = open_resolver()
    entity = {s: resolver.find("", "", (s,), now())[0].entity for s in SYMBOLS}
    store = MemoryStore()
    with Tape(home) as tape:
        for first in range(0, count, _WRITTEN_AT_ONCE):
            began = time.perf_counter()
            about = [SYMBOLS[n % len(SYMBOLS)] for n in range(_WRITTEN_AT_ONCE)]
            became = tape.append(
                [_history_item(first + n, now(), symbol) for n, symbol in enumerate(about)]
            )
            tape.record_scores(
                [
                    _drawn(draw, a.offset, s, entity[s], "drawn-1")
                    for a, s in zip(became, about, strict=True)
                ]
            )
            follow(tape, store)
            rates.append(_WRITTEN_AT_ONCE / (time.perf_counter() - began))
        assert store.applied().offset == tape.head() == 2 * count
    return {"sustained": {"per_second": _runs(rates[1:])}}


def _replay(job: _Job) -> dict[str, Measures]:
    """A long history from its tape into an empty store, in a process of its own; what each symbol takes there."""
    home = job.kept / f"history-{job.items}"
    many = [f"S{number:03}" for number in range(500)]
    if not home.exists():
        part = home.with_name(home.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        write_history(part, job.items, many, "drawn-1")
        part.rename(home)
    runs = [_in_a_process("replay", str(home)) for _ in range(3)]
    found: Measures = {
        name: _runs([run[name] for run in runs])
        for name in ("seconds", "resident_mib", "bytes_per_symbol", "row_bytes_per_symbol")
    }
    found["items"] = load.plain(job.items, 1)
    found["symbols"] = load.plain(len(many), 1)
    if job.redis:
        told = _in_a_process("redis", str(home), job.redis)
        found |= {
            f"redis_{name}": load.plain(told[name], 1) for name in ("seconds", "bytes_per_symbol")
        }
    return {"replay": found}


def _in_a_process(*words: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "eval.speed_features", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{words[0]} failed: {done.stderr.strip()[-1000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@click.command("replay", hidden=True)
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
def _replay_command(home: Path) -> None:
    """What a run of the replay does."""
    import psutil

    from sentiment.store import MemoryStore, follow

    process = psutil.Process()
    store = MemoryStore()
    with Tape(home) as tape:
        before = process.memory_info().rss
        began = time.perf_counter()
        follow(tape, store)
        seconds = time.perf_counter() - began
        assert store.applied() == tape.receipt()
    held = store.snapshot(None).own
    bytes_held = sum(
        getattr(rows, name).nbytes for rows in held.values() for name in rows.__dataclass_fields__
    )
    resident = process.memory_info().rss
    click.echo(
        json.dumps(
            {
                "seconds": seconds,
                "resident_mib": (resident - before) / _MEBIBYTE,
                "bytes_per_symbol": (resident - before) / len(held),
                "row_bytes_per_symbol": bytes_held / len(held),
            }
        )
    )


@click.command("redis", hidden=True)
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("url")
def _redis_command(home: Path, url: str) -> None:
    """The same into Redis."""
    from redis import Redis

    from sentiment.store import follow
    from sentiment.store_redis import RedisStore

    with closing(Redis.from_url(url)) as client, Tape(home) as tape:
        client.flushall()
        before = int(client.info("memory")["used_memory"])
        with closing(RedisStore(url)) as store:
            began = time.perf_counter()
            follow(tape, store)
            seconds = time.perf_counter() - began
            symbols = len(store.snapshot(None).own)
        used = int(client.info("memory")["used_memory"]) - before
        client.flushall()
    click.echo(json.dumps({"seconds": seconds, "bytes_per_symbol": used / symbols}))


PARTS: dict[str, Callable[[_Job], dict[str, Measures]]] = {
    "http": _over_http,
    "feast": _feast_server,
    "live": _live,
    "bulk": _bulk,
    "sustained": _sustained,
    "replay": _replay,
}


# ---- ten minutes


def long_load(
    minutes: float, *, rate: float = 500.0, steady: bool = False, progress: Progress = _silent
) -> dict[str, Any]:
    """Reads at a rate and news for so many minutes: p99 of each ten seconds, and memory of the server's processes over time.

    steady: as many items leave the windows as come in, as they do once a server has run for longer than its windows are wide;
    else all that comes in stays, on top of a history of eight weeks.
    """
    seconds = 60 * minutes
    leaving = int(seconds * NEWS_RATE) if steady else 0
    with tempfile.TemporaryDirectory(prefix="regtape-load-") as name:
        folder = Path(name)
        job = _Job(folder, folder, seconds, 0, 0, None, None)
        home = folder / "home"
        write_history(home, 20_000 + leaving, SYMBOLS, _finbert(), leaving=leaving)
        with serving(home, REGTAPE_NEWS_SCORER="finbert") as (port, server):
            address = f"http://127.0.0.1:{port}"
            _warm(address, one_symbol(address), job)
            streams = {
                "reads": Stream(one_symbol(address), rate),
                "news": news(address, seconds, "long"),
            }
            process = load.start(address, streams, seconds, folder)
            at, resident = _watch(server.pid, process, seconds, progress)
            loads = load.finish(process, folder)
            reads = loads["reads"]
            figures = _with_news(loads, address)
    windows = np.arange(0, seconds, 10.0)
    inside = [(reads.due >= first) & (reads.due < first + 10) for first in windows]
    mib = np.array([each["server"] for each in resident])
    half = len(mib) // 2
    figures["server_mib"] = {
        "value": float(mib[-1]),
        "low": float(mib.min()),
        "high": float(mib.max()),
        "n": len(mib),
    }
    figures["server_mib_growth_second_half"] = load.plain(
        float(mib[-5:].mean() - mib[half : half + 5].mean()), len(mib)
    )
    return {
        "task": "speed",
        "dataset": "features, long load, " + ("windows full" if steady else "windows filling"),
        "n": len(reads.due),
        "metrics": figures,
        "groups": {},
        "series": {
            "seconds": windows.tolist(),
            "p50_ms": [float(1000 * np.median(reads.seconds[part])) for part in inside],
            "p99_ms": [float(1000 * np.quantile(reads.seconds[part], 0.99)) for part in inside],
            "memory_seconds": at,
            "memory_mib": {
                name: [each.get(name, 0.0) for each in resident] for name in ("server", "others")
            },
        },
        "settings": {
            "minutes": minutes,
            "reads_per_second": rate,
            "news_per_second": NEWS_RATE,
            "items_leaving": leaving,
        },
    }


def _watch(
    pid: int, client: "subprocess.Popen[str]", seconds: float, progress: Progress
) -> tuple[list[float], list[dict[str, float]]]:
    """Once a second, resident MiB of the server and of what it started."""
    import psutil

    server, began = psutil.Process(pid), time.monotonic()
    at, resident = list[float](), list[dict[str, float]]()
    while client.poll() is None:
        others = 0
        for child in server.children(recursive=True):
            try:
                others += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        at.append(round(time.monotonic() - began, 1))
        resident.append(
            {"server": server.memory_info().rss / _MEBIBYTE, "others": others / _MEBIBYTE}
        )
        progress(int(at[-1]), int(seconds), f"{resident[-1]['server']:.0f} MiB")
        time.sleep(1.0)
    return at, resident


def plot(found: Mapping[str, Any], path: Path) -> None:
    """p50 and p99 of each ten seconds above, memory below, as PNG."""
    from matplotlib.figure import Figure

    series, told = found["series"], found["settings"]
    figure = Figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    minutes = np.array(series["seconds"]) / 60
    above.plot(minutes, series["p99_ms"], label="p99")
    above.plot(minutes, series["p50_ms"], label="p50")
    above.axhline(3.0, color="grey", linewidth=0.8, linestyle="--", label="goal of p99")
    above.set_ylim(bottom=0)
    above.set_ylabel("ms, of each 10 s")
    above.set_title(
        f"50 features of one symbol, {told['reads_per_second']:g}/s, with {told['news_per_second']:g} items/s scored"
    )
    above.legend(loc="upper right")
    for name, values in series["memory_mib"].items():
        below.plot(np.array(series["memory_seconds"]) / 60, values, label=name)
    below.set_ylim(bottom=0)
    below.set_ylabel("resident MiB")
    below.set_xlabel("minutes")
    below.legend(loc="lower right")
    figure.savefig(path, dpi=110)


# ---- the command


@regtape_command(
    "features",
    short_help="Feature reads, beside Feast and pandas.",
    examples=(
        "regtape eval speed features --feast VENV --json",
        "regtape eval speed features --minutes 10 --plot load.png --json",
        "regtape eval speed features --part http --seconds 5",
    ),
)
@click.option(
    "--feast", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="VENV",
    help="An environment with Feast (eval/feast_recipe/set_up.sh); it is measured beside ours.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(1), default=8.0, show_default=True, help="Of each load."
)
@click.option(
    "--items", type=click.IntRange(1000), default=1_000_000, show_default=True, help="Replayed."
)
@click.option(
    "--instants",
    type=click.IntRange(1000),
    default=200_000,
    show_default=True,
    help="Read in bulk.",
)
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Keep the replayed history there, and take it from there the next time.",
)  # fmt: skip
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(list(PARTS)),
    help="Only this; again for more.",
)
@click.option(
    "--minutes", type=click.FloatRange(0.1), help="Instead: one load of so many minutes, over time."
)
@click.option(
    "--steady", is_flag=True,
    help="With --minutes, as many items leave the windows as come in; else all that come in stay.",
)  # fmt: skip
@click.option(
    "--plot",
    "png",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --minutes, a chart as PNG.",
)
def command(
    feast: Path | None, seconds: float, items: int, instants: int, keep: Path | None, parts: tuple[str, ...],
    minutes: float | None, steady: bool, png: Path | None,
) -> int:  # fmt: skip
    """Measure feature reads over HTTP, in bulk, live and in replay; with --feast beside Feast and pandas."""
    from api.console import progress

    if minutes is None and (png is not None or steady):
        raise BadRequest("--plot and --steady are of a load over time; they go with --minutes")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with progress("eval", "seconds" if minutes else "parts") as tell:
        if minutes is not None:
            found = long_load(minutes, steady=steady, progress=tell)
            if png is not None:
                plot(found, png)
        else:
            found = features_speed(
                seconds=seconds,
                items=items,
                instants=instants,
                feast=feast,
                kept=keep,
                parts=parts,
                progress=tell,
            )
    if wants_json():
        print_json(found)
    else:
        click.echo(_table(found))
    return DONE


def _table(found: dict[str, Any]) -> str:
    """A line a figure: value, 95 % interval or extremes, n."""
    lines = []
    for title, figures in {found["dataset"]: found["metrics"], **found["groups"]}.items():
        lines.append(title)
        for name, figure in figures.items():
            if figure["value"] is not None:
                lines.append(
                    f"  {name:<28}{figure['value']:>14,.2f}  [{figure['low']:,.2f}, {figure['high']:,.2f}]  n={figure['n']}"
                )
    return "\n".join(lines)


if __name__ == "__main__":
    click.Group("speed_features", commands=[command, _replay_command, _redis_command]).main(obj={})
