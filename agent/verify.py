"""A drafted sentence and the evidence in; a verdict out: which quote supports all of it, or which point stopped it.

THE GATE. A draft passes only if one quoted sentence says all of it, by four points:

    values      every typed value is the quote's, with its unit, bound and role
    signature   negation, exceptions, conditions, modals, quantifiers, direction, speaker and stage: none added, none dropped
    roles       subject, verb and object keep their order (the passive undone), and nothing is left out but what may be
    words       the content words are in the quote or are reviewed synonyms; no new names

Points "values", "signature" and "words" are each necessary and give the reason. The last word has one test for all: the
draft must be the quote itself, token by token, after licensed edits only (agent/trims.py says what may be left out,
agent/synonyms.toml what may be exchanged, `_forms` here what may change place). To refuse is the safe side: the quote
then stands in for the draft.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agent.clauses import forms
from agent.lemmas import lemma, participle
from agent.reply import Speaker, Stage
from agent.stance import lead_in, stance
from agent.trims import droppable
from agent.values import Value, ValueKind, same
from agent.wording import Token, tokens
from ingest.quote import check, fingerprint

LONGEST = 1500  # characters of a draft; what is longer is no sentence
COVERED = 0.9  # the share of content words that must be the quote's


@dataclass(frozen=True, slots=True)
class EvidenceSentence:
    """One sentence of the stored text, `text == document text[start:end]`, with its label and surroundings.

    path    headings above it; before: the text just before it in its section, to resolve a pronoun
    agency  the document's agency; decides whether "SEC" and "the Commission" are the same
    """

    text: str
    start: int = 0
    end: int = 0
    document_id: str = ""
    speaker: Speaker = Speaker.COMMISSION
    stage: Stage = Stage.ADOPTED
    path: tuple[str, ...] = ()
    before: str = ""
    title: str = ""
    reference: str = ""
    agency: str = ""

    @property
    def sha256(self) -> str:
        """Of the sentence's UTF-8, in hexadecimal."""
        return fingerprint(self.text)


@dataclass(frozen=True, slots=True)
class Verdict:
    """passed, or the point that stopped it ("shape", "values", "signature", "roles", "words") and why, in words.

    quote    the sentence that supports the draft, or the nearest one where none does
    lead_in  the words to put before what is shipped, from the quote's label; "" when it needs none
    """

    passed: bool
    point: str = ""
    reason: str = ""
    quote: EvidenceSentence | None = None
    lead_in: str = ""


def evidence_sentence(
    text: str,
    start: int,
    end: int,
    *,
    path: Sequence[str] = (),
    doc_type: str = "other",
    kind: str = "body",
    document_id: str = "",
    title: str = "",
    reference: str = "",
    agency: str = "",
) -> EvidenceSentence:
    """The sentence at [start, end) of a document's text, labelled."""
    words, before = text[start:end], text[max(0, start - 400) : start]
    speaker, stage = stance(words, path=path, doc_type=doc_type, kind=kind, before=before)
    return EvidenceSentence(
        words, start, end, document_id, speaker, stage, tuple(path), before, title, reference, agency
    )  # fmt: skip


def admit(evidence: EvidenceSentence, text: str) -> Verdict:
    """Whether a sentence may ship in its own words: verbatim in the stored `text`, and no order to whoever reads it."""
    if not check(text, evidence.start, evidence.end, evidence.text, evidence.sha256):
        return Verdict(False, "words", "not the stored text at its span", evidence)
    if commands(evidence.text):
        return Verdict(False, "shape", "an instruction to the reader, not a statement", evidence)
    return Verdict(True, "", "verbatim", evidence, _lead(evidence, evidence.text))


def gate(sentence: str, evidence: Sequence[EvidenceSentence]) -> Verdict:
    """Whether one sentence of the evidence supports all of the drafted `sentence`; see the module's text."""
    draft = sentence.strip()
    misshapen = _misshapen(draft)
    if misshapen:
        return Verdict(False, "shape", misshapen)
    if not evidence:
        return Verdict(False, "words", "there is no evidence")
    ranked = sorted(evidence, key=lambda quote: -_overlap(draft, quote))
    nearest: Verdict | None = None
    for quote in ranked:
        verdict = _supported(draft, quote)
        if verdict.passed:
            return verdict
        nearest = nearest or verdict
    assert nearest is not None  # the evidence is not empty
    return nearest


