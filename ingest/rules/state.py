"""A book of rule events, a section and a moment in; what the rule was on that day, as known then, out. Pure.

The fold takes the events known by the moment, groups them into rulemakings (an adoption with its effective, compliance and
end dates, however later documents moved them), and sets the newest against the day. Nothing is guessed in silence: a date
that is not stated leaves a gap, dates that differ are shown as a conflict, and what is computed or inferred says from what.
Events of the events file are folded a second time, on top, so that what the documents know and what the file adds stay apart.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from ingest.civil import days
from ingest.document import Authority, DocType
from ingest.moment import NEW_YORK, end_of_day
from ingest.rules import names
from ingest.rules.events import About, EventKind, Role
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
    STAYED = "stayed"
    EXPIRED = "expired"
    VACATED = "vacated"
    REMOVED = "removed"


class Part(StrEnum):
    """What a line of a state speaks of."""

    IN_FORCE = "in force"
    PENDING = "pending"
    RELIEF = "relief"
    HISTORY = "history"
    CONFLICT = "conflict"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Line:
    """One statement. basis: the events it rests on; inferred: it follows from them without being stated by them."""

    part: Part
    text: str
    basis: tuple[Known, ...] = ()
    inferred: bool = False
    laid: tuple[Laid, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What was known at `as_of` of a section on the civil day `on` in New York.

    standing       according to the documents alone
    with_file      according to the documents and the events file; equal where the file adds nothing
    held_through   the day in "according to the documents held, through ..."; None where nothing is held
    """

    section: str
    as_of: datetime
    on: date
    standing: Standing
    lines: tuple[Line, ...]
    with_file: Standing
    held_through: date | None
    events: tuple[Known, ...] = ()

    @property
    def basis(self) -> tuple[Known, ...]:
        """Every event that a line rests on, once."""
        return _each_once(known for line in self.lines for known in line.basis)


# A Federal Register print follows the release within weeks; after this it must have.
_PRINTED_BY = timedelta(days=150)
# Without any word on when, an adopted rule is taken as not yet effective this long, and as unknown after.
_SOON = timedelta(days=90)
# An extension or a compliance date that the documents do not state is taken to have run out after this.
_LAPSES = timedelta(days=540)
_RELIEF_LAPSES = timedelta(days=730)


def state(book: Book, section: str, as_of: datetime) -> State:
    """The state of `section` ("242.612", "242.610(c)") on the New York day of `as_of`, from what was known by then."""
    on = as_of.astimezone(NEW_YORK).date()
    known = tuple(
        k for k in book.events if k.known_at <= as_of and _concerns(k, section, book, as_of)
    )
    fold = _Fold(section, on, as_of, book, known)
    lines, standing = fold.read()
    laid = [x for x in book.overlay if end_of_day(x.known_on) <= as_of or x.known_on < on]
    laid = [x for x in laid if any(names.bears_on(s, section) for s in x.event.sections)]
    with_file = _laid_over(standing, laid, on)
    lines += [Line(Part.RELIEF, f"{x.what} ({x.citation})", laid=(x,)) for x in laid]
    through = min(book.through, as_of).astimezone(NEW_YORK).date() if book.through else None
    return State(section, as_of, on, standing, tuple(lines), with_file, through, known)


