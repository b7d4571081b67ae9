"""What a sentence says of a variable: cue by cue; that quotes are verbatim; and the labelled passages where they lie."""

import html
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.document import DocType, Document, Kind, Metadata, Section
from ingest.rules.effects import Direction, effects
from ingest.rules.impacts import EXTRACTOR, impacts, variable_id
from ingest.rules.stated import KIND, complete, stated_in
from ingest.rules.taxonomy import taxonomy
from ingest.stance import Speaker
from tests.api.fakes import OLD, an_arrival, fill

UP, DOWN, MIXED, NONE, UNCERTAIN = Direction
LABELS = Path(os.environ.get("REGTAPE_DATA", "/nowhere")) / "rulebook" / "impacts_dev.jsonl"


def said(sentence: str) -> dict[str, Direction]:
    return {effect.variable: effect.direction for effect in effects(sentence)}


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("The lamp rule would widen spreads and reduce depth.", {"quoted_spread": UP, "depth": DOWN}),
        ("Spreads would narrow under the lamp rule.", {"quoted_spread": DOWN}),
        ("The lamp rule could lead to narrower effective spreads.", {"effective_spread": DOWN}),
        ("Volatility was reduced by the lamp rule.", {"volatility": DOWN}),
        ("The lamp rule will improve liquidity.", {"liquidity_general": UP}),
        ("The lamp rule would harm liquidity, depth, and volatility.",
         {"liquidity_general": DOWN, "depth": DOWN, "volatility": UP}),
        ("The lamp rule would improve spreads.", {"quoted_spread": DOWN}),
        ("There will be a decrease in the number of fails to deliver.", {"settlement": DOWN}),
        ("The lamp rule resulted in longer queues.", {"queue": UP}),
        ("We expected displayed depth at the best price to fall.", {"depth": DOWN}),
    ],
)  # fmt: skip
def test_words_of_change_tell_the_direction(sentence: str, wanted: dict[str, Direction]) -> None:
    assert said(sentence) == wanted


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("The lamp rule would not widen spreads.", {"quoted_spread": NONE}),
        (
            "We do not believe that issuers will experience increases in the cost of capital.",
            {"cost_of_capital": NONE},
        ),
        ("The lamp rule would have a minimal impact on liquidity.", {"liquidity_general": NONE}),
        ("It is unclear whether the lamp rule will reduce volatility.", {"volatility": UNCERTAIN}),
        ("The lamp rule could increase or decrease spreads.", {"quoted_spread": UNCERTAIN}),
        ("The lamp rule would prohibit makers from narrowing the spread.", {"quoted_spread": UP}),
    ],
)
def test_negation_and_doubt_are_kept(sentence: str, wanted: dict[str, Direction]) -> None:
    assert said(sentence) == wanted


@pytest.mark.parametrize(
    "sentence",
    [
        "Would the lamp rule widen spreads?",
        "We request comment on whether the lamp rule would reduce liquidity.",
        "The larger the spread, the higher the volatility of the stock.",
        "Spreads on the green venue were lower than those on the red venue.",
        "The study examines the effect of the lamp rule on liquidity.",
        "Liquidity providers pay a lower fee for green lamps.",
        "If spreads widen, makers will light more lamps.",
        "Rates are set for stocks of lower liquidity.",
        "Exchanges must not raise access fees for lamps.",
        "The estimate relies on an assumption that the spreads will widen by half.",
    ],
)
def test_what_is_no_effect_gives_nothing(sentence: str) -> None:
    assert said(sentence) == {}


def document(text: str, doc_type: DocType = DocType.FINAL_RULE) -> Document:
    return Document(
        text,
        "text",
        (Section(0, len(text), ("II. Effects",), Kind.BODY),),
        metadata=Metadata(doc_type=doc_type),
    )


