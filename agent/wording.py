"""A sentence in; the tokens the gate compares out: values as one token each, reviewed synonyms made equal.

What is left out is only what carries no claim: marks of notes and pages, the full stop. Everything else is a token, and
a token that is not `weak` can neither be dropped nor added without a licence (agent/verify.py).
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

from agent.lemmas import lemma, participle
from agent.values import INNER_DASH, Value, ValueKind, values


class Closed(StrEnum):
    """Classes of words whose presence changes what is claimed, whatever the other words are."""

    NEGATION = "negation"
    EXCEPTION = "exception"
    CONDITION = "condition"
    MODAL = "modal"
    QUANTIFIER = "quantifier"
    DIRECTION = "direction"
    SPEAKER = "speaker"
    STAGE = "stage"
    COORDINATION = "coordination"


_CLOSED_WORDS: dict[Closed, str] = {
    Closed.NEGATION: "not no never neither nor none nothing nobody without non cannot hardly barely lack lacks fail fails"
    " failed must-not-do refuse refused refuses deny denied denies decline declined declines reject rejected rejects",
    Closed.EXCEPTION: "unless except excepted excluding exclude excludes excluded only solely exclusively other"
    " notwithstanding despite but however although though provided limited subject exempt exempted exemption exempts"
    " exception exceptions otherwise instead rather merely just",
    Closed.CONDITION: "if when whenever where whether until once while because since as so in-order upon during within"
    " assuming suppose depending contingent",
    Closed.MODAL: "must may might would could should will can ought need needs propose proposes proposing required requires"
    " require permit permits permitted allow allows allowed prohibit prohibits prohibited recommend recommends recommended"
    " likely unlikely possibly perhaps probably potentially expected intends intended plans believes believe thinks",
    Closed.QUANTIFIER: "all each every any some most many several few both either certain majority minority half part"
    " various numerous various multiple another much more less fewer least total entire whole always often sometimes"
    " usually generally typically rarely primarily mostly partly fully wholly substantially approximately a an",
    Closed.DIRECTION: "increase increases increased increasing decrease decreases decreased decreasing reduce reduces reduced"
    " reducing raise raises raised lower lowers lowered higher above below before after widen widens widened narrow narrows"
    " narrowed greater smaller larger up down buy sell bid offer ask long short earlier later over under exceed exceeds"
    " improve improves improved harm harms worsen better worse gain loss expand expands shorten shortens lengthen extends"
    " to from into against between toward by via through maximum minimum first last",
    Closed.SPEAKER: "commission commenter commenters commentator commentators exchange exchanges congress staff study studies"
    " commissioner commissioners participants nasdaq nyse finra oea esma court letter",
    Closed.STAGE: "proposed proposal proposals reproposed reproposal adopted adopting adopts currently current existing former"
    " formerly previously prior temporary temporarily permanent permanently interim final draft considered effective"
    " compliance withdrawn rescinded repealed suspended vacated stayed pending preliminary preliminarily did-propose"
    " did-adopt would-have already still yet again new now today",
    Closed.COORDINATION: "and or",
}
CLOSED: dict[str, Closed] = {
    word: kind for kind, words in _CLOSED_WORDS.items() for word in words.split()
}

# May come and go: they carry no claim of their own.
# May come and go: they carry no claim of their own. A comma, a dash or a parenthesis does: "brokers,
# say commenters, evade the rule" is not "brokers say commenters evade the rule".
_WEAK_WORDS = {"the", "that"}
_WEAK_MARKS = set("\"'`[]*_-/\u2018\u2019\u201c\u201d|…")
# May be left out of a draft but not put in; those of the second set only between commas.
LINKING = {"also", "therefore", "thus", "hereby"}
LINKING_ASIDE = set(
    "however accordingly moreover furthermore additionally consequently similarly indeed".split()
)
_OPENS = set(
    "in on under for at by with to from as if when where while although because since after before until".split()
)
_OPENS |= {
    "during",
    "despite",
    "unlike",
    "given",
    "within",
    "through",
    "upon",
    "effective",
    "beginning",
    "today",
    "currently",
}

_FUNCTION_WORDS = set(
    "is are was were be been being am do does did has have had having it its".split()
)
_FUNCTION_WORDS |= set(
    "this these those their they them he she his her there here of s who which whom".split()
)

# Marks of notes, pages and sources. Figures only: whatever could hold a word could hide one.
_MARKS = re.compile(
    r"<sup>[\d\s,*†‡]{1,8}</sup>|\[\^?\d{1,4}\]|\[\[Page\s?[\d\s]{1,8}\]\]|\[\d{1,3}(?:,\s?\d{1,3})*\]"
    r"|[\u00b9\u00b2\u00b3\u2070-\u2079]+|\((?:source|citation|evidence|document)s?:?\s?\d{1,3}\)",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\b(\w*)\[(\w{1,3})\](\w*)")  # "[t]he", "broker[s]": the editor's letters
_WORD = re.compile(r"(?:[A-Za-z]\.){2,}|[^\W_]+(?:[.’'&][^\W_]+)*|--|[^\w\s]|_", re.UNICODE)
_FINAL = re.compile(r"[\s.]*[\"”’']*[\s.]*$")


@dataclass(frozen=True, slots=True)
class Token:
    """One unit of comparison at [start, end) of its sentence.

    word    what is compared: lower case, or the value's canonical form
    closed  its closed class, if it has one; weak: may come and go
    verb    "adopt:past" after the passive was undone; such a token equals any surface of that lemma and tense
    """

    word: str
    start: int
    end: int
    value: Value | None = None
    closed: Closed | None = None
    weak: bool = False
    verb: str = ""

    @property
    def content(self) -> bool:
        """Whether it carries meaning of its own."""
        plain = self.value is None and self.closed is None and not self.weak
        return plain and self.word.isalnum() and self.word not in _FUNCTION_WORDS


@lru_cache(maxsize=2048)
def tokens(sentence: str, ours: bool = False) -> tuple[Token, ...]:
    """The tokens of a sentence. ours: "we" and "our" are the Commission's, as in its own releases."""
    text = _MARKS.sub(lambda m: " " * len(m[0]), sentence)
    text = INNER_DASH.sub("-", text)
    text = _BRACKETED.sub(lambda m: f"  {m[1]}{m[2]}{m[3]}", text)  # the same length
    end = len(text) if text.rstrip().endswith("?") else _end(text)
    made: list[Token] = []
    position = 0
    for value in values(text[:end]):
        for low, high in value.spans:
            made += _words(text, position, low)
            if low == value.start and _negative(text, low, high):
                made.append(Token("minus", low, low, closed=Closed.NEGATION))
            if low <= value.start < high:
                made.append(_value_token(value))
            position = max(position, high)
    made += _words(text, position, end)
    return _performed(_pointed(_normalised(made, text, ours)))


