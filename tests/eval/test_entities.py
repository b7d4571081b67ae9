"""Made-up labelled news in; whether companies found are compared, counted and shown as they should be."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from eval.entities import SETS, Group, Item, Outcome, command, compare, evaluate, measures, of_half
from ingest.errors import BadRequest
from ingest.moment import parse_moment
from sentiment.entities import Resolver, open_resolver

DAY = parse_moment("2012-06-01T16:00Z")


@pytest.fixture(name="resolver", scope="module")
def _resolver() -> Resolver:
    return open_resolver()


@pytest.fixture(name="data", scope="module")
def _data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder in the form of the real one, with rows of our own."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "news").mkdir()
    for name in ("tfns", "finentity", "sentfin"):
        (folder / "sentiment" / name).mkdir(parents=True)
    articles = [
        {
            "id": f"a-{n}",
            "title": "Boeing and Microsoft talk",
            "ts_utc": "2012-06-01T16:00:00Z" if n else "",
            "dir": "20120601",
            "us_rics": ["BA", "XOM", "U"],
            "lede": "Boeing Co ( BA.N ) spoke with Microsoft and the Toy Group TOY.UL of J.P. Smith.",
        }
        for n in range(8)
    ]
    with gzip.open(folder / "news/reuters_2006_2013.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in articles)
    tweets = [
        {"text": f"$BA $SPY - Boeing flies {n} https://t.co/x", "label": "x"} for n in range(8)
    ]
    _write(folder / "sentiment/tfns/train.jsonl", [*tweets, {"text": "no tag", "label": "x"}])
    headlines = [
        {"text": f"Acme Ltd buys Boeing {n}", "targets": [{"target": "Acme Ltd"}]} for n in range(8)
    ]
    _write(folder / "sentiment/sentfin/train.jsonl", headlines)
    passage = {
        "content": "Boeing <BA.N> met Pfizer and the FAA.",
        "annotations": [
            {"start": 0, "end": 6, "value": "Boeing"},
            {"start": 33, "end": 36, "value": "FAA"},
        ],
    }
    (folder / "sentiment/finentity/FinEntity.json").write_text(
        json.dumps([passage]), encoding="utf-8"
    )
    return folder


def _write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_symbols_are_compared_as_entities(resolver: Resolver) -> None:
    item = Item("1", "Google rose", "Boeing fell", DAY, frozenset({"GOOG", "XOM", "ZQZQ"}))
    outcome, wrong, missed = compare(
        item, resolver.find("Google rose", "Boeing fell", (), DAY), resolver
    )
    assert outcome == Outcome(right=1, wrong=1, missed=1, won=1.0, pairs=1)
    assert [each.split()[0] for each in wrong] == ["BA"]
    assert missed == ["XOM"]  # what the table does not hold is not counted as missed


def test_marks_are_compared_by_place_and_a_code_beside_a_name_does_not_count(
    data: Path, resolver: Resolver
) -> None:
    (item,) = SETS["finentity"](data)
    outcome, wrong, missed = compare(item, resolver.find("", item.body, (), item.as_of), resolver)
    assert outcome[:3] == (1, 1, 1)
    assert (wrong, missed) == (["Pfizer"], ["FAA"])


def test_a_tie_in_relevance_is_half_a_win(resolver: Resolver) -> None:
    item = Item("1", "", "", DAY, frozenset({"BA"}))
    found = resolver.find("", "", ["BA", "XOM"], DAY)
    assert compare(item, found, resolver)[0].won == 0.5


def test_what_is_read_of_each_set(data: Path) -> None:
    article = next(SETS["reuters"](data))
    assert article.symbols == {"BA", "XOM"}  # "U" was read from "U.N."
    assert article.as_of == parse_moment("2012-06-01")
    stripped = next(SETS["reuters_named"](data))
    assert stripped.symbols == {"BA.N", "TOY.UL"}
    assert "BA.N" not in stripped.body
    assert "TOY.UL" not in stripped.body
    assert "J.P. Smith" in stripped.body
    words = next(SETS["reuters_words"](data))
    assert words.only is not None
    assert (words.body, words.symbols) == (stripped.body, stripped.symbols)
    tweets = list(SETS["tfns_named"](data))
    assert len(tweets) == 8
    assert tweets[0].symbols == {"BA", "SPY"}
    assert "$" not in tweets[0].headline
    assert "http" not in tweets[0].headline


def test_the_halves_are_all_and_share_nothing(data: Path) -> None:
    parts = {
        half: {item.id for item in of_half(SETS["reuters"](data), half)}
        for half in ("tune", "held", "all")
    }
    assert parts["tune"] | parts["held"] == parts["all"]
    assert not parts["tune"] & parts["held"]
    assert parts["tune"]
    assert parts["held"]


def test_the_report(data: Path, resolver: Resolver, tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []
    report = evaluate(
        data,
        resolver,
        half="all",
        rows=tmp_path / "rows.jsonl",
        progress=lambda *each: told.append(each),
    )
    assert report["task"] == "entities"
    assert report["n"] == len(told) == 8 + 8 + 8 + 8 + 1 + 8
    groups = report["groups"]
    assert isinstance(groups, dict)
    assert list(groups) == list(SETS)
    assert groups["reuters"]["precision"]["value"] == 0.5  # Microsoft has no code there
    assert groups["reuters"]["recall"]["value"] == 0.5  # Exxon stands further down
    assert groups["reuters_named"]["recall"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 8}
    assert groups["tfns_named"]["recall"]["value"] == 0.5
    assert groups["sentfin"]["precision"]["value"] == 0.0
    assert groups["sentfin"]["relevance_auc"]["value"] is None
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["set"] for row in rows} == set(SETS) - {"reuters_words"}
    assert rows[0]["missed"] == ["XOM"]
    assert "[Microsoft]" in rows[0]["wrong"][0]


def test_measures_are_ratios_of_sums_with_an_interval_around_them() -> None:
    group = Group(
        [Outcome(1, 0, 1, 0.5, 1), Outcome(3, 1, 0, 2.0, 3), Outcome(0, 0, 0, 0.0, 0)], [0.1] * 3
    )
    found = measures(group)
    assert found["precision"]["value"] == pytest.approx(4 / 5)
    assert found["recall"]["value"] == pytest.approx(4 / 5)
    assert found["f1"]["value"] == pytest.approx(8 / 10)
    assert found["relevance_auc"]["value"] == pytest.approx(2.5 / 4)
    assert found["per_second"]["value"] == pytest.approx(10)
    for measure in found.values():
        low, value, high = measure["low"], measure["value"], measure["high"]
        assert low is not None
        assert value is not None
        assert high is not None
        assert low <= value + 1e-9
        assert value <= high + 1e-9
    assert measures(group) == found


def test_nothing_measured_is_none() -> None:
    assert all(each["value"] is None and each["n"] == 0 for each in measures(Group()).values())


def test_a_wrong_set_lists_the_right_ones_and_a_lack_is_named(
    data: Path, resolver: Resolver, tmp_path: Path
) -> None:
    with pytest.raises(BadRequest, match="there are reuters, reuters_named"):
        evaluate(data, resolver, ["routers"])
    with pytest.raises(BadRequest, match=r"train\.jsonl"):
        evaluate(tmp_path, resolver, ["tfns_named"])


def test_the_command_prints_a_table_or_json(data: Path) -> None:
    words = ["tfns_named", "--data", str(data), "--half", "all"]
    table = CliRunner().invoke(command, words, obj={}, catch_exceptions=False)
    assert table.exit_code == 0
    assert "recall" in table.stdout
    plain = CliRunner().invoke(command, [*words, "--json"], obj={}, catch_exceptions=False)
    printed = json.loads(plain.stdout)
    assert printed["groups"]["tfns_named"]["recall"]["n"] == 16
    assert printed["settings"]["half"] == "all"


@pytest.mark.data
@pytest.mark.slow
def test_names_are_found_in_real_news(resolver: Resolver) -> None:
    import os

    folder = os.environ.get("REGTAPE_DATA")
    if not folder:
        pytest.skip("REGTAPE_DATA names no folder")
    report = evaluate(Path(folder), resolver, ["reuters_named", "finentity"])
    groups = report["groups"]
    assert isinstance(groups, dict)
    assert groups["reuters_named"]["recall"]["low"] > 0.97
    assert groups["finentity"]["precision"]["low"] > 0.93
