"""Labels and documents written for the purpose; what the eval counts right, wrong and not at all."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from eval.rules import IMPACTS_JUDGED, evaluate, event_key
from ingest.catalog import Catalog
from ingest.document import Document
from ingest.quote import fingerprint
from ingest.rules.events import events
from tests.ingest.test_rules_state import ADOPTED, PROPOSED, a_document

QUIET = a_document(
    "34-20", date(2020, 2, 3), ("SUMMARY", "Lamps are described here, and nothing is done to any.")
)


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as catalog:
        catalog.record([PROPOSED, ADOPTED, QUIET])
        yield catalog


def write(folder: Path, name: str, *rows: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def a_label(event: str, on: str | None, quote: str, **more: Any) -> dict[str, Any]:
    return {"file": "34-2.txt", "event": event, "sections": ["242.611"], "date": on, "quote": quote,
            "sections_in_quote": [], **more}  # fmt: skip


EFFECTIVE = a_label("effective", "2020-11-02", "Effective Date: November 2, 2020.")
COMPLIANCE = a_label("compliance", "2021-05-03", "Compliance Date: May 3, 2021.")
ADOPTION = a_label(
    "adopted", None, "is adopting amendments to Rule 611", sections_in_quote=["242.611"]
)


def values(report: dict[str, Any]) -> dict[str, float]:
    return {name: measure["value"] for name, measure in report["metrics"].items()}


def test_events_that_labels_state_are_right_and_found(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    write(folder, "events_any.jsonl", EFFECTIVE, COMPLIANCE, ADOPTION)
    write(folder, "no_events_any.jsonl", {"file": "34-20.txt", "why": "nothing is done"})

    report, _ = evaluate(folder, catalog, tmp_path / "none")

    found = values(report)
    assert (found["event_recall"], found["event_precision"], found["event_precision_floor"]) == (
        1.0,
        1.0,
        1.0,
    )
    assert (found["silence"], report["task"], report["n"]) == (1.0, "rules", 4)


def test_another_day_in_a_labelled_passage_is_wrong(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    write(folder, "events_x.jsonl", {**EFFECTIVE, "date": "2020-11-03"}, COMPLIANCE, ADOPTION)

    report, rows = evaluate(folder, catalog, tmp_path / "none")

    assert values(report)["event_precision"] == pytest.approx(2 / 3)
    assert values(report)["event_recall"] == pytest.approx(2 / 3)
    assert [r["event"] for r in rows if r["metric"] == "event_precision" and not r["right"]] == [
        "effective"
    ]


def test_an_ambiguous_label_counts_neither_way(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    write(folder, "events_x.jsonl", {**EFFECTIVE, "ambiguous": True}, COMPLIANCE, ADOPTION)

    report, _ = evaluate(folder, catalog, tmp_path / "none")

    assert report["metrics"]["event_recall"]["n"] == 2
    assert report["metrics"]["event_precision"]["n"] == 2


def test_what_no_label_speaks_of_is_unjudged_until_it_was_read(
    catalog: Catalog, tmp_path: Path
) -> None:
    folder, judged = tmp_path / "labels", tmp_path / "judged.jsonl"
    write(folder, "events_x.jsonl", EFFECTIVE, ADOPTION)
    alone, _ = evaluate(folder, catalog, judged)
    held = next(h for h in catalog.documents() if h.path == "34-2.txt")
    text, sections, pages = catalog.body(held.id)
    (found,) = [
        e
        for e in events(Document(text, held.format, sections, pages, held.metadata))
        if e.kind == "compliance"
    ]
    file, kind, when, digest = event_key("34-2.txt", found, text).split(" ")
    row = {"file": file, "event": kind, "when": when, "sha256": digest, "right": False}
    judged.write_text(json.dumps(row) + "\n", "utf-8")
    read, _ = evaluate(folder, catalog, judged)

    assert values(alone)["event_precision"] == 1.0
    assert values(alone)["event_precision_floor"] == pytest.approx(2 / 3)
    assert values(read)["event_precision"] == pytest.approx(2 / 3)
    assert values(read)["events_judged"] == 1.0


def test_states_are_scored_and_leaks_are_seen(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    rows = [
        {"section": "242.611", "as_of": "2020-02-01", "state": "proposed", "expected": "",
         "later_quote": "is adopting amendments to Rule 611"},
        {"section": "242.611", "as_of": "2020-12-01", "state": "effective_not_compliance", "expected": ""},
        {"section": "242.611", "as_of": "2020-12-01", "state": "in_force", "expected": ""},
    ]  # fmt: skip
    write(folder, "asof_kept.jsonl", *rows)

    report, verdicts = evaluate(folder, catalog, tmp_path / "none")

    found = values(report)
    assert found["asof_accuracy"] == pytest.approx(2 / 3)
    assert found["asof_leak"] == 0.0
    assert (found["anachronism_rate"], found["pairs_anachronism"]) == (0.0, 0.0)
    assert [v["got"] for v in verdicts if not v["right"] and v["metric"] == "asof_accuracy"] == [
        "effective_not_compliance"
    ]


def test_a_document_that_is_not_held_is_left_out_and_named(
    catalog: Catalog, tmp_path: Path
) -> None:
    folder = tmp_path / "labels"
    write(folder, "events_x.jsonl", {**EFFECTIVE, "file": "lost.txt"})

    report, _ = evaluate(folder, catalog, tmp_path / "none")

    assert "event_recall" not in report["metrics"]
    assert report["settings"]["not_held"] == ["lost.txt"]


def test_rows_hold_no_text_of_documents(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    write(folder, "events_x.jsonl", EFFECTIVE)

    _, rows = evaluate(folder, catalog, tmp_path / "none")

    assert "to light lamps" not in json.dumps(rows, default=str)


def test_the_command_prints_one_object(
    catalog: Catalog,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "labels"
    write(folder, "events_x.jsonl", EFFECTIVE)
    monkeypatch.setenv("REGTAPE_HOME", str(catalog.home))

    from eval.rules import command

    assert command.main([str(folder), "--json"], standalone_mode=False, obj={}) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["event_recall"]["value"] == 1.0
    assert (
        run(["rule", "242.611", "--home", str(catalog.home), "--as-of", "2020-02-01", "--json"])
        == 0
    )


def test_a_label_may_point_at_its_passage(catalog: Catalog, tmp_path: Path) -> None:
    text = catalog.text(next(h.id for h in catalog.documents() if h.path == "34-2.txt"))
    start = text.index("Effective Date")
    end = start + len("Effective Date: November 2, 2020.")
    label = {key: value for key, value in EFFECTIVE.items() if key != "quote"}
    label |= {"start": start, "end": end, "sha256": fingerprint(text[start:end])}
    write(tmp_path / "right", "events_ours.jsonl", label)
    write(tmp_path / "stale", "events_ours.jsonl", label | {"sha256": "0" * 64})

    right, _ = evaluate(tmp_path / "right", catalog)
    _, rows = evaluate(tmp_path / "stale", catalog)

    assert right["metrics"]["event_recall"]["value"] == 1.0
    assert [row["start"] for row in rows if row["metric"] == "event_recall"] == [None]


def test_judged_effects_of_documents_that_are_not_held_are_left_out(
    catalog: Catalog, tmp_path: Path
) -> None:
    write(tmp_path / "labels", "events_dev.jsonl", EFFECTIVE)

    report, _ = evaluate(tmp_path / "labels", catalog)

    assert "impact_read_variable" not in report["metrics"]
    assert report["settings"]["judged_effects_read_otherwise"] == 0


def test_the_newest_draw_of_judged_effects_names_no_text_and_each_error() -> None:
    rows = [json.loads(line) for line in IMPACTS_JUDGED.read_text("utf-8").splitlines()]
    newest = [row for row in rows if row["draw"] == max(r["draw"] for r in rows)]

    assert len(newest) == 150
    assert not any("quote" in row for row in rows)
    assert all(("error" in row) is not row["direction_right"] for row in newest)
    assert all(row["variable_right"] or not row["direction_right"] for row in newest)
