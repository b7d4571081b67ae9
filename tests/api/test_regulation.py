"""Features of rules: each value against the plainest reading of the state at its instant; nothing recorded later changes it."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest

from api import rule_steps
from api.regulation import HomeRules, Rules
from api.rule_steps import Reading, reading, turns
from ingest.catalog import Arrival, Catalog
from ingest.document import Authority, DocType, Section
from ingest.errors import NotKnown
from ingest.known import identifiers, public_moment
from ingest.moment import NEW_YORK, from_micros, to_micros
from ingest.parse import parse
from ingest.rules import names
from ingest.rules.groups import groups, groups_in
from ingest.rules.held import Book, Known, open_book
from ingest.rules.state import state
from ingest.rules.stated import stated_in
from ingest.rules.taxonomy import taxonomy
from sentiment.export import export
from sentiment.features import FEATURES, NoRegulation, select
from sentiment.log import Tape
from sentiment.read import Reader, Status
from sentiment.receipt import Outcome, parse_receipt
from sentiment.replay import Recorded, replay, verify
from sentiment.rolling import Floats, Ints
from sentiment.store import MemoryStore, follow
from tests.ingest.test_rules_state import ALL, a_document
from tests.sentiment.featured import Clock, fill, resolver
from tests.sentiment.test_read import instants

ALL_OF_THEM = select(feature_set="regulation")
EFFECT = (
    "The Commission believes that the amendments will {verb} quoted spreads in {of}NMS stocks. {n}"
)


def with_effect(arrival: Arrival, verb: str, n: int = 0, of: str = "") -> Arrival:
    """The same document with a sentence on spreads behind it."""
    document = arrival.document
    text = f"{document.text}\n\n{EFFECT.format(verb=verb, n=n, of=of)}"
    more = Section(len(document.text) + 2, len(text), ())
    document = replace(document, text=text, sections=(*document.sections, more))
    return replace(arrival, document=document, sha256=sha256(text.encode()).hexdigest())


def some_documents(random: Random, number: int) -> list[Arrival]:
    """Proposals, adoptions, moved dates, relief and withdrawals of three rules, in the order of their days."""
    found = []
    day = date(2009, 1, 5)
    for n in range(number):
        day += timedelta(days=random.choice([1, 9, 40, 100, 400]))
        rule = random.choice(["611", "612", "201"])
        later = [day + timedelta(days=random.choice([0, 5, 60, 61, 200, 500])) for _ in range(2)]
        one, two = (f"{d:%B} {d.day}, {d.year}" for d in sorted(later))
        summary, dates = random.choice(
            [
                (f"The Commission is proposing amendments to Rule {rule} to light lamps.",
                 f"Comments should be received on or before {one}."),
                (f"The Commission is adopting amendments to Rule {rule} to light lamps.",
                 f"Effective Date: {one}. Compliance Date: {two}."),
                (f"The Commission is adopting amendments to Rule {rule} to light lamps.",
                 f"Effective Date: {random.choice(['60', '90'])} days after publication in the Federal Register."),
                (f"The Commission is adopting amendments to Rule {rule} to light lamps.", f"Effective Date: {two}."),
                (f"The Commission is extending the compliance date for Rule {rule} from {one}, to {two}.", ""),
                (f"The Commission is withdrawing the proposed amendments to Rule {rule}.", ""),
            ]
        )  # fmt: skip
        parts = [("SUMMARY", summary)] + ([("DATES", dates)] if dates else [])
        proposes = "proposing" in summary
        arrival = a_document(
            f"34-{1000 + n}", day, *parts, section=f"242.{rule}",
            doc_type=DocType.PROPOSED_RULE if proposes else DocType.FINAL_RULE,
        )  # fmt: skip
        if random.random() < 0.6:
            arrival = with_effect(arrival, random.choice(["narrow", "widen"]), n)
        found.append(arrival)
    return found


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    return tmp_path / "rules"


def record(home: Path, arrivals: Sequence[Arrival]) -> None:
    with Catalog(home) as catalog:
        catalog.record(arrivals)


def each_day(first: datetime, last: datetime) -> list[int]:
    """Midnight and noon in New York of each day."""
    days = range((last - first).days + 1)
    dates = [first.astimezone(NEW_YORK).date() + timedelta(days=n) for n in days]
    return [
        to_micros(datetime(d.year, d.month, d.day, hour, tzinfo=NEW_YORK))
        for d in dates
        for hour in (0, 12)
    ]


# ---- the oracle: a state at every instant


class Oracle:
    """What features of rules are at an instant, from the states of all sections at that instant."""

    def __init__(self, catalog: Catalog) -> None:
        self.book = open_book(catalog)
        official = [h for h in self.book.documents if h.authority is not Authority.SECONDARY]
        self.stated = stated_in(catalog, official)

    def value(self, measure: str, subject: str, at: int) -> float | None:
        if measure == "pressure":
            return self._pressure(subject, at)
        if not any(_names(known, subject) for known in self.book.events):
            return None
        found = reading(state(self.book, subject, from_micros(at)))
        on = from_micros(at).astimezone(NEW_YORK).date()
        flags = {"in_force": found.in_force, "relieved": found.relieved}
        if measure in flags:
            flag = flags[measure]
            return None if flag is None else float(flag)
        day = {
            "days_to_effective": found.effective, "days_to_compliance": found.compliance,
            "days_to_comment_close": found.comments,
        }[measure]  # fmt: skip
        return None if day is None else float((day - on).days)

    def _pressure(self, subject: str, at: int) -> float | None:
        as_of, (variable, _, group) = from_micros(at), subject.partition("/")
        if not any(known.known_at <= as_of for known in self.book.events):
            return None
        sections = {names.base(s) for known in self.book.events for s in known.event.sections}
        works = {w for s in sections for w in reading(state(self.book, s, as_of)).works}
        total = 0
        for work in works:
            up = down = 0
            for each in self.stated:
                known = self.book.known[each.held.offset][0] <= as_of
                mine = each.held.work_id == work and each.impact.variable == variable
                mine = mine and (not group or group in groups_in(each.impact.quote))
                if known and mine and each.impact.speaker == "Commission":
                    up += each.impact.direction == "up"
                    down += each.impact.direction == "down"
            total += (up > down) - (up < down)
        return float(total)


def _names(known: Known, section: str) -> bool:
    return any(names.bears_on(said, section) for said in known.event.sections)


def expected(oracle: Oracle, at: Ints) -> Floats:
    values = [[oracle.value(f.measure, f.subject, t) for f in ALL_OF_THEM] for t in at.tolist()]
    return np.array([[np.nan if v is None else v for v in row] for row in values], np.float64)


@pytest.mark.parametrize("seed", range(4))
def test_values_are_what_the_state_says_at_each_instant(home: Path, seed: int) -> None:
    random = Random(seed)
    record(home, some_documents(random, 14))
    rules = HomeRules(home).now()
    with Catalog(home) as catalog:
        oracle = Oracle(catalog)
    moments = [to_micros(known.known_at) + d for known in oracle.book.events for d in (-1, 0, 1)]
    first, last = oracle.book.events[0].known_at, oracle.book.events[-1].known_at
    days = random.sample(each_day(first - timedelta(days=3), last + timedelta(days=1500)), 100)
    at = np.array([*moments, *days], np.int64)
    random.shuffle(at)  # type: ignore[arg-type]

    found = rules.values(ALL_OF_THEM, at, "BAC")

    np.testing.assert_array_equal(found, expected(oracle, at))
    assert np.isfinite(found).any(axis=0).sum() >= 12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 9))
def test_a_section_turns_on_the_days_on_which_its_state_does(home: Path, seed: int) -> None:
    record(home, some_documents(Random(seed), 8))
    with Catalog(home) as catalog:
        book = open_book(catalog)
    first, last = book.events[0].known_at, book.events[-1].known_at
    for section in ("242.611", "242.612", "242.201"):
        steps = turns(book, section)
        for at in each_day(first - timedelta(days=3), last + timedelta(days=1500)):
            held = [turn.reading for turn in steps if turn.at <= at]
            plain = reading(state(book, section, from_micros(at)))
            assert (held[-1] if held else Reading()) == plain, (section, from_micros(at))
        assert all(a.reading != b.reading for a, b in pairwise(steps))


# ---- what the words of a state mean; the state is read by its lines, so a change of their wording shows here


@pytest.fixture(name="book")
def _book(home: Path) -> Book:
    record(home, ALL)
    with Catalog(home) as catalog:
        return open_book(catalog)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2020-01-09", (None, None, None, None, None)),
        ("2020-02-01", (False, False, None, None, "2020-03-02")),
        ("2020-03-02", (False, False, None, None, "2020-03-02")),
        ("2020-04-01", (False, False, None, None, "2020-03-02")),
        ("2020-09-15", (False, False, "2020-11-02", "2021-05-03", None)),
        ("2020-11-02", (False, False, "2020-11-02", "2021-05-03", None)),
        ("2021-05-10", (False, False, "2020-11-02", "2022-05-02", None)),  # it was moved in March
        ("2022-05-02", (True, False, "2020-11-02", "2022-05-02", None)),
        ("2022-09-01", (False, True, "2020-11-02", "2022-05-02", None)),
        ("2023-02-06", (True, False, "2020-11-02", "2022-05-02", None)),
        ("2024-07-01", (True, False, "2020-11-02", "2022-05-02", "2024-08-05")),
    ],
)
def test_a_reading_takes_the_lines_of_a_state(
    book: Book, day: str, said: tuple[bool | None, bool | None, str | None, str | None, str | None]
) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=NEW_YORK)
    found = reading(state(book, "242.611", noon.astimezone(UTC)))

    days = (found.effective, found.compliance, found.comments)
    assert (found.in_force, found.relieved, *(d and d.isoformat() for d in days)) == said


def value(rules: Rules, name: str, at: datetime) -> float:
    return float(rules.values([FEATURES[name]], np.array([to_micros(at)]), "BAC")[0, 0])


def test_days_are_counted_in_new_york_and_go_on_below_zero(home: Path) -> None:
    record(home, ALL)
    rules = HomeRules(home).now()
    eve = datetime(2020, 11, 1, 23, 59, 59, tzinfo=NEW_YORK)

    name = "rule_611_days_to_effective"
    assert value(rules, name, eve) == 1
    assert value(rules, name, eve + timedelta(seconds=1)) == 0
    assert value(rules, name, eve + timedelta(days=1, seconds=1)) == -1
    assert np.isnan(value(rules, name, datetime(2020, 8, 1, tzinfo=UTC)))


def test_pressure_lasts_while_a_rule_is_pending_or_new(home: Path) -> None:
    proposed, adopted = with_effect(ALL[0], "narrow"), with_effect(ALL[1], "narrow", 1)
    record(home, [proposed, adopted])
    rules = HomeRules(home).now()

    def pressure(day: str) -> float:
        return value(rules, "pressure_quoted_spread", datetime.fromisoformat(f"{day}T17:00+00:00"))

    assert np.isnan(pressure("2020-01-10"))
    assert [pressure(d) for d in ("2020-01-11", "2020-09-02", "2022-05-02", "2022-05-04")] == [
        -1,  # proposed
        -1,  # adopted: it takes the place of the proposal
        -1,  # binding since May 3, 2021
        0,
    ]
    assert value(rules, "pressure_depth", datetime(2020, 10, 1, tzinfo=UTC)) == 0


def test_what_is_said_of_a_group_of_instruments_presses_there_and_on_the_whole(home: Path) -> None:
    record(home, [with_effect(ALL[0], "narrow", of="tick-constrained ")])
    rules, at = HomeRules(home).now(), datetime(2020, 2, 1, 17, tzinfo=UTC)

    assert value(rules, "pressure_quoted_spread", at) == -1
    assert value(rules, "pressure_quoted_spread_tick_constrained", at) == -1
    assert value(rules, "pressure_quoted_spread_funds", at) == 0
    assert value(rules, "pressure_depth_tick_constrained", at) == 0
    assert np.isnan(value(rules, "pressure_quoted_spread_funds", datetime(2019, 1, 1, tzinfo=UTC)))


def test_a_proposal_of_which_nothing_is_heard_presses_no_more(home: Path) -> None:
    record(home, [with_effect(ALL[0], "widen")])
    rules = HomeRules(home).now()
    first = datetime(2020, 1, 12, 17, tzinfo=UTC)

    assert (
        value(rules, "pressure_quoted_spread", first + rule_steps.SILENT - timedelta(days=5)) == 1
    )
    assert value(rules, "pressure_quoted_spread", first + rule_steps.SILENT) == 0


# ---- what is recorded later


def some_instants(book: Book) -> Ints:
    first, last = book.events[0].known_at, book.events[-1].known_at
    return np.array(each_day(first, last + timedelta(days=900))[::7], np.int64)


@pytest.mark.parametrize("seed", range(3))
def test_at_a_head_nothing_that_is_appended_changes_a_value(home: Path, seed: int) -> None:
    documents = some_documents(Random(seed), 12)
    Random(seed).shuffle(documents)  # so that what is appended is known before, between and after
    heads: dict[str, Floats] = {}
    at = np.array(each_day(datetime(2009, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC))[::9])
    growing = HomeRules(home)
    for document in documents:
        record(home, [document])
        now = growing.now()
        heads[now.state] = now.values(ALL_OF_THEM, at, "BAC")

    assert len(heads) == len(documents)
    assert len({values.tobytes() for values in heads.values()}) > 3
    for rules in (growing, HomeRules(home)):
        for name, values in heads.items():
            again = rules.at(name)
            assert again.state == name
            np.testing.assert_array_equal(again.values(ALL_OF_THEM, at, "BAC"), values)


def test_what_is_known_later_changes_no_value_before_even_at_a_later_head(home: Path) -> None:
    documents = some_documents(Random(4), 12)
    record(home, documents[:6])
    rules = HomeRules(home)
    until = min(d.known_at for d in documents[6:] if d.known_at)
    at = np.array(
        [t for t in each_day(datetime(2009, 1, 1, tzinfo=UTC), until) if t < to_micros(until)]
    )
    before, state_before = rules.now().values(ALL_OF_THEM, at, "BAC"), rules.now().state
    record(home, documents[6:])

    assert rules.now().state != state_before
    np.testing.assert_array_equal(rules.now().values(ALL_OF_THEM, at, "BAC"), before)


def test_a_home_without_documents_knows_nothing(home: Path) -> None:
    rules = HomeRules(home)
    at = np.array([0, to_micros(datetime(2020, 1, 1, tzinfo=UTC))])

    assert rules.now().state.startswith("0-")
    assert np.isnan(rules.now().values(ALL_OF_THEM, at, "BAC")).all()
    assert not home.exists()
    named = rules.now().state
    record(home, ALL)
    assert rules.at(named).state == named
    with pytest.raises(NotKnown, match="ends before its document 99"):
        rules.at("99-000000000000")
    with pytest.raises(NotKnown, match="names no state"):
        rules.at("yesterday")


def test_a_server_goes_on_reading_while_it_takes_in_what_was_added(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.regulation.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("api.regulation._BUSY", 0)
    record(home, ALL[:1])
    rules = HomeRules(home, live=True)
    rules.wait(30)
    first = rules.now().state
    assert first == HomeRules(home).now().state
    record(home, ALL[1:])
    until = time.monotonic() + 30
    while rules.now().state == first and time.monotonic() < until:
        time.sleep(0.01)

    assert rules.now().state == HomeRules(home).now().state != first


# ---- beside the news: one read, and its receipt


@pytest.fixture(name="tape")
def _tape(tmp_path: Path) -> Iterator[tuple[Tape, Clock]]:
    clock = Clock()
    with Tape(tmp_path / "tape", clock=clock) as tape:
        fill(tape, clock, 60)
        yield tape, clock


NAMES = ["volume_5d", *(each.name for each in ALL_OF_THEM)]


def test_online_offline_and_replayed_values_of_rules_are_the_same(
    home: Path, tape: tuple[Tape, Clock]
) -> None:
    log, clock = tape
    store = MemoryStore()
    follow(log, store)
    documents = some_documents(Random(11), 12)
    served = list[Recorded]()
    rules = HomeRules(home)
    online = Reader(log, resolver(), store, regulation=rules, clock=clock)
    offline = Reader(log, resolver(), regulation=HomeRules(home), clock=clock)
    at = [t + shift for t in instants(log, 12) for shift in (0, -5 * 365 * 86_400 * 10**6)]
    for document in [*documents[::2], *documents[1::2]]:
        record(home, [document])
        matrix = offline.matrix(["BAC", "AAPL"], at, names=NAMES)
        for row, symbol in enumerate(("BAC", "AAPL")):
            for column, instant in enumerate(at):
                vector = online.vector(symbol, as_of=instant, names=NAMES)
                assert vector.receipt.rules == matrix.rules
                given = [np.nan if v is None else v for v in vector.values.values()]
                np.testing.assert_array_equal(given, matrix.values[row, column])
                served.append(Recorded(parse_receipt(vector.receipt.line()), vector.values))

    done = replay(Reader(log, resolver(), regulation=HomeRules(home), clock=clock), served)

    assert dict(done.outcomes) == {Outcome.MATCH: len(served)}
    assert done.values == len(served) * len(NAMES)
    assert len({each.receipt.rules for each in served}) == len(documents)


def test_a_receipt_tells_where_the_rules_are_read_otherwise(
    home: Path, tape: tuple[Tape, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, clock = tape
    record(home, ALL)
    reader = Reader(log, resolver(), regulation=HomeRules(home), clock=clock)
    vector = reader.vector("BAC", names=NAMES)
    recorded = Recorded(vector.receipt, vector.values)
    assert verify(reader, recorded).outcome is Outcome.MATCH

    wrong = Recorded(vector.receipt, vector.values | {"rule_611_in_force": 7.0})
    assert verify(reader, wrong).outcome is Outcome.MISMATCH
    later = replace(vector.receipt, rules="99-000000000000")
    assert verify(reader, Recorded(later)).outcome is Outcome.NOT_THIS_TAPE

    monkeypatch.setattr("api.regulation.METHOD", 2)
    otherwise = Reader(log, resolver(), regulation=HomeRules(home), clock=clock)
    assert verify(otherwise, recorded).outcome is Outcome.MATCH  # it gives the same values
    verdict = verify(otherwise, wrong)
    assert verdict.outcome is Outcome.EXPIRED
    assert vector.receipt.rules is not None
    assert vector.receipt.rules in verdict.reason


def test_a_read_of_no_rule_names_none(home: Path, tape: tuple[Tape, Clock]) -> None:
    log, clock = tape
    record(home, ALL)
    receipt = Reader(log, resolver(), regulation=HomeRules(home), clock=clock).vector("BAC").receipt

    assert receipt.rules is None
    assert "rules" not in receipt.fields()
    assert parse_receipt(receipt.line()) == receipt


def test_without_documents_the_features_are_empty(home: Path, tape: tuple[Tape, Clock]) -> None:
    log, clock = tape
    reader = Reader(log, resolver(), regulation=HomeRules(home), clock=clock)
    vector = reader.vector("BAC", feature_set="regulation")

    assert set(vector.status.values()) == {Status.EMPTY}
    assert set(vector.values.values()) == {None}


def test_an_export_goes_on_in_the_state_in_which_it_began(
    home: Path, tape: tuple[Tape, Clock], tmp_path: Path
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    log, clock = tape
    record(home, ALL[:2])
    clock.wait(90 * 86_400)
    reader = Reader(log, resolver(), regulation=HomeRules(home), clock=clock)
    began = reader.regulation.now().state
    names, out = ["rule_611_days_to_effective"], tmp_path / "out"
    day = from_micros(reader.now()).date()

    def go(first: int, last: int) -> None:
        export(
            reader, out, ["BAC"], day - timedelta(days=first), day - timedelta(days=last), every=3600,
            names=names,
        )  # fmt: skip

    go(20, 12)
    record(home, ALL[2:])
    go(11, 2)

    stated = {
        json.loads(pq.read_schema(path).metadata[b"regtape"])["rules"]
        for path in out.glob("*.parquet")
    }
    assert stated == {began}


# ---- the catalogue


def test_every_variable_of_the_taxonomy_has_its_pressure_and_some_by_every_group() -> None:
    pressures = [each.subject for each in ALL_OF_THEM if each.measure == "pressure"]
    of_all = [subject for subject in pressures if "/" not in subject]
    by_group = [subject.split("/") for subject in pressures if "/" in subject]

    assert sorted(of_all) == sorted(taxonomy().variables)
    assert {group for _, group in by_group} == set(groups())
    assert {variable for variable, _ in by_group} < set(of_all)
    for each in ALL_OF_THEM:
        if "/" in each.subject:
            assert groups()[each.subject.split("/")[1]] in each.meaning


def test_features_of_rules_can_be_computed_and_are_a_set() -> None:
    assert all(each.available and each.subject for each in ALL_OF_THEM)
    assert select(feature_set="regulation@3") == ALL_OF_THEM
    assert {each.scope for each in ALL_OF_THEM} == {"regulation"}
    assert [each for each in FEATURES.values() if each.scope == "regulation"] == list(ALL_OF_THEM)


def test_without_a_rule_book_nothing_is_known() -> None:
    none = NoRegulation()

    assert none.now() is none.at(None) is none
    assert none.state is None


# ---- the real documents


RELEASES: dict[str, list[tuple[str, str, int | None]]] = {
    # release: what the features say on days, read by hand from its DATES
    "34-61595": [
        ("2010-03-01", "rule_201_in_force", None),  # made on February 26, but its dates are of its print
        ("2010-04-10", "rule_201_in_force", 0),
        ("2010-04-10", "rule_201_days_to_effective", 30),
        ("2010-05-10", "rule_201_days_to_effective", 0),
        ("2010-06-10", "rule_201_days_to_compliance", 153),
        ("2010-11-09", "rule_201_in_force", 0),
        ("2010-11-10", "rule_201_in_force", 1),
    ],
    "34-51808": [
        ("2005-07-29", "rule_611_days_to_effective", None),  # alone it is known from its effective date
        ("2005-09-01", "rule_611_days_to_effective", -3),
        ("2005-09-01", "rule_612_in_force", 1),
        ("2005-09-01", "rule_611_in_force", 0),
    ],
    "34-84875": [
        ("2019-03-22", "rule_610t_days_to_effective", 31),
        ("2019-03-28", "rule_610t_relieved", 0),
        ("2019-03-29", "rule_610t_relieved", 1),  # the events file: stayed
        ("2020-06-17", "rule_610t_relieved", 0),  # vacated
        ("2020-06-17", "rule_610t_in_force", 0),
    ],
}  # fmt: skip


def _corpus() -> Path:
    folder = Path(os.environ.get("REGTAPE_DATA", "")) / "corpus" / "sec_final_releases_txt"
    if not os.environ.get("REGTAPE_DATA") or not folder.exists():
        pytest.skip("REGTAPE_DATA names no folder with corpus/sec_final_releases_txt")
    return folder


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("release", sorted(RELEASES))
def test_real_releases_tell_the_days_that_they_state(home: Path, release: str) -> None:
    path = _corpus() / f"{release}.txt"
    data = path.read_bytes()
    document = parse(data, path.name)
    moment, basis = public_moment(document.metadata, None)
    names_of = identifiers(document.metadata)
    record(home, [Arrival(document, sha256(data).hexdigest(), path.name, moment, basis, names_of)])
    rules = HomeRules(home).now()

    for day, name, said in RELEASES[release]:
        noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=NEW_YORK)
        found = value(rules, name, noon)
        assert (None if np.isnan(found) else found) == said, (day, name)