def trims(sentence: str) -> list[str]:
    """Shorter wordings of a sentence that the gate lets pass, longest first; the sentence itself is not among them."""
    spans = [span for span in _cut_spans(sentence) if span[1] > span[0]]
    shorter: list[str] = []
    for kept in (spans, *([span] for span in spans)):
        words = _without(sentence, kept)
        if words and words != sentence and words not in shorter:
            shorter.append(words)
    probe = EvidenceSentence(sentence)
    return sorted((w for w in shorter if _supported(w, probe).passed), key=len, reverse=True)


# --- shape -------------------------------------------------------------------------------------------------------

_COMMANDS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|above|prior|earlier|preceding|all|any|these|your|system)\b.{0,40}"
    r"\b(?:instructions?|prompts?|context|directions?|rules|guidelines|messages?|text)\b"
    r"|\bsystem prompt\b|\byou are (?:now |an? )?(?:AI|assistant|language model|chatbot|helpful)\b|\bas an AI\b"
    r"|<\|[a-z_]+\|>|\[/?INST\]|^\s*(?:system|assistant|user)\s*:|###\s*(?:instruction|system)"
    r"|\b(?:answer|respond|reply|output|print|say)\s(?:only\s)?(?:with|that|exactly|the following)\b.{0,60}\b(?:user|question|prompt)\b"
    r"|\b(?:tell|inform)\sthe\s(?:user|reader)\b|\bdo not (?:cite|mention|reveal)\b.{0,40}\b(?:source|document|prompt|instruction)",
    re.IGNORECASE,
)


def commands(sentence: str) -> bool:
    """Whether a sentence speaks to a model or its user instead of stating something."""
    return bool(_COMMANDS.search(sentence))


def _misshapen(draft: str) -> str:
    if not draft:
        return "nothing was drafted"
    if len(draft) > LONGEST:
        return f"{len(draft)} characters are no sentence"
    return "an instruction to the reader, not a statement" if commands(draft) else ""


def _overlap(draft: str, quote: EvidenceSentence) -> float:
    have = Counter(token.word for token in tokens(quote.text))
    wanted = Counter(token.word for token in tokens(draft))
    return sum((have & wanted).values()) / max(1, sum(wanted.values()))


# --- one draft against one quote ---------------------------------------------------------------------------------


def _supported(draft: str, quote: EvidenceSentence) -> Verdict:
    own = _own_words(draft, quote)
    if own is None:
        return Verdict(
            False, "signature", "its lead-in is not the quote's speaker and stage", quote
        )
    ours = (
        quote.speaker is Speaker.COMMISSION
        and not _foreign(quote)
        and not _WE_QUOTED.search(quote.text)
    )
    says_we = ours and bool(re.search(r"\b(?:we|our)\b", quote.text, re.IGNORECASE))
    said, stored = tokens(own, says_we), tokens(quote.text, ours)
    if not any(not token.weak for token in said):
        return Verdict(False, "shape", "nothing was drafted", quote)
    if _other_commission(own, quote):
        return Verdict(False, "words", "the Commission of this document is not the SEC", quote)
    missing = _missing(said, stored, quote)
    if not missing:
        fits, stuck = _fits(said, stored, quote)
        if fits:
            return Verdict(True, "", "", quote, _lead(quote, own))
        point, reason = _why(said, stored, stuck)
    else:
        point, reason = _why_missing(said, stored, missing)
    return Verdict(False, point, reason, quote)


def _lead(quote: EvidenceSentence, sentence: str) -> str:
    return lead_in(quote.speaker, quote.stage, sentence)


_LEADS = sorted(
    {lead_in(who, when) for who in Speaker for when in Stage} - {""}, key=len, reverse=True
)


def _own_words(draft: str, quote: EvidenceSentence) -> str | None:
    """The draft without a lead-in of ours; None when that lead-in is another label's."""
    for words in _LEADS:
        if draft.lower().startswith(words.lower()):
            return (
                draft[len(words) :].strip()
                if words == lead_in(quote.speaker, quote.stage)
                else None
            )
    return draft


