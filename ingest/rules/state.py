"""A book of rule events, a section and a moment in; what the rule was on that day, as known then, out. Pure.

The fold takes the events known by the moment, groups them into rulemakings (an adoption with its effective, compliance and
end dates, however later documents moved them), and sets the newest against the day. Nothing is guessed in silence: a date
that is not stated leaves a gap, dates that differ are shown as a conflict, and what is computed or inferred says from what.
Events of the events file are folded a second time, on top, so that what the documents know and what the file adds stay apart.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from ingest.civil import days, spoken
from ingest.document import Authority, DocType
from ingest.moment import civil_day, end_of_day
from ingest.rules import names
from ingest.rules.answers import Answered, answered
from ingest.rules.events import About, EventKind, Role, RuleEvent
from ingest.rules.held import Book, Known, Printed
from ingest.rules.overlay import Laid


class Standing(StrEnum):
    """The state of a section on a day, coarsely."""

    UNKNOWN = "unknown"
    PROPOSED = "proposed"
    WITHDRAWN = "withdrawn"
    ADOPTED = "adopted_not_effective"
    EFFECTIVE = "effective_not_compliance"
    IN_FORCE = "in_force"
    TO_BE_RESCINDED = "rescission_proposed"
    EXEMPTED = "exempted"
    PARTLY = "exempted_in_part"  # adopted, relief from certain aspects; whether the rest binds yet is not known
    STAYED = "stayed"
    EXPIRED = "expired"
    VACATED = "vacated"
    REMOVED = "removed"

    @property
    def words(self) -> str:
        """As a person reads it."""
        return _WORDS.get(self.value, self.value.replace("_", " "))


_WORDS = {
    "adopted_not_effective": "adopted, not yet effective",
    "effective_not_compliance": "effective, compliance not yet required",
    "exempted_in_part": "adopted, exempted in part",
}


class Part(StrEnum):
    """What a line of a state speaks of. Only what binds on the day stands under IN_FORCE."""

    ADOPTED = "adopted"
    IN_FORCE = "in force"
    PENDING = "pending"
    RELIEF = "relief"
    HISTORY = "history"
    CONFLICT = "conflict"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Line:
    """One statement.

    basis      the events it rests on
    inferred   it follows from them without being stated by them
    kind       what it speaks of; under ADOPTED a PROPOSED is the proposal that was answered
    on         the day it states
    by         whose act an adoption is ("Release 34-51808"); "" where another document only tells of it
    """

    part: Part
    text: str
    basis: tuple[Known, ...] = ()
    inferred: bool = False
    laid: tuple[Laid, ...] = ()
    kind: EventKind | None = None
    on: date | None = None
    by: str = ""

    @property
    def aside(self) -> bool:
        """Whether it only tells where the rule came from: which proposal its adoption answers."""
        return self.part is Part.ADOPTED and self.kind is EventKind.PROPOSED


@dataclass(frozen=True, slots=True)
class State:
    """What was known at `as_of` of a section on the civil day `on` in New York.

    standing       according to the documents alone
    with_file      according to the documents and the events file; equal where the file adds nothing
    held_through   the day in "according to the documents held, through ..."; None where nothing is held
    apart          paragraphs that do not bind while the section does, with what they are
    answers        the proposals that the newest adoption answers
    computed       (offset, event) -> the day that its wording comes to, or its release was made, where it states none
    """

    section: str
    as_of: datetime
    on: date
    standing: Standing
    lines: tuple[Line, ...]
    with_file: Standing
    held_through: date | None
    events: tuple[Known, ...] = ()
    apart: tuple[tuple[str, Standing], ...] = ()
    answers: tuple[Answered, ...] = ()
    computed: Mapping[tuple[int, RuleEvent], date] = field(default_factory=dict)

    @property
    def basis(self) -> tuple[Known, ...]:
        """Every event that a line rests on, once."""
        return _each_once(known for line in self.lines for known in line.basis)


# A Federal Register print follows the release within weeks; after this it must have.
_PRINTED_BY = timedelta(days=150)
# Without any word on when, an adopted rule is taken as not yet effective this long, and as unknown after.
_SOON = timedelta(days=90)
# A proposal is announced, printed and told of within this.
_ONE = timedelta(days=120)
# A rule takes effect within this of its adoption.
_WITHIN = timedelta(days=730)
# A stay pending review ends with the court's mandate, some weeks after its opinion.
_MANDATE = timedelta(days=60)
# An extension or a compliance date that the documents do not state is taken to have run out after this.
_LAPSES = timedelta(days=540)
_RELIEF_LAPSES = timedelta(days=730)


def state(book: Book, section: str, as_of: datetime) -> State:
    """The state of `section` ("242.612", "242.610(c)") on the New York day of `as_of`, from what was known by then."""
    on = civil_day(as_of)
    known = tuple(
        k for k in book.events if k.known_at <= as_of and _concerns(k, section, book, as_of)
    )
    fold = _Fold(section, on, as_of, book, known)
    lines, standing = fold.read()
    apart = _apart(section, standing, on, as_of, book, known)
    lines += [
        Line(Part.RELIEF, f"{paragraph} is apart: {its.words}", inferred=True)
        for paragraph, its in apart
    ]
    laid = [x for x in book.overlay if end_of_day(x.known_on) <= as_of or x.known_on < on]
    laid = [x for x in laid if any(names.bears_on(s, section) for s in x.event.sections)]
    with_file = _laid_over(standing, laid, on)
    lines += [Line(Part.RELIEF, f"{x.what} ({x.citation})", laid=(x,)) for x in laid]
    through = civil_day(min(book.through, as_of)) if book.through else None
    return State(
        section, as_of, on, standing, tuple(lines), with_file, through, known, apart, fold.answers, fold.computed()
    )  # fmt: skip


def sections_of(book: Book) -> tuple[str, ...]:
    """Every section, without paragraphs, that an event of the book names."""
    return tuple(sorted({names.base(s) for known in book.events for s in known.event.sections}))


_OF_PARAGRAPHS = (
    EventKind.COMPLIANCE,
    EventKind.DELAYED,
    EventKind.EXEMPTED,
    EventKind.STAYED,
    EventKind.VACATED,
)


def _apart(
    section: str,
    standing: Standing,
    on: date,
    as_of: datetime,
    book: Book,
    known: Sequence[Known],
) -> tuple[tuple[str, Standing], ...]:
    """Paragraphs of a section in force that a stay, relief or a later date keeps from binding."""
    if standing not in (Standing.IN_FORCE, Standing.TO_BE_RESCINDED):
        return ()
    named = {
        said
        for k in known
        if k.event.kind in _OF_PARAGRAPHS
        for said in k.event.sections
        if said != section and names.covers(section, said)
    }
    found = []
    for paragraph in sorted(named):
        on_it = [k for k in known if _concerns(k, paragraph, book, as_of)]
        _, its = _Fold(paragraph, on, as_of, book, on_it).read()
        if its in (*_NOT_BINDING, Standing.EFFECTIVE):
            found.append((paragraph, its))
    return tuple(found)


def _concerns(known: Known, section: str, book: Book, as_of: datetime) -> bool:
    event = known.event
    if any(names.bears_on(said, section) for said in event.sections):
        return True
    return any(_renumbered(said, book, as_of) == names.base(section) for said in event.sections)


def _renumbered(said: str, book: Book, as_of: datetime) -> str | None:
    """What an old number is called since Regulation NMS, once the release that says so is known."""
    told = book.redesignated_at
    return names.RENUMBERED.get(names.base(said)) if told and told <= as_of else None


def _laid_over(standing: Standing, laid: Sequence[Laid], on: date) -> Standing:
    """The standing once the events file is laid over the documents: the last of its events that has happened decides."""
    for each in sorted(laid, key=lambda x: x.event.on or x.known_on, reverse=True):
        happened = each.event.on or each.known_on
        if happened > on:
            continue
        over = {EventKind.VACATED: Standing.VACATED, EventKind.STAYED: Standing.STAYED,
                EventKind.WITHDRAWN: Standing.WITHDRAWN, EventKind.EXEMPTED: Standing.EXEMPTED}.get(each.event.kind)  # fmt: skip
        return over or standing
    return standing


# --- rulemakings --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Rulemaking:
    """An adoption and what is said of its dates. day: when it was made, or first known."""

    adopted: Known
    day: date
    said: list[Known] = field(default_factory=list)
    effective: list[Known] = field(default_factory=list)
    compliance: list[Known] = field(default_factory=list)
    ends: list[Known] = field(default_factory=list)
    delays: list[Known] = field(default_factory=list)

    @property
    def own(self) -> list[Known]:
        """What the adopting document itself says of the adoption."""
        work = self.adopted.held.work_id
        return [k for k in (self.adopted, *self.said) if k.held.work_id == work]


@dataclass(frozen=True, slots=True)
class _Day:
    """A date of a rule: stated, computed ("60 days after" a known print), or a window it must lie in."""

    on: date | None
    basis: tuple[Known, ...]
    how: str = ""
    low: date | None = None
    high: date | None = None


class _Fold:
    def __init__(
        self, section: str, on: date, as_of: datetime, book: Book, known: Sequence[Known]
    ) -> None:
        self.section, self.on, self.as_of, self.book, self.known = section, on, as_of, book, known
        self.lines: list[Line] = []
        self.answers: tuple[Answered, ...] = ()
        self._makings: list[_Rulemaking] = []

    def computed(self) -> dict[tuple[int, RuleEvent], date]:
        """Days of events that state none. To be called after `read`."""
        days: dict[tuple[int, RuleEvent], date] = {}
        said = list(self.lines)
        for making in self._makings:
            effective = self._effective(making)
            for known in (*making.effective, *making.compliance):
                day = None if known.event.on else self._computed(known, making, effective)
                if day and day.on and day.low is None:
                    days[known.held.offset, known.event] = day.on
        self.lines = said
        for known in self._of(EventKind.ADOPTED, EventKind.PROPOSED):
            event, meta = known.event, known.held.metadata
            proposal = known.held.doc_type is DocType.PROPOSED_RULE
            # What a document does of its own is done on the day that it is made.
            does = event.about is About.OWN and proposal is (event.kind is EventKind.PROPOSED)
            made = self.book.made(event.release or (meta.release if does else None), self.as_of)
            if made and not event.on and not event.relative:
                days.setdefault((known.held.offset, event), made)
        return days

    def read(self) -> tuple[list[Line], Standing]:
        rulemakings = self._makings = self._rulemakings()
        standing = Standing.UNKNOWN
        for making in rulemakings[:-1]:
            self._say(
                Part.HISTORY,
                f"{_made(making)} {_whose(making.adopted)}, known {spoken(making.day)}",
                making.adopted,
                kind=EventKind.ADOPTED,
                by=_own_act(making),
            )
        if rulemakings:
            standing = self._standing(rulemakings[-1])
            self._answering(rulemakings[-1])
            standing = self._relieved(rulemakings[-1], standing)
            if standing in _NOT_BINDING:
                self.lines = [_no_longer_binding(line) for line in self.lines]
            if standing is Standing.EXEMPTED:
                newest = max(k.known_at for k in self._of(EventKind.EXEMPTED) if self._covered(k))
                self.lines = [_before_relief(line, newest) for line in self.lines]
        standing = self._proposed(rulemakings, standing)
        if number := self._redesignated():
            self._say(Part.HISTORY, f"redesignated as {number} by Release {names.REDESIGNATED_BY}")
            return self.lines, Standing.REMOVED
        if not self.known:
            self._say(Part.GAP, "no document known then speaks of it")
        return self.lines, standing

    def _say(
        self,
        part: Part,
        text: str,
        *basis: Known,
        inferred: bool = False,
        kind: EventKind | None = None,
        on: date | None = None,
        by: str = "",
    ) -> None:
        """A line; what is said twice, by two manifestations of a release for one, stands once with all it rests on."""
        for at, line in enumerate(self.lines):
            if (line.part, line.text) == (part, text):
                self.lines[at] = replace(line, basis=_each_once((*line.basis, *basis)))
                return
        self.lines.append(Line(part, text, _each_once(basis), inferred, (), kind, on, by))

    # --- what was adopted --------------------------------------------------------------------

    def _rulemakings(self) -> list[_Rulemaking]:
        found: list[_Rulemaking] = []
        for known in self._adoptions():
            if known.event.change == "conforming":
                self._say(
                    Part.HISTORY, f"only a cross-reference was updated by {_by(known)}", known
                )
                continue
            own = known.event.about is About.OWN
            day = _day_of(known) if not own else known_day(known)
            if day is None:
                continue
            near = next((m for m in found if _same_rulemaking(m, known, day)), None)
            if near:
                near.said.append(known)
                near.day = min(near.day, day)
                if _weight(known) < _weight(near.adopted):
                    near.adopted = known
            else:
                found.append(_Rulemaking(known, day))
        found += self._effective_alone(found)
        found.sort(key=lambda m: m.day)
        for known in self.known:
            self._attach(known, found)
        return found

    def _effective_alone(self, found: Sequence[_Rulemaking]) -> list[_Rulemaking]:
        """What is told to have taken effect was adopted, though no document known then says when."""
        alone: dict[date, _Rulemaking] = {}
        for known in self._of(EventKind.EFFECTIVE):
            on = known.event.on
            if on is None or known.event.about is About.OWN or not self._covered(known):
                continue
            if not any(m.day <= on + _PRINTED_BY and on - m.day <= _WITHIN for m in found):
                alone.setdefault(on, _Rulemaking(known, on))
        return list(alone.values())

    def _adoptions(self) -> list[Known]:
        """What is said to be adopted; and final rules that state no more than from when they are effective."""
        adopted = self._of(EventKind.ADOPTED)
        told = {k.held.work_id for k in adopted if k.event.about is About.OWN}
        return adopted + [
            k
            for k in self._of(EventKind.EFFECTIVE)
            if k.event.about is About.OWN
            and k.held.doc_type is DocType.FINAL_RULE
            and k.held.work_id not in told
        ]

    def _attach(self, known: Known, found: Sequence[_Rulemaking]) -> None:
        event = known.event
        lists = {
            EventKind.EFFECTIVE: "effective",
            EventKind.COMPLIANCE: "compliance",
            EventKind.SUNSET: "ends",
            EventKind.DELAYED: "delays",
        }
        same = [
            m
            for m in found
            if any(
                a.held.work_id == known.held.work_id and a.event.about is About.OWN
                for a in (m.adopted, *m.said)
            )
        ]
        # What takes effect with a release does so for all that it amends of the section.
        whole = self._covered(known) or (
            same and set(same[0].adopted.event.sections) & set(event.sections)
        )
        if (
            event.change == "proposal"
            or event.kind not in lists
            or not (whole or (same and event.kind is EventKind.EFFECTIVE))
        ):
            return
        past = event.about is not About.OWN and event.kind is not EventKind.DELAYED
        before = [m for m in found if m.day <= (event.on or known_day(known))]
        making = (
            same[0]
            if same and not (past and event.on and event.on < same[0].day)
            else before[-1]
            if before
            else None
        )
        if making and (same or event.on or event.kind is EventKind.DELAYED):
            getattr(making, lists[event.kind]).append(known)

    def _redesignated(self) -> str | None:
        """The number that the section goes by since Regulation NMS; None where it kept its own, or that is not known."""
        now = names.RENUMBERED.get(names.base(self.section))
        told = self.book.redesignated_at
        if now is None or told is None or told > self.as_of:
            return None
        effective = [
            k.event.on
            for k in self.book.events
            if k.known_at <= self.as_of and k.held.metadata.release == names.REDESIGNATED_BY
            and k.event.kind is EventKind.EFFECTIVE and k.event.on
        ]  # fmt: skip
        return now if effective and min(effective) <= self.on else None

    def _of(self, *kinds: EventKind) -> list[Known]:
        return [k for k in self.known if k.event.kind in kinds]

    def _covered(self, known: Known) -> bool:
        """Whether the event is of the whole of what is asked, not of a paragraph of it alone."""
        asked = names.base(self.section)
        return any(
            names.covers(said, self.section) or names.RENUMBERED.get(said) == asked
            for said in known.event.sections
        )

    def _standing(self, making: _Rulemaking) -> Standing:
        part = Part.ADOPTED
        self._say(
            part,
            f"{_made(making)} {_whose(making.adopted)}, known {spoken(known_day(making.adopted))}",
            making.adopted,
            *making.said,
            inferred=all(
                k.event.kind is EventKind.EFFECTIVE for k in (making.adopted, *making.said)
            ),
            kind=EventKind.ADOPTED,
            by=_own_act(making),
        )
        ends = [k for k in making.ends if k.event.on and k.event.change != "relief"]
        if ends:
            newest = max(ends, key=lambda k: k.known_at).held.work_id
            told = [k for k in ends if k.held.work_id == newest]
            last = max(k.event.on for k in told if k.event.on)
            if {k.event.on for k in ends} - {k.event.on for k in told}:
                self._say(Part.CONFLICT, "other documents known before state another end", *ends)
            if self.on > last:
                words = f"expired by its own terms on {spoken(last)}"
                self._say(Part.HISTORY, words, *ends, kind=EventKind.SUNSET, on=last)
                return Standing.EXPIRED
            words = f"ends by its own terms on {spoken(last)}"
            self._say(part, words, *ends, kind=EventKind.SUNSET, on=last)
        effective = self._effective(making)
        moved = [
            k
            for k in (*making.delays, *making.compliance)
            if k.event.on or k.event.kind is EventKind.DELAYED
        ]
        if effective is None and moved:
            self._say(
                Part.GAP,
                "its effective date is not in the documents known then",
                making.adopted,
                inferred=True,
                kind=EventKind.EFFECTIVE,
            )
            return self._complied(making, _Day(None, ()))
        if effective is None:
            if self.on - making.day <= _SOON:
                self._say(
                    Part.GAP,
                    "its effective date is not in the documents known then",
                    making.adopted,
                    kind=EventKind.EFFECTIVE,
                )
                return Standing.ADOPTED
            self._say(
                Part.GAP,
                "whether it is effective and binding is not in the documents known then",
                making.adopted,
            )
            return Standing.UNKNOWN
        if effective.on is None or effective.on > self.on:
            words = spoken(effective.on) if effective.on else effective.how
            self._say(
                Part.PENDING,
                f"not yet effective: effective {words}",
                *effective.basis,
                inferred=effective.on is None,
                kind=EventKind.EFFECTIVE,
                on=effective.on,
            )
            return Standing.ADOPTED
        inferred = effective.low is not None
        since = f"since {spoken(effective.on)}" if not inferred else f"by now ({effective.how})"
        self._say(
            part,
            f"effective {since}{_how(effective)}",
            *effective.basis,
            inferred=inferred,
            kind=EventKind.EFFECTIVE,
            on=None if inferred else effective.on,
        )
        return self._complied(making, effective)

    def _answering(self, making: _Rulemaking) -> None:
        """The proposals that the newest adoption answers, where its own document tells."""
        if making.adopted.event.about is not About.OWN:
            return
        self.answers = answered(self.book, making.adopted.held, self.as_of)
        for each in self.answers:
            which = f"Release {each.release}" if each.release else _by(each.basis[-1])
            made = f" ({spoken(each.on)})" if each.on else ""
            words = f"answers the proposal of {which}{made}: {', '.join(each.ties)}"
            self._say(Part.ADOPTED, words, *each.basis, kind=EventKind.PROPOSED, on=each.on)

    def _effective(self, making: _Rulemaking) -> _Day | None:
        stated = [k for k in making.effective if k.event.on]
        own = [k for k in stated if k.held.work_id == making.adopted.held.work_id]
        if stated:
            chosen = min(own or stated, key=lambda k: (len(k.event.sections), k.event.start))
            differing = {k.event.on for k in stated if self._covered(k)} - {chosen.event.on}
            for other in sorted(d for d in differing if d):
                conflicting = [k for k in stated if k.event.on == other]
                self._say(
                    Part.CONFLICT,
                    f"another passage states {spoken(other)} as its effective date",
                    *conflicting,
                    kind=EventKind.EFFECTIVE,
                    on=other,
                )
            return _Day(chosen.event.on, (chosen,))
        for known in making.effective:
            if found := self._computed(known, making, None):
                return found
        return None

    def _computed(self, known: Known, making: _Rulemaking, effective: _Day | None) -> _Day | None:
        """A relative wording as a day: from the print if it was known, from the effective date, else a window."""
        words = known.event.relative or ""
        if first := first_business_day(words):
            return _Day(first, (known,), words)
        if "same date as the effective" in words:
            return effective
        amount = _amount(words)
        if amount is None:
            return None
        from_effective = re.search(r"effective", words, re.IGNORECASE)
        if from_effective:
            if effective is None or effective.on is None:
                return None
            day = _later(effective.on, *amount)
            return _Day(
                day, (known,), f"{words} ({spoken(effective.on)})", effective.low, effective.high
            )
        release = making.adopted.event.release or making.adopted.held.metadata.release or ""
        if not re.search(r"public|Federal|register|approv|adopt", words, re.IGNORECASE):
            return None  # counted from what happens to one firm: "from the time that the ATS first meets"
        printed = self._printed(release, making)
        if printed:
            day = _later(printed.on, *amount)
            return _Day(day, (known,), f"{words}, printed {spoken(printed.on)} ({printed.basis})")
        low, high = _later(making.day, *amount), _later(making.day, *amount) + _PRINTED_BY
        if self.on > high:
            return _Day(high, (known,), words, low, high)
        return _Day(None, (known,), words, low, high)

    def _printed(self, release: str, making: _Rulemaking) -> Printed | None:
        printed = self.book.printed.get(release)
        return printed if printed and printed.known_at <= self.as_of else None

    def _complied(self, making: _Rulemaking, effective: _Day) -> Standing:
        if removing := [k for k in making.own if self._removes(k)]:
            self._say(Part.HISTORY, "the rule is removed", *removing)
            return Standing.REMOVED
        delays = making.delays
        newest = max(delays, key=lambda k: (k.known_at, k.event.on or date.min), default=None)
        stated: list[tuple[date, Known, str]] = []
        open_since: tuple[date, Known, bool] | None = None
        for known in making.compliance:
            if (
                newest
                and known.known_at < newest.known_at
                and known.held.work_id != newest.held.work_id
            ):
                words = f"compliance date since moved: {_moment(known)}"
                self._say(Part.HISTORY, words, known, kind=EventKind.DELAYED, on=known.event.on)
                continue
            if known.event.on:
                stated.append((known.event.on, known, ""))
            elif (day := self._computed(known, making, effective)) and day.on:
                stated.append((day.on, known, _how(day)))
            elif re.search(r"designated|notice", known.event.relative or ""):
                open_since = (self.on, known, True)
        if newest and newest.event.on and newest.event.role is Role.NEW_DATE:
            stated.append((newest.event.on, newest, ""))
        elif newest:
            open_since = (known_day(newest), newest, False)
        elsewhere = [k for k in (making.adopted, *making.said) if self._told_elsewhere(k)]
        headed = [k for k in making.own if k.held.metadata.compliance_on]
        if not stated and open_since is None and headed:
            on = headed[0].held.metadata.compliance_on
            assert on is not None
            stated.append((on, headed[0], ", as the document's header has it"))
        elif not stated and open_since is None and elsewhere:
            open_since = (known_day(elsewhere[0]), elsewhere[0], False)
        return self._by_compliance(stated, open_since)

    def _told_elsewhere(self, known: Known) -> bool:
        """Whether the document's header has words on compliance, on this section or on none in particular."""
        words = known.held.metadata.compliance_text or ""
        said = [named.section for named in names.numbered(words)]
        return bool(words) and (not said or any(names.bears_on(s, self.section) for s in said))

    def _by_compliance(
        self,
        stated: Sequence[tuple[date, Known, str]],
        open_since: tuple[date, Known, bool] | None,
    ) -> Standing:
        dates = sorted({day for day, _, _ in stated})
        later = [day for day in dates if day > self.on]
        if later:
            for day in later:
                self._due(f"compliance required from {spoken(day)}", day, stated, Part.PENDING)
            return Standing.EFFECTIVE
        if open_since and (not dates or dates[-1] <= open_since[0]):
            since, known, lasting = open_since
            if lasting:
                self._say(
                    Part.GAP,
                    f"compliance {known.event.relative}; no such notice in the documents known then",
                    known,
                    kind=EventKind.COMPLIANCE,
                )
                return Standing.EFFECTIVE
            if self.on - since <= _LAPSES:
                self._say(
                    Part.GAP,
                    "compliance dates are not in the documents known then",
                    known,
                    kind=EventKind.COMPLIANCE,
                )
                return Standing.EFFECTIVE
            self._say(
                Part.GAP,
                "compliance dates are not in the documents known then; taken as past",
                known,
                inferred=True,
                kind=EventKind.COMPLIANCE,
            )
        elif dates:
            words = f"compliance required since {spoken(dates[-1])}"
            self._due(words, dates[-1], stated, Part.IN_FORCE)
        return Standing.IN_FORCE

    def _due(
        self, words: str, day: date, stated: Sequence[tuple[date, Known, str]], part: Part
    ) -> None:
        """A compliance date with every passage that gives it; a wording it was computed from only where none states it."""
        given = [(known, how) for on, known, how in stated if on == day]
        how = "" if any(not how for _, how in given) else given[0][1]
        self._say(
            part,
            f"{words}{how}",
            *(known for known, _ in given),
            inferred=bool(how),
            kind=EventKind.COMPLIANCE,
            on=day,
        )

    def _removes(self, known: Known) -> bool:
        return any(names.covers(said, self.section) for said in known.event.removes)

    # --- stays and relief --------------------------------------------------------------------

    def _relieved(self, making: _Rulemaking, standing: Standing) -> Standing:
        now = standing
        stay: Known | None = None
        for known in self._reliefs(making):
            kind = known.event.kind
            # Relief that another document only tells of may be for some persons alone.
            told = kind is not EventKind.EXEMPTED or self._grants(known)
            whole = self._covered(known) and told and known.event.change != "limited"
            whole = whole and not self._partly(known)
            self._say(Part.RELIEF, self._told(known, whole), known, kind=kind)
            if standing in (Standing.EXPIRED, Standing.REMOVED):
                continue
            if kind is EventKind.UPHELD:
                if stay and now is Standing.STAYED and self.on - _moment_day(known) > _MANDATE:
                    self._say(
                        Part.GAP,
                        "that the stay ended is not in the documents known then; taken as ended with the review",
                        known,
                        inferred=True,
                    )
                    now = standing
            elif not whole:
                if standing is Standing.UNKNOWN and self._partly(known) and self._lasts(known):
                    self._say(
                        Part.RELIEF,
                        "relief is from certain aspects only: no document known then exempts from the rest of the rule",
                        known,
                        inferred=True,
                    )
                    now = Standing.PARTLY
                continue
            elif kind is EventKind.VACATED:
                now = Standing.VACATED
            elif kind is EventKind.STAYED:
                now, stay = Standing.STAYED, known
            elif kind is EventKind.LIFTED:
                now = standing
            elif self._lasts(known):
                now = Standing.EXEMPTED
            elif now is not Standing.VACATED:
                now = standing
        return now

    def _reliefs(self, making: _Rulemaking) -> list[Known]:
        """Stays, relief and what courts did since the adoption, by their day; what is told again without a day, once."""
        kinds = (
            EventKind.STAYED,
            EventKind.LIFTED,
            EventKind.UPHELD,
            EventKind.EXEMPTED,
            EventKind.VACATED,
        )
        found: list[Known] = []
        for known in sorted(self._of(*kinds), key=_moment_day):
            again = (
                known.event.kind is not EventKind.EXEMPTED
                and known.event.on is None
                and known.event.about is not About.OWN
                and any(k.event.kind is known.event.kind for k in found)
            )
            if known_day(known) >= making.day and not again:
                found.append(known)
        return found

    def _partly(self, known: Known) -> bool:
        return any(names.covers(said, self.section) for said in known.event.partly)

    def _grants(self, known: Known) -> bool:
        return any(
            k.event.kind is EventKind.EXEMPTED
            and k.event.about is About.OWN
            and k.held.work_id == known.held.work_id
            for k in self.known
        )

    def _told(self, known: Known, whole: bool) -> str:
        event = known.event
        what = {
            EventKind.STAYED: "stayed",
            EventKind.LIFTED: "stay lifted",
            EventKind.UPHELD: "petitions for review denied",
            EventKind.VACATED: "vacated",
        }.get(event.kind, "exemptive relief")
        until = f" until {spoken(event.on)}" if event.on and event.role is Role.END else ""
        if event.kind is EventKind.EXEMPTED and (end := first_business_day(event.relative or "")):
            until = f" until {event.relative} ({spoken(end)})"
        said = [name for name in event.sections if names.bears_on(name, self.section)]
        of = (
            ""
            if whole
            else f" in part ({', '.join(said)})"
            if not self._covered(known)
            else " of certain of its requirements"
            if self._partly(known)
            else " for those it names"
        )
        return f"{what}{of}{until}{_acted(known)}, {_whose(known)}"

    def _lasts(self, known: Known) -> bool:
        """Whether relief holds on the day: to its stated end, else to the first date due after it in the same document."""
        ends = [
            end
            for k in self.known
            if k.held.work_id == known.held.work_id
            and k.event.kind is EventKind.EXEMPTED
            and (end := _end(k))
        ]  # fmt: skip
        if ends:
            return self.on < max(ends)
        due = [
            k.event.on
            for k in self.known
            if k.held.work_id == known.held.work_id
            and k.event.kind is EventKind.COMPLIANCE
            and k.event.on
            and k.event.on > known_day(known)
        ]
        if due:
            return self.on < max(due)
        if self.on - known_day(known) > _RELIEF_LAPSES:
            self._say(
                Part.GAP,
                "the end of relief is not in the documents known then; taken as past",
                known,
                inferred=True,
            )
            return False
        self._say(Part.GAP, "the end of relief is not in the documents known then", known)
        return True

    # --- what is only proposed ---------------------------------------------------------------

    def _proposed(self, rulemakings: Sequence[_Rulemaking], standing: Standing) -> Standing:
        since = rulemakings[-1].day if rulemakings else None
        works = {m.adopted.held.work_id for m in rulemakings}
        pending = [
            k
            for k in self._of(EventKind.PROPOSED)
            if k.held.work_id not in works
            and (since is None or (_day_of(k) or known_day(k)) > since)
        ]
        if since is not None:
            # A proposal that another document tells of without a day may be the one that was adopted.
            pending = [k for k in pending if k.event.about is About.OWN or _day_of(k)]
        pending = [k for k in pending if not self._answered(k)]
        gone = [
            k
            for k in self._of(EventKind.WITHDRAWN)
            if pending and k.known_at >= pending[-1].known_at
        ]
        for told in _one_each(pending):
            known = told[0]
            what = (
                "its rescission is proposed"
                if any(map(self._removes, told))
                else "a change is proposed"
                if since
                else "proposed"
            )
            self._say(
                Part.PENDING,
                f"{what} {_whose(known)}, {_when(known)}: it binds no one unless adopted",
                *told,
                kind=EventKind.PROPOSED,
                on=known.event.on,
            )
            self._deadlines(told)
        if gone:
            self._say(Part.PENDING, "the proposal is withdrawn", *gone, kind=EventKind.WITHDRAWN)
            return standing if since else Standing.WITHDRAWN
        if pending and not rulemakings:
            return Standing.PROPOSED
        if (
            pending
            and any(map(self._removes, pending))
            and standing in (Standing.IN_FORCE, Standing.EFFECTIVE)
        ):
            return Standing.TO_BE_RESCINDED
        return standing

    def _answered(self, known: Known) -> bool:
        """Whether the document tells of an earlier proposal of its own rulemaking, and adopts: then it is not pending."""
        before = _day_of(known)
        if (
            known.event.about is not About.OWN
            or known.held.doc_type is not DocType.FINAL_RULE
            or before is None
            or before >= known_day(known)
        ):
            return False
        by = _by(known)
        self._say(
            Part.HISTORY,
            f"what was proposed {_moment(known)} was answered by {by}",
            known,
            kind=EventKind.PROPOSED,
            on=known.event.on,
        )
        self._say(Part.GAP, f"what {by} adopted of it is not in the passages read", known)
        return True

    def _deadlines(self, told: Sequence[Known]) -> None:
        works = {k.held.work_id for k in told}
        due: dict[date, list[Known]] = {}
        for known in self._of(EventKind.COMMENT_DEADLINE):
            if known.held.work_id in works and known.event.on:
                due.setdefault(known.event.on, []).append(known)
        for day, said in sorted(due.items()):
            word = "close" if day >= self.on else "closed"
            self._say(
                Part.PENDING,
                f"comments {word} {spoken(day)}",
                *said,
                kind=EventKind.COMMENT_DEADLINE,
                on=day,
            )


