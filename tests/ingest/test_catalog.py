"""The catalog appends, never changes what is past, and tells works, versions and manifestations
apart.
"""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ingest.catalog import Arrival, Catalog, Filters, LedgerRow
from ingest.document import Authority, DocType, Document, Kind, Metadata, Page, Section, Where
from ingest.errors import NotKnown

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def arrival(
    text: str, *identifiers: tuple[str, str], known_at: datetime | None = None, **meta: Any
) -> Arrival:
    metadata = Metadata(
        title="A note", doc_type=DocType.FINAL_RULE, authority=Authority.OFFICIAL_TEXT, **meta
    )
    document = Document(text, "text", (Section(0, len(text)),), (Page(1, 0, len(text)),), metadata)
    return Arrival(
        document, sha256(text.encode()).hexdigest(), "note.txt", known_at, "stated", identifiers
    )


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path, clock=lambda: NOON)


def test_what_is_recorded_can_be_read_back(catalog: Catalog) -> None:
    meta: dict[str, Any] = {
        "release": "34-1", "cfr_sections": ("242.612",), "effective_on": date(2025, 1, 2), "rin": ("3235-AA00",),
        "accepted_at": NOON, "where": {"release": Where("text", 3, 7)},
    }  # fmt: skip
    (held,) = catalog.record([arrival("Some text.", ("sec", "34-1"), **meta)])

    assert catalog.document(held.id) == held
    assert catalog.text(held.id) == "Some text."
    assert catalog.body(held.id)[1] == (Section(0, 10, (), Kind.BODY),)
    assert held.metadata.effective_on == date(2025, 1, 2)
    assert held.metadata.where["release"] == Where("text", 3, 7)
    assert held.reference == "Release No. 34-1"


def test_the_same_bytes_twice_are_one_document(catalog: Catalog) -> None:
    first, second = catalog.record([arrival("Same."), arrival("Same.")])

    assert first.id == second.id
    assert catalog.head() == 1


def test_recorded_at_strictly_increases_under_a_stopped_clock(catalog: Catalog) -> None:
    held = catalog.record([arrival(f"Text {n}.") for n in range(5)])

    moments = [h.recorded_at for h in held]
    assert moments == sorted(set(moments))


def test_known_at_is_the_public_moment_and_never_after_the_record(catalog: Catalog) -> None:
    past, future, live = catalog.record(
        [
            arrival("Old.", known_at=NOON - timedelta(days=9)),
            arrival("Dated ahead.", known_at=NOON + timedelta(days=9)),
            arrival("Undated."),
        ]
    )

    assert past.known_at == NOON - timedelta(days=9)
    assert past.backfilled
    assert future.known_at == future.recorded_at
    assert live.known_at == live.recorded_at
    assert not live.backfilled


def test_a_release_and_its_federal_register_print_are_one_work(catalog: Catalog) -> None:
    release, print_ = catalog.record(
        [
            arrival("As released.", ("sec", "34-1")),
            arrival("As printed.", ("sec", "34-1"), ("fr", "2024-1")),
        ]
    )
    (mirror,) = catalog.record([arrival("As mirrored.", ("fr", "2024-1"))])

    assert release.work_id == print_.work_id == mirror.work_id
    assert len({release.id, print_.id, mirror.id}) == 3


def test_a_codified_section_that_reads_differently_is_a_new_version(catalog: Catalog) -> None:
    old, same, new = catalog.record(
        [
            arrival("The cap is 3.", ("cfr", "17:242.610")),
            arrival("The cap  is 3. ", ("cfr", "17:242.610")),
            arrival("The cap is 1.", ("cfr", "17:242.610")),
        ]
    )

    assert (old.version, same.version, new.version) == (1, 1, 2)


def test_a_bridge_between_two_works_does_not_rewrite_the_past(catalog: Catalog) -> None:
    a, b = catalog.record([arrival("A.", ("sec", "34-1")), arrival("B.", ("fr", "2024-1"))])
    catalog.record([arrival("Bridge.", ("sec", "34-1"), ("fr", "2024-1"))])

    assert catalog.document(a.id).work_id == a.work_id
    assert catalog.document(b.id).work_id == b.work_id


def test_filters_narrow_and_ignore_case(catalog: Catalog) -> None:
    catalog.record(
        [
            arrival("A.", release="34-1", cfr_sections=("242.612",)),
            arrival("B.", company="3M CO", form="10-K"),
        ]
    )

    assert len(catalog.documents(Filters(release="34-1"))) == 1
    assert len(catalog.documents(Filters(company="3m"))) == 1
    assert len(catalog.documents(Filters(cfr_section="Rule 242.612"))) == 1
    assert catalog.documents(Filters(company="3m", form="8-K")) == []
    assert catalog.documents(Filters(company="%")) == []


def test_the_ledger_keeps_one_row_per_file_and_bytes(catalog: Catalog) -> None:
    catalog.note(
        LedgerRow("a.pdf", "f00", "rejected", "encrypted", "It is encrypted.", "Give the password.")
    )
    catalog.note(LedgerRow("a.pdf", "f00", "held"))

    assert [r.status for r in catalog.ledger()] == ["held"]
    assert catalog.ledger(status="rejected") == []


def test_a_failed_transaction_leaves_nothing(catalog: Catalog) -> None:
    broken = arrival("B.")
    broken.document.text = "\ud800"  # a lone surrogate cannot be stored
    with pytest.raises(UnicodeEncodeError):
        catalog.record([arrival("A."), broken])

    assert catalog.head() == 0


def test_an_unknown_document_is_named_in_the_error(catalog: Catalog) -> None:
    with pytest.raises(NotKnown, match="nope"):
        catalog.document("nope")
    with pytest.raises(NotKnown, match="nope"):
        catalog.text("nope")


def test_two_openings_of_one_home_see_each_others_records(tmp_path: Path) -> None:
    with Catalog(tmp_path) as one, Catalog(tmp_path) as other:
        one.record([arrival("A.")])
        other.record([arrival("B.")])

        assert one.head() == other.head() == 2
        assert one.check() == []
