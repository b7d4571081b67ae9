"""Made-up archives and pairs in; whether what is reported of novelty means what eval/novelty.py says."""

import gzip
import json
import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import eval.novelty
from eval.archives import (
    REUTERS,
    STOCKNET,
    Item,
    earlier_copies,
    long_enough,
    reuters,
    same_slug,
    stocknet,
)
from eval.novelty import (
    LABELS,
    Pair,
    chains,
    command,
    companies,
    copies,
    evaluate,
    follow,
    gold_pairs,
    judge,
    load_pairs,
    mismatches,
    read_pairs,
    speed,
)
from eval.novelty_ways import average_precision, by_group, compare, signature
from ingest.errors import BadRequest, NotKnown
from sentiment.novelty import WIDTH, read

MORNING = datetime(2013, 5, 6, 9, tzinfo=UTC)
TWO_MILLS, LEAD = (
    "Larkspur Harbor to close two mills in Oregon",
    "Two paper mills will close by June.",
)
LINES = [
    ("us-larkspur-mills", TWO_MILLS, LEAD, ["LKH"]),
    ("us-alder-results", "Alder profit beats forecasts on timber prices", "Income rose.", ["ALD"]),
    ("us-larkspur-mills", f"UPDATE 1-{TWO_MILLS}", LEAD, ["LKH", "TMB"]),
    ("us-birch-lawsuit", "Birch sued over leaking valves", "A suit names its pump unit.", []),
    (
        "us-larkspur-mills",
        "Larkspur Harbor names a treasurer",
        "The board chose an outsider.",
        ["LKH"],
    ),
]
TWEETS = [
    ("A", "alder profit beats what analysts thought $ ald URL"),
    ("A", "rt AT_USER alder profit beats what analysts thought $ …"),
    ("B", "birch sued over valves that leak , says court filing"),
    ("A", "nothing to see here today , move along now please"),
]


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Path:
    (tmp_path / "news").mkdir()
    rows = [
        {"id": f"{slug}-idUSN{n:08}20130506", "ts_utc": (MORNING + timedelta(hours=n)).isoformat(),
         "title": title, "lede": f"PORTLAND (Reuters) - {lede}", "us_rics": rics}
        for n, (slug, title, lede, rics) in enumerate(LINES)
    ]  # fmt: skip
    rows.append({**rows[3], "id": "us-lost-idUSN1", "ts_utc": ""})
    with gzip.open(tmp_path / REUTERS, "wt") as out:
        out.writelines(json.dumps(row) + "\n" for row in reversed(rows))
    with gzip.open(tmp_path / STOCKNET, "wt") as out:
        for n, (source, text) in enumerate(TWEETS):
            at = (MORNING + timedelta(minutes=n)).isoformat()
            for ticker in ("ALD", "TMB"):
                out.write(json.dumps({"ts_utc": at, "source": source, "text": text, "ticker": ticker}) + "\n")  # fmt: skip
    return tmp_path


@pytest.fixture(name="pairs")
def _pairs(tmp_path: Path) -> Path:
    ids = [f"{slug}-idUSN{n:08}20130506" for n, (slug, *_) in enumerate(LINES)]
    rows = [(0, 2, "copy"), (0, 1, "new"), (2, 4, "update")]
    file = tmp_path / "pairs.jsonl"
    file.write_text(
        "".join(
            json.dumps({"set": "dev", "drawn": "best", "earlier": ids[a], "later": ids[b], "label": label}) + "\n"
            for a, b, label in rows
        )
    )  # fmt: skip
    return file


def tweet(n: int, text: str, hours: float = 0) -> Item:
    return Item(str(n), MORNING + timedelta(hours=hours, seconds=n), text, "", (), text)


# ---- labels


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("us-larkspur-mills", "us-larkspur-mills", True),
        ("us-markets-stocks", "us-markets-stocks", True),
        ("us-larkspur-mills", "us-larkspur-ceo", None),
        ("us-markets-stocks", "us-larkspur-mills", None),
        ("us-larkspur-mills", "us-usa-alder", False),
    ],
)
def test_slugs_are_judged_by_their_specific_parts(
    one: str, other: str, verdict: bool | None
) -> None:
    assert same_slug(one, other) is verdict
    assert same_slug(other, one) is verdict


def test_a_retweet_is_a_copy_up_to_where_it_is_cut_off() -> None:
    said = "alder profit beats what analysts had thought , and more is to come"
    items = [
        tweet(0, said),
        tweet(1, f"rt AT_USER {said}"),
        tweet(2, "rt AT_USER alder profit beats what analysts had thought , a …"),
        tweet(3, "rt AT_USER alder profit beats what forecasters had thought"),
        tweet(4, "short one"),
        tweet(5, "short one"),
        tweet(6, said, hours=25),
    ]
    assert earlier_copies(items) == [False, True, True, False, False, False, False]
    assert [long_enough(item) for item in items[3:6]] == [True, False, False]


