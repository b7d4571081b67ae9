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

from agent.align import Stuck, aligned
from agent.clauses import forms
from agent.lemmas import lemma
from agent.orders import commands
from agent.reasons import why, why_missing
from agent.reply import Speaker, Stage
from agent.trims import droppable
from agent.values import ValueKind
from agent.wording import Token, tokens
from ingest.quote import check, fingerprint
from ingest.stance import lead_in, stance

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
    speaker, stage = stance(
        words, path=path, doc_type=doc_type, kind=kind, before=before, title=title
    )
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


def _misshapen(draft: str) -> str:
    if not draft:
        return "nothing was drafted"
    if len(draft) > LONGEST:
        return f"{len(draft)} characters are no sentence"
    return "an instruction to the reader, not a statement" if commands(draft) else ""


def _overlap(draft: str, quote: EvidenceSentence) -> float:
    have = Counter(token.word for token in _stored(quote))
    wanted = Counter(token.word for token in tokens(draft))
    return sum((have & wanted).values()) / max(1, sum(wanted.values()))


# --- one draft against one quote ---------------------------------------------------------------------------------


def _supported(draft: str, quote: EvidenceSentence) -> Verdict:
    own = _own_words(draft, quote)
    if own is None:
        return Verdict(
            False, "signature", "its lead-in is not the quote's speaker and stage", quote
        )
    says_we = _ours(quote) and bool(_WE.search(quote.text))
    said, stored = tokens(own, says_we), _stored(quote)
    if not any(not token.weak for token in said):
        return Verdict(False, "shape", "nothing was drafted", quote)
    if _other_commission(own, quote):
        return Verdict(False, "words", "the Commission of this document is not the SEC", quote)
    missing = _missing(said, stored, quote)
    if not missing:
        fits, stuck = _fits(said, stored, quote)
        if fits:
            return Verdict(True, "", "", quote, _lead(quote, own))
        point, reason = why(said, stored, stuck)
    else:
        point, reason = why_missing(said, stored, missing)
    return Verdict(False, point, reason, quote)


def _stored(quote: EvidenceSentence) -> tuple[Token, ...]:
    return tokens(quote.text, _ours(quote))


@lru_cache(maxsize=2048)
def _ours(quote: EvidenceSentence) -> bool:
    """Whether "we" in the quote is the SEC."""
    speaks = quote.speaker is Speaker.COMMISSION and not _foreign(quote)
    return speaks and not _WE_QUOTED.search(quote.text)


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


_WE = re.compile(r"\b(?:[Ww]e|[Oo]ur)\b")
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
    return {lemma(token.word.removeprefix("did-")) for token in words if token.value is None}


@lru_cache(maxsize=512)
def _context(quote: EvidenceSentence) -> str:
    return " ".join((*quote.path, quote.title))


def _fits(
    said: tuple[Token, ...], stored: tuple[Token, ...], quote: EvidenceSentence
) -> tuple[bool, Stuck]:
    """Whether the draft is the quote after licensed edits, in any of the licensed orders."""
    drafts, sources = forms(said), [*forms(stored), *_resolved(stored, quote)]
    stuck: Stuck = (None, None)
    for n, source in enumerate(sources):
        stretches = droppable(source)
        for m, draft in enumerate(drafts):
            fits, where = aligned(draft, source, stretches)
            if fits:
                return True, where
            if not n and not m:
                stuck = where
    return False, stuck


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
    "rule rules proposal order plan exchange pilot amendment amendments cap provision exception definition release letter"
    " section regulation act form commenter study committee system fee increment requirement which commission commenters"
    " market list data limit price".split()
)


def _last_sentence(before: str) -> str:
    pieces = re.split(r"(?<=[.!?])\s+(?=[A-Z\u201c\"(])", before.strip())
    return pieces[-1]


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
    keep: list[str] = []
    last = 0
    for low, high in sorted(spans):
        if low >= last:
            keep.append(sentence[last:low])
        last = max(last, high)
    keep.append(sentence[last:])
    words = re.sub(r"\s+([,.;:)])", r"\1", re.sub(r"\s+", " ", " ".join(keep))).strip(" ,;")
    return words[:1].upper() + words[1:]
