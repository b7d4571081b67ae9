"""A document in, the rule events that it states out: proposed, adopted, effective, delayed, exempted until, and the rest.

Deterministic: the fields of a preamble ("DATES: Effective Date: ..."), the title of an order, and sentences in which a
release says that something was done or is due ("On August 20, 2009 we re-opened the comment period ..."). What somebody
wished, feared or suggested is no event: sentences of commenters, conditions and proposals of dates are passed over.
A date is a civil day only where the sentence states one; "60 days after publication" and "March 2007" stay words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from ingest.civil import MONTH, days
from ingest.document import Authority, DocType, Document, Kind, Section
from ingest.quote import find
from ingest.rules import names
from ingest.rules.kinds import About, EventKind, Role, RuleEvent
from ingest.rules.wording import (
    CALLED,
    CAPTION,
    CUES,
    RULEISH,
    SIGNED,
    Draft,
    captioned_parts,
    cited_release,
    extension_events,
    field_events,
    names_nothing,
    one_line,
    partly_meant,
    read_when,
    removal_words,
    removed_sections,
    stated_events,
)
from ingest.sentences import sentences

__all__ = ["EXTRACTOR", "About", "EventKind", "Role", "RuleEvent", "events"]

# Raised whenever what is read changes, so that a home's stored events are read again.
EXTRACTOR = "17"


def events(document: Document) -> list[RuleEvent]:
    """The rule events a document states, in the order of the text; [] where it is no voice on rules.

    Releases and orders of the SEC, its statements, and summaries of Federal Register documents speak; codified text,
    statutes, filings and pages of unknown origin do not.
    """
    voice = _voice(document)
    if voice is None:
        return []
    reader = _Reader(document, voice)
    found: dict[tuple[object, ...], RuleEvent] = {}
    for event in sorted(reader.read(), key=lambda e: (e.start, e.end)):
        key = (event.kind, event.sections, event.on, event.relative, event.change, event.removes)
        first = found.setdefault(key, event)
        if first.release is None and event.release:
            found[key] = replace(first, release=event.release)
    # The same words may be read twice, with their date and without.
    dated = {(e.kind, e.sections, e.start, e.end) for e in found.values() if e.on or e.relative}
    return [
        e
        for e in found.values()
        if e.on or e.relative or (e.kind, e.sections, e.start, e.end) not in dated
    ]


# --- who speaks ---------------------------------------------------------------------------------

_SEC = "Securities and Exchange Commission"
_RULEMAKING = {
    DocType.FINAL_RULE,
    DocType.PROPOSED_RULE,
    DocType.INTERPRETATION,
    DocType.ORDER,
    DocType.NOTICE,
    DocType.WITHDRAWAL,
}
_STATEMENTS = {DocType.STATEMENT, DocType.PRESS_RELEASE, DocType.FAQ}


def _voice(document: Document) -> str | None:
    meta = document.metadata
    if meta.authority is Authority.OFFICIAL_TEXT and meta.doc_type in _RULEMAKING:
        return "release" if meta.agency == _SEC else None
    if meta.authority is Authority.OFFICIAL_STATEMENT and meta.doc_type in _STATEMENTS:
        return "statement"
    about = meta.primary or ""
    return "summary" if about.startswith(("fr:", "sec:")) else None


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence under reading: `flat` is its words with single spaces, [start, end) its span of the text."""

    flat: str
    start: int
    end: int
    section: Section


