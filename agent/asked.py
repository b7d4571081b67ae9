"""Question in, the kind of thing that would answer it out; and why chosen sentences do not hold one.

No score tells a near miss from an answer: passages on the right subject, in the question's own words, rank
alike whether or not they state what was asked (measured: cosine, BM25 and coverage separate 83
answerable from 22 unanswerable dev questions with an AUC of 0.5 to 0.6). So the refusal asks what a
careful reader asks: for a count, does any sentence count that; for a price, does any give one; is the
named thing in any cited document; is the period the one asked; does an old source speak for today?
"""

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.reply import Stage
from agent.retrieve import written_as
from agent.values import ValueKind, values
from agent.verify import EvidenceSentence
from ingest.catalog import Held
from ingest.tokens import terms

DATES = frozenset({ValueKind.DATE, ValueKind.DURATION})
AMOUNTS = frozenset({ValueKind.MONEY, ValueKind.RATE})
LASTING = frozenset({ValueKind.DURATION})
COUNTS = frozenset({ValueKind.COUNT, ValueKind.DURATION, ValueKind.ORDINAL})

_STALE = timedelta(days=5 * 365)
_VERBS = (
    r"(?:is|are|was|were|did|do|does|has|have|had|must|may|can|could|would|will|should|per|in|at|"
    r"after|before|each|for)"
)
_KINDS: tuple[tuple[re.Pattern[str], frozenset[ValueKind]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kinds)
    for pattern, kinds in (
        (
            r"\b(?:when|until when|by when|(?:what|which) (?:\w+ )?(?:dates?|day|month|year)|deadline|"
            r"effective date|compliance date|target date)\b",
            DATES,
        ),
        (r"\b(?:how soon|how often|how fast|what window)\b", DATES),
        (r"\b(?:how long|duration)\b", LASTING),
        (r"\bhow many (?:\w+ )?(?:days|weeks|months|years|hours)\b", DATES),
        (
            r"\b(?:what|which) (?:(?:is|was|are|were|would be) (?:the |an? )?)?(?:[\w-]+ ){0,3}?"
            r"(?:increments?|ticks?|tick sizes?|caps?|thresholds?|limits?|minimums?|maximums?)\b",
            AMOUNTS | COUNTS,
        ),
        (r"\b(?:how much|fee caps?|what (?:\w+ )?(?:fee|price|dividend|amount|total|cost))\b", AMOUNTS),
        (r"\b(?:percent\w*|what (?:share|part|slice|portion|fraction))\b", AMOUNTS | COUNTS),
        (r"\b(?:how many|how (?:high|low|large|big|small|bad)|threshold|what (?:number|level))\b", COUNTS | AMOUNTS),
    )
)  # fmt: skip
_ROLES = {
    role: re.compile(pattern, re.IGNORECASE)
    for role, pattern in {
        "effective": r"\beffective\b|\b(?:be|stay) in effect\b|\btake effect|\btook effect|\bgo away|\bin force\b|\bkick in",
        "compliance": r"\bcompliance\b|\bcomply\b|\bbind\b|\bbinding\b|\b(?:have|had) to (?:meet|obey|follow|be ready)\b",
        "comments due": r"\bcomments? (?:due|period)|\bcould one comment|\bstill comment",
    }.items()
}
_COUNTED = re.compile(rf"\bhow many (?!of )(?:[\w-]+ ){{0,4}}?([\w-]+)(?= {_VERBS}\b|[,?])", re.I)
_MEASURED = re.compile(r"\bhow many ((?:milli|micro|nano)?seconds|minutes|cents|shares)\b", re.I)
_PRICED = re.compile(
    r"\b(?:what|which|at what) (?:[\w-]+ ){0,2}"
    r"(fee|price|strike|rebate|charge|dividend|penalty|fine|salary)s?\b",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"\b(?:what|which) percentage\b", re.IGNORECASE)