_NOT_BINDING = (Standing.STAYED, Standing.EXEMPTED, Standing.VACATED)

# --- days ---------------------------------------------------------------------------------------

_COUNTS = {
    word: n
    for n, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    )
} | {"eighteen": 18, "twenty-one": 21, "thirty": 30, "sixty": 60, "ninety": 90}
_AMOUNT = re.compile(
    r"\b(\d+|[a-z-]+) (?:\(\d+\) )?(?:calendar |business )?(day|week|month|year)s?\b"
)


def _amount(words: str) -> tuple[int, str] | None:
    for match in _AMOUNT.finditer(words.lower()):
        count = int(match[1]) if match[1].isdigit() else _COUNTS.get(match[1])
        if count is not None:
            return count, match[2]
    return None


def _later(day: date, count: int, unit: str) -> date:
    if unit in ("day", "week"):
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    months = day.month - 1 + count * (12 if unit == "year" else 1)
    year, month = day.year + months // 12, months % 12 + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(day.day, last))


def _no_longer_binding(line: Line) -> Line:
    """A compliance date that has passed binds no one under a stay or relief: it is what was stated."""
    if line.part is not Part.IN_FORCE:
        return line
    words = line.text.replace("compliance required since", "compliance date stated:")
    return replace(line, part=Part.HISTORY, text=words)