def test_a_row_has_its_sentence_speaker_hedge_and_condition() -> None:
    text = "A heading\n\nOne commenter stated that spreads might widen if lamps were green. The lamp is lit."
    (row,) = impacts(document(text))

    assert text[row.start : row.end] == row.quote
    assert row.quote.startswith("One commenter")
    assert row.quote.endswith("green.")
    assert (row.variable, row.direction, row.speaker, row.hedged) == (
        "quoted_spread",
        UP,
        Speaker.COMMENTER,
        True,
    )
    assert row.condition == "if lamps were green"
    assert row.section == ("II. Effects",)


def test_filings_and_statutes_speak_of_no_rule() -> None:
    assert (
        impacts(
            document("The lamp plan would reduce our liquidity and our capital.", DocType.FILING)
        )
        == []
    )


def test_the_taxonomy_names_every_variable_once() -> None:
    lore = taxonomy()

    assert {"tick_size", "quoted_spread", "odd_lot", "market_access", "liquidity_general"} <= set(
        lore.variables
    )
    assert variable_id("Depth at the NBBO") == variable_id("depth") == "depth"
    assert variable_id("colour") is None
    assert all(variable_id(variable.name) == id for id, variable in lore.variables.items())


def test_what_is_kept_is_what_was_read_and_verbatim(tmp_path: Path) -> None:
    words = "A lamp rule.\n\nSpreads would widen if lamps were green. The lamp rule would harm depth on every venue."
    with Catalog(tmp_path) as catalog:
        arrival = an_arrival(words, "Lamps", DocType.FINAL_RULE, "1.1", OLD)
        spoken = replace(arrival.document.metadata, agency="Securities and Exchange Commission")
        catalog.record([replace(arrival, document=replace(arrival.document, metadata=spoken))])
        (held,) = catalog.documents()
        text, sections, pages = catalog.body(held.id)
        kept = stated_in(catalog, [held])

        assert [each.impact for each in kept] == impacts(
            Document(text, held.format, sections, pages, held.metadata)
        )
        assert {each.impact.variable for each in kept} == {"quoted_spread", "depth"}
        assert all(text[e.impact.start : e.impact.end] == e.impact.quote for e in kept)
        assert stated_in(catalog, [held], "depth") == [
            e for e in kept if e.impact.variable == "depth"
        ]


def test_rows_are_read_once_and_kept(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        fill(catalog)
        assert complete(catalog, catalog.documents()) == 3
        assert complete(catalog, catalog.documents()) == 0
        assert stated_in(catalog, catalog.documents()) == []
    with Catalog(tmp_path) as again:
        assert complete(again, again.documents()) == 0


@pytest.mark.skipif(
    not LABELS.is_file(), reason="REGTAPE_DATA names no folder with the labelled passages"
)
def test_the_labelled_passages_are_read_right() -> None:
    rows = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()]
    variable = direction = 0
    for row in rows:
        found = said(re.sub(r"\s*<sup>.*?</sup>", "", html.unescape(row["quote"])))
        answers = [row, *row.get("also", ())]
        if row["variable"] == "none":
            right = named = not found
        else:
            named = any(answer["variable"] in found for answer in answers)
            right = any(found.get(answer["variable"]) == answer["direction"] for answer in answers)
        variable += named
        direction += right

    assert variable / len(rows) >= 0.9
    assert direction / len(rows) >= 0.85


def test_ingest_leaves_no_document_unread(sample_home: Path) -> None:
    with Catalog(sample_home) as catalog:
        assert catalog.unread(KIND, EXTRACTOR) == []
        assert complete(catalog, catalog.documents()) == 0


def test_an_impact_that_is_limited_limits_nothing() -> None:
    words = (
        "The impact of the lamp rule, if any, on liquidity, spreads and volatility will be limited."
    )

    assert DOWN not in said(words).values()


@pytest.mark.parametrize(
    "sentence",
    [
        "Would spreads widen if lamps were green?",
        "We request comment on whether the lamp rule would harm depth.",
        "Depth is defined as what lamps would increase the spread by.",
    ],
)
def test_a_question_is_no_effect_wherever_it_is_found_out(sentence: str) -> None:
    assert said(sentence) == {}