def sections_of(book: Book) -> tuple[str, ...]:
    """Every section, without paragraphs, that an event of the book names."""
    return tuple(sorted({names.base(s) for known in book.events for s in known.event.sections}))


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
    def name(self) -> str:
        return _by(self.adopted)


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

    def read(self) -> tuple[list[Line], Standing]:
        rulemakings = self._rulemakings()
        standing = Standing.UNKNOWN
        for making in rulemakings[:-1]:
            self._say(
                Part.HISTORY, f"adopted by {making.name} ({_shown(making.day)})", making.adopted
            )
        if rulemakings:
            standing = self._standing(rulemakings[-1])
            standing = self._relieved(rulemakings[-1], standing)
        standing = self._proposed(rulemakings, standing)
        if not self.known:
            self._say(Part.GAP, "no document known then speaks of it")
        return self.lines, standing

    def _say(self, part: Part, text: str, *basis: Known, inferred: bool = False) -> None:
        self.lines.append(Line(part, text, _each_once(basis), inferred))

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
        found.sort(key=lambda m: m.day)
        for known in self.known:
            self._attach(known, found)
        return found

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
        if event.kind not in lists or not (whole or (same and event.kind is EventKind.EFFECTIVE)):
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
        part = Part.IN_FORCE
        self._say(
            part,
            f"adopted by {making.name}, known {_shown(known_day(making.adopted))}",
            making.adopted,
            *making.said,
            inferred=making.adopted.event.kind is EventKind.EFFECTIVE,
        )
        ends = [k for k in making.ends if k.event.on and k.event.change != "relief"]
        if ends:
            last = max(k.event.on for k in ends if k.event.on)
            if self.on > last:
                self._say(part, f"expired by its own terms on {_shown(last)}", *ends)
                return Standing.EXPIRED
            self._say(part, f"ends by its own terms on {_shown(last)}", *ends)
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
            )
            return self._complied(making, _Day(None, ()))
        if effective is None:
            if self.on - making.day <= _SOON:
                self._say(
                    Part.GAP,
                    "its effective date is not in the documents known then",
                    making.adopted,
                )
                return Standing.ADOPTED
            self._say(
                Part.GAP,
                "whether it is effective and binding is not in the documents known then",
                making.adopted,
            )
            return Standing.UNKNOWN
        if effective.on is None or effective.on > self.on:
            words = _shown(effective.on) if effective.on else effective.how
            self._say(
                Part.PENDING,
                f"not yet effective: effective {words}",
                *effective.basis,
                inferred=effective.on is None,
            )
            return Standing.ADOPTED
        inferred = effective.low is not None
        since = f"since {_shown(effective.on)}" if not inferred else f"by now ({effective.how})"
        self._say(part, f"effective {since}{_how(effective)}", *effective.basis, inferred=inferred)
        return self._complied(making, effective)

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
                    f"another passage states {_shown(other)} as its effective date",
                    *conflicting,
                )
            return _Day(chosen.event.on, (chosen,))
        for known in making.effective:
            if found := self._computed(known, making, None):
                return found
        return None

    def _computed(self, known: Known, making: _Rulemaking, effective: _Day | None) -> _Day | None:
        """A relative wording as a day: from the print if it was known, from the effective date, else a window."""
        words = known.event.relative or ""
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
                day, (known,), f"{words} ({_shown(effective.on)})", effective.low, effective.high
            )
        release = making.adopted.event.release or making.adopted.held.metadata.release or ""
        printed = self._printed(release, making)
        if printed:
            day = _later(printed.on, *amount)
            return _Day(day, (known,), f"{words}, printed {_shown(printed.on)} ({printed.basis})")
        low, high = _later(making.day, *amount), _later(making.day, *amount) + _PRINTED_BY
        if self.on > high:
            return _Day(high, (known,), words, low, high)
        return _Day(None, (known,), words, low, high)

    def _printed(self, release: str, making: _Rulemaking) -> Printed | None:
        printed = self.book.printed.get(release)
        return printed if printed and printed.known_at <= self.as_of else None

    def _complied(self, making: _Rulemaking, effective: _Day) -> Standing:
        if self._removes(making.adopted):
            self._say(Part.IN_FORCE, "the rule is removed", making.adopted)
            return Standing.REMOVED
        delays = making.delays
        newest = max(delays, key=lambda k: (k.known_at, k.event.on or date.min), default=None)
        stated: list[tuple[date, Known]] = []
        open_since: tuple[date, Known, bool] | None = None
        for known in making.compliance:
            if (
                newest
                and known.known_at < newest.known_at
                and known.held.work_id != newest.held.work_id
            ):
                self._say(Part.HISTORY, f"compliance date since moved: {_moment(known)}", known)
                continue
            if known.event.on:
                stated.append((known.event.on, known))
            elif (day := self._computed(known, making, effective)) and day.on:
                stated.append((day.on, known))
                self._say(
                    Part.PENDING if day.on > self.on else Part.HISTORY,
                    f"compliance {_shown(day.on)}{_how(day)}",
                    known,
                    inferred=True,
                )
            elif re.search(r"designated|notice", known.event.relative or ""):
                open_since = (self.on, known, True)
        if newest and newest.event.on and newest.event.role is Role.NEW_DATE:
            stated.append((newest.event.on, newest))
        elif newest:
            open_since = (known_day(newest), newest, False)
        elsewhere = [
            k
            for k in (making.adopted, *making.said)
            if _ELSEWHERE.search(k.held.metadata.compliance_text or "")
        ]
        if not stated and open_since is None and elsewhere:
            open_since = (known_day(elsewhere[0]), elsewhere[0], False)
        return self._by_compliance(stated, open_since)

    def _by_compliance(
        self, stated: Sequence[tuple[date, Known]], open_since: tuple[date, Known, bool] | None
    ) -> Standing:
        later = sorted(((d, k) for d, k in stated if d > self.on), key=lambda each: each[0])
        if later:
            for day, known in _once(later):
                self._say(Part.PENDING, f"compliance required from {_shown(day)}", known)
            return Standing.EFFECTIVE
        if open_since and (not stated or max(d for d, _ in stated) <= open_since[0]):
            since, known, lasting = open_since
            if lasting:
                self._say(
                    Part.GAP,
                    f"compliance {known.event.relative}; no such notice in the documents known then",
                    known,
                )
                return Standing.EFFECTIVE
            if self.on - since <= _LAPSES:
                self._say(Part.GAP, "compliance dates are not in the documents known then", known)
                return Standing.EFFECTIVE
            self._say(
                Part.GAP,
                "compliance dates are not in the documents known then; taken as past",
                known,
                inferred=True,
            )
        elif stated:
            day = max(d for d, _ in stated)
            self._say(
                Part.IN_FORCE,
                f"compliance required since {_shown(day)}",
                *(k for d, k in stated if d == day),
            )
        return Standing.IN_FORCE

    def _removes(self, known: Known) -> bool:
        return any(names.covers(said, self.section) for said in known.event.removes)

    # --- stays and relief --------------------------------------------------------------------

    def _relieved(self, making: _Rulemaking, standing: Standing) -> Standing:
        kinds = (EventKind.STAYED, EventKind.LIFTED, EventKind.EXEMPTED, EventKind.VACATED)
        now = standing
        for known in self._of(*kinds):
            if known_day(known) < making.day:
                continue
            # Relief that another document only tells of may be for some persons alone.
            told = known.event.kind is not EventKind.EXEMPTED or self._grants(known)
            whole = self._covered(known) and told and known.event.change != "limited"
            self._say(Part.RELIEF, self._told(known, whole), known)
            if not whole or standing in (Standing.EXPIRED, Standing.REMOVED):
                continue
            kind = known.event.kind
            if kind is EventKind.VACATED:
                now = Standing.VACATED
            elif kind is EventKind.STAYED:
                now = Standing.STAYED
            elif kind is EventKind.LIFTED:
                now = standing
            elif self._lasts(known):
                now = Standing.EXEMPTED
            elif now is Standing.EXEMPTED:
                now = standing
        return now

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
            EventKind.VACATED: "vacated",
        }.get(event.kind, "exemptive relief")
        until = f" until {_shown(event.on)}" if event.on and event.role is Role.END else ""
        if (event.relative or "").startswith("the first business day"):
            until = f" until {event.relative}"
        of = (
            ""
            if whole
            else f" of {', '.join(event.sections)}"
            if not self._covered(known)
            else " for those it names"
        )
        made = f", {_shown(event.on)}" if event.on and event.role is Role.ACTION else ""
        return f"{what}{of}{until} by {_by(known)}{made}"

    def _lasts(self, known: Known) -> bool:
        """Whether relief holds on the day: to its stated end, else to the first date due after it in the same document."""
        ends = [
            k.event.on
            for k in self.known
            if k.held.work_id == known.held.work_id
            and k.event.kind is EventKind.EXEMPTED
            and k.event.role is Role.END
            and k.event.on
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
        gone = [
            k
            for k in self._of(EventKind.WITHDRAWN)
            if pending and k.known_at >= pending[-1].known_at
        ]
        for known in pending:
            what = (
                "its rescission is proposed"
                if self._removes(known)
                else "a change is proposed"
                if since
                else "proposed"
            )
            self._say(
                Part.PENDING,
                f"{what} by {_by(known)}, {_shown(_day_of(known) or known_day(known))}: it binds no one unless adopted",
                known,
            )
            self._deadlines(known)
        if gone:
            self._say(Part.PENDING, "the proposal is withdrawn", *gone)
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

    def _deadlines(self, proposal: Known) -> None:
        for known in self.known:
            event = known.event
            if (
                known.held.work_id == proposal.held.work_id
                and event.kind is EventKind.COMMENT_DEADLINE
                and event.on
            ):
                word = "close" if event.on >= self.on else "closed"
                self._say(Part.PENDING, f"comments {word} {_shown(event.on)}", known)


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


def _day_of(known: Known) -> date | None:
    """The day an event states; of a month without a day, its last."""
    if known.event.on:
        return known.event.on
    month = next(
        iter(days(re.sub(r"^(\w+),? (\d{4})$", r"\1 28, \2", known.event.relative or ""))), None
    )
    return month.on if month else None


def known_day(known: Known) -> date:
    """The New York day on which it became known; the day before a midnight that only ends a release day."""
    return (known.known_at - timedelta(microseconds=1)).astimezone(NEW_YORK).date()


def _same_rulemaking(making: _Rulemaking, known: Known, day: date) -> bool:
    if making.adopted.held.work_id == known.held.work_id and known.event.about is About.OWN:
        return True
    release = making.adopted.event.release or making.adopted.held.metadata.release
    if known.event.release and known.event.release == release:
        return True
    return abs((making.day - day).days) <= 120


def _each_once(basis: Iterable[Known]) -> tuple[Known, ...]:
    return tuple({(k.held.offset, k.event): k for k in basis}.values())


def _once(later: Iterable[tuple[date, Known]]) -> list[tuple[date, Known]]:
    seen: dict[date, Known] = {}
    for day, known in later:
        seen.setdefault(day, known)
    return list(seen.items())


_ELSEWHERE = re.compile(r"(?i)\bsee\b|discussed|section")


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


def _moment(known: Known) -> str:
    return _shown(known.event.on) if known.event.on else known.event.relative or "not stated"


def _how(day: _Day) -> str:
    return f", computed: {day.how}" if day.how and day.low is None else ""


def _shown(day: date) -> str:
    return f"{day:%B} {day.day}, {day.year}"