class _Reader:
    def __init__(self, document: Document, voice: str) -> None:
        self.document = document
        self.voice = voice
        self.meta = document.metadata
        self.text = document.text
        self.final = self.meta.doc_type in (DocType.FINAL_RULE, DocType.INTERPRETATION)
        self.proposing = self.meta.doc_type is DocType.PROPOSED_RULE
        sections, self.named = _own_sections(document)
        self.sections = names.unique(map(self._unglued, sections))
        self.signed = _signed_on(document, voice)
        heads = [
            s
            for s in document.sections
            if s.kind is Kind.HEADER and s.label in ("SUMMARY", "SUPPLEMENTARY INFORMATION")
        ]
        self.head = " ".join(
            [self.meta.title or "", *(one_line(self.text[s.start : s.end]) for s in heads)]
        )

    def _unglued(self, section: str) -> str:
        """ "240.10a-1" of "240.10a-13" where the 3 is the call of a note: the shorter number stands all over the text.

        And "240.11Ac1-6" of "240.1Ac1-6", a misprint.
        """
        doubled = section.replace("240.1", "240.11", 1)
        if doubled in self.meta.cfr_sections and section not in self.meta.cfr_sections:
            return doubled
        match = re.fullmatch(r"240\.(\w+-\d)(\d{1,2})(\(.*)?", section)
        if match is None:
            return section
        short, long = (
            len(re.findall(rf"{re.escape(n)}(?!\w)", self.text))
            for n in (match[1], match[1] + match[2])
        )
        return f"240.{match[1]}{match[3] or ''}" if short > 2 * long else section

    def read(self) -> Iterator[RuleEvent]:
        yield from self._title()
        for section in self.document.sections:
            if section.kind in (Kind.BODY, Kind.HEADER, Kind.FOOTNOTE, Kind.TABLE):
                yield from self._section(section)

    # --- the title of an order, or of a summary --------------------------------------------------

    def _title(self) -> Iterator[RuleEvent]:
        title = self.meta.title or ""
        at = find(self.text, title) if len(title) > 8 else None
        if at is None or _PAPERWORK.search(title):
            return
        of_exchange = _OF_EXCHANGE.match(title) is not None
        said = _Said(one_line(self.text[slice(*at)]), *at, self.document.sections[0])
        # An official document states in its own sentences what its title announces; relief is in the title alone.
        wanted = _TITLES if self.voice == "summary" else _TITLES[:2]
        for pattern, kind, relative in wanted:
            if not pattern.search(title):
                continue
            day = self.signed.isoformat() if self.signed and kind in _MADE else ""
            if kind is not EventKind.EXEMPTED and _APPLICATION.search(title):
                continue
            from_what = (
                _RELIEF_FROM.split(title, maxsplit=1)[-1] if _RELIEF_FROM.search(title) else ""
            )
            from_what = re.sub(r"[Pp]ursuant to (?:Section|Rule)s? [^,]{1,60}", "", from_what)
            limited = "limited" if kind is EventKind.EXEMPTED and _LIMITED.search(title) else ""
            subject = from_what if kind is EventKind.EXEMPTED else "" if of_exchange else title
            draft = Draft(
                kind, subject, relative or day, Role.ACTION, self.meta.release, About.OWN, limited
            )
            yield from self._made(draft, said)

    # --- sentences -------------------------------------------------------------------------------

    def _section(self, section: Section) -> Iterator[RuleEvent]:
        words = self.text[section.start : section.end]
        field = (section.label or "").upper() if section.kind is Kind.HEADER else ""
        if field in _DATE_FIELDS:
            yield from self._dates(section, field)
            return
        if field in ("ADDRESSES", "FOR FURTHER INFORMATION CONTACT", "URL", "AGENCY", "ACTION"):
            return
        for start, end in sentences(words, section.start):
            if 25 < end - start < 2500 and CUES.search(self.text, start, end):
                flat = one_line(self.text[start:end])
                yield from self._sentence(_Said(flat, start, end, section), field)

    def _sentence(self, said: _Said, field: str) -> Iterator[RuleEvent]:
        flat = said.flat
        head = field in ("SUMMARY", "SUPPLEMENTARY INFORMATION") or self.voice != "release"
        drafts: list[Draft] = []
        if self.voice == "summary" and CAPTION.search(flat):
            yield from self._captioned(said.start, said.end, said.section, "")
            return
        if head:
            drafts += self._announced(flat)
        drafts += stated_events(flat)
        for draft in drafts:
            yield from self._made(draft, said)

    def _announced(self, flat: str) -> Iterator[Draft]:
        """What the document itself does: "The Commission is adopting ...", "today proposed to amend ..."."""
        today = f"{self.signed}" if self.signed and self.voice == "statement" else ""
        for match in _IS_DOING.finditer(flat):
            verb = match["verb"].lower().replace("-", "")
            kind = next(kind for stem, kind in _DOES if verb.startswith(stem))
            rest = flat[match.end() :]
            if kind is EventKind.PROPOSED and self.final:
                continue  # words left over from the proposing release
            vague = not RULEISH.search(rest[:300])
            if vague and (
                kind is EventKind.ADOPTED or (kind is EventKind.PROPOSED and not self.proposing)
            ):
                continue
            if verb.startswith("extend") and not re.match(r"[^.]{0,80}\b(?:date|exempti)", rest):
                continue
            if kind is EventKind.ADOPTED and self.proposing:
                continue
            if kind is EventKind.ADOPTED and _TO_CORRECT.search(rest[:120]):
                kind = EventKind.CORRECTED
            when = today if "today" in match[0].lower() else ""
            if kind is EventKind.DELAYED:
                yield from extension_events(rest, self.meta.release, About.OWN)
                continue
            role = Role.ACTION if when else None
            own = Draft(
                kind,
                match[0] + rest,
                when,
                role,
                self.meta.release,
                About.OWN,
                removes=removal_words(match["verb"] + rest),
            )
            cut = _CONFORMING.search(own.subject)
            if kind is EventKind.ADOPTED and cut and names.numbered(own.subject[cut.start() :]):
                yield replace(own, subject=own.subject[cut.start() :], change="conforming")
                own = replace(own, subject=own.subject[: cut.start()])
            yield own
        if (found := _WOULD_RESCIND.search(flat)) and removed_sections(
            found["what"], self.sections
        ):
            yield Draft(
                EventKind.PROPOSED,
                found["what"],
                release=self.meta.release,
                about=About.OWN,
                removes=found["what"],
            )

    def _dates(self, section: Section, field: str) -> Iterator[RuleEvent]:
        """The DATES field and its kin: a caption says what each date is."""
        mode = (
            "effective"
            if field.startswith("EFFECTIVE")
            else "compliance"
            if "COMPLIANCE" in field
            else ""
        )
        yield from self._captioned(section.start, section.end, section, mode)

    def _captioned(self, start: int, end: int, section: Section, mode: str) -> Iterator[RuleEvent]:
        words = self.text[start:end]
        for low, high, caption in captioned_parts(words):
            mode = caption or mode
            said = _Said(one_line(words[low:high]), start + low, start + high, section)
            for draft in field_events(said.flat, mode, self.meta.release):
                yield from self._made(draft, said)

    # --- from a draft to events ------------------------------------------------------------------

    def _made(self, draft: Draft, said: _Said) -> Iterator[RuleEvent]:
        sections = names.unique(self._unglued(n.section) for n in names.numbered(draft.subject))
        by_name, about = False, draft.about
        if not sections and (called := names.called(draft.subject)):
            sections, by_name = names.unique(n.section for n in called), True
        mine = bool(self.sections) and (not sections or any(map(self._mine, sections)))
        if draft.foreign and (not sections or mine):
            return
        # Its own adoption is announced, never told of as past: that is of another release.
        past_adoption = draft.kind is EventKind.ADOPTED
        if about is None and not sections and (past_adoption or not self._on_subject(draft)):
            about = About.OTHER
        if about is None:
            about = (
                About.OTHER if not mine else About.OWN if self._own(draft, said) else About.EARLIER
            )
            if mine and not sections and not self._is_ours(draft) and not self._own(draft, said):
                about = About.OTHER
        if not sections and about is not About.OTHER and self._takes_ours(draft):
            sections, by_name = (
                self._nearest(draft, said) or self.sections,
                self.named and bool(self.sections),
            )
        if (
            not sections
            and about is About.OTHER
            and draft.kind in _NEEDS_RULE
            and not draft.release
            and not RULEISH.search(draft.subject)
        ):
            return
        made = self.signed.isoformat() if self.signed else ""
        on, relative = read_when(made if draft.when == SIGNED else draft.when)
        role = draft.role if on else None
        release = draft.release or (
            self.meta.release if about is About.OWN and draft.kind in _BY_OWN else None
        )
        if release is None and about is not About.OWN and draft.kind in _ORDERED:
            release = cited_release(said.flat)
        limited = draft.kind is EventKind.EXEMPTED and _GRANTED_TO.search(said.flat)
        change = draft.change or ("limited" if limited else "")
        yield RuleEvent(
            draft.kind, sections, release, on, relative, role, about, said.start, said.end, change, by_name,
            removed_sections(draft.removes, sections), partly_meant(said.flat, sections),
        )  # fmt: skip

    def _takes_ours(self, draft: Draft) -> bool:
        """Whether an event told without a section is one of the document's own sections."""
        if draft.kind is EventKind.EXEMPTED:
            # Relief is from one rule of many, and often for one firm: its words must name nothing else.
            return names_nothing(draft.subject) and self.voice == "summary"
        return draft.kind not in _NOT_OF_RULES and self._is_ours(draft)

    def _mine(self, section: str) -> bool:
        return any(names.bears_on(section, own) for own in map(names.base, self.sections))

    def _is_ours(self, draft: Draft) -> bool:
        """Whether words that name no section mean the document's own rule: "the Rule", "these amendments", or none at all."""
        if draft.kind in _BY_SUBJECT or not draft.subject.strip():
            return True
        if draft.kind in _OF_THE_RULE_SPOKEN_OF and names_nothing(draft.subject):
            return True
        one = len(set(map(names.base, self.sections))) == 1
        if draft.kind is EventKind.COMPLIANCE and one and (self.voice == "summary" or self.final):
            return True  # a document on one rule has no other dates to tell
        regulations = re.findall(r"\bRegulation [A-Z]{3}\b", draft.subject)
        own = set(map(names.base, self.sections))
        return self._ours(draft.subject) or any(own & set(names.regulation(r)) for r in regulations)

    def _on_subject(self, draft: Draft) -> bool:
        """Whether a proposal or adoption told of without a number is of this rulemaking: no other act, no other name."""
        if draft.kind not in _BY_SUBJECT:
            return True
        if _OTHER_ACT.search(draft.subject) or re.match(
            r" ?(?:a )?(?:new )?rules?,? (?:that|which|under)\b", draft.subject
        ):
            return False
        if draft.release is None:
            return True
        if self._long_before(draft.release):
            return False
        called = [
            w
            for w in re.findall(r"[A-Za-z][\w+&-]+", draft.subject.partition(CALLED)[2])
            if w.lower() not in _ANY_RELEASE
        ]
        return not called or any(re.search(rf"\b{re.escape(w)}\b", self.head) for w in called)

    def _long_before(self, release: str) -> bool:
        """Releases are numbered as they are made, some 2,000 a year."""
        ours, other = (re.fullmatch(r"34-(\d+)", r or "") for r in (self.meta.release, release))
        return bool(ours and other and int(ours[1]) - int(other[1]) > _FOUR_YEARS)

    def _nearest(self, draft: Draft, said: _Said) -> tuple[str, ...]:
        """Of several own rules, those that the sentences just before speak of: "The second phase-in date will be ..."."""
        if said.section.kind is not Kind.BODY:
            return ()
        before = one_line(self.text[max(said.section.start, said.start - 700) : said.start])
        if draft.kind is EventKind.EXEMPTED:
            relief = before[max(before.rfind("xempti"), 0) :]
            return names.unique(n.section for n in names.numbered(relief) if self._mine(n.section))
        whole = re.search(r"\bRegulation [A-Z]{3}\b", draft.subject)
        if whole and draft.kind in (EventKind.COMPLIANCE, EventKind.EFFECTIVE):
            held = {names.base(s) for s in names.regulation(whole[0])}
            return tuple(s for s in self.sections if names.base(s) in held)
        if draft.kind not in (EventKind.COMPLIANCE, EventKind.EFFECTIVE):
            return ()
        own = set(map(names.base, self.sections))
        found = [names.base(self._unglued(n.section)) for n in names.numbered(before)]
        return names.unique(s for s in found if s in own)

    def _ours(self, subject: str) -> bool:
        pilot = "ilot" in (self.meta.title or "") and _THE_PILOT.search(subject) is not None
        return pilot or _OURS.search(subject) is not None

    def _own(self, draft: Draft, said: _Said) -> bool:
        """Whether an event of the document's own sections is one of its own rulemaking."""
        if draft.kind in (EventKind.PROPOSED, EventKind.REOPENED):
            return True
        if draft.kind is EventKind.EXEMPTED:
            return self.voice == "summary" and not _GRANTED_TO.search(said.flat)
        on, _ = read_when(draft.when)
        if on and on == {
            EventKind.EFFECTIVE: self.meta.effective_on,
            EventKind.COMPLIANCE: self.meta.compliance_on,
        }.get(draft.kind):
            return True
        if draft.kind not in (EventKind.EFFECTIVE, EventKind.COMPLIANCE):
            return False
        if _TOLD_AS_DONE.search(said.flat):
            return False
        made = self.meta.published_on
        if on and made and self.voice == "release" and on < made - _A_MONTH:
            return False  # no release takes effect before it is made
        return re.search(r"\b(?:was|were|became|had|expired|went|took)\b", said.flat) is None


