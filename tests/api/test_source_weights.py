"""The setting `source_weights` reaches what is folded and what is read, and is named by what is read."""

from pathlib import Path

import pytest

from api.folding import Folding, Here
from api.services import open_reader, open_store, open_tape
from api.settings import Settings
from sentiment.log import Tape
from tests.sentiment.featured import Clock, item, score

NAMES = ["sentiment_mean_1d", "sentiment_source_weighted_1d"]


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    clock = Clock()
    with Tape(tmp_path, clock=clock) as tape:
        good, bad = (each.offset for each in tape.append([item(0, clock()), item(1, clock())]))
        clock.wait(1)
        tape.record_scores([score(tape, good, 0.9), score(tape, bad, 0.1)])
    return tmp_path


def test_a_table_of_ones_own_weighs_sources_live_and_from_the_log(home: Path) -> None:
    table = home / "sources.tsv"
    table.write_text("source\tweight\ndesk 0\t3\ndesk 1\t1\n", "utf-8")
    mine = Settings(home=home, source_weights=table)

    with open_tape(mine) as tape, open_store(mine) as store, open_tape(mine) as followed:
        reader = open_reader(mine, tape, store)
        folding = Folding(store, Here(followed, reader.weights), lambda: None)
        folding.wait(10)
        assert folding.ready
        (newest,) = tape.scores(newest_first=True, limit=1)
        live = reader.vector("BAC", names=NAMES, as_of=newest.known_at)
        logged = open_reader(mine, tape).vector("BAC", names=NAMES, as_of=newest.known_at)
        packaged = open_reader(Settings(home=home), tape).vector(
            "BAC", names=NAMES, as_of=newest.known_at
        )
        folding.close()

    assert live.values == logged.values
    assert live.values[NAMES[0]] == packaged.values[NAMES[0]] == packaged.values[NAMES[1]]
    # 0.85 of the good one and -0.35 of the bad one, three to one
    assert live.values[NAMES[1]] == pytest.approx((3 * 0.85 - 0.35) / 4, abs=1e-4)
    assert live.feature_version != packaged.feature_version