def _negative(text: str, low: int, high: int) -> bool:
    """Whether "-12.04" or, as accounts write it, "(12.04)": a sign is not a mark that may be dropped."""
    before, after = text[max(0, low - 2) : low], text[high : high + 1]
    return bool(re.search(r"(?:^|[\s(])[-\u2212\u2013]$", before)) or (
        before.endswith("(") and after == ")"
    )


def _end(text: str) -> int:
    tail = _FINAL.search(text)
    return tail.start() if tail else len(text)


def _value_token(value: Value) -> Token:
    kind, amount, unit = value.key
    return Token(f"{kind}:{amount}:{unit}:{value.bound}", value.start, value.end, value)


def _words(text: str, start: int, end: int) -> list[Token]:
    made: list[Token] = []
    for found in _WORD.finditer(text, start, end):
        word, (low, high) = found[0].lower().replace("’", "'"), found.span()
        if word in {"—", "―", "--"} or (word in {"–", "-"} and text[low - 1 : low] == " "):
            word = ","
        if word.endswith("'s") and len(word) > 2:  # so that "the SEC's" is "the Commission's"
            made.append(_token(word[:-2], low, high - 2))
            word, low = "'s", high - 2
        made.append(_token(word, low, high))
    return made


def _token(word: str, start: int, end: int) -> Token:
    weak = word in _WEAK_WORDS or word in _WEAK_MARKS
    return Token(word, start, end, closed=CLOSED.get(word), weak=weak)