def _before_relief(line: Line, newest: datetime) -> Line:
    """A date still to come that was stated before the newest relief may be put off by it: it is what was stated."""
    to_come = line.part is Part.PENDING and line.kind is EventKind.COMPLIANCE
    if not to_come or any(known.known_at >= newest for known in line.basis):
        return line
    words = line.text.replace(
        "compliance required from", "compliance date stated before the relief:"
    )
    return replace(line, part=Part.HISTORY, text=words)


def _day_of(known: Known) -> date | None:
    """The day an event states; of a month without a day, its 28th."""
    if known.event.on:
        return known.event.on
    month = month_of(known.event.relative or "")
    return month.replace(day=28) if month else None


_MONTH = re.compile(r"(\w+),? (\d{4})")


def month_of(words: str) -> date | None:
    """The first of the month that "December 2004" is; None where the words say another thing."""
    match = _MONTH.fullmatch(words)
    return next((day.on for day in days(f"{match[1]} 1, {match[2]}")), None) if match else None


def _moment_day(known: Known) -> date:
    """When a court or the Commission acted: the stated day of the act, else when it became known."""
    acted = known.event.on if known.event.role is Role.ACTION else None
    return acted or known_day(known)


def _end(known: Known) -> date | None:
    """The day on which relief ends."""
    if known.event.role is Role.END and known.event.on:
        return known.event.on
    return first_business_day(known.event.relative or "")


