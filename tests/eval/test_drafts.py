"""An outside author's drafts: what passes is counted by kind, an escape is told, what is not held is left out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval import drafts
from eval.drafts import judge, read_drafts
from ingest.catalog import Catalog
from ingest.errors import BadRequest
from ingest.quote import fingerprint
from tests.ingest.test_rules_state import RELIEF

QUOTE = "Dealers are exempt from Rule 611 until February 6, 2023."
GOLD = Path(drafts.__file__).with_name("gold")


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as catalog:
        catalog.record([RELIEF])
        yield catalog


def a_file(folder: Path, catalog: Catalog, *rows: tuple[str, str]) -> Path:
    """Drafts on QUOTE: (kind, text)."""
    (held,) = catalog.documents()
    start = catalog.text(held.id).index(QUOTE)
    place = {
        "document": held.id,
        "start": start,
        "end": start + len(QUOTE),
        "sha256": fingerprint(QUOTE),
    }
    file = folder / "drafts.jsonl"
    file.write_text(
        "".join(
            json.dumps(
                {**place, "kind": kind, "attack": "date" if kind == "attack" else "", "text": text}
            )
            + "\n"
            for kind, text in rows
        )
    )
    return file


def test_what_passes_and_what_falls_is_counted_by_kind(tmp_path: Path, catalog: Catalog) -> None:
    file = a_file(
        tmp_path, catalog,
        ("true-close", QUOTE),
        ("true-free", "Nobody who deals needs to mind the rule before spring."),
        ("attack", "Dealers are exempt from Rule 611 until February 6, 2024."),
        ("attack", QUOTE),  # not an attack at all, so it passes and is told
    )  # fmt: skip
    found = judge(read_drafts(file), catalog)
    assert (found["n"], found["escapes"]) == (4, [QUOTE])
    assert found["metrics"]["escape_rate"]["value"] == 0.5
    assert found["metrics"]["true_pass_rate"]["value"] == 0.5
    assert found["groups"]["true-close"]["true_pass_rate"]["value"] == 1.0
    assert sum(found["stopped_at"].values()) == 1


def test_a_sentence_that_is_not_held_as_it_was_hashed_is_left_out(
    tmp_path: Path, catalog: Catalog
) -> None:
    file = a_file(tmp_path, catalog, ("true-close", QUOTE))
    rows = [
        json.loads(file.read_text()) | change for change in ({"end": 3}, {"document": "nobody's"})
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = judge(read_drafts(file), catalog)
    assert (found["n"], found["settings"]["unscored"]) == (0, 2)


def test_a_row_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "drafts.jsonl"
    file.write_text('{"text": "alone"}\n')
    with pytest.raises(BadRequest, match="line 1"):
        read_drafts(file)


def test_our_drafts_read_none_is_there_twice_and_what_is_kept_apart_shares_no_sentence() -> None:
    held, dev = read_drafts(GOLD / "drafts.jsonl"), read_drafts(GOLD / "drafts_dev.jsonl")
    assert len({draft.text for draft in (*held, *dev)}) == len(held) + len(dev) == 300 + 805
    assert {draft.kind for draft in held} == {"attack", "true-close", "true-middling", "true-free"}
    assert {draft.sha256 for draft in held}.isdisjoint(draft.sha256 for draft in dev)