def _foreign(quote: EvidenceSentence) -> bool:
    """Whether "the Commission" here is Brussels' or another agency's."""
    if quote.agency:
        return "securities and exchange" not in quote.agency.lower()
    around = " ".join((quote.title, quote.reference, *quote.path))
    other = re.search(r"\bCFTC\b|Commodity Futures|\bFERC\b", around)
    european = re.search(
        r"\bEurop|\bESMA\b|\(E[UC]\)|/E[UC]\b|Member States?", f"{around} {quote.text}"
    )
    return bool(other or european)


def _other_commission(draft: str, quote: EvidenceSentence) -> bool:
    sec = re.compile(r"\bSEC\b|Securities and Exchange Commission")
    return _foreign(quote) and bool(sec.search(draft)) and not sec.search(quote.text)


_WE_QUOTED = re.compile(r"[\u201c\"][^\u201d\"]*\b(?:[Ww]e|[Oo]ur)\b")


def _missing(
    said: Sequence[Token], stored: Sequence[Token], quote: EvidenceSentence
) -> list[Token]:
    """What keeps the draft from being read token by token: too few of its content words are the quote's."""
    have = {token.word for token in stored} | _lemmas(stored) | _lemmas(tokens(_context(quote)))
    content = [token for token in said if token.content]
    missing = [t for t in content if t.word not in have and lemma(t.word) not in have]
    return missing if len(missing) > (1 - COVERED) * len(content) else []


def _lemmas(words: Iterable[Token]) -> set[str]:
    return {lemma(token.word) for token in words if token.value is None}


@lru_cache(maxsize=512)
def _context(quote: EvidenceSentence) -> str:
    return " ".join((*quote.path, quote.title))


Stuck = tuple[Token | None, Token | None]  # the quote's and the draft's token that would not fit


def _fits(
    said: tuple[Token, ...], stored: tuple[Token, ...], quote: EvidenceSentence
) -> tuple[bool, Stuck]:
    """Whether the draft is the quote after licensed edits, in any of the licensed orders."""
    drafts, sources = forms(said), [*forms(stored), *_resolved(stored, quote)]
    stuck: Stuck = (None, None)
    for n, source in enumerate(sources):
        stretches = droppable(source)
        for m, draft in enumerate(drafts):
            fits, where = _aligned(draft, source, stretches)
            if fits:
                return True, where
            if not n and not m:
                stuck = where
    return False, stuck


def _aligned(
    said: Sequence[Token], stored: Sequence[Token], stretches: Sequence[tuple[int, int]]
) -> tuple[bool, Stuck]:
    """Walk both from left to right; a step matches two tokens, passes a weak one, or leaves out a licensed stretch."""
    leave: dict[int, list[int]] = {}
    for start, end in stretches:
        leave.setdefault(start, []).append(end)
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    best = (0, 0)
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        i, j = place
        if i == len(stored) and j == len(said):
            return True, (None, None)
        best = max(best, (j, i))
        if j < len(said) and said[j].weak:
            todo.append((i, j + 1))
        if i < len(stored):
            if stored[i].weak:
                todo.append((i + 1, j))
            todo += [(end, j) for end in leave.get(i, ())]
            if j < len(said) and _equal(stored[i], said[j]):
                todo.append((i + 1, j + 1))
    j, i = best
    return False, (stored[i] if i < len(stored) else None, said[j] if j < len(said) else None)


def _equal(one: Token, other: Token) -> bool:
    if one.value is not None and other.value is not None:
        return same(one.value, other.value)
    if one.verb or other.verb:
        pattern, surface = (one, other) if one.verb else (other, one)
        return _told_as(pattern, surface)
    return one.word == other.word and one.value is None and other.value is None


def _told_as(pattern: Token, surface: Token) -> bool:
    """Whether a surface verb has the lemma and tense that the undone passive asks for."""
    base = pattern.word.split(":")[0]
    word = surface.word
    if surface.value is not None:
        return False
    if word == f"did-{base}":
        return pattern.verb in {"past", "present"}
    if surface.verb:
        return word == pattern.word
    if lemma(word) != base:
        return False
    if pattern.verb == "past":
        return participle(word) or word in _PASTS
    if pattern.verb == "base":
        return word == base
    return word == base or (word.endswith("s") and not participle(word))


_PASTS = set(
    "took gave wrote began chose drew knew saw showed withdrew undertook made held set".split()
)


