"""A sentence of a release in, what it says happened to a rule out: patterns, and what speaks against taking them.

Each pattern is a way in which releases speak ("On August 20, 2009 we re-opened the comment period", "must comply by",
"[insert date 60 days after publication]"), never the words of one release. A draft is what a sentence says by itself; which
rule "the Rule" is, and whether it is the document's own, is settled in ingest/rules/events.py.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from ingest.civil import MONTH, days
from ingest.rules import names
from ingest.rules.kinds import About, EventKind, Role

CALLED = " (called) "  # between the words before a citation and what it is called
SIGNED = "signed"  # in place of a date: the day the document was made
# --- words --------------------------------------------------------------------------------------

_DATE = rf"(?:(?:\w+day, )?{MONTH}\.? \d{{1,2}}, ?\d{{4}}|\d{{4}}-\d\d-\d\d)"
_MONTH_YEAR = rf"{MONTH},? \d{{4}}"
_COUNT = r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|eighteen|twenty-one|thirty|sixty|ninety)"
_SPAN = rf"{_COUNT}(?: \(\d+\))? (?:additional )?(?:calendar |business )?(?:days?|weeks?|months?|years?)"
_AFTER = (
    rf"{_SPAN} (?:after|from|following) (?:the )?(?:(?:date of )?(?:its |their |this )?publication|date (?:of|that)|"
    r"effective date|"
    r"Effective Date|effectiveness|time|adoption|approval)[^.;,()]{0,90}"
)
_IN = r"(?:[^.;]|\.(?=\d|[A-Z]\.))"  # within a clause; the stop of "242.301" or "U.S." does not end it
_PLACEHOLDER = r"\[\s*(?i:insert)[^\]]{3,160}\]"
_FIRST_DAY = rf"the first business day (?:of|in) {_MONTH_YEAR}"
_WHEN = rf"(?:{_PLACEHOLDER}|{_DATE}|{_AFTER}|{_FIRST_DAY}|{_MONTH_YEAR})"
_WHO = (
    r"(?:[Tt]he (?:U\.?S\.? )?(?:Securities (?:and )?Exchange )?Commission|[Tt]he SEC|[Ww]e|[Tt]his [Oo]rder|"
    r"[Tt]he Division|[Tt]he staff)(?: \([^)]{3,60}\))?"
)
RULEISH = re.compile(
    r"\b(?:[Rr]ules?|[Aa]mendments?|[Rr]egulation|[Pp]ilot|[Rr]equirements?|[Pp]rovisions?|[Ff]orms?|[Ee]xceptions?|amend|CFR|"
    r"approaches|price test|restrictions|[Pp]rocedures|[Ii]ncrements?|[Cc]aps?|[Ss]tandards?|[Pp]lan|[Pp]roposal)\b|§"
)
# Words before the cue that make it a wish, a condition, a plan or another's view.
_NOT_SO = re.compile(
    r"\b(?:[Ii]f|[Uu]nless|[Ww]hether|would|could|should|might|may|[Cc]ommenters?|comment letters?|recommend\w*|suggest\w*|"
    r"urged?|request(?:ed|s)|asked|argu\w+|stat(?:ed|es|ing) that|believ\w+ that|assum\w+|until (?:such|the) time|"
    r"had (?:not|yet)|not (?:yet|been)|[Nn]o later than when|[Oo]nce|[Ww]hen|[Aa]s proposed|propos(?:ed|es|ing) (?:to|that|a)|"
    r"expects?|anticipat\w+|estimat\w+|petition\w*)\b"
)
_COMMENTING = re.compile(
    r"\b(?:[Cc]ommenters?|[Cc]omment(?:er)? letters?|[Ll]etter(?:s)? from|recommended|suggested|urged)\b|"
    r"\bLetter\b.{0,40}\bat \d"
)
# Looked for before anything else, in the raw text: nearly every sentence of a release lacks all of these.
CUES = re.compile(
    r"(?:19|20)\d\d|\[\s*[Ii][Nn][Ss]|\b(?:days|months|years?) |upon filing|stayed|vacated|hereby|approves|withdraw|companion|"
    r"deferr|sunset|same|proposed Rule|proposed to establish|proposed new|re-?open|exempti|[Pp]roposed amend|"
    r"proposing|adopting|amending|repealing|extending|denied the petition"
)
_PAST = re.compile(
    rf"(?:\b[Oo]n (?P<day>{_DATE})|\b[Ii]n (?P<month>{_MONTH_YEAR}))(?: \([^)]{{3,80}}\))?,?"
    rf"(?: and (?:again )?[^,]{{3,40}},)?(?: (?:pursuant to|under|in response to|by order|following|after|"
    rf"in light of)[^,]{{3,140}},)?"
    rf" (?P<who>{_WHO}),?(?: among other things,)?(?: (?:also|first|temporarily|again|initially|unanimously|then|"
    r"published an order that|had))*"
    r" (?P<verb>(?:re-?)?proposed|published(?: for (?:public )?comment)?|re-?opened|adopted|approved|amended|"
    r"eliminated|repealed|rescinded|"
    r"extended|delayed|postponed|suspended|designated|withdrew|stayed|issued|granted|exempted|provided)\b(?P<rest>.*)"
)
_ACTED = re.compile(
    rf"\b(?P<who>{_WHO}) (?:had |first |originally |initially |subsequently )?(?P<verb>(?:re-?)?proposed|adopted|"
    r"repealed|rescinded)"
    rf" (?P<rest>[^.;]{{3,160}}?) (?:on (?P<day>{_DATE})|in (?P<month>{_MONTH_YEAR}))"
)
_PASSIVE = re.compile(
    r"\b(?:was|were) (?P<verb>(?:re-?)?proposed|adopted|published) (?:for (?:public )?comment )?(?:by the Commission )?"
    rf"(?:in (?:Securities )?Exchange Act )?(?:Release No\. ?(?P<release>\d{{5,6}}) \((?P<day>{_DATE})\))"
)
_CITED = re.compile(
    rf"\bRel(?:ease|\.)(?: Nos?\.)? ?(?:34-)?(?P<release>\d{{5,6}})(?: \((?P<day>{_DATE})\))?"
    r"(?P<print>, \d{2,3} (?:FR|Fed\. Reg\.) \d{2,6}(?:, \d[\d, –-]{0,28}\d)?(?: \([^)]{6,30}\))?)?,? ?"
    r"(?:\(File No[^)]*\),? ?)?\((?:the )?[“\"]?(?P<label>[^()]{0,90})[”\"]?\)"
)
_LABELS: tuple[tuple[re.Pattern[str], EventKind | None], ...] = (
    (re.compile(r"(?i)\bapplication (?:of|for|by)\b"), None),
    (
        re.compile(r"(?i)\border (?:approving|granting approval)|approval order|\bapproving\b"),
        EventKind.APPROVED,
    ),
    (re.compile(r"(?i)\border (?:instituting|disapproving)|interpret|concept"), None),
    (re.compile(r"(?i)re-?open"), EventKind.REOPENED),
    (re.compile(r"(?i)adopting|adoption|final"), EventKind.ADOPTED),
    (
        re.compile(
            r"(?i)re-?proposing|proposing|\b(?:re-?)?proposal\b|proposed (?:rule|amend|rules)"
        ),
        EventKind.PROPOSED,
    ),
    (re.compile(r"(?i)exempti(?:on|ve)"), EventKind.EXEMPTED),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a pattern found: which of the sentence's words name the rule (`subject`), when, and whose event it is."""

    kind: EventKind
    subject: str
    when: str = ""
    role: Role | None = Role.EVENT
    release: str | None = None
    about: About | None = None
    change: str = ""
    removes: str = ""  # the words that name what is removed
    foreign: bool = (
        False  # said in passing: of a rule that is not the document's own, or not an event
    )