_SIZED = re.compile(
    r"\b(?:what|which) (?:dollar|percentage) or (?:dollar|percentage)\b", re.IGNORECASE
)
_REPLACED = re.compile(r"\b(?:what|which)\b[^?,]* (?:replaced|superseded)\b", re.IGNORECASE)
_REPLACING = re.compile(
    r"\b(?:replac|supersed|substitut)\w*|\b(?:instead|in place) of\b", re.IGNORECASE
)
_HAPPENED = re.compile(
    r"\b(?:by )?how (?:much|far|many (?!days|weeks|months|years))\b[^?]*\bdid\b|\bhow did\b[^?]*\bchange\b",
    re.I,
)
_EXPECTED = re.compile(
    r"\b(?:would|will|could|may|might|should|expects?|estimates?|unclear)\b", re.IGNORECASE
)
_PERSON = re.compile(
    r"\b(?:which|what) (judge|justice|commissioner|senator|lawyer|auditor)\b", re.I
)
_YEAR = re.compile(r"\b(19[89]\d|20[0-4]\d)\b")
_AHEAD = re.compile(
    r"^on [A-Z]|\b(?:will|would|due|until|by when|comply|compliance|effective|as of|start of|end of)\b",
    re.I,
)
_ANYONE = frozenset(terms("people persons firms names times ways"))
_NAMED = re.compile(r"(?<!^)\b(?:[A-Z][a-z]+[A-Z]\w*|[A-Z]{2,}\w*|\d+[A-Z]\w*|[A-Z][a-z]{2,})\b")
_PHRASE = re.compile(
    r"(?<!^)\b[A-Z][\w-]+(?: (?!January|February|March|April|May|June|July|August)[A-Z][\w-]*)+"
)
_QUARTER = re.compile(
    r"\b(?:(first|second|third|fourth) (?:fiscal )?quarter|Q([1-4]))\b(?:(?: of)? (\d{4}))?", re.I
)
_QUARTERS = ("first", "second", "third", "fourth")
_MONTHS = tuple(calendar.month_name)[1:]
_NO_NAMES = frozenset({"European", "American", "Europe", "America", "Congress", *_MONTHS})
# "Start of January 2009" is a moment to answer for, not a thing that a document must be from.
_MONTH = re.compile(
    rf"(?<![Aa]s of )(?<!\d )(?<![Ss]tart of )(?<![Ee]nd of )(?<![Mm]id-)\b({'|'.join(_MONTHS)}) (\d{{4}})\b"
)
_NOW = re.compile(
    r"\b(?:today|currently|current|nowadays|at present|right now|latest|(?:is|are) [\w ]{0,20}?(?:proposing|"
    r"planning|considering)|has [\w ]{1,40}? been)\b",
    re.IGNORECASE,
)
_BINDING = re.compile(
    r"\b(?:compliance date|effective date|amended rule|final(?:ly)?|adopted|mandatory|in force)\b",
    re.IGNORECASE,
)
_DRAFT = re.compile(r"\bpropos|\bdraft|\bcommenters?\b|\bcritics\b|\bwould\b", re.IGNORECASE)
_NOT_ADOPTED = frozenset({Stage.PROPOSED, Stage.HYPOTHETICAL, Stage.REJECTED})
_RARE = 0.01  # a name in more than this share of passages tells nothing


@dataclass(frozen=True, slots=True)
class Chosen:
    """A sentence that would ship, and the document it is from. text: the whole document's, when asked for."""

    quote: EvidenceSentence
    held: Held
    text: Callable[[], str]


