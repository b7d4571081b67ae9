"""Headlines in, probabilities of negative, neutral and positive out: the Scorer port, its named backends, and the rule for items.

A target (the company that is asked about) is marked in its text, for "Shell gains as BP slides" is good for one and bad for
the other. What an item says is decided by the least text that says it, since every text costs a run of the model:

- the item: its headline; without one, the first sentence of the body;
- a target: the headline, where that names it; else the first sentence of the body that does, of a long one the part around
  the name; a target that is named nowhere (a symbol that the source gave) has the score of the item.

Nothing to read is neutral with certainty. A text longer than the model is the model's own affair; see sentiment/finbert.py.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadRequest, NotKnown
from ingest.sentences import sentences

LABELS = ("negative", "neutral", "positive")
NEGATIVE, NEUTRAL, POSITIVE = range(3)

RULES_VERSION = (
    1  # raise it whenever what is read of an item, or the words of the rule above, change
)

Span = tuple[int, int]
Place = tuple[
    str, int, int
]  # ("headline" or "body", start, end), as sentiment/entities.py gives them
Probabilities = NDArray[np.float32]

_AFTER_A_MENTION = 1000  # characters of a body beyond a mention that its sentence is looked for in
# Characters of a sentence that are read before and after a mention in it. On FinEntity passages that the model had not seen (356
# entities) it was right in 0.888 by these parts (44 word pieces), in 0.879 by whole sentences (54); parts of 60 and 80: 0.854.
_BEFORE, _AFTER = 120, 160
_CLAUSE_MARK = re.compile(r"[,;:—]\s+|\s+[-–—(]\s*|\)\s+")


class Marked(NamedTuple):
    """A text and where in it, as half-open character spans, the target is mentioned; at least one."""

    text: str
    spans: tuple[Span, ...]


class Scorer(Protocol):
    """Says how good or bad the news is.

    name             as it was asked for ("finbert")
    version          of all that decides the numbers: weights, temperatures, rules; scores of two versions are not mixed
    trained_through  the last civil day ("2021-08-30") whose text can be in the weights; None: nothing was trained, or the
                     maker does not say
    notice           what a person should read when it is opened: the words of a licence, a limit; None: nothing
    reads_targets    whether marks change anything; without, a target has the score of the text that names it
    """

    name: str
    version: str
    trained_through: str | None
    notice: str | None
    reads_targets: bool

    def score(self, texts: Sequence[str | Marked]) -> Probabilities:
        """(n, 3), one row per text in order, columns as LABELS, each row adding up to 1; calibrated where the model is."""


# ---- items


class Document(NamedTuple):
    """An item as the rule reads it. targets: by any name, the places that mention each (none: the source says so)."""

    headline: str
    body: str = ""
    targets: Mapping[str, Sequence[Place]] = {}


class DocumentScore(NamedTuple):
    """Probabilities (3,) of the item as a whole, and of each target by its name."""

    item: Probabilities
    targets: dict[str, Probabilities]


def score_item(
    scorer: Scorer, headline: str, body: str, targets: Mapping[str, Sequence[Place]]
) -> DocumentScore:
    """One item by the rule at the top."""
    return score_items(scorer, [Document(headline, body, targets)])[0]


def score_items(scorer: Scorer, items: Sequence[Document]) -> list[DocumentScore]:
    """Items by the rule at the top, in order, all in one call of the scorer; a text that is needed twice is scored once."""
    wanted: dict[str | Marked, int] = {}
    plans = [_plan(item, scorer.reads_targets) for item in items]
    for whole, targets in plans:
        for text in (whole, *targets.values()):
            wanted.setdefault(text, len(wanted))
    rows = scorer.score(list(wanted))
    return [
        DocumentScore(
            rows[wanted[whole]], {name: rows[wanted[text]] for name, text in targets.items()}
        )
        for whole, targets in plans
    ]


def _plan(item: Document, marks: bool) -> tuple[str | Marked, dict[str, str | Marked]]:
    """The text that decides for the item, and for each target."""
    whole = item.headline if item.headline.strip() else _lead(item.body)
    found: dict[str, str | Marked] = {}
    for name, places in item.targets.items():
        text = _deciding(item, places)
        found[name] = whole if text is None else text if marks else text.text
    return whole, found


def _deciding(item: Document, places: Sequence[Place]) -> Marked | None:
    """The text that decides for a target, its mentions marked; None when no place names it."""
    in_headline = tuple((start, end) for where, start, end in places if where == "headline")
    if in_headline:
        return Marked(item.headline, in_headline)
    in_body = sorted((start, end) for where, start, end in places if where == "body")
    if not in_body:
        return None
    first = in_body[0]
    for start, end in sentences(item.body[: first[1] + _AFTER_A_MENTION]):
        if first[0] < end:
            start, end = min(start, first[0]), max(end, first[1])  # a name with a stop in it
            start, end = _around(item.body, first, start, end)
            inside = tuple((a - start, b - start) for a, b in in_body if start <= a and b <= end)
            return Marked(item.body[start:end], inside)
    raise BadRequest(f"a mention at {first} is outside a body of {len(item.body)} characters")


def _around(text: str, mention: Span, start: int, end: int) -> Span:
    """The part of a sentence around a mention: cut where a clause begins or ends, else between words."""
    near, far = mention[0] - _BEFORE, mention[1] + _AFTER
    if near > start:
        marks = [mark.end() for mark in _CLAUSE_MARK.finditer(text, near, mention[0])]
        space = text.find(" ", near, mention[0])
        start = marks[0] if marks else space + 1 if space >= 0 else near
    if far < end:
        marks = [
            mark.start() for mark in _CLAUSE_MARK.finditer(text, mention[1] + _AFTER // 2, far)
        ]
        space = text.rfind(" ", mention[1], far)
        end = marks[-1] if marks else space if space > mention[1] else far
    return start, end


def _lead(body: str) -> str:
    for start, end in sentences(body[:_AFTER_A_MENTION]):
        return body[start:end]
    return ""


# ---- a target by its name


def mentions(text: str, target: str) -> tuple[Span, ...]:
    """Where a text names a target, for whom has a name and no spans (labelled sets). Whatever the case, the first of these that
    finds one; nothing where none does:

    1. the target as it is given, as whole words;
    2. the same inside longer words ("Infosys" in "InfosysBPO");
    3. its first word of three letters or more that is no common one ("Tata" of "The Tata Group"), as a whole word.
    """
    name = " ".join(target.split())
    if not name:
        return ()
    given = r"\s+".join(map(re.escape, name.split()))
    for pattern in (rf"(?<!\w){given}(?!\w)", given):
        if found := tuple(match.span() for match in re.finditer(pattern, text, re.IGNORECASE)):
            return found
    for word in re.findall(r"\w{3,}", name):
        if word.lower() in _COMMON:
            continue
        pattern = rf"(?<!\w){re.escape(word)}(?!\w)"
        if found := tuple(match.span() for match in re.finditer(pattern, text, re.IGNORECASE)):
            return found
    return ()


_COMMON = frozenset(
    "the and for new bank group india indian company corp inc ltd limited plc global international national united general "
    "american first capital financial holdings industries services energy power oil gas motors stock stocks market markets "
    "shares fund funds index price prices sector".split()
)


# ---- backends by name


def open_scorer(
    name: str = "finbert", *, threads: int | None = None, cache_dir: Path | None = None
) -> Scorer:
    """Open a backend by name, or "hf:NAME-or-folder": any sequence-classification checkpoint, or a folder that `train` wrote.

    "hf:NAME#neutral,positive,negative" tells the order of labels where the checkpoint does not. threads: texts scored at a
    time (default: the cores this process may use); cache_dir: where built graphs are kept (default: `regtape` in the user's
    cache folder). Raises NotKnown on another name, ModelMissing without weights.
    """
    if name.startswith(ANY):
        from sentiment.checkpoint import open_checkpoint

        return open_checkpoint(name, threads=threads, cache_dir=cache_dir)
    if name not in SCORERS:
        known = ", ".join(sorted(SCORERS))
        raise NotKnown(f"no scorer {name!r}; there are {known}, and {ANY}NAME-or-folder")
    return SCORERS[name](threads, cache_dir)


def _finbert(name: str) -> Callable[[int | None, Path | None], Scorer]:
    def open_it(threads: int | None, cache_dir: Path | None) -> Scorer:
        from sentiment.finbert import open_finbert

        return open_finbert(MODELS / name, name=name, threads=threads, cache_dir=cache_dir)

    return open_it


def _lexicon(threads: int | None, cache_dir: Path | None) -> Scorer:
    from sentiment.lexicon import Lexicon

    return Lexicon()


ANY = "hf:"
MODELS = Path(__file__).parent / "models"
SCORERS: dict[str, Callable[[int | None, Path | None], Scorer]] = {
    "finbert": _finbert("finbert"),
    "finbert-research": _finbert("finbert-research"),
    "lexicon": _lexicon,
}