_FIRST_DAY = re.compile(r"first business day (?:of|in) (\w+),? (\d{4})")


def first_business_day(words: str) -> date | None:
    """The day that "the first business day of November 2026" is; None where the words say no such thing."""
    match = _FIRST_DAY.search(words)
    month = next(iter(days(f"{match[1]} 1, {match[2]}")), None) if match else None
    if month is None:
        return None
    day = month.on
    while day.weekday() > 4 or _holiday(day):
        day += timedelta(days=1)
    return day


def _holiday(day: date) -> bool:
    """New Year's Day, on Monday where it fell on Sunday, and Labor Day: what can be the first weekday of a month."""
    monday = day.weekday() == 0
    return (
        (day.month, day.day) == (1, 1)
        or (monday and (day.month, day.day) == (1, 2))
        or (monday and day.month == 9)
    )


def known_day(known: Known) -> date:
    """The New York day on which it became known; the day before a midnight that only ends a release day."""
    return civil_day(known.known_at - timedelta(microseconds=1))


def _same_rulemaking(making: _Rulemaking, known: Known, day: date) -> bool:
    if making.adopted.held.work_id == known.held.work_id and known.event.about is About.OWN:
        return True
    release = making.adopted.event.release or making.adopted.held.metadata.release
    if known.event.release and known.event.release == release:
        return True
    both_own = known.event.about is About.OWN and making.adopted.event.about is About.OWN
    if both_own and known.event.release and release:
        return False  # two releases of one summer are two rulemakings
    return abs((making.day - day).days) <= 120


