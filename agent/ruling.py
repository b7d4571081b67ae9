"""A question on the state of a rule and the rulebook in, the quoted sentences that answer it out.

"Is Rule 611 in force?" and "What compliance date applies to Rule 605?" share few words with what answers them ("DATES: The
effective date …"). The rulebook has read those passages and knows what they are, so they come from there, through the same
gate as any other sentence.
"""

import re
from collections.abc import Iterable, Sequence
from math import inf

from agent.asked import wanted_roles
from agent.brief import asks_impact
from agent.compose import NOTHING, Candidate
from agent.reply import Part, Passage, Standing
from agent.status import Rulebook
from agent.verify import EvidenceSentence
from ingest.catalog import Held
from ingest.rules.kinds import EventKind
from ingest.rules.state import Line, State
from ingest.tokens import terms

MOST = 4  # quotes for one question
_LONGEST = 600  # characters; a longer passage states its event among much else
_LONGEST_LIST = 1200
_ASKS_WHEN = re.compile(r"\b(?:when|how soon|what date|which date)\b", re.IGNORECASE)

_STANDING = (
    r"in (?:force|effect)|effective(?! date)|binding|(?:the )?law|stayed|on hold|withdrawn|vacated|rescinded|repealed|abolished|"
    r"(?<!as )adopted|finali[sz]ed|final(?! rule)|(?:only |just |merely )?(?:a )?propos(?:ed|al)|taken effect|suspended|delayed|"
    r"postponed|exempt(?:ed)?|under (?:a stay|(?:exemptive )?relief)"
)
_ASKS_STATE = re.compile(
    rf"(?:^|[,:;] )(?:and )?(?:is|are|was|were|has|have|had)\s(?:[^\s?,;]+\s){{1,9}}?(?:{_STANDING})\b"
    r"|(?:^|[,:;] )(?:and )?(?:does|do|did|must)\s(?:[^\s?,;]+\s){1,7}?(?:bind|take effect|still apply|apply yet|apply now)\b"
    r"|\b(?:status|state|standing) of\b|\bwhat (?:is|was) (?:in force|the law)\b",
    re.IGNORECASE,
)
_LINES = {
    "effective": EventKind.EFFECTIVE,
    "compliance": EventKind.COMPLIANCE,
    "comments due": EventKind.COMMENT_DEADLINE,
}
# What decides the answer comes first: relief while it lasts, a proposal while it is all there is, else what binds.
_FIRST = {
    Standing.EXEMPTED: Part.RELIEF, Standing.STAYED: Part.RELIEF, Standing.VACATED: Part.RELIEF,
    Standing.PARTLY: Part.RELIEF,
    Standing.PROPOSED: Part.PENDING, Standing.WITHDRAWN: Part.PENDING, Standing.ADOPTED: Part.PENDING,
    Standing.TO_BE_RESCINDED: Part.PENDING,
}  # fmt: skip
_APART = {Part.HISTORY, Part.CONFLICT, Part.GAP}
_MINOR = re.compile(r"^(?:adopted (?:on|by)|comments|a change is proposed)", re.IGNORECASE)


def asks_state(question: str) -> bool:
    """Whether a question asks what a rule is worth: in force, only proposed, stayed, …"""
    return bool(_ASKS_STATE.search(question))


def ruling(question: str, rulebook: Rulebook) -> list[Candidate]:
    """Sentences that state what is asked of the rules named, the deciding ones first; [] where nothing of theirs is."""
    whole, roles = asks_state(question), wanted_roles(question)
    changes = asks_impact(question)
    found: dict[tuple[str, int], Candidate] = {}
    for section in rulebook.named or rulebook.called:
        state = rulebook.state(section)
        lines = _asked_lines(state, whole, roles)
        if changes and not whole:
            lines += _changing(state, bool(_ASKS_WHEN.search(question)))
        for line in lines:
            # The sentence that adopts a rule may list what it changes.
            longest = _LONGEST_LIST if line.kind is EventKind.ADOPTED else _LONGEST
            for known in rulebook.best_first(section, line.basis)[:1]:
                quote = rulebook.quote(known)
                if len(quote.text) <= longest:
                    key = (known.held.work_id, quote.start)
                    found.setdefault(key, _candidate(known.held, quote))
    return _distinct(found.values())[:MOST]


def on_the_rule(
    question: str, rulebook: Rulebook, found: list[Candidate], ruled: Sequence[Candidate]
) -> list[Candidate]:
    """For a question on the state or the dates of a rule, the sentences on that rule: another rule's dates mislead.

    A rule that is only called by name, and of which the rulebook states nothing, may be another one than was meant.
    """
    whole = asks_state(question)
    if not (whole or (rulebook.named and wanted_roles(question))) or not (rulebook.named or ruled):
        return found
    return [c for c in found if rulebook.is_on(c.passage.document_id) or rulebook.names_in(c.quote)]


def _asked_lines(found: State, whole: bool, roles: Iterable[str]) -> list[Line]:
    if whole:
        first = _FIRST.get(found.standing, Part.IN_FORCE)
        telling = [x for x in found.lines if x.part not in _APART and not x.aside]
        return sorted(telling, key=lambda x: (x.part is not first, bool(_MINOR.search(x.text))))
    return [
        x
        for role in sorted(roles)
        for x in found.lines
        if x.part is not Part.HISTORY and x.kind is _LINES[role]
    ]


def _changing(found: State, when: bool) -> list[Line]:
    """What made the newest version, which is where a question on what a rule changes begins; and, if it asks when, since when
    that binds and what holds it up, the latest first: an extension of relief outlives what it extends."""
    kinds = {EventKind.ADOPTED} | ({EventKind.EFFECTIVE, EventKind.COMPLIANCE} if when else set())
    made = [x for x in found.lines if x.kind in kinds and x.part not in _APART and not x.aside]
    held_up = [
        x for x in found.lines if when and x.part is Part.RELIEF and not x.aside and not _limited(x)
    ]
    return made + held_up[::-1] if any(x.kind is EventKind.ADOPTED for x in made) else []


def _limited(line: Line) -> bool:
    """Whether it is relief for those alone whom it names, which holds up nothing for the rest."""
    return bool(line.basis) and all(known.event.change == "limited" for known in line.basis)


def _distinct(found: Iterable[Candidate]) -> list[Candidate]:
    """Each wording once: a release and its print say the same."""
    kept: dict[str, Candidate] = {}
    for c in found:
        kept.setdefault(re.sub(r"\W+", "", c.quote.text).lower(), c)
    return list(kept.values())


def _candidate(held: Held, quote: EvidenceSentence) -> Candidate:
    passage = Passage(
        chunk_id="", document_id=held.id, work_id=held.work_id, start=quote.start, end=quote.end, text=quote.text,
        title=held.title, reference=held.reference, authority=held.authority, doc_type=held.doc_type,
        section=" › ".join(quote.path), page=None, known_at=held.known_at, backfilled=held.backfilled, score=0.0,
    )  # fmt: skip
    return Candidate(passage, quote, frozenset(terms(quote.text)), NOTHING, inf)
