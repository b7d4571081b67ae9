"""The parity run: nothing differs where nothing is broken, and what is broken on purpose is found."""

import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from eval import parity
from eval.oracle import Oracle
from eval.parity import (
    MADE_UP_SYMBOLS,
    Feed,
    Read,
    arrivals,
    changed_by_the_future,
    command,
    differing,
    made_up,
    replay,
    serve_all,
)
from ingest.news import Kind
from sentiment import held, store
from sentiment.compute import compute
from sentiment.features import FEATURES
from sentiment.log import Tape

SYMBOLS = MADE_UP_SYMBOLS[:8]
# Without windows of sessions, whose calendar takes seconds to load, and what rules give, which is null without documents.
NAMES = tuple(
    name
    for name, feature in FEATURES.items()
    if feature.window in ("1m", "1d", "") or feature.measure in ("sentiment_mean", "volume", "rank")
    if feature.window not in ("since_close", "since_open") and feature.scope != "regulation"
)  # fmt: skip


def serve(
    folder: Path,
    values: int = 4000,
    items: int = 150,
    seed: int = 3,
    names: tuple[str, ...] = NAMES,
) -> tuple[Feed, Path]:
    feed = Feed(folder / "tape", None, random.Random(seed), asked=({"names": names},))
    serve_all(made_up(items, SYMBOLS, seed=seed), feed, folder / "reads.jsonl", values)
    return feed, folder / "reads.jsonl"


def oracle(feed: Feed, reads: Path, count: int = 14) -> Any:
    assert feed.tape is not None
    return Oracle(feed.tape, feed.resolver).compare(parity._sample(reads, count, random.Random(1)))


def test_what_is_served_while_news_arrives_in_every_bad_way_is_what_the_tape_gives_back(
    tmp_path: Path,
) -> None:
    feed, reads = serve(tmp_path)
    found = replay(tmp_path / "tape", reads)
    compared = oracle(feed, reads)
    feed.close()

    assert found.mismatches.total() == 0, found.first
    assert found.values.total() > 2000
    assert found.not_verified == 0 < found.verified
    assert compared.mismatches == 0, compared.first
    assert compared.values > 500
    assert feed.counts["from_store"] > 0


def test_one_bit_of_one_value_is_found_and_named(tmp_path: Path) -> None:
    feed, reads = serve(tmp_path, values=1500)
    feed.close()
    lines = reads.read_text().splitlines()
    number, told = next(
        (n, Read.parse(line)) for n, line in enumerate(lines) if any(Read.parse(line).values)
    )
    at, value = next((at, value) for at, value in enumerate(told.values) if value)
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    told.values[at] = struct.unpack("<d", struct.pack("<q", bits ^ 1))[0]
    lines[number] = told.line()
    reads.write_text("\n".join(lines) + "\n")
    found = replay(tmp_path / "tape", reads)

    assert found.mismatches.total() == 1
    assert f"{NAMES[at]} of {told.symbol}" in found.first


def test_a_window_that_is_closed_on_the_wrong_side_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(features: Any, instants: Any, *rest: Any, **more: Any) -> Any:
        """Of [T - width, T) instead of (T - width, T]: moments are whole microseconds."""
        return compute(features, instants - 1, *rest, **more)

    windows = ("sentiment_mean_1m", "sentiment_mean_1d", "volume_1m", "volume_5m", "volume_1d")
    with monkeypatch.context() as broken:
        broken.setattr(held, "compute", wrong)
        feed, reads = serve(tmp_path, values=1000, names=windows)
        same_mistake = replay(tmp_path / "tape", reads)
        compared = oracle(feed, reads, 60)
        feed.close()
    found = replay(tmp_path / "tape", reads)

    assert found.mismatches.total() > 0
    assert same_mistake.mismatches.total() == 0
    assert compared.mismatches > 0, "the same mistake on both sides is found by the oracle alone"


