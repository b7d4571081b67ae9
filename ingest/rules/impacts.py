"""A document in; what it says a rule does to the market, variable by variable, each with its quote, out.

The words are in variables.toml, how they are tied together in effects.py. Every row's quote is the stored text of a whole
sentence, so a hedge, a negation or a speaker that the row names can be read in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.document import DocType, Document, Kind, Section
from ingest.rules.effects import Direction, effects
from ingest.rules.taxonomy import taxonomy, variable_id
from ingest.sentences import sentences
from ingest.stance import Speaker, stance

__all__ = ["EXTRACTOR", "Direction", "Impact", "impacts", "variable_id"]

_RULES = 3  # raised when effects.py reads otherwise, so that what is stored is read again
EXTRACTOR = f"{_RULES}-{taxonomy().fingerprint}"

# They speak of effects of rules. Law, filings, guides and headlines of notices speak of other things in the same words.
_SPEAKING = {
    DocType.FINAL_RULE, DocType.PROPOSED_RULE, DocType.INTERPRETATION, DocType.ORDER, DocType.NOTICE, DocType.WITHDRAWAL,
    DocType.STATEMENT, DocType.PRESS_RELEASE, DocType.FAQ, DocType.OTHER,
}  # fmt: skip
_OF_MARKETS = re.compile(
    r"securities|exchange|futures|finra|\bsec\b|nasdaq|nyse|cboe|iex|msrb", re.IGNORECASE
)
_READ = {Kind.BODY, Kind.FOOTNOTE}
_SHORTEST, _LONGEST = (
    40,
    1500,
)  # characters of a sentence: less is a heading, more is a list gone wrong


_CLOSED = re.compile(
    r"[.!?…:;][\W\d]*$|^.{160}", re.DOTALL
)  # a shorter line without a stop is a heading


@dataclass(frozen=True, slots=True)
class Impact:
    """One effect on one variable.

    variable   an id of variables.toml
    condition  the words of the sentence that limit the effect ("if spreads widen"), "" where it has none
    start, end half-open offsets of `quote` in the document's text: quote == text[start:end]
    section    heading path, outermost first
    """

    variable: str
    direction: Direction
    speaker: Speaker
    hedged: bool
    condition: str
    start: int
    end: int
    quote: str
    section: tuple[str, ...]


def impacts(document: Document) -> list[Impact]:
    """Every effect the document speaks of, in the order of the text; several rows may share one quote."""
    told = document.metadata
    if told.doc_type not in _SPEAKING or (told.agency and not _OF_MARKETS.search(told.agency)):
        return []
    return [
        row
        for section in document.sections
        if section.kind in _READ
        for row in _read(document, section)
    ]


def _read(document: Document, section: Section) -> Iterator[Impact]:
    text = document.text
    for start, end in sentences(text[section.start : section.end], section.start):
        quote = text[start:end]
        if not _SHORTEST <= end - start <= _LONGEST or not _CLOSED.search(quote):
            continue
        found = effects(quote)
        if not found:
            continue
        speaker, _ = stance(
            quote,
            path=section.path,
            doc_type=document.metadata.doc_type or DocType.OTHER,
            kind=section.kind,
            before=text[max(section.start, start - 400) : start],
        )
        condition = _condition(quote)
        for effect in found:
            yield Impact(
                effect.variable,
                effect.direction,
                speaker,
                effect.hedged,
                condition,
                start,
                end,
                quote,
                section.path,
            )


_CONDITION = re.compile(
    r"\b(?:if|unless|when|to the extent|in the event|for (?:stocks|securities|orders|issuers|"
    r"small(?:er)? \w+|less liquid|thinly traded|ETPs|ETFs)|during (?:periods|times)|in times of|"
    r"under stressed)\b"
    r"[^,;.]{3,160}",
    re.IGNORECASE,
)


def _condition(quote: str) -> str:
    match = _CONDITION.search(quote)
    return match[0].strip() if match else ""