_THE_PILOT = re.compile(
    r"\b(?:[Tt]he|[Tt]his|core|proposed|two-year) (?:core )?[Pp]ilot\b|\bTransaction Fee Pilot\b"
)
_OTHER_ACT = re.compile(
    r"\b(?:Investment Company|Advisers|Commodity Exchange|Securities) Act\b(?! of 1934)"
)
_ANY_RELEASE = frozenset(
    "proposing proposal proposed proposals release rule rules amendments amendment the and of adopting final "
    "re-opening reopening "
    "reproposing reproposal".split()
)
# "Effective July 3, 2007, the Commission eliminated former Rule 10a-1": what an earlier release did.
_TOLD_AS_DONE = re.compile(
    rf"\b[Ee]ffective {MONTH} \d{{1,2}}, \d{{4}}, (?:the Commission|we) \w+ed\b"
)
_FOUR_YEARS = 7_200  # releases
_A_MONTH = timedelta(days=31)
_OF_THE_RULE_SPOKEN_OF = {
    EventKind.EFFECTIVE, EventKind.COMPLIANCE, EventKind.DELAYED, EventKind.STAYED, EventKind.LIFTED, EventKind.UPHELD,
    EventKind.VACATED,
}  # fmt: skip
# Relief for those it names, not for all whom the rule binds.
_GRANTED_TO = re.compile(
    r"\b[Ll]imited (?:\w+ )?exempti|\b(?:granted|exempted) (?:to )?(?:the |an? )?[A-Z]"
)
_MADE = {EventKind.EXEMPTED, EventKind.APPROVED}
_ORDERED = {
    EventKind.DELAYED, EventKind.STAYED, EventKind.LIFTED, EventKind.EXEMPTED, EventKind.PROPOSED, EventKind.ADOPTED,
}  # fmt: skip
_BY_OWN = {EventKind.ADOPTED, EventKind.EFFECTIVE, EventKind.COMPLIANCE, EventKind.SUNSET}
_NOT_OF_RULES = {EventKind.APPROVED, EventKind.SUSPENDED, EventKind.EXEMPTED}
# Told of without a number, these are of this rulemaking unless they name another; all others must name it.
_BY_SUBJECT = {
    EventKind.PROPOSED, EventKind.REOPENED, EventKind.ADOPTED, EventKind.CORRECTED, EventKind.COMMENT_DEADLINE,
    EventKind.WITHDRAWN,
}  # fmt: skip
_NEEDS_RULE = {EventKind.EFFECTIVE, EventKind.COMPLIANCE, EventKind.ADOPTED, EventKind.PROPOSED}
_OURS = re.compile(
    r"\b(?:(?:[Tt]he|[Tt]hese|[Tt]his|such)(?: (?:final|new|adopted|amended|proposed))* (?:[Rr]ules?|[Aa]mendments?|"
    r"[Pp]roposals?|[Pp]roposing Release|[Ff]orm \w+)|today|phase-?in|Phase [IVX]+|initial|covered securities)\b"
)
_CONFORMING = re.compile(
    r"\(?\d?\)? ?(?:certain )?conforming (?:changes|amendments|revisions)|updated cross-references"
)
_TO_CORRECT = re.compile(
    r"\btechnical (?:amendments?|corrections?)\b.{0,60}\bcorrect|^ ?(?:a )?corrections?\b"
)
_PAPERWORK = re.compile(
    r"(?i)proposed collection|omb review|comment request|sunshine act|information collection|paperwork"
)
_DATE_FIELDS = {
    "DATES", "DATE", "EFFECTIVE DATE", "EFFECTIVE DATES", "COMPLIANCE DATE", "COMPLIANCE DATES", "COMMENT DATE",
    "EFFECTIVE AND COMPLIANCE DATES",
}  # fmt: skip
# What exchanges and plans file changes no section of the CFR, whatever rule its title speaks of.
_OF_EXCHANGE = re.compile(
    r"(?i)self-regulatory organization|joint industry plan|program for allocation"
)
_APPLICATION = re.compile(r"(?i)\bapplication for registration\b")
_RELIEF_FROM = re.compile(r"\b(?:[Ff]rom(?: Compliance [Ww]ith)?|[Rr]elat(?:ing|ed) to)\b")
_LIMITED = re.compile(
    r"\bLimited\b|\bInc\.|\bLLC\b|Exchange's|\bCertain (?:Requirements|Aspects) of the National"
)
_TITLES: tuple[tuple[re.Pattern[str], EventKind, str], ...] = (
    (
        re.compile(r"(?i)\bOrder (?:Granting|Extending|Modifying)\b.{0,160}?\bExempti(?:ve|on)"),
        EventKind.EXEMPTED,
        "",
    ),
    (re.compile(r"(?i)\bImmediate Effectiveness\b"), EventKind.EFFECTIVE, "upon filing"),
    (
        re.compile(r"(?i)\bOrder (?:Granting (?:Accelerated )?Approv|Approving)"),
        EventKind.APPROVED,
        "",
    ),
    (
        re.compile(r"(?i)\bNotice of (?:Filing|Proposed)\b(?!.*\bOrder (?:Granting|Approving))"),
        EventKind.PROPOSED,
        "",
    ),
    (re.compile(r"(?i)\bNotice of Withdrawal\b|^Withdrawal of\b"), EventKind.WITHDRAWN, ""),
    (re.compile(r"(?i)\bDesignation of (?:a )?Longer Period\b"), EventKind.DELAYED, ""),
    (
        re.compile(r"(?i)\bSuspension of\b|\bOrder (?:Temporarily )?Suspending"),
        EventKind.SUSPENDED,
        "",
    ),
    (re.compile(r"(?i)\bReopening of (?:the )?Comment Period"), EventKind.REOPENED, ""),
    (
        re.compile(r"(?i)\b(?:Extension|Delay) of (?:the )?(?:Compliance|Effective) Date"),
        EventKind.DELAYED,
        "",
    ),
    (re.compile(r"(?i); Correction\b|\bTechnical Correction"), EventKind.CORRECTED, ""),
)
_DOES: tuple[tuple[str, EventKind], ...] = (
    ("repropos", EventKind.PROPOSED),
    ("propos", EventKind.PROPOSED),
    ("reopen", EventKind.REOPENED),
    ("extend", EventKind.DELAYED),
    ("delay", EventKind.DELAYED),
    ("postpon", EventKind.DELAYED),
    ("withdr", EventKind.WITHDRAWN),
    ("correct", EventKind.CORRECTED),
    ("stay", EventKind.STAYED),
    ("approv", EventKind.APPROVED),
    ("grant", EventKind.EXEMPTED),
    ("provid", EventKind.EXEMPTED),
    ("", EventKind.ADOPTED),
)
_IS_DOING = re.compile(
    r"\b(?:Commission|SEC|[Ww]e)[”\"’']*\)?,? (?:(?:today )?(?P<is>is|are)(?: also| today| therefore| hereby| now)*|"
    r"today(?: also)?|(?=propos(?:es)\b|adopts\b))"
    r" ?(?P<verb>adopting|adopts|adopted|amending|amended|repealing|removing|rescinding|eliminating|adding|establishing|"
    r"re-?proposing|proposing|proposes|proposed|re-?opening|extending|extended|delaying|postponing|withdrawing|correcting|"
    r"staying|granting|(?:provid(?:ing|ed)|granted)(?= (?:a |an )?(?:[a-z]+ ){0,3}exempti))\b"
)


