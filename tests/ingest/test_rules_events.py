"""Documents written for the purpose; the events they state, and what is none."""

from datetime import date

import pytest

from ingest.document import Authority, DocType, Document, Kind, Metadata, Section
from ingest.rules.events import About, EventKind, Role, RuleEvent, events

SEC = "Securities and Exchange Commission"
HEAD = ("SUMMARY", "DATES", "EFFECTIVE DATE", "SUPPLEMENTARY INFORMATION")


def a_release(*parts: tuple[str, str], title: str = "Lamps", sections: tuple[str, ...] = ("242.611",),
              doc_type: DocType = DocType.FINAL_RULE, release: str = "34-1") -> Document:  # fmt: skip
    """Parts are (label, words): a field of the preamble, or "" for a paragraph of the body."""
    text, spans = "", []
    for label, words in parts:
        text += "\n\n" if text else ""
        start = len(text)
        text += f"{label}: {words}" if label else words
        kind = Kind.HEADER if label else Kind.BODY
        spans.append(Section(start, len(text), (), kind, label or None))
    meta = Metadata(
        title=title,
        doc_type=doc_type,
        agency=SEC,
        authority=Authority.OFFICIAL_TEXT,
        release=release,
        cfr_sections=sections,
    )
    return Document(text, "sec-release", tuple(spans), (), meta)


def a_summary(words: str, title: str) -> Document:
    text = f"{title}\n\n{words}"
    spans = (Section(0, len(title)), Section(len(title) + 2, len(text)))
    meta = Metadata(
        title=title, doc_type=DocType.NEWS, authority=Authority.SECONDARY, primary="fr:2030-00001"
    )
    return Document(text, "markdown", spans, (), meta)


def the(kind: EventKind, document: Document) -> RuleEvent:
    found = [event for event in events(document) if event.kind is kind]
    assert len(found) == 1, found
    return found[0]


def in_body(words: str) -> Document:
    return a_release(("", words))


def test_a_preamble_states_adoption_effect_and_compliance() -> None:
    document = a_release(
        (
            "SUMMARY",
            "The Commission is adopting amendments to Rule 611 of Regulation NMS to dim all lamps.",
        ),
        ("DATES", "Effective Date: May 3, 2030.\n\nCompliance Date: November 4, 2030."),
    )

    adopted, effective, compliance = events(document)

    assert (adopted.kind, adopted.sections, adopted.about) == (
        EventKind.ADOPTED,
        ("242.611",),
        About.OWN,
    )
    assert (effective.kind, effective.on, effective.release) == (
        EventKind.EFFECTIVE,
        date(2030, 5, 3),
        "34-1",
    )
    assert (compliance.kind, compliance.on) == (EventKind.COMPLIANCE, date(2030, 11, 4))


def test_every_event_quotes_the_stored_text() -> None:
    document = a_release(("DATES", "Effective Date: May 3, 2030. Compliance Date: June 4, 2030."))

    quotes = [document.text[event.start : event.end] for event in events(document)]

    assert quotes == ["DATES: Effective Date: May 3, 2030.", "Compliance Date: June 4, 2030."]


def test_a_placeholder_broken_by_a_page_stays_words() -> None:
    dates = (
        "DATES",
        "Effective Date: [insert date that is 60 days after publication in the Federal\n\nRegister].",
    )

    event = the(EventKind.EFFECTIVE, a_release(dates))

    assert event.on is None
    assert event.relative == "60 days after publication in the Federal Register"


def test_an_exception_in_the_dates_is_an_event_of_its_own_section() -> None:
    dates = (
        "DATES",
        "Effective Date: May 3, 2030, except §242.612T is effective May 9, 2030 to June 1, 2031.",
    )
    document = a_release(dates, sections=("242.611",))

    effective = [e for e in events(document) if e.kind is EventKind.EFFECTIVE]
    ends = the(EventKind.SUNSET, document)

    assert ("242.611", date(2030, 5, 3)) in {(e.sections[0], e.on) for e in effective}
    assert (("242.612T",), date(2030, 5, 9)) in {(e.sections, e.on) for e in effective}
    assert (ends.sections, ends.on) == (("242.612T",), date(2031, 6, 1))


@pytest.mark.parametrize(
    ("words", "kind", "on", "relative", "role"),
    [
        ("On March 4, 2029, the Commission proposed amendments to Rule 611 for lamps.",
         EventKind.PROPOSED, date(2029, 3, 4), None, Role.ACTION),
        ("In March 2029, the Commission re-opened the comment period on the proposal.",
         EventKind.REOPENED, None, "March 2029", None),
        ("The compliance date for Rule 611 will be nine months after the Effective Date.",
         EventKind.COMPLIANCE, None, "nine months after the Effective Date", None),
        ("The first phase-in of securities subject to the Rule will begin on Monday, April 8, 2030.",
         EventKind.COMPLIANCE, date(2030, 4, 8), None, Role.EVENT),
        ("We extended the initial compliance date of Rule 611 from May 1, 2030 to May 1, 2031.",
         EventKind.DELAYED, date(2031, 5, 1), None, Role.NEW_DATE),
        ("The Commission temporarily exempted dealers from compliance with Rule 611 until June 7, 2030.",
         EventKind.EXEMPTED, date(2030, 6, 7), None, Role.END),
        ("Temporary Rule 611T expired on August 1, 2029.", EventKind.SUNSET, date(2029, 8, 1), None, Role.EVENT),
        ("The Commission order stayed Rules 610(c) and 611 pending review.", EventKind.STAYED, None, None, None),
        ("The D.C. Circuit vacated Rule 611 in that case, decided in full.", EventKind.VACATED, None, None, None),
    ],
)  # fmt: skip
def test_a_sentence_states_an_event(
    words: str, kind: EventKind, on: date | None, relative: str | None, role: Role | None
) -> None:
    event = the(kind, in_body(words))

    assert (event.on, event.relative, event.role) == (on, relative, role)