def test_archives_come_in_the_order_of_time(data: Path) -> None:
    items = reuters(data / REUTERS)
    assert [item.chain for item in items] == [slug for slug, *_ in LINES]
    assert items[2].about == ("LKH", "TMB")
    tweets = stocknet(data / STOCKNET)
    assert [len(tweet.about) for tweet in tweets] == [2] * len(TWEETS)
    assert "AT_USER" not in tweets[1].headline
    assert len({tweet.id for tweet in tweets}) == len(TWEETS)


# ---- measures


def test_an_archive_is_judged_against_its_slugs(data: Path) -> None:
    found = chains(follow(reuters(data / REUTERS)))
    assert (found["link_precision"]["value"], found["link_precision"]["n"]) == (1.0, 1)
    assert (found["link_recall"]["value"], found["link_recall"]["n"]) == (0.5, 2)
    assert found["novelty_same_slug"]["value"] == pytest.approx(0.5)
    assert found["novelty_new_slug"]["value"] == 1.0
    assert found["share_new"]["value"] == pytest.approx(4 / 5)


def test_a_company_is_judged_by_what_it_has_seen(data: Path) -> None:
    found = companies(follow(reuters(data / REUTERS)))
    assert found["company_differs"]["value"] == pytest.approx(1 / 5)
    fresh = found["company_new_where_market_is_not"]
    assert (fresh["value"], fresh["n"]) == (0.5, 2)


def test_tweets_are_judged_against_retweets(data: Path) -> None:
    found = copies(follow(stocknet(data / STOCKNET)))
    assert {name: (each["value"], each["n"]) for name, each in found.items()} == {
        "copy_recall": (1.0, 1),
        "copy_linked": (1.0, 1),
        "copy_precision": (1.0, 1),
    }


def test_speed_counts_every_item(data: Path) -> None:
    found = speed(follow(reuters(data / REUTERS)))
    assert (found["per_second"]["value"] or 0) > 0
    assert found["p50_ms"]["n"] == len(LINES)
    assert (found["p50_ms"]["value"] or 0) <= (found["p99_ms"]["value"] or 0)
    assert found["largest_window"]["value"] == len(LINES)


def a_stream(n: int) -> list[Item]:
    """Items of few words, so that much is linked; with one known_at for several, and windows left behind."""
    draw = random.Random(n)
    words = "oil gas profit loss merger court fine bank steel airline chip 3.5".split()
    at, items = MORNING, []
    for number in range(n):
        at += draw.choice([timedelta(0), timedelta(hours=1), WIDTH, timedelta(hours=5)])
        headline, body = (" ".join(draw.choices(words, k=draw.randint(0, 6))) for _ in "hb")
        items.append(Item(str(number), at, headline, body, tuple(draw.choices("AB", k=2)), ""))
    return items


def test_following_says_what_the_plain_function_says() -> None:
    found = mismatches(a_stream(150))
    assert found["value"] == 0
    assert (found["n"] or 0) > 150


def test_a_wrong_index_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eval.novelty, "COPY", 0.5)  # the plain function and the index now differ
    assert (mismatches(a_stream(150))["value"] or 0) > 0


def test_groups_are_drawn_whole() -> None:
    days = [day for day in range(40) for _ in range(25)]
    alike = by_group(days, [float(day % 2) for day in days])
    mixed = by_group(days, [float(n % 2) for n in range(1000)])
    assert alike["value"] == mixed["value"] == 0.5
    width = [(each["high"] or 0) - (each["low"] or 0) for each in (alike, mixed)]
    assert width[0] > 4 * width[1]
    assert by_group([1, 2], [None, None]) == {"value": None, "low": None, "high": None, "n": 0}
    assert by_group([1, 1, 2], [None, 1.0, 1.0])["n"] == 2


def plain_precision(scores: list[int], truth: list[bool]) -> float:
    """Mean over positives of the precision at their score."""
    places = [n for n, true in enumerate(truth) if true]
    shown = [[truth[n] for n in range(len(scores)) if scores[n] >= scores[at]] for at in places]
    return sum(sum(each) / len(each) for each in shown) / len(places)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30).filter(
    lambda rows: any(true for _, true in rows)
))  # fmt: skip
def test_average_precision_is_the_mean_precision_at_the_positives(
    rows: list[tuple[int, bool]],
) -> None:
    scores, truth = [score for score, _ in rows], [true for _, true in rows]
    found = average_precision(np.array(scores, float), np.array(truth), np.ones(len(rows)))
    assert found == pytest.approx(plain_precision(scores, truth))


def test_signatures_estimate_the_share_of_words_in_common() -> None:
    some, others = [f"w{n}" for n in range(60)], [f"w{n}" for n in range(30, 90)]
    near = float((signature(some) == signature(others)).mean())
    assert near == pytest.approx(1 / 3, abs=0.12)
    assert (signature(some) == signature(some[::-1])).all()
    assert signature(["lamp", "harbor"])[:2].tolist() == [667137179, 591730259]  # in every process