def _one_each(pending: Iterable[Known]) -> list[list[Known]]:
    """Proposals, each with all that tell of it, the weightiest first: those made within months of each other are one."""
    groups: list[list[Known]] = []
    for known in sorted(pending, key=lambda k: _day_of(k) or known_day(k)):
        day = _day_of(known) or known_day(known)
        same = (g for g in groups if abs((_day_of(g[0]) or known_day(g[0])) - day) < _ONE)
        group = next(same, None)
        if group is None:
            groups.append([known])
        else:
            group.append(known)
    return [sorted(group, key=_weight) for group in groups]


def _each_once(basis: Iterable[Known]) -> tuple[Known, ...]:
    """Each passage once; a release and its other manifestations are one source."""
    once: dict[tuple[object, ...], Known] = {}
    for known in basis:
        event = replace(known.event, start=0, end=0)
        once.setdefault((known.held.work_id, event), known)
    return tuple(once.values())


def _weight(known: Known) -> int:
    """Whose word on an adoption comes first: the release itself, a record of it, a statement on it, one that tells of it."""
    own = known.event.about is About.OWN
    authority = known.held.authority
    if own and authority is Authority.OFFICIAL_TEXT:
        return 0
    return 3 if not own else 2 if authority is Authority.OFFICIAL_STATEMENT else 1