@pytest.mark.parametrize(
    "words",
    [
        "Commenters suggested that Rule 611 should be effective on May 3, 2030 at the latest.",
        "If the Rule were effective on May 3, 2030, lamps would be dark by then.",
        "A registration statement of Lamp Oil, Inc. was effective on May 3, 2030.",
        "The lamp was found effective in tests of May 2030 under the existing rules.",
        "The comment period ended on May 3, 2030 and lamps were lit.",
        "The proposed amendments would be effective on May 3, 2030, if they were adopted.",
    ],
)
def test_a_wish_a_condition_or_another_thing_is_no_event(words: str) -> None:
    assert events(in_body(words)) == []


def test_a_release_cited_by_its_name_is_a_proposal_of_that_day() -> None:
    words = "See Securities Exchange Act Release No. 91234 (May 5, 2029), 94 FR 1234 (May 9, 2029) (“Proposing Release”)."

    event = the(EventKind.PROPOSED, in_body(words))

    assert (event.release, event.on, event.sections) == ("34-91234", date(2029, 5, 5), ("242.611",))


def test_what_is_removed_is_told_from_what_is_added() -> None:
    head = "The Commission is removing Rule 610, amending Rule 611 and adding Rule 612 of Regulation NMS."
    sections = ("242.610", "242.611", "242.612")

    event = the(
        EventKind.ADOPTED, a_release(("SUPPLEMENTARY INFORMATION", head), sections=sections)
    )

    assert (event.sections, event.removes) == (sections, ("242.610",))


def test_cross_references_only_updated_are_no_amendment() -> None:
    head = "We are adopting: (1) amendments to Rule 611; (2) conforming changes and updated cross-references in Rule 605."

    found = events(a_release(("SUPPLEMENTARY INFORMATION", head)))

    assert {(e.sections, e.change) for e in found} == {
        (("242.611",), ""),
        (("242.605",), "conforming"),
    }


def test_relief_in_a_title_is_from_what_stands_after_from() -> None:
    title = "Order Granting Temporary Exemptive Relief, Pursuant to Rule 612(d) of Regulation NMS, From Compliance With Rule 611"
    document = a_release(("", title), title=title, doc_type=DocType.ORDER, sections=())

    assert the(EventKind.EXEMPTED, document).sections == ("242.611",)


def test_a_title_alone_tells_what_an_exchange_filed_and_touches_no_section() -> None:
    title = "Self-Regulatory Organizations; Lamp Exchange; Notice of Filing and Immediate Effectiveness of a Change on Rule 611"

    found = events(a_summary("No summary provided.", title))

    assert {(e.kind, e.sections) for e in found} == {
        (EventKind.PROPOSED, ()),
        (EventKind.EFFECTIVE, ()),
    }


@pytest.mark.parametrize(
    "title",
    [
        "Proposed Collection; Comment Request; Extension: Rule 611",
        "Submission for OMB Review; Comment Request; Extension: Rule 613 of Regulation NMS",
        "Sunshine Act Meetings",
    ],
)
def test_a_renewal_of_paperwork_is_no_event(title: str) -> None:
    assert events(a_summary("No summary provided.", title)) == []


def test_a_moved_compliance_date_is_a_delay_and_a_new_date() -> None:
    words = "The Commission is extending the compliance date for Rule 611 from May 1, 2030, to May 1, 2031."

    found = events(a_summary(words, "Extension of Lamps"))

    assert {(e.kind, e.on) for e in found} == {
        (EventKind.DELAYED, date(2031, 5, 1)),
        (EventKind.COMPLIANCE, date(2031, 5, 1)),
    }


@pytest.mark.parametrize(
    "doc_type", [DocType.REGULATION, DocType.STATUTE, DocType.FILING, DocType.OTHER]
)
def test_codified_text_filings_and_unknown_pages_do_not_speak(doc_type: DocType) -> None:
    document = a_release(("DATES", "Effective Date: May 3, 2030."), doc_type=doc_type)

    assert events(document) == []


def test_a_note_call_glued_to_a_rule_is_taken_off() -> None:
    head = ("SUPPLEMENTARY INFORMATION", "We are amending Rule 10a-13 under the Exchange Act.")
    body = ("", "Rule 10a-1 is old. Rule 10a-1 is dim. Rule 10a-1 is lit.")

    assert the(EventKind.ADOPTED, a_release(head, body, sections=())).sections == ("240.10a-1",)