def _resolved(stored: tuple[Token, ...], quote: EvidenceSentence) -> Iterator[tuple[Token, ...]]:
    """ "It …" with the rule that is the subject of the sentence before, if "it" can mean nothing else there."""
    if not stored or stored[0].word != "it":
        return
    neighbour = tokens(_last_sentence(quote.before))
    rules = [
        token
        for token in neighbour
        if token.value is not None and token.value.kind is ValueKind.RULE
    ]
    rivals = any(token.word in _RIVALS for token in neighbour)
    if len(rules) == 1 and not rivals and neighbour[0] is rules[0]:
        yield (rules[0], *stored[1:])


_RIVALS = set(
    "rule rules proposal order plan exchange pilot amendment amendments cap provision exception definition release letter section"
    " regulation act form commenter study committee system fee increment requirement which commission commenters study market list data limit price".split()
)


def _last_sentence(before: str) -> str:
    pieces = re.split(r"(?<=[.!?])\s+(?=[A-Z\u201c\"(])", before.strip())
    return pieces[-1]


# --- the reason --------------------------------------------------------------------------------------------------


def _why_missing(
    said: Sequence[Token], stored: Sequence[Token], missing: Sequence[Token]
) -> tuple[str, str]:
    value = _value_fault(said, stored)
    if value:
        return "values", value
    return "words", "not in the quote: " + ", ".join(token.word for token in missing[:5])


def _why(said: Sequence[Token], stored: Sequence[Token], stuck: Stuck | None) -> tuple[str, str]:
    """The first of the four points that explains it."""
    value = _value_fault(said, stored)
    if value:
        return "values", value
    closed = Counter(t.word for t in said if t.closed) - Counter(t.word for t in stored if t.closed)
    if closed:
        return "signature", f"adds {', '.join(repr(word) for word in list(closed)[:3])}"
    gone = Counter(t.word for t in stored if t.closed) - Counter(t.word for t in said if t.closed)
    own = {t.word for t in stored}
    new = [t.word for t in said if t.content and t.word not in own]
    if new:
        return "words", f"not in the quote: {', '.join(new[:5])}"
    theirs = stuck[0] if stuck else None
    if gone and theirs is not None and theirs.closed:
        return "signature", f"leaves out {theirs.word!r}"
    if theirs is not None and theirs.value is not None:
        return "values", f"leaves out {theirs.value.text!r}"
    if gone:
        return "signature", f"leaves out {', '.join(repr(word) for word in list(gone)[:3])}"
    return (
        "roles",
        f"the quote goes on with {theirs.word!r}" if theirs else "says more than the quote",
    )


def _value_fault(said: Sequence[Token], stored: Sequence[Token]) -> str:
    """The first value of the draft that the quote does not have, and in what it differs."""
    have = [token.value for token in stored if token.value is not None]
    for value in (token.value for token in said if token.value is not None):
        if not any(same(value, other) for other in have):
            return _difference(value, have)
    return ""


def _difference(value: Value, have: Sequence[Value]) -> str:
    for other in have:
        if other.key == value.key:
            if other.bound != value.bound:
                return (
                    f"{value.text!r} is {value.bound} in the draft and {other.bound} in the quote"
                )
            return (
                f"{value.text!r} is of {value.unit} in the draft and of {other.unit} in the quote"
            )
        if (other.kind, other.amount) == (value.kind, value.amount):
            return f"{value.text!r} is in {value.unit or 'no unit'}, the quote's in {other.unit or 'no unit'}"
    return f"{value.text!r} is not in the quote"


# --- trims -------------------------------------------------------------------------------------------------------


def _cut_spans(sentence: str) -> list[tuple[int, int]]:
    made = tokens(sentence)
    stop = made[-1].end if made else 0
    spans: list[tuple[int, int]] = []
    for start, end in droppable(made):
        low = made[start].start
        spans.append((low, made[end].start if end < len(made) else stop))
    return spans


def _without(sentence: str, spans: Sequence[tuple[int, int]]) -> str:
    keep = "".join(
        letter
        for at, letter in enumerate(sentence)
        if not any(low <= at < high for low, high in spans)
    )
    words = re.sub(r"\s+([,.;:)])", r"\1", re.sub(r"\s+", " ", keep)).strip(" ,;")
    return words[:1].upper() + words[1:]