_WOULD_RESCIND = re.compile(
    r"\b[Pp]roposed (?:amendments?|rules?) would (?:rescind|repeal|remove|eliminate) (?P<what>.*)"
)


def _own_sections(document: Document) -> tuple[tuple[str, ...], bool]:
    """The sections a document's own rule concerns, and whether they were read from a name alone."""
    meta = document.metadata
    if _OF_EXCHANGE.match(meta.title or "") or re.match(
        r"(?i)delegation of authority", meta.title or ""
    ):
        return (), False
    stated = [s for s in meta.cfr_sections if "." in s and s.startswith("2")]
    heads = [
        s
        for s in document.sections
        if s.kind is Kind.HEADER and s.label in ("SUMMARY", "SUPPLEMENTARY INFORMATION")
    ]
    heads += [s for s in document.sections if s.kind is Kind.HEADER and s.label in _DATE_FIELDS]
    head = " ".join(one_line(document.text[s.start : s.end])[:6000] for s in heads)
    subject = (
        f"{meta.title or ''}. {head}"
        if heads
        else f"{meta.title or ''}. {one_line(document.text[:1500])}"
    )
    first = _IS_DOING.search(subject)
    whole = names.regulation(subject[first.start() : first.end() + 120]) if first else ()
    if first and not whole and re.match(r" new rules\b", subject[first.end() :]):
        whole = names.regulation(re.split(r"\. ", subject[first.end() :])[0])
    making = first and first["verb"].lower().startswith(
        ("adopt", "propos", "re-propos", "repropos", "establish")
    )
    new = (
        making
        and first
        and re.match(
            r" (?:new |rules under |(?=Regulation))Regulation| new rules\b", subject[first.end() :]
        )
    )
    cut = next(reversed(list(_CONFORMING.finditer(head))), None)
    in_head = [n.section for n in names.numbered(head[: cut.start()] if cut else head)]
    later = (
        {names.base(n.section) for n in names.numbered(head[cut.start() :])} - set(in_head)
        if cut
        else set()
    )
    numbered = names.unique(
        s.replace("242.10b", "240.10b") for s in (*stated, *in_head) if s not in later
    )
    numbered = tuple(s for s in numbered if s == names.base(s) or names.base(s) not in numbered)
    if whole and new and not any(s in whole for s in numbered):
        return (*whole, *numbered), False
    if numbered:
        return names.unique(numbered), False
    if meta.authority is Authority.OFFICIAL_TEXT and meta.doc_type is DocType.NOTICE:
        return (), False
    by_number = names.unique(n.section for n in names.numbered(subject[:2500]))
    if by_number:
        return by_number, False
    return names.unique(n.section for n in names.called(subject)), True


_DAY_LINE = re.compile(
    rf"(?m)^(?:.{{0,60}}Start Printed Page \d+ )?({MONTH} \d{{1,2}}, \d{{4}})\.$"
)


def _signed_on(document: Document, voice: str) -> date | None:
    """The day an order was made, or a statement was given; None where it is not said."""
    if voice == "statement":
        return document.metadata.published_on
    head = document.text[:6000]
    if voice == "release" and (match := _DAY_LINE.search(head)):
        return next((day.on for day in days(match[1])), None)
    return None
