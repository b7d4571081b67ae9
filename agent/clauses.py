"""A sentence's tokens in; the same claim in other word orders out: a leading condition or date moved, the passive undone.

There is no parser here, so only sentences of one clause are touched; anything more keeps its order, and a draft that
reorders it is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.lemmas import lemma, participle
from agent.values import ValueKind
from agent.wording import Token

_CONDITIONS = {"if", "when", "unless"}
_DATED = {"in", "on", "effective", "beginning", "since"}
_SECOND_CLAUSE = set(
    "and or but that which who whose because while if when unless where although whereas ; : whether as than".split()
)
_BE = {"is": "present", "are": "present", "was": "past", "were": "past"}
_MODAL = {"must", "may", "might", "would", "could", "should", "will", "can"}
_STARTS_TAIL = {
    "for",
    "in",
    "on",
    "at",
    "under",
    "during",
    "within",
    "from",
    "to",
    "with",
    "after",
    "before",
    ",",
}


def forms(sentence: Sequence[Token]) -> list[tuple[Token, ...]]:
    """The sentence as it is, then its other orders; at most a handful."""
    made = [tuple(sentence), *_moved(sentence), *_active(sentence)]
    return made[:8]


def _moved(sentence: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """ "If X, Y" as "Y if X", and "On DATE, Y" as "Y on DATE", where Y is one clause."""
    if not sentence:
        return
    if sentence[0].word in _CONDITIONS:
        for at, token in enumerate(sentence[:-2]):
            if token.word == "," and _one_clause(sentence[at + 1 :]):
                yield (*sentence[at + 1 :], *sentence[:at])
                return
    dated = _date_phrase(sentence)
    if dated:
        rest = sentence[dated:]
        rest = rest[1:] if rest and rest[0].word == "," else rest
        if rest and _one_clause(rest) and _date_belongs_to_verb(rest):
            yield (*rest, *sentence[:dated])


def _date_phrase(sentence: Sequence[Token]) -> int:
    """How many leading tokens are "On September 18, 2024"; 0 when it does not begin so."""
    if len(sentence) < 4 or sentence[0].word not in _DATED:
        return 0
    value = sentence[1].value
    return 2 if value is not None and value.kind is ValueKind.DATE else 0


def _one_clause(rest: Sequence[Token]) -> bool:
    return not any(token.word in _SECOND_CLAUSE for token in rest)


def _date_belongs_to_verb(rest: Sequence[Token]) -> bool:
    """Whether a date at the end can only date the act.

    "adopted Rule 612 in 2005" and "the amendments became effective in 2005", but not "examined
    fees of exchanges in 2005" or "proposed making the rule effective in 2005".
    """
    strong = [token for token in rest if not token.weak]
    if len(strong) == 3 and strong[-1].word in {"effective", "effect"}:
        return strong[1].word in _BECOME
    last = strong[-1].value if strong else None
    return (
        last is not None and last.kind in {ValueKind.RULE, ValueKind.RELEASE} and len(strong) == 3
    )


_BECOME = {"becomes", "became", "become", "is", "was", "are", "were", "took", "takes"}


def _active(sentence: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """ "S was V-ed by A …" as "A V-ed S …", for each place where the agent A may end."""
    agents = [at for at, token in enumerate(sentence) if token.word == "by" and token.value is None]
    if len(agents) != 1:
        return
    by = agents[0]
    verb = _passive_verb(sentence, by)
    if verb is None or by + 1 >= len(sentence):
        return
    chain, subject = _chain(sentence, verb)
    told = _told(chain, sentence[verb])
    first = sentence[by + 1]
    number = first.value is not None and first.value.kind is not ValueKind.RULE
    middle = sentence[verb + 1 : by]
    # "was required to be filed by the broker": the broker files, it does not require.
    adverb = not middle or (len(middle) == 1 and middle[0].word.endswith("ly"))
    if not subject or not told or not adverb or number or first.word.endswith("ing"):
        return
    if not _one_clause(subject):
        return
    ends = [at for at in range(by + 2, len(sentence)) if sentence[at].word in _STARTS_TAIL]
    for end in (len(sentence), *ends[:3]):
        agent = sentence[by + 1 : end]
        if _one_clause(agent):
            yield (*agent, *told, *subject, *middle, *sentence[end:])


def _passive_verb(sentence: Sequence[Token], by: int) -> int | None:
    for at in range(1, by):
        if participle(sentence[at].word) and sentence[at - 1].word in {*_BE, "be", "been", "not"}:
            return at
    return None


def _chain(sentence: Sequence[Token], verb: int) -> tuple[list[str], Sequence[Token]]:
    """The auxiliaries before the verb, and what stands before them."""
    at = verb
    while at > 0 and sentence[at - 1].word in {*_BE, *_MODAL, "be", "been", "not", "has", "have"}:
        at -= 1
    return [token.word for token in sentence[at:verb]], sentence[:at]


def _told(chain: list[str], verb: Token) -> list[Token]:
    """The active verb group: "was V-ed" -> "V-ed", "may not be V-ed" -> "may not V", "is not V-ed" -> "does not V"."""
    base = lemma(verb.word)

    def token(word: str) -> Token:
        return replace(verb, word=word, closed=None)

    def form(tense: str) -> Token:
        return replace(verb, word=f"{base}:{tense}", closed=None, verb=tense)

    match chain:
        case [be] if be in _BE:
            return [form(_BE[be])]
        case [be, "not"] if be in _BE:
            return [token("did" if _BE[be] == "past" else "does"), token("not"), form("base")]
        case [modal, "be"] if modal in _MODAL:
            return [token(modal), form("base")]
        case [modal, "not", "be"] if modal in _MODAL:
            return [token(modal), token("not"), form("base")]
        case [have, "been"] if have in {"has", "have"}:
            return [token(have), form("past")]
    return []