def test_a_store_that_forgets_to_take_out_what_was_corrected_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(store._Where, "take_out", lambda self, items: {})
        feed, reads = serve(tmp_path)
        feed.close()
    found = replay(tmp_path / "tape", reads)

    assert found.mismatches["memory"] > 0
    assert found.mismatches["latest"] == found.mismatches["head"] == 0, "those come from the tape"


def test_what_comes_later_changes_no_read_of_the_past_unless_it_is_filled_into_the_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, _ = serve(tmp_path, values=1000)
    changed, of = changed_by_the_future(feed, SYMBOLS[:3])
    assert (changed, of) == (0, 3 * 61 * len(NAMES))

    append = Tape.append
    monkeypatch.setattr(Tape, "append", lambda self, items, *, backfill=False: append(self, items, backfill=True))  # fmt: skip
    changed, _ = changed_by_the_future(feed, SYMBOLS[:3])
    feed.close()
    assert changed > 0


def test_arrivals_are_late_shuffled_twice_revised_corrected_retracted_and_scored_again() -> None:
    told = made_up(2000, SYMBOLS)
    found = arrivals(told, random.Random(1))
    items = [one for one in found if one.item is not None]
    kinds = {kind: [one for one in items if one.item and one.item.kind is kind] for kind in Kind}
    places = {one.key: place for place, one in reversed(list(enumerate(items)))}
    first = [places[said.item.id] for said in told]

    assert first != sorted(first)
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert len(kinds[Kind.CORRECTION]) > 50 < len(kinds[Kind.RETRACTION]) + 30
    before = [c for c in kinds[Kind.CORRECTION] if c.item and places[c.key] < places.get(c.item.refers_to or "", -1)]  # fmt: skip
    assert before, "some corrections come first"
    assert sum(one.backfill for one in items) > 100
    assert {one.score.model for one in found if one.score} == {"lexicon", "other"}
    assert len(items) > len({one.key for one in items}), "some come twice"


def test_bits_are_compared_not_numbers() -> None:
    assert differing([1.0, None, 0.1], [1.0, None, 0.1]) == []
    assert differing([0.0, None, 0.1], [-0.0, 0.0, 0.1 + 2**-56]) == [0, 1, 2]
    assert differing([1.0], [1.0, 2.0]) == [1]
    assert differing([1.0, None], [1.0]) == []


def test_a_read_comes_back_from_its_line() -> None:
    read = Read("edge", "BF/B", 5, 7, "as_if", "m", 1, ("a", "b"), [float(np.pi), None], {"x": 1})
    assert Read.parse(read.line()) == read
    assert Read.parse(read._replace(features="all").line()).features == "all"


@pytest.mark.slow
def test_the_command_says_what_differs_and_of_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--items", "150", "--values", "5000", "--rounds", "0", "--json"]
    done = CliRunner().invoke(command, words, obj={}, catch_exceptions=False, standalone_mode=False)
    found = json.loads(done.stdout)

    assert done.return_value == 0
    assert (found["task"], found["dataset"]) == ("parity", "made-up items")
    assert found["metrics"]["mismatches"]["value"] == 0 < found["metrics"]["mismatches"]["n"]
    assert found["metrics"]["oracle_mismatches"]["value"] == 0
    assert found["metrics"]["append_future_changed"] | {"n": 0} == {"value": 0, "low": 0, "high": 3, "n": 0}  # fmt: skip
    assert found["n"] == sum(group["mismatches"]["n"] for group in found["groups"].values())

    replayed = parity.replay_apart
    monkeypatch.setattr(parity, "replay_apart", lambda *where: _with_one_wrong(replayed(*where)))
    done = CliRunner().invoke(command, words[:-1], obj={}, catch_exceptions=False, standalone_mode=False)  # fmt: skip
    assert done.return_value == 1
    assert "mismatches" in done.output
    assert "first: something" in done.output


def _with_one_wrong(found: parity.Replayed) -> parity.Replayed:
    found.mismatches["memory"] += 1
    found.first = "something"
    return found