# --- reviewed synonyms -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    words: tuple[str, ...]  # in lower case
    wording: str  # as it must stand in the text, for a name; "" for a phrase, whose case is free
    replacement: tuple[str, ...]


@cache
def _table() -> dict[str, list[_Entry]]:
    """First word -> entries, longest wording first."""
    data = tomllib.loads(Path(__file__).with_name("synonyms.toml").read_text("utf-8"))
    table: dict[str, list[_Entry]] = {}
    for section in ("names", "phrases"):
        for wording, replacement in data[section].items():
            words = tuple(token.word for token in _words(wording, 0, len(wording)))
            exact = str(wording) if section == "names" else ""
            entry = _Entry(words, exact, tuple(str(replacement).lower().split()))
            table.setdefault(words[0], []).append(entry)
    for entries in table.values():
        entries.sort(key=lambda entry: -len(entry.words))
    return table


_OURS = {"we": ("commission",), "our": ("commission", "'s")}


def _normalised(made: list[Token], text: str, ours: bool) -> list[Token]:
    table = _table()
    out: list[Token] = []
    at = 0
    while at < len(made):
        token = made[at]
        entry = _entry(made, at, text, table.get(token.word, ())) if token.value is None else None
        if entry is not None:
            last = made[at + len(entry.words) - 1]
            out += [_token(word, token.start, last.end) for word in entry.replacement]
            at += len(entry.words)
            continue
        if ours and token.word in _OURS:
            out += [_token(word, token.start, token.end) for word in _OURS[token.word]]
        else:
            out.append(token)
        at += 1
    return out


def _entry(made: list[Token], at: int, text: str, entries: Sequence[_Entry]) -> _Entry | None:
    for entry in entries:
        here = made[at : at + len(entry.words)]
        if tuple(token.word for token in here) != entry.words or any(token.value for token in here):
            continue
        if not entry.wording or text[here[0].start : here[-1].end] == entry.wording:
            return entry
    return None


def _pointed(made: list[Token]) -> list[Token]:
    """Mark the commas that style decides: before "and", beside a date, after an opening phrase."""
    out = list(made)
    opening = bool(made) and made[0].word in _OPENS
    for at, token in enumerate(made):
        if token.word != ",":
            continue
        before, after = made[at - 1] if at else None, made[at + 1] if at + 1 < len(made) else None
        dated = any(
            t is not None and t.value and t.value.kind is ValueKind.DATE for t in (before, after)
        )
        free = after is None or before is None or after.word in {"and", "or", "but"} or dated
        if free or (opening and at <= 10) or (before is not None and before.word in LINKING):
            out[at] = replace(token, weak=True)
        opening = False
    return out


# --- acts done by the document itself ----------------------------------------------------------------------------

_ACTS = {
    "adopt",
    "propose",
    "repropose",
    "amend",
    "issue",
    "approve",
    "grant",
    "rescind",
    "repeal",
    "publish",
    "withdraw",
}
_ACTORS = {"commission", "exchange", "finra", "nasdaq", "nyse"}


def _performed(made: list[Token]) -> tuple[Token, ...]:
    """ "The Commission is adopting", "adopts", "has adopted" and "adopted" are one act, told at
    different times."""
    out: list[Token] = []
    for token in made:
        act = lemma(token.word) if token.value is None else ""
        if act not in _ACTS:
            out.append(token)
            continue
        last = next((at for at in range(len(out) - 1, -1, -1) if out[at].word not in LINKING), None)
        helper = out[last].word if last is not None else ""
        performed = replace(token, word=f"did-{act}", closed=CLOSED.get(f"did-{act}"))
        if last is not None and _helps(helper, token.word) and _acted(out[:last]):
            del out[last]
            out.append(performed)
        elif _acted(out) and (token.word.endswith(("ed", "s")) or token.word == "withdrew"):
            out.append(performed)
        else:
            out.append(token)
    return tuple(out)


def _helps(helper: str, verb: str) -> bool:
    if helper in {"is", "are"}:
        return verb.endswith("ing")
    return helper in {"has", "have"} and participle(verb)


def _acted(before: list[Token]) -> bool:
    """Whether the words just before name who acts."""
    words = [t.word for t in before if not t.weak and t.word not in LINKING]
    return bool(words) and words[-1] in _ACTORS