def test_other_ways_are_compared_on_the_same_pairs(data: Path) -> None:
    found = compare(reuters(data / REUTERS), minilm=False)
    assert set(found) == {"words", "rarity", "shingles", "minhash"}
    assert len({each["average_precision"]["n"] for each in found.values()}) == 1
    for each in found.values():
        assert 0 < (each["average_precision"]["value"] or 0) <= 1


# ---- pairs read by hand


def test_pairs_are_judged_as_the_rule_judges_them(data: Path, pairs: Path) -> None:
    texts = {item.id: read(item.headline, item.body) for item in reuters(data / REUTERS)}
    read_by_hand = load_pairs(pairs)
    assert [judge(pair, texts) for pair in read_by_hand] == ["copy", "new", "new"]
    found = read_pairs(read_by_hand, texts)
    assert found["accuracy"]["value"] == found["same_story"]["value"] == pytest.approx(2 / 3)
    assert found["copy_precision"]["value"] == 1.0
    assert found["update_precision"]["value"] is None
    assert found["update_told_new"]["value"] == 1
    with pytest.raises(NotKnown, match="no item"):
        judge(Pair("dev", "best", "nowhere", read_by_hand[0].later, "copy"), texts)


_UNKNOWN = '{"set": "a", "drawn": "b", "earlier": "c", "later": "d", "label": "e"}'


@pytest.mark.parametrize("line", ["{", "{}", "[]", _UNKNOWN])
def test_a_bad_row_names_its_line(tmp_path: Path, pairs: Path, line: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(pairs.read_text() + line)
    with pytest.raises(BadRequest, match=r"bad\.jsonl, line 4"):
        load_pairs(file)


def test_the_gold_pairs_are_ids_and_labels_alone() -> None:
    pairs = load_pairs(gold_pairs())
    counts = Counter((pair.group, pair.label) for pair in pairs)
    assert {group for group, _ in counts} == {"dev", "held", "proxy", "tweets"}
    assert sum(n for (group, _), n in counts.items() if group == "held") == 60
    assert all(counts[group, label] for group in ("dev", "held", "tweets") for label in LABELS)
    ids = {(pair.earlier, pair.later) for pair in pairs}
    assert len(ids) == len(pairs)
    assert not any(" " in id for pair in ids for id in pair)


# ---- the report


def test_the_report_has_the_form_of_every_evaluation(data: Path, pairs: Path) -> None:
    lines: list[str] = []
    report = evaluate(data, pairs, told=lines.append)
    assert set(report) == {"task", "dataset", "n", "metrics", "groups", "settings"}
    assert (report["task"], report["n"]) == ("novelty", len(LINES) + len(TWEETS))
    assert set(report["groups"]) == {
        "pairs dev", "reuters", "reuters x10", "stocknet", "stocknet x10", "oracle",
    }  # fmt: skip
    assert report["metrics"]["mismatches"]["value"] == 0
    for measures in (report["metrics"], *report["groups"].values()):
        assert all(set(each) == {"value", "low", "high", "n"} for each in measures.values())
    assert json.loads(json.dumps(report)) == report
    assert any("reuters" in line for line in lines)


def test_only_the_last_items_are_followed_when_asked(data: Path, pairs: Path) -> None:
    assert evaluate(data, pairs, most=2)["n"] == 4


def test_the_command_prints_a_table_or_one_object(data: Path, pairs: Path) -> None:
    words = [str(pairs), "--data", str(data)]
    table = CliRunner().invoke(command, words, obj={})
    assert table.exit_code == 0, table.output
    assert "link_precision" in table.stdout
    found = CliRunner().invoke(command, [*words, "--json"], obj={})
    assert json.loads(found.stdout)["task"] == "novelty"


def test_the_command_needs_the_data() -> None:
    found = CliRunner().invoke(command, [], obj={}, env={"REGTAPE_DATA": ""})
    assert found.exit_code == 2
    assert "--data" in found.stderr


@pytest.mark.slow
@pytest.mark.data
def test_on_the_real_archives_it_does_what_was_measured() -> None:
    """Measured in full: eval/results/novelty.json; here the last 6,000 items of each, with room for chance."""
    if "REGTAPE_DATA" not in os.environ:
        pytest.skip("REGTAPE_DATA names no folder with the archives")
    report = evaluate(Path(os.environ["REGTAPE_DATA"]), gold_pairs(), most=6000)
    groups = report["groups"]
    assert report["metrics"]["mismatches"]["value"] == 0
    assert report["metrics"]["link_precision"]["value"] > 0.85
    assert report["metrics"]["link_recall"]["value"] > 0.65
    assert report["metrics"]["copy_recall"]["value"] > 0.97
    assert groups["pairs held"]["copy_precision"]["value"] == 1
    assert groups["pairs held"]["update_precision"]["value"] > 0.8