_ASKING = r"(?:what|which|who|whose|whom|when|where|how|why|did|does|do|is|are|was|were|can|could|may|must|should|would|had|has)"
_BY = r"(?:(?:for|by|to|until|at|in|from|on|under|of|with)\s+)?"
_BETWEEN = re.compile(
    rf"[,;:.]\s+(?:(?:and|but|or|then)\s+)?(?={_BY}{_ASKING}\b)"
    rf"|\s+and\s+(?={_BY}(?:what|which|who|whose|when|where|how|why)\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(rf"{_BY}{_ASKING}\b", re.IGNORECASE)


def asks(question: str) -> list[str]:
    """The things asked in one question, "what triggers the halt" and "for how long does it last"; [] where it is one."""
    parts = [part.strip(" ,;:.?") for part in _BETWEEN.split(question)]
    found = [p for p in parts if _ASKS.match(p) and len(re.findall(r"\w{3,}", p)) >= 3]
    return found if len(found) > 1 else []


def wanted(question: str) -> list[frozenset[ValueKind]]:
    """The kinds of value asked for, one set for each thing asked; [] when no value is."""
    return [kinds for pattern, kinds in _KINDS if pattern.search(question)]


def wanted_roles(question: str) -> frozenset[str]:
    """Which dates of a rule are asked for, by their role in agent.values; empty when none is named."""
    return frozenset(role for role, asked in _ROLES.items() if asked.search(question))


def wanted_counts(question: str) -> list[str]:
    """The things a question asks the number of: "customers" in "at how many customers"."""
    names = (match[1] for match in _COUNTED.finditer(question))
    return [n for n in names if not n.endswith("ed") and not set(terms(n)) & _ANYONE]


_LASTS = re.compile(
    r"\b(?:for|until|through|during|throughout) (?:the )?(?:remainder|rest|duration|following|next|entire|end|close)\b"
    r"|\b(?:so|as) long as\b|\buntil\b|\bindefinitely\b|\bthrough [A-Z]\w+ \d",
)


def gives(asked: frozenset[ValueKind], sentence: str, kinds: frozenset[ValueKind]) -> bool:
    """Whether a sentence with values of these kinds gives the kind asked for; "for the rest of the day" is a duration too."""
    return bool(asked & kinds) or (asked == LASTING and bool(_LASTS.search(sentence)))


def counts(sentence: str) -> frozenset[str]:
    """Terms of what a sentence counts or measures in time."""
    found = (v for v in values(sentence) if v.kind in COUNTS)
    return frozenset(term for v in found for term in terms(v.unit))


def lacking(
    question: str,
    chosen: Sequence[Chosen],
    share: Callable[[str], float],
    as_of: datetime,
) -> list[str]:
    """What was asked for and no chosen sentence holds, in words; [] when nothing speaks against them.

    share: the share of passages known by then that contain a term.
    """
    reasons: list[str] = []
    counted = {t for c in chosen for t in counts(c.quote.text)}
    reasons += [
        f"no count of {name}" for name in wanted_counts(question) if not set(terms(name)) & counted
    ]
    for match in _PRICED.finditer(question):
        thing = set(terms(match[1]))
        if not any(thing & set(terms(c.quote.text)) and _priced(c.quote.text) for c in chosen):
            reasons.append(f"no {match[1]} with an amount")
    reasons += [
        f"no number of {unit}"
        for unit in _MEASURED.findall(question)
        if not set(terms(unit)) & counted
    ]
    if _PERCENT.search(question) and not any("%" in t or "percent" in t for t in _texts(chosen)):
        reasons.append("no percentage")
    if _SIZED.search(question) and not any(
        "%" in t or "percent" in t or _priced(t) for t in _texts(chosen)
    ):
        reasons.append("no amount and no percentage")
    if _REPLACED.search(question) and not any(map(_REPLACING.search, _texts(chosen))):
        reasons.append("nothing that replaces it")
    if chosen and _HAPPENED.search(question) and all(map(_EXPECTED.search, _texts(chosen))):
        reasons.append("only what was expected, not what happened")
    reasons += [
        f"no {who} is named"
        for who in _PERSON.findall(question)
        if not any(re.search(rf"\b{who}s? [A-Z]", c.quote.text, re.I) for c in chosen)
    ]
    reasons += [f"nothing on {name}" for name in _absent(question, chosen, share)]
    reasons += _other_period(question, chosen) + _other_month(question, chosen)
    reasons += _before_it_happened(question, chosen)
    dates = [c.held.known_at for c in chosen]
    if _NOW.search(question) and dates and as_of - max(dates) > _STALE:
        reasons.append("only sources too old to speak for now")
    drafts = all(c.quote.stage in _NOT_ADOPTED for c in chosen)
    if chosen and drafts and _BINDING.search(question) and not _DRAFT.search(question):
        reasons.append("only what was proposed or suggested, not what was adopted")
    return reasons


def _texts(chosen: Sequence[Chosen]) -> list[str]:
    return [c.quote.text for c in chosen]


def _before_it_happened(question: str, chosen: Sequence[Chosen]) -> list[str]:
    """A document of 2010 does not say what happened in 2011."""
    years = [int(year) for year in _YEAR.findall(question)]
    if not years or not chosen or _AHEAD.search(question):
        return []
    newest = max((c.held.metadata.published_on or c.held.known_at).year for c in chosen)
    return [f"only documents from before {max(years)}"] if newest < max(years) else []


def _priced(text: str) -> bool:
    return any(v.kind in AMOUNTS for v in values(text))


def _absent(question: str, chosen: Sequence[Chosen], share: Callable[[str], float]) -> list[str]:
    """Names of several words, and rare names of one, that stand in no document cited."""
    phrases = list(dict.fromkeys(_PHRASE.findall(question)))
    single = dict.fromkeys(n for n in _NAMED.findall(question) if n not in _NO_NAMES)
    rare = [n for n in single if 0 < max(map(share, terms(n)), default=1.0) <= _RARE]
    inside = {name for phrase in phrases for name in phrase.split()}
    names = [*phrases, *(name for name in rare if name not in inside)]
    return [name for name in names if not any(_stands_in(name, c) for c in chosen)]


def _stands_in(name: str, chosen: Chosen) -> bool:
    """Whether the cited document names it, in these words or as the field abbreviates them."""
    meta = chosen.held.metadata
    words = f"{chosen.held.title} {meta.company or ''} {chosen.text()}".lower()
    written = re.sub(r"\breg\b", "regulation", name.lower())
    # Whole words: "Form SHO" is not in "this form should".
    ways = {name.lower(), written, written.removesuffix("s"), *_numbered(name)}
    said = "|".join(re.escape(n) for n in ways)
    return re.search(rf"(?<!\w)(?:{said})(?:s|es)?(?!\w)", words) is not None


_ACT = re.compile(r"\d{3,4}/\d{2,4}")


def _numbered(name: str) -> list[str]:
    """The number under which a document knows the act of that name: "600/2014" of MiFIR."""
    return [n for added in written_as(name) for n in _ACT.findall(added)]


def _other_period(question: str, chosen: Sequence[Chosen]) -> list[str]:
    missing: list[str] = []
    for ordinal, number, year in _QUARTER.findall(question):
        name = ordinal.lower() or _QUARTERS[int(number) - 1]
        asked = f"{name} quarter"
        said = any(
            asked in t and (not year or year in t) for t in (c.quote.text.lower() for c in chosen)
        )
        if not said and not any(_reports(c.held, _QUARTERS.index(name) + 1, year) for c in chosen):
            missing.append(f"nothing for the {asked} {year}".rstrip())
    return missing


def _other_month(question: str, chosen: Sequence[Chosen]) -> list[str]:
    """Months of the question ("the June 2026 order") that no cited document is from or speaks of."""
    return [
        f"nothing from {month} {year}"
        for month, year in dict.fromkeys(_MONTH.findall(question))
        if not any(_from_month(c, month, year) for c in chosen)
    ]


def _from_month(chosen: Chosen, month: str, year: str) -> bool:
    number = _MONTHS.index(month) + 1
    meta = chosen.held.metadata
    days = (meta.published_on, meta.effective_on, meta.compliance_on, meta.period)
    if any(day and (day.year, day.month) == (int(year), number) for day in days):
        return True
    written = rf"\b{month[:3]}\w*\.? (?:\d{{1,2}}, )?{year}\b|\b{year}-{number:02}-"
    return re.search(written, chosen.text()) is not None


def _reports(held: Held, quarter: int, year: str) -> bool:
    period = held.metadata.period
    return bool(period and (period.month + 2) // 3 == quarter and year in ("", str(period.year)))
