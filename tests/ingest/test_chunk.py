"""Chunks of a document: inside sections, in order, whole sentences and rows, within the budget, with their headings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.chunk import ChunkSettings, chunk, is_chunkable
from ingest.document import Chunk, Document, Kind, Page, Section
from ingest.sentences import rows, sentences

SMALL = ChunkSettings(tokens=16)


def words(text: str) -> int:
    return len(text.split())


def document(*parts: tuple[str, Section], pages: tuple[Page, ...] = ()) -> Document:
    """Sections one after the other; each part's own offsets are filled in."""
    text, sections = "", []
    for body, section in parts:
        start = len(text)
        text += body + "\n\n"
        sections.append(
            Section(start, start + len(body), section.path, section.kind, section.label)
        )
    found = Document(text, "text", tuple(sections), pages)
    found.check()
    return found


def body(*path: str) -> Section:
    return Section(0, 0, path)


def cut(held: Document, settings: ChunkSettings = SMALL) -> list[str]:
    return [held.text[c.start : c.end] for c in chunk(held, words, settings)]


def lamp(count: int) -> str:
    return " ".join(["Lamp", *["lamp"] * (count - 2), "burns."])


def test_a_chunk_never_crosses_a_section() -> None:
    held = document((lamp(5), body("I.")), (lamp(5), body("II.")))
    assert [c.section for c in chunk(held, words)] == [0, 1]


def test_short_paragraphs_are_packed_together() -> None:
    assert cut(document((f"{lamp(5)}\n\n{lamp(6)}\n\n{lamp(5)}", body()))) == [
        f"{lamp(5)}\n\n{lamp(6)}\n\n{lamp(5)}"
    ]


def test_a_cut_falls_between_paragraphs_rather_than_inside_one() -> None:
    first, second = f"{lamp(7)} {lamp(7)}", f"{lamp(6)} {lamp(6)}"
    assert cut(document((f"{first}\n\n{second}", body()))) == [first, second]


def test_a_long_paragraph_is_cut_at_sentence_ends_into_even_parts() -> None:
    held = document((" ".join([lamp(5)] * 4), body()))
    assert cut(held) == [f"{lamp(5)} {lamp(5)}"] * 2


def test_a_sentence_over_the_budget_is_cut_at_its_clauses() -> None:
    clauses = [
        "a bid that is lit all day and all night long;",
        "an offer that is lit all day; or",
        "neither of the two at all.",
    ]
    parts = cut(document((" ".join(clauses), body())))
    assert len(parts) > 1
    assert all(part[-1] in ";." or part.endswith("or") for part in parts)
    assert all(words(part) <= 16 for part in parts)


def test_what_has_no_spaces_is_cut_too() -> None:
    held = document(("x" * 1000, body()))
    parts = [held.text[c.start : c.end] for c in chunk(held, len, SMALL)]
    assert "".join(parts) == "x" * 1000
    assert max(map(len, parts)) <= 16


def test_a_heading_stays_with_what_it_heads() -> None:
    held = document((f"B. Lamps\n\n{lamp(9)} {lamp(7)}", body("I. Light", "B. Lamps")))
    assert cut(held)[0].startswith("B. Lamps\n\nLamp")


def test_a_bare_heading_gives_no_chunk() -> None:
    held = document(("I. Light", body("I. Light")), (lamp(5), body("I. Light", "A. Lamps")))
    assert cut(held) == [lamp(5)]


def test_rule_text_of_one_word_is_kept_and_a_footnote_of_one_is_not() -> None:
    held = document(
        ("(2) Bonds;", Section(0, 0, (), Kind.RULE_TEXT, "(2)")),
        ("7 See id.", Section(0, 0, (), Kind.FOOTNOTE, "7")),
    )
    assert cut(held) == ["(2) Bonds;"]


def test_contents_are_not_chunked() -> None:
    assert cut(document((lamp(12), Section(0, 0, (), Kind.CONTENTS)))) == []


def test_a_table_is_cut_between_rows_and_later_parts_carry_its_head() -> None:
    table = "\n".join(["Venue | Fee", *[f"Lamp {n} | ${n}.00 a day" for n in range(9)]])
    held = document((table, Section(0, 0, ("IV. Fees",), Kind.TABLE)))
    found = chunk(held, words, SMALL)
    assert len(found) > 1
    assert found[0].context == "IV. Fees"
    assert {c.context for c in found[1:]} == {"IV. Fees › Venue | Fee"}
    assert "\n".join(held.text[c.start : c.end] for c in found) == table