_REMOVAL = re.compile(
    r"(?i)\b(?:repeal|remov|rescind|eliminat)(?:ing|ed|e|es|s)?\b(?! (?:the )?(?:requirement|exception|exemption|need|"
    r"burden|restriction|"
    r"provision that))(?P<what>.*?)(?=,? (?:and )?(?:amend|add|adopt|establish)(?:ing|ed)\b|[;.]|$)"
)


_THE_RULE = re.compile(r"(?i)\s*(?:the|this|its)?\s*(?:[\w-]+ ){0,3}rule\b")


def removal_words(words: str) -> str:
    """The words that name what is repealed, removed or rescinded; "" where nothing is."""
    match = _REMOVAL.search(words)
    return match["what"] if match else ""


def removed_sections(words: str, sections: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the sections that these words name; all of them where they name none and there is one."""
    if not words:
        return ()
    said = [n.section for n in (names.numbered(words) or names.called(words))]
    whole = len(sections) == 1 and not said and _THE_RULE.match(words) is not None
    return tuple(s for s in sections if s in said) or (sections if whole else ())


_ASPECTS = re.compile(
    r"(?i)\bcertain (?:aspects|requirements|provisions|parts|portions|elements) (?:of|in) (?P<what>.{3,120}?)(?=;| from\b|$)"
)


def partly_meant(words: str, sections: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the sections of which the words mean a part: "certain aspects of Rule 10c-1a"."""
    said = {n.section for m in _ASPECTS.finditer(words) for n in names.numbered(m["what"])}
    return tuple(s for s in sections if s in said)


_OF_ITSELF = re.compile(
    r"(?i)(?:the|an?|its|this|that|temporary|initial|original|first|further|additional|compliance|effective|implementation|"
    r"operative|exemptions?|exemptive|relief|dates?|periods?|deadlines?|was|is|are|at|originally|also)*"
)


def cited_release(words: str) -> str | None:
    """The one release that a sentence cites, as that by which the thing was done."""
    found = set(re.findall(r"\bRel(?:ease|\.)(?: Nos?\.)? ?(?:34-)?(\d{5,6})\b", words))
    return f"34-{found.pop()}" if len(found) == 1 else None


def names_nothing(words: str) -> bool:
    """Whether words name no rule at all, as "the compliance date to May 3, 2021": they mean the rule spoken of."""
    head = re.split(rf"{_DATE}|[(,;:]| (?:by|to|until|from|in)\b", words)[0]
    return _OF_ITSELF.fullmatch(re.sub(r"\W+", "", head)) is not None


def one_line(words: str) -> str:
    """One line; the note marks of Federal Register text left out, its quotation marks as printed elsewhere."""
    plain = re.sub(r"\s*\\\d+\\|\[\^?\d+\]", "", words).replace("``", "“").replace("''", "”")
    return re.sub(r"\s+", " ", plain).strip()


def read_when(words: str) -> tuple[date | None, str | None]:
    """A stated day, else the wording; placeholders are wordings even where a date stands near."""
    words = words.strip()
    if not words:
        return None, None
    if placeholder := re.match(
        r"\[\s*(?i:insert)(?: (?i:date))?(?: (?i:that is|of))?\s*([^\]]*)\]?", words
    ):
        return None, re.sub(r"\s+", " ", placeholder[1]).strip().lower().replace(
            "federal register", "Federal Register"
        )
    day = next(iter(days(words)), None)
    return (day.on, None) if day else (None, words)


# --- what sentences say -------------------------------------------------------------------------

_DATED = re.compile(rf"\d{{4}}|(?i:\[\s*insert)|{_SPAN}|filing")


def stated_events(flat: str) -> Iterator[Draft]:
    """Every event a sentence states. A stem is looked for first: most sentences hold none."""
    lower = flat.lower()
    dated = _DATED.search(flat) is not None or " same " in flat
    if dated and "release" in lower:
        yield from _cited(flat)
    if (
        dated
        and ("comments" in lower or "submitted on or before" in lower)
        and "rebuttal" not in lower
    ):
        yield from _comments_due(flat)
    commenting = _COMMENTING.search(flat) is not None
    for stems, needs_date, read in _READERS:
        if commenting and read not in (_past, _filed):
            continue  # a commenter's view; what the Commission did on a day is so, whoever tells it
        if (dated or not needs_date) and any(stem in lower for stem in stems):
            yield from read(flat)


def _asserted(flat: str, start: int) -> bool:
    """Whether the cue at `start` is stated as fact: no condition, wish or other's view stands before it."""
    clause = max(
        flat.rfind("; ", 0, start), flat.rfind(" that ", 0, start - 200 if start > 200 else 0), 0
    )
    return _NOT_SO.search(flat, clause, start) is None


def _past(flat: str) -> Iterator[Draft]:
    """ "On August 20, 2009 we re-opened the comment period ..."."""
    for match in _PAST.finditer(flat):
        day = match["day"] or match["month"]
        rest = _clause(match["rest"])
        yield from _deed(match["verb"], rest, day, match["who"])
    for match in _ACTED.finditer(flat):
        if _asserted(flat, match.start()) and RULEISH.search(match["rest"]):
            yield from _deed(
                match["verb"], match["rest"], match["day"] or match["month"], match["who"]
            )
    if found := _PUBLISHED.search(flat):
        yield Draft(EventKind.PROPOSED, found["what"], found["day"], Role.ACTION)
    if found := _ALSO_PROPOSED.search(flat):
        yield Draft(EventKind.PROPOSED, found["what"], about=About.OTHER, foreign=True)
    for match in _PASSIVE.finditer(flat):
        kind = EventKind.ADOPTED if match["verb"] == "adopted" else EventKind.PROPOSED
        yield Draft(
            kind, flat[: match.start()], match["day"], Role.ACTION, f"34-{match['release']}"
        )


_PUBLISHED = re.compile(
    rf"\b[Oo]n (?P<day>{_DATE}), (?P<what>(?:the )?[Pp]roposed [Rr]ules? [^.;]{{3,120}}?) (?:was|"
    r"were) published for (?:public )?comment"
)
_ALSO_PROPOSED = re.compile(
    rf"\b{_WHO} (?:has |have )?(?:also )?proposed (?P<what>(?:new )?Rule \w+(?:-\d+)?(?= of Regulation| to | that )|"
    rf"to establish [^.;]{{5,80}})"
)


def _clause(rest: str) -> str:
    """The deed's own words: up to the next one in the same sentence."""
    return re.split(r"; | and (?:on|in) (?=[A-Z])|, which ", rest)[0][:400]


def _deed(verb: str, rest: str, day: str, who: str) -> Iterator[Draft]:
    verb = verb.lower().replace("-", "")
    if verb.startswith(("propos", "repropos", "published")):
        if RULEISH.search(rest[:200]) and (
            not verb.startswith("published") or "propos" in rest[:160]
        ):
            yield Draft(EventKind.PROPOSED, rest, day, Role.ACTION)
    elif verb.startswith("reopen"):
        yield Draft(EventKind.REOPENED, rest, day, Role.ACTION)
    elif verb in ("adopted", "amended", "eliminated", "repealed", "rescinded"):
        if RULEISH.search(rest[:200]):
            yield Draft(
                EventKind.ADOPTED, rest, day, Role.ACTION, removes=removal_words(f"{verb} {rest}")
            )
    elif verb == "approved":
        if re.search(
            r"\b(?:plan|rule change|amendments?|pilot|program|proposal)\b", rest, re.IGNORECASE
        ):
            yield Draft(EventKind.APPROVED, rest, day, Role.ACTION)
    elif verb in ("extended", "delayed", "postponed", "designated"):
        yield from extension_events(f" {rest.strip()}", None, None, day)
    elif verb == "suspended":
        yield Draft(EventKind.SUSPENDED, rest, day, Role.ACTION)
    elif verb == "withdrew":
        if re.search(r"propos", rest):
            yield Draft(EventKind.WITHDRAWN, rest, day, Role.ACTION)
    elif verb == "stayed":
        yield Draft(EventKind.STAYED, rest, day, Role.ACTION)
    elif verb in ("granted", "exempted", "provided") or re.search(r"\bexempt", rest[:250]):
        until = re.search(rf"\buntil ({_DATE})", rest)
        if until and re.search(r"exempt", verb + rest):
            yield Draft(EventKind.EXEMPTED, rest, until[1], Role.END)
        elif re.search(r"exempt", verb + rest[:300]):
            yield Draft(EventKind.EXEMPTED, rest, day, Role.ACTION)
    elif verb == "issued":
        yield from _issued(rest, day)


def _issued(rest: str, day: str) -> Iterator[Draft]:
    if "termination" in rest[:120]:
        return  # told by `_moved`
    if moved := re.search(
        rf"\b(?:resetting|extending|delaying) (?P<what>.{{3,120}}?) to (?:commence |begin )?(?:on )?({_DATE})",
        rest,
    ):
        yield Draft(EventKind.DELAYED, moved["what"], moved[2], Role.NEW_DATE)
    elif re.search(r"^ (?:a |the )?(?:\w+ )?release (?:re-?)?proposing|^ (?:a |its )?propos", rest):
        yield Draft(EventKind.PROPOSED, rest, day, Role.ACTION)
    elif re.search(r"\bstay(?:ing|ed)\b", rest[:120]):
        yield Draft(EventKind.STAYED, rest, day, Role.ACTION)


def extension_events(
    rest: str, release: str | None, about: About | None, day: str = ""
) -> Iterator[Draft]:
    """A date that is moved, with the new one where it is stated; or the Commission's own time to act."""
    acting = re.search(
        r"\b(?:period|time|date|deadline)\b.{0,60}\b(?:to approve|Commission action|for the Commission to|"
        r"within which to approve|"
        r"take action)",
        rest,
    )
    moved = re.match(
        r"(?: [\w-]+){0,12}? (?:compliance|effective|implementation|termination|expiration|commencement|operative)"
        r" (?:dates?|deadlines?|periods?)|(?: [\w-]+){0,3}? dates? for\b",
        rest,
    )
    until = re.search(rf"\b(?:to|until) ({_DATE})", rest) or re.search(
        rf"\bdesignated ({_DATE})", rest
    )
    if acting:
        yield Draft(
            EventKind.DELAYED,
            "",
            until[1] if until else day,
            Role.NEW_DATE if until else Role.ACTION,
            None,
            About.OWN,
        )
        return
    if not moved:
        if "exempti" in rest[:120]:
            when, role = (until[1], Role.END) if until else (day, Role.ACTION)
            yield Draft(EventKind.EXEMPTED, rest, when, role, release, about)
        return
    if re.search(r"termination|expiration", moved[0]):
        if until:
            yield Draft(EventKind.SUNSET, rest, until[1], Role.EVENT, release, about)
        return
    when, role = (until[1], Role.NEW_DATE) if until else (day, Role.ACTION)
    yield Draft(EventKind.DELAYED, rest, when, role, release, about)
    if until and about is About.OWN and "compliance" in moved[0]:
        yield Draft(EventKind.COMPLIANCE, rest, until[1], Role.EVENT, release, about)


_BE = (
    r"(?:is|are|was|were|will be|will become|became|becomes?|shall become|shall be|will take effect|took effect|"
    r"went into effect)"
)
_EFFECTIVE = re.compile(
    rf"\b{_BE}(?: also)?(?: fully| immediately)? (?:effective |in effect )?(?:as of |on |from )?(?P<when>{_WHEN})"
)
_EFFECTIVE_DATE = re.compile(
    rf"\b[Ee]ffective dates?(?: (?:of|for) (?P<what>{_IN}{{3,160}}?))? (?:is|was|will be|are|were) (?P<when>{_WHEN})"
)
_EFFECTIVE_WE = re.compile(
    rf"\b[Ee]ffective (?P<when>{_DATE}), (?P<what>{_WHO} (?:eliminated|repealed|adopted|amended|rescinded|removed|added)\b.*)"
)
_AS_OF = re.compile(
    rf"\b(?:was|were) (?:eliminated|rescinded|removed|repealed) (?:as of|on|effective) (?P<when>{_DATE})"
)
_FROM_TO = re.compile(
    rf"\b(?:is|are|will be|shall be) effective (?:from )?(?P<when>{_DATE}) (?:to|through|until) (?P<end>{_DATE})"
)


def _effective(flat: str, of_rules: bool = False) -> Iterator[Draft]:
    """of_rules: the words are of a field that speaks of nothing but rules."""
    for match in _EFFECTIVE.finditer(flat):
        before = flat[: match.start()]
        if not re.search(r"effective|effect\b", match[0]) or not _asserted(flat, match.start()):
            continue
        subject = before[-400:]
        if not (of_rules or RULEISH.search(subject)) or re.search(
            r"(?i)registration statement|membership", subject[-80:]
        ):
            continue
        yield Draft(EventKind.EFFECTIVE, subject, match["when"], Role.EVENT)
    for match in _EFFECTIVE_DATE.finditer(flat):
        if _asserted(flat, match.start()):
            yield Draft(EventKind.EFFECTIVE, match["what"] or "", match["when"], Role.EVENT)
    for match in _EFFECTIVE_WE.finditer(flat):
        removed = removal_words(match["what"])
        yield Draft(EventKind.EFFECTIVE, match["what"], match["when"], Role.EVENT, removes=removed)
    for match in _AS_OF.finditer(flat):
        gone = flat[: match.start()]
        yield Draft(EventKind.EFFECTIVE, gone, match["when"], Role.EVENT, removes=gone)
    for match in _FROM_TO.finditer(flat):
        if _asserted(flat, match.start()):
            yield Draft(EventKind.SUNSET, flat[: match.start()][-120:], match["end"], Role.EVENT)


_COMPLIANCE_DATE = re.compile(
    rf"\b[Cc]ompliance dates?(?: (?:for|of|with|under) (?P<what>{_IN}{{3,420}}?))? (?:is|was|will be|are|were)"
    r"(?: at first| originally| initially| first)?"
    rf"(?: the same as (?:its|the) effective date, )? ?(?:the first business day of [A-Z][a-z]+ \d{{4}}, or )?(?P<when>{_WHEN})"
)
_SAME_DATE = re.compile(
    r"\b[Cc]ompliance dates?(?: (?:for|of|with) (?P<what>[^;]{3,600}?))? (?:is|will be) the same(?: date)? as (?:its|the|their)"
    r" effective date\b(?!,)"
)
_COMPLY = re.compile(
    rf"\b(?:must|shall|(?:will|would) have to|will be required to|(?:are|is) required to|need to) (?:begin |start )?(?:to )?"
    rf"(?:fully )?(?:comply|be in compliance|complying)(?P<what>\b{_IN}{{0,260}}?)"
    rf"(?: on| by| as of| beginning(?: on)?| starting(?: on)?| no later than| by no later than| within)? (?P<when>{_WHEN})"
)
_MUST_FROM = re.compile(
    rf"\b(?:[Aa]s of|[Bb]eginning(?: on)?|[Ff]rom|[Ss]tarting) (?P<when>{_DATE}),? (?P<what>{_IN}{{3,200}}?"
    r"\b(?:must|shall|will be required to) comply\b.*)"
)
_PHASE = re.compile(
    r"\b(?:phase-?in(?: date| period)?|Phase (?:[IVX]+|\d|[Oo]ne|[Tt]wo|[Tt]hree|"
    rf"[Ff]our))\b(?P<what>{_IN}{{0,160}}?)(?: will begin| begins| begin| will start| will be| is)(?: on)?"
    rf" (?P<when>{_DATE})"
)
_PHASED = re.compile(
    rf"\b[Cc]ompliance(?P<what> with {_IN}{{3,200}}?) (?:is to be|will be|is being|was to be|shall be) phased in"
    rf"(?: from| beginning(?: on)?| starting(?: on)?| on)? (?P<when>{_DATE})"
)
_ADOPT_DATE = re.compile(
    r"\b(?:adopt(?:ed|ing)?|set|setting|establish(?:ed|ing)?) (?:a|the) (?:longer |shorter )?compliance (?:date|"
    r"period)(?: than it proposed)?"
    rf" (?P<what>for {_IN}{{3,120}}?)?"
    rf" ?(?:of|that is|[-–—]) ?(?P<when>{_WHEN})"
)
_COMMENCES = re.compile(
    rf"\b(?P<what>(?:requirements?|obligations?)\b{_IN}{{0,80}}?) will (?:commence|begin|apply|"
    rf"take effect)(?: on)? (?P<when>{_WHEN})"
)
_SUBMIT = re.compile(
    rf"\b(?:must|shall|(?:is|are|will be) required to|requires? (?:the )?[\w ]{{3,80}}? to) (?:jointly )?(?:file|submit)\b"
    rf"(?P<what>{_IN}{{0,200}}?) (?:on or before|within|by|no later than) (?P<when>{_SPAN} (?:after|from|following) (?:the )?"
    rf"(?:date of )?(?:publication|effective date|Effective Date){_IN}{{0,80}})"
)
_HAVE_TIME = re.compile(
    rf"\b(?:will|shall) have (?P<when>{_SPAN} (?:from|after|following) (?:the )?(?:[Ee]ffective [Dd]ate|"
    rf"publication)[^.;,]{{0,40}}?)"
    r" (?P<what>(?:to|in which to) .{5,200})"
)
_MORE_TIME = re.compile(
    rf"\b(?:additional|have) (?P<when>{_SPAN} (?:from|after) the (?:time|date) that {_IN}{{5,120}}?) (?P<what>to comply .*)"
)
_DUE = re.compile(
    rf"\b(?P<what>(?:[Ff]orm|[Rr]eports?|[Ff]ilings?|submissions?|notices?)\b{_IN}{{0,220}}?)"
    rf"(?:will be |were |was |is |are |also are |originally )+due (?:by|on) (?P<when>{_DATE})"
)
_WINDOW = re.compile(
    rf"(?P<what>)\bno (?:earlier|sooner) than {_DATE},? (?:and|but) no later than (?P<when>{_DATE})"
)


def _complied(flat: str) -> Iterator[Draft]:
    for pattern in (_COMPLIANCE_DATE, _COMPLY, _MUST_FROM, _PHASE, _PHASED, _ADOPT_DATE, _COMMENCES, _SUBMIT, _HAVE_TIME,
                    _MORE_TIME, _DUE, _WINDOW):  # fmt: skip
        for match in pattern.finditer(flat):
            firm = pattern is _MORE_TIME or _asserted(flat, match.start())
            if not firm or (re.match(r" (?:to|until)\b", flat[match.end() :]) and pattern is _DUE):
                continue
            if " not " in (match["what"] or "") and pattern is _COMPLY:
                continue
            if pattern is _WINDOW and not re.search(
                r"\brequire[ds]?\b|\bmust\b|\bshall\b", flat[: match.start()]
            ):
                continue
            # "must comply by May 3" has no object but the document's own rule.
            bare = pattern is _COMPLY and not re.search(r"\bwith\b", match["what"])
            subject = "" if bare and not names.numbered(flat) else _rule_of(flat, match)
            yield Draft(EventKind.COMPLIANCE, subject, match["when"], Role.EVENT)
    for match in _SAME_DATE.finditer(flat):
        if _asserted(flat, match.start()):
            yield Draft(
                EventKind.COMPLIANCE,
                match["what"] or flat[: match.start()],
                "the same date as the effective date",
            )


def _rule_of(flat: str, match: re.Match[str]) -> str:
    """The words that name the rule: the matched ones where they do, else those before."""
    what = match["what"] or ""
    return (
        what
        if names.numbered(what) or names.called(what)
        else f"{flat[: match.start()][-200:]} {what}"
    )


_MOVED = re.compile(
    r"\b(?P<verb>extend(?:ed|ing)|delay(?:ed|ing)|postpon(?:ed|ing))(?P<rest> (?:the |its |three of the )?(?:initial )?"
    r"(?:future )?(?:compliance|effective|termination|expiration) dates?\b[^;]{0,300})"
)


def _moved(flat: str) -> Iterator[Draft]:
    """ "... extended the initial compliance date of the Rule from April 1, 2001 to April 1, 2002 and ..."."""
    if _PAST.search(flat) and not re.search(r"termination|expiration", flat):
        return  # told with the day it was done
    for match in _MOVED.finditer(flat):
        # "is extending" is the document's own deed, told by its announcement.
        if not re.search(r"\b(?:is|are)(?: also)? $", flat[: match.start()]) and _asserted(
            flat, match.start()
        ):
            yield from extension_events(match["rest"], None, None)


_ENDS = re.compile(
    rf"\b(?:will |shall |(?:is|are|was) (?:currently )?(?:scheduled|set) to |by its terms )?(?:expires?|expired|"
    rf"terminates?|terminated|ends|ended|sunsets?) (?:by its terms )?(?:on|as of) (?P<when>{_DATE})"
)
_THAT_ENDS = re.compile(
    r"(?i)\b(?:pilots?|temporary|interim|rules?|order|exemptions?|exception|program|relief)\b(?! period)"
)
_AUTOMATIC = re.compile(
    r"\b(?P<what>automatic(?:ally)? sunset)s? at (?P<when>the ?end of the \w+ (?:year|month|quarter)(?: of the \w+)?)"
)


def _ended(flat: str) -> Iterator[Draft]:
    for match in _ENDS.finditer(flat):
        near = flat[max(0, match.start() - 120) : match.start()]
        if re.search(r"\b(?:period|process)\b[^,;]{0,30}$|\bauthority to\b", near):
            continue
        if (
            _THAT_ENDS.search(near)
            and "comment" not in near
            and _asserted(flat, match.start("when"))
        ):
            relief = "relief" if re.search(r"(?i)exempti|relief|no-action|\border\b", near) else ""
            yield Draft(EventKind.SUNSET, near, match["when"], Role.EVENT, change=relief)
    for match in _AUTOMATIC.finditer(flat):
        if not re.search(r"\bwithout\b|\bwould\b|^Under\b", flat[: match.start()]):
            yield Draft(EventKind.SUNSET, flat[: match.start()], match["when"])


_STAYED = re.compile(
    r"\b(?:Commission|court|Court|Circuit|order)\b[^.;]{0,60}\bstayed (?P<what>(?:the )?(?:effectiveness|Rules?|"
    r"amendments?|compliance)\b[^;]{0,200})"
)
_LIFTED = re.compile(
    r"\b(?:lifted|dissolved|vacated) (?:the |its )?(?:partial )?stay(?P<what> (?:of|on)\b[^;]{0,200})?"
)
_VACATED = re.compile(
    r"\b(?:court|Court|Circuit)\b[^.;]{0,80}\bvacated (?P<what>(?:the )?(?:[Rr]ules?|amendments?|pilot|Pilot|"
    r"order adopting)\b[^;]{0,200})"
)
_UPHELD = re.compile(
    r"\b(?:[Cc]ourt|Circuit)\b[^.;]{0,120}\b(?:denied|dismissed|rejected) (?:the |these |those )?"
    r"(?:petitions?(?: for review)?|petitioners[’']? challenges?)(?P<what>[^.;]{0,200})"
)
_APPROVES = re.compile(
    r"\b(?:be,? and (?:it )?hereby is,? approved|[Tt]his order (?:grants approval|approves)|(?:Commission|"
    r"[Ww]e) (?:is|are) approving)\b"
)


def _ordered(flat: str) -> Iterator[Draft]:
    for pattern, kind in (
        (_STAYED, EventKind.STAYED),
        (_LIFTED, EventKind.LIFTED),
        (_VACATED, EventKind.VACATED),
        (_UPHELD, EventKind.UPHELD),
    ):
        for match in pattern.finditer(flat):
            denied = kind is not EventKind.UPHELD and re.search(
                r"did not|denied", flat[: match.end()]
            )
            if _asserted(flat, match.start()) and not denied:
                when, role = _on_a_day(flat[: match.start()])
                yield Draft(kind, match["what"] or flat, when, role)
    if found := _APPROVES.search(flat):
        yield Draft(EventKind.APPROVED, "", SIGNED, Role.ACTION, None, About.OWN)
    if "withdraw" in flat and re.search(
        r"\b(?:Commission|SEC|[Ww]e) (?:is|are) withdrawing (?:the |its |a )?(?:\w+ )?propos", flat
    ):
        yield Draft(EventKind.WITHDRAWN, flat, "", None, None, About.OWN)
    if found := re.search(
        r"separate (?:companion )?release, (?:we|the Commission) (?:are|is) (?P<verb>re-?proposing|proposing)(?P<what>.*)",
        flat,
    ):
        yield Draft(EventKind.PROPOSED, found["what"], about=About.OTHER)
    if found := re.search(
        r"\b(?:deferring|deferred) consideration of (?P<what>the propos.*)", flat
    ):
        yield Draft(EventKind.DELAYED, found["what"], "", None, None, About.EARLIER, "proposal")


def _on_a_day(before: str) -> tuple[str, Role | None]:
    """The day that words before a deed begin with: "On October 14, 2025, the Court of Appeals"."""
    match = re.search(rf"\b[Oo]n ({_DATE}),[^;]{{0,160}}$", before)
    return (match[1], Role.ACTION) if match else ("", Role.EVENT)


_EXEMPT_UNTIL = re.compile(
    r"\b(?:temporarily exempted|(?:is|are|be,? and hereby (?:is|"
    rf"are),?) (?:temporarily )?exempt(?:ed)?)\b(?P<what>[^;]{{3,300}}?)"
    rf" until (?P<when>{_DATE}|{_FIRST_DAY})"
)


_RELIEF_EXTENDED = re.compile(
    r"\bextended (?:the|its|this|these|that) (?:temporary |limited |conditional )*exempti(?:ons?|"
    rf"ve relief)\b(?P<what>[^;]{{0,200}}?)"
    rf" (?:to|until|through) (?P<when>{_DATE})"
)


_RELIEF_LASTS = re.compile(
    r"\bexempti(?:ons?|ve relief)(?: from (?P<what>[^;]{3,200}?))?(?: now)? (?:lasts?|continues?|remains? in effect)"
    r" (?:until|through)"
    rf" (?P<when>{_DATE}|{_FIRST_DAY})"
)


def _relieved(flat: str) -> Iterator[Draft]:
    for match in _RELIEF_EXTENDED.finditer(flat):
        yield Draft(EventKind.EXEMPTED, match["what"], match["when"], Role.END)
    for pattern in (_EXEMPT_UNTIL, _RELIEF_LASTS):
        for match in pattern.finditer(flat):
            if _asserted(flat, match.start()):
                yield Draft(EventKind.EXEMPTED, match["what"] or "", match["when"], Role.END)


_FILED = re.compile(
    rf"\b(?:On|given that,? on) (?P<day>{_DATE}), (?:(?:the )?[A-Z][^;]{{3,700}}?) filed with the (?:Securities and "
    r"Exchange )?Commission\b"
)
_PROPOSAL = re.compile(r"propos|[Pp]lan")
_WITHDREW = re.compile(
    rf"\bOn (?P<day>{_DATE}), (?:the )?[A-Z][\w .,&“”()-]{{2,80}} withdrew (?P<what>the (?:proposed|proposal)[^.]*)"
)
_IMMEDIATE = re.compile(
    r"\b(?:proposed rule change|proposal)\b[^.;]{0,60}\b(?:was|is|became|has become) immediately effective upon filing"
)


def _filed(flat: str) -> Iterator[Draft]:
    """What an exchange files with the Commission: no section of the CFR is touched."""
    match = _FILED.search(flat)
    if match and "Amendment No" not in match[0] and _PROPOSAL.search(flat, match.end()):
        yield Draft(
            EventKind.PROPOSED, "proposed rule change", match["day"], Role.ACTION, None, About.OTHER
        )
    if match := _WITHDREW.search(flat):
        yield Draft(EventKind.WITHDRAWN, "filing", match["day"], Role.ACTION, None, About.OTHER)
    if _IMMEDIATE.search(flat):
        yield Draft(
            EventKind.EFFECTIVE,
            "rule change of an exchange",
            "upon filing",
            None,
            None,
            About.OTHER,
        )


_COMMENTS_DUE = re.compile(
    rf"\b[Cc]omments\b{_IN}{{0,120}}\b(?:should|must|are to|will|given to comments)\b[^;]{{0,160}}?\b(?:on or before|"
    rf"by) (?P<when>{_DATE})"
)
_GIVEN_TO = re.compile(rf"\bgiven to comments\b[^;]{{0,120}}\bby (?P<when>{_DATE})")
_SUBMITTED_BY = re.compile(rf"\bshould be submitted on or before (?P<when>{_DATE})")


def _comments_due(flat: str) -> Iterator[Draft]:
    for pattern in (_COMMENTS_DUE, _GIVEN_TO, _SUBMITTED_BY):
        if match := pattern.search(flat):
            yield Draft(
                EventKind.COMMENT_DEADLINE, flat, match["when"], Role.EVENT, None, About.OWN
            )
            return


def _cited(flat: str) -> Iterator[Draft]:
    """A release cited with its day and called what it is: (“Proposing Release”)."""
    for match in _CITED.finditer(flat):
        if not (match["day"] or match["print"]):
            continue
        kind = next((kind for label, kind in _LABELS if label.search(match["label"])), None)
        if kind is not None and (match["day"] or kind is EventKind.PROPOSED):
            subject = f"{flat[max(0, match.start() - 60) : match.start()]}{CALLED}{match['label']}"
            yield Draft(kind, subject, match["day"] or "", Role.ACTION, f"34-{match['release']}")


# --- the DATES field ----------------------------------------------------------------------------

CAPTION = re.compile(
    r"(?i)(?:\bDATES? ?:\s*)?\b(effective|compliance|comments?)(?: and (?:effective|"
    r"compliance))?(?:(?: dates?(?: for [^:.]{3,60})?)?\s*:\s*"
    rf"|(?: date)?\s*(?=\d{{4}}-\d\d-\d\d)| date(?={MONTH}\b))"
)
_STOP = re.compile(r"(?<=[^A-Z.]\.)\s+(?=[A-Z])")


def captioned_parts(words: str) -> Iterator[tuple[int, int, str]]:
    """Sentences of a field with the caption they stand under: (start, end, "effective" | "compliance" | "comment" | "").

    A field is cut at its stops and captions alone: page breaks leave blank lines inside its placeholders.
    """
    marks = {m.start(): m[1].lower().removesuffix("s") for m in CAPTION.finditer(words)}
    cuts = sorted({0, *marks, *(m.end() for m in _STOP.finditer(words)), len(words)})
    for low, high in itertools.pairwise(cuts):
        if trimmed := words[low:high].strip():
            yield low, low + len(words[low:high].rstrip()), marks.get(low, "") if trimmed else ""


_ELSEWHERE = re.compile(r"(?i)\bsee section|\bdiscussed in\b|\bsee part\b")
_THEN = re.compile(rf"^(?P<when>{_WHEN})(?: (?:through|to|until) (?P<end>{_DATE}))?")
_EXCEPT = re.compile(
    r"\b(?:except|and)(?: that)? (?P<what>[^;]{3,200}?),? (?:which )?(?=(?:is|are|will be|shall become|shall be) effective)"
)


def field_events(flat: str, mode: str, release: str | None) -> Iterator[Draft]:
    body = CAPTION.sub("", flat, count=1)
    own = {"release": release, "about": About.OWN}
    if _COMMENTS_DUE.search(flat) or mode == "comment":
        yield from _comments_due(flat)
        return
    kind = EventKind.COMPLIANCE if mode == "compliance" else EventKind.EFFECTIVE
    told = [*_complied(body), *_effective(body, True)]
    first = _THEN.match(body)
    if first and mode:
        cut = body[: first.end()]
        yield Draft(kind, cut if names.numbered(cut) else "", first["when"], Role.EVENT, **own)  # type: ignore[arg-type]
        if first["end"]:
            yield Draft(EventKind.SUNSET, "", first["end"], Role.EVENT, **own)  # type: ignore[arg-type]
        body = body[first.end() :]
        told = [
            d
            for part in re.split(r"(?:,? except|, and) (?=§|Part|Rule|2\d\d\.)", body)[1:]
            for d in _effective(part, True)
        ]
    elif mode == "compliance" and not told and not _ELSEWHERE.search(body):
        told = [Draft(kind, body, day, Role.EVENT) for day in re.findall(_DATE, body)[:1]]
        if not told and len(body) < 200 and body:
            told = [Draft(kind, "", body.rstrip(". "))]
    for draft in told:
        yield replace(draft, **own)  # type: ignore[arg-type]


_READERS: tuple[tuple[tuple[str, ...], bool, Callable[[str], Iterator[Draft]]], ...] = (
    (("on ", "in ", "proposed", "adopted"), False, _past),
    (("effect", "eliminated", "repealed", "rescinded", "removed"), True, _effective),
    (
        (
            "compl",
            "phase",
            " due ",
            "no later than",
            "on or before",
            "commence",
            "from the effective",
        ),
        True,
        _complied,
    ),
    (("extend", "delay", "postpon"), True, _moved),
    (("expire", "terminate", "end", "sunset"), False, _ended),
    (
        ("stay", "vacated", "approv", "withdrawing", "companion", "consideration", "petition"),
        False,
        _ordered,
    ),
    (("exempt",), True, _relieved),
    (("filed with", "withdrew", "upon filing"), True, _filed),
)