def _by(known: Known) -> str:
    held = known.held
    release = known.event.release or held.metadata.release
    # A document without a number is referred to by its day, which names nothing.
    named = (
        held.title
        if held.reference[:4].isdigit() and "FR" not in held.reference
        else held.reference
    )
    return f"Release {release}" if release else named.removeprefix("on ") or held.title


def _whose(known: Known) -> str:
    """Whose act an event is: the document's own, that of the release it names, or one that the document tells of."""
    return f"by {_by(known)}" if _acts(known) else f"as told in {_by(known)}"


def _acts(known: Known) -> bool:
    return known.event.about is About.OWN or known.event.release is not None


def _own_act(making: _Rulemaking) -> str:
    """By what it was adopted; "" where a document only tells of that, or of nothing but its effect."""
    return _by(making.adopted) if _acts(making.adopted) and not _only_effect(making) else ""


def _only_effect(making: _Rulemaking) -> bool:
    event = making.adopted.event
    return bool(event.kind is EventKind.EFFECTIVE and event.about is not About.OWN and event.on)


def _made(making: _Rulemaking) -> str:
    """ "adopted on June 9, 2005"; of a rule of which only its effect is told, "effective May 30, 2017"."""
    event = making.adopted.event
    if event.on and _only_effect(making):
        return f"effective {spoken(event.on)}"
    said = (k for k in (making.adopted, *making.said) if k.event.role is Role.ACTION and k.event.on)
    return f"adopted{_acted(next(said, making.adopted))}"


def _acted(known: Known) -> str:
    event = known.event
    return f" on {spoken(event.on)}" if event.on and event.role is Role.ACTION else ""


def _moment(known: Known) -> str:
    return spoken(known.event.on) if known.event.on else known.event.relative or "not stated"


def _when(known: Known) -> str:
    """The day of a proposal, its month where that is all that is stated, else the day on which it was known."""
    event = known.event
    month = event.relative if month_of(event.relative or "") else None
    return spoken(event.on) if event.on else month or spoken(known_day(known))


def _how(day: _Day) -> str:
    return f", computed: {day.how}" if day.how and day.low is None else ""