def test_a_row_over_the_budget_is_not_cut() -> None:
    row = " | ".join(["cell"] * 40)
    assert cut(document((f"a | b\n{row}\nc | d", Section(0, 0, (), Kind.TABLE)))) == [
        "a | b",
        row,
        "c | d",
    ]


@pytest.mark.parametrize(
    ("section", "context"),
    [
        (Section(0, 0, ("I. Light", "A. Lamps")), "I. Light › A. Lamps"),
        (Section(0, 0, ("I. Light",), Kind.FOOTNOTE, "12"), "I. Light › note 12"),
        (Section(0, 0, ("§ 1.2",), Kind.RULE_TEXT, "(b)(1)"), "§ 1.2 › (b)(1)"),
        (Section(0, 0, ("ITEM 7. LAMPS",), Kind.BODY, "Item 7"), "ITEM 7. LAMPS"),
        (Section(0, 0), ""),
    ],
)
def test_context_is_the_heading_path_and_the_label(section: Section, context: str) -> None:
    (found,) = chunk(document((lamp(8), section)), words)
    assert found.context == context


def test_a_chunk_knows_the_page_it_starts_on() -> None:
    held = document((lamp(10), body("I.")), (lamp(10), body("II.")))
    held.pages = (
        Page(4, 0, held.sections[1].start),
        Page(5, held.sections[1].start, len(held.text)),
    )
    assert [c.page for c in chunk(held, words)] == [4, 5]


def test_each_sentence_is_counted_once() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return words(text)

    held = document((" ".join([lamp(5)] * 30), body()))
    chunk(held, count, SMALL)
    assert len(counted) == 30


def test_other_settings_have_another_fingerprint() -> None:
    assert ChunkSettings(tokens=16).fingerprint != ChunkSettings(tokens=17).fingerprint


# Prose and tables of any shape, from pieces that the cutter treats in different ways.
PROSE = st.lists(
    st.sampled_from(["Lamp", "lamp", "burns.", "It", "(a)", "and;", "U.S.", "\n\n", ",", "“x”", "light" * 9]),
    min_size=1, max_size=120,
).map(" ".join)  # fmt: skip
TABLE = st.lists(
    st.lists(st.sampled_from(["Venue", "$1.00", "a b c", ""]), min_size=2, max_size=9).map(" | ".join),
    min_size=1, max_size=12,
).map("\n".join)  # fmt: skip
KINDS = [body("I."), Section(0, 0, (), Kind.FOOTNOTE, "3"), Section(0, 0, (), Kind.CONTENTS)]
PART = st.tuples(PROSE, st.sampled_from(KINDS)) | st.tuples(
    TABLE, st.just(Section(0, 0, ("T",), Kind.TABLE))
)


@given(st.lists(PART, min_size=1, max_size=4), st.integers(16, 40))
def test_chunks_keep_every_promise(parts: list[tuple[str, Section]], budget: int) -> None:
    held, settings = document(*parts), ChunkSettings(tokens=budget)
    found = chunk(held, words, settings)
    assert [c.ordinal for c in found] == list(range(len(found)))
    for number, section in enumerate(held.sections):
        inside = [c for c in found if c.section == number]
        assert bool(inside) == is_chunkable(held.text, section, settings)
        _covers(held, section, inside)
        _within(held, section, inside, budget)


def _covers(held: Document, section: Section, inside: list[Chunk]) -> None:
    """In order, disjoint, inside the section, and nothing but white space between."""
    last = section.start
    for c in inside:
        assert last <= c.start < c.end <= section.end
        assert not held.text[last : c.start].strip()
        last = c.end
    if inside:
        assert not held.text[last : section.end].strip()


def _within(held: Document, section: Section, inside: list[Chunk], budget: int) -> None:
    text = held.text[section.start : section.end]
    wholes = (
        rows(text, section.start) if section.kind is Kind.TABLE else sentences(text, section.start)
    )
    for c in inside:
        assert words(held.text[c.start : c.end]) <= budget or (c.start, c.end) in wholes
    for start, end in wholes:
        if section.kind is Kind.TABLE or words(held.text[start:end]) <= budget:
            assert not any(start < edge < end for c in inside for edge in (c.start, c.end))
