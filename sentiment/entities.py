"""A news item's words and given symbols in, the companies it is about and how relevant it is to each out, as of its day.

What is looked for, from the surest to the least sure:

given     symbols that came with the item: "BAC", "NYSE:BAC", "BAC.N", "$BAC"
cashtag   "$BAC", "$ bac" (spaced or in small letters only where it is a ticker that day)
ric       a Reuters code: "( BAC.N )", "<BAC.N>", "BAC.N"
exchange  "(NYSE: BAC)", "Nasdaq:AAPL"
name      a name of the table (sentiment/aliases.py); the longest at a place wins, words are told from names by
          sentiment/wording.py

A code that the table does not hold on that day names the entity "symbol:XYZ". A subsidiary is not its parent: only what the
table says is found.

Relevance, 0..1, is `relevance()`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ingest.moment import NEW_YORK
from sentiment.aliases import PACKAGED, Alias, Aliases, Kind, Name, Names, read_aliases
from sentiment.wording import (
    capital_means,
    does_as_companies_do,
    has_case,
    is_part_of_another,
    is_part_of_name,
    names_a_person,
)

Span = tuple[str, int, int]

UNKNOWN = "symbol:"  # what the entity of a code that the table does not hold begins with
HOW = ("given", "cashtag", "ric", "exchange", "name")  # surest first

# Relevance: weights of a mention, chosen on one half of the labelled items (`regtape eval entities`).
GIVEN = 0.3  # a symbol that came with the item
HEADLINE, HEADLINE_FALL = 0.6, 0.3  # its end still weighs more than a body's beginning
BODY, BODY_FALL = 0.4, 0.5
BODY_REACH = 600  # characters; from here on a body's mentions weigh the same
AS_SOURCE = 0.3  # of a mention as whose analyst speaks, or who rates
CROWD = 0.05
BESIDE = 10  # characters; a code so close after its company's name is no mention of its own: "Ford Motor Co ( F.N )"


class Mention(NamedTuple):
    """A company that an item is about. spans: where it is named, ("headline" or "body", start, end) of the text as given,
    in the order of reading; none where its symbol was only given."""

    entity: str
    symbol: str
    relevance: float
    spans: tuple[Span, ...]
    how: str


def relevance(weights: Iterable[float], companies: int) -> float:
    """How much an item is about a company: 1 - product of (1 - weight of each mention), over 1 + CROWD for each other
    company.

    It rises with each mention, falls with each further company, and stays in 0..1.
    """
    missed = 1.0
    for weight in weights:
        missed *= 1.0 - weight
    return (1.0 - missed) / (1.0 + CROWD * (companies - 1))


def weight(part: str, start: int, length: int) -> float:
    """What one mention weighs by its place: HEADLINE at the beginning of the headline, falling by the share HEADLINE_FALL to
    its end; BODY at the beginning of the body, falling by BODY_FALL over BODY_REACH characters."""
    if part == "headline":
        return HEADLINE * (1.0 - HEADLINE_FALL * start / max(length, 1))
    return BODY * (1.0 - BODY_FALL * min(start / BODY_REACH, 1.0))


class Resolver:
    """Finds companies by a table of aliases. Pure: the same words and day give the same mentions."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._written = _first_words(aliases.names)
        self._caseless = _first_words(aliases.caseless)

    def find(
        self, headline: str, body: str, given: Sequence[str], as_of: datetime
    ) -> list[Mention]:
        """The companies of an item, the most relevant first; as_of: an aware moment, whose day in New York counts."""
        day = as_of.astimezone(NEW_YORK).toordinal()
        seen: dict[str, _Seen] = {}
        doubtful: list[tuple[Alias, str, str, int, int]] = []
        for symbol in given:
            entity, ticker = self._given(symbol, day)
            _note(seen, entity, ticker, "given")
        for part, words in (("headline", headline), ("body", body)):
            text = _plain(words)
            coded: set[int] = set()
            for code in self._codes(text, day):
                coded.add(code.start)
                _note(seen, code.entity, code.symbol, code.how, (part, code.start, code.end))
            for row, start, end in self._names(text, day):
                if start in coded or row.kind is Kind.OTHER:
                    continue
                if row.kind is Kind.SHORT:
                    doubtful.append((row, part, text, start, end))
                else:
                    _note(seen, row.entity, row.symbol, "name", (part, start, end))
        sure = frozenset(seen)
        for row, part, text, start, end in doubtful:
            if _is_meant(row, text, start, end, row.entity in sure):
                _note(seen, row.entity, row.symbol, "name", (part, start, end))
        return _ranked(seen, headline, body)

    def _given(self, symbol: str, day: int) -> tuple[str, str]:
        text = symbol.strip()
        exchange, colon, ticker = text.rpartition(":")
        if colon:
            return self._listed(exchange, ticker.strip(), day)
        entity, ticker = self._ticker(text.lstrip("$"), day)
        if entity.startswith(UNKNOWN) and (found := _GIVEN_RIC.fullmatch(text)):
            return self._reuters(found[1], found[2], day)
        return entity, ticker

    def _ticker(self, text: str, day: int) -> tuple[str, str]:
        ticker = _CLASS.sub(r".\1", text).upper()
        row = self._aliases.ticker(ticker, day)
        return (row.entity, row.symbol) if row else (UNKNOWN + ticker, ticker)

    def _reuters(self, root: str, suffix: str, day: int) -> tuple[str, str]:
        if suffix.upper() not in _US_SUFFIXES:
            code = f"{root}.{suffix}"
            row = self._aliases.ric(code, day)
            return (row.entity, row.symbol) if row else (UNKNOWN + code, code)
        base = root.rstrip("abcdefghijklmnopqrstuvwxyz_")
        for ticker in (f"{base}.{root[len(base) :]}".upper(), base or root):
            if row := self._aliases.ticker(ticker, day):
                return row.entity, row.symbol
        return UNKNOWN + (base or root), base or root

    def _listed(self, exchange: str, ticker: str, day: int) -> tuple[str, str]:
        suffix = _FOREIGN.get(exchange.strip().upper())
        return self._reuters(ticker, suffix, day) if suffix else self._ticker(ticker, day)

    def _codes(self, text: str, day: int) -> Iterator["_Code"]:
        if "$" in text:
            for tag in _CASHTAG.finditer(text):
                entity, symbol = self._ticker(tag[1], day)
                known = not entity.startswith(UNKNOWN)
                plain = tag[1].isupper() and tag[0][1] != " "
                if plain or (known and tag[1].lower() not in _MONEY):
                    yield _Code(entity, symbol, "cashtag", tag.start(), tag.end())
        for dot in _SUFFIX.finditer(text):
            root = _ROOT.search(text, max(0, dot.start() - 8), dot.start())
            if root and (len(root[0]) > 1 or _BRACKET.search(text, 0, root.start())):
                entity, symbol = self._reuters(root[0], dot[1], day)
                known = not entity.startswith(UNKNOWN)
                if known or _BRACKET.search(text, 0, root.start()):
                    yield _Code(entity, symbol, "ric", root.start(), dot.end())
        if ":" in text:
            for listed in _LISTED.finditer(text):
                entity, symbol = self._listed(listed[1], listed[2], day)
                yield _Code(entity, symbol, "exchange", listed.start(2), listed.end(2))

    def _names(self, text: str, day: int) -> Iterator[tuple[Alias, int, int]]:
        """The longest names of the table, from left to right, none over another."""
        cased = has_case(text)
        words = text if cased else _lower(text)
        names = self._aliases.names if cased else self._aliases.caseless
        pattern = self._written if cased else self._caseless
        reached = 0
        for word in pattern.finditer(words):
            start = word.start()
            if start < reached:
                continue
            for name in names.get(word[0], ()):
                row = _stands(name, words, start, day)
                if row is not None:
                    reached = start + len(name.text)
                    if not is_part_of_another(text, reached):
                        yield row, start, reached
                    break


def open_resolver(path: Path | None = None) -> Resolver:
    """A resolver by the packaged table; `path`: a desk's own table of the same form, whose rows come first.

    Raises NotKnown without that file, BadRequest where it is not such a table.
    """
    packaged = read_aliases(PACKAGED)
    return Resolver(Aliases(packaged) if path is None else Aliases(read_aliases(path), packaged))


class _Code(NamedTuple):
    entity: str
    symbol: str
    how: str
    start: int
    end: int


@dataclass(slots=True)
class _Seen:
    symbol: str
    how: str
    spans: list[Span] = field(default_factory=list)


_US_SUFFIXES = frozenset("N O OQ A P K PK OB N Z NM NGS NGM CCP".split())
_FOREIGN = {
    "LSE": "L", "LON": "L", "TSX": "TO", "TSE": "TO", "ETR": "DE", "FRA": "DE", "XETRA": "DE", "EPA": "PA",
    "TYO": "T", "HKG": "HK", "HKEX": "HK", "ASX": "AX", "BIT": "MI", "BME": "MC", "AMS": "AS",
    "SWX": "S", "SIX": "S", "NSE": "NS", "BSE": "BO",
}  # fmt: skip
_CASHTAG = re.compile(r"(?<![\w$])\$ ?([A-Za-z]{1,5}(?:[.\-/_][A-Za-z]{1,2})?)(?![\w])")
_MONEY = frozenset("b bn m mln mn k million tn usd us cad aud a".split())
_SUFFIX = re.compile(r"\.([A-Z]{1,2})(?:\^[A-L]\d\d)?(?![\w.])")
_ROOT = re.compile(r"(?<![\w.$])[A-Z0-9]{1,6}[a-z]{0,3}_?$")
_BRACKET = re.compile(r"[(<\[]\s{0,2}$")
_LISTED = re.compile(
    r"\b(NYSE(?: ?(?:American|Arca|MKT|Amex))?|N(?:ASDAQ|asdaq)(?:[- ]?[GC][SM])?|AMEX|BATS|CBOE|OTC[A-Z]*"
    r"|TSX|LSE|LON|ETR|EPA|HKEX|ASX) ?: ?\$?([A-Z]{1,5}(?:[./][A-Z])?)(?!\w)"
)
_GIVEN_RIC = re.compile(r"([A-Za-z0-9]+_?[A-Za-z]?)\.([A-Z]{1,2}|[a-z]{1,2})(?:\^[A-L]\d\d)?")
_CLASS = re.compile(r"[./_-]([A-Za-z]{1,2})$")
_SOURCE_BEFORE = re.compile(
    r"(?:(?:[Aa]nalysts?|[Ss]trategists?|[Ee]conomists?|[Tt]raders?|[Bb]rokers?|managers?|head of [\w -]{3,40}|research)"
    r"[\w, ]{0,30} (?:at|with|from|for)|[Aa]ccording to"
    r"|(?:[Cc]ut|[Uu]pgraded?|[Dd]owngraded?|[Ll]owered|[Rr]aised|[Ss]tarted|[Ii]nitiated|[Rr]esumed)(?: to \w+)? (?:at|by)) $"
)
_SOURCE_LINKS = (" at ", " with ", " from ", " for ", " to ", " by ")
_SOURCE_AFTER = re.compile(
    r"(?:'s?)?(?:[\w ]{0,12} (?:[Aa]nalysts?|[Ss]trategists?|[Ee]conomists?|I/B/E/S|data\b)"
    r"| (?:[Uu]p|[Dd]own)grades?\b| (?:starts|resumes|initiates|cuts|ups)(?: \w+)? (?:at|to)\b)"
)


def _note(
    seen: dict[str, _Seen], entity: str, symbol: str, how: str, span: Span | None = None
) -> None:
    found = seen.get(entity)
    if found is None:
        found = seen[entity] = _Seen(symbol, how)
    elif HOW.index(how) < HOW.index(found.how):
        found.symbol, found.how = symbol, how
    if span is not None:
        found.spans.append(span)


def _is_meant(row: Alias, text: str, start: int, end: int, sure: bool) -> bool:
    """Whether a word that may be a name is one; the rule is at the head of sentiment/wording.py."""
    if is_part_of_name(text, start, end):
        return False
    if sure:
        return True
    if not has_case(text):
        return False
    if does_as_companies_do(text, end):
        return True
    return capital_means(text, start) and not names_a_person(text, row.alias)


def _stands(name: Name, text: str, start: int, day: int) -> Alias | None:
    """The row by which a name stands at a place of a text on a day, if it does."""
    end = start + len(name.text)
    if not text.startswith(name.text, start) or text[end : end + 1].isalnum():
        return None
    return name.on(day)


def _ranked(seen: dict[str, _Seen], headline: str, body: str) -> list[Mention]:
    mentions = []
    lengths = {"headline": len(headline), "body": len(body)}
    texts = {"headline": headline, "body": body}
    for entity, found in seen.items():
        spans = tuple(sorted(found.spans, key=_reading_order))
        weights = [GIVEN] if found.how == "given" else []
        before = ("", 0, 0)
        for part, start, end in spans:
            if part != before[0] or start - before[2] > BESIDE:
                place = weight(part, start, lengths[part])
                weights.append(place * AS_SOURCE if _as_source(texts[part], start, end) else place)
            before = part, start, end
        score = relevance(weights, len(seen))
        mentions.append(Mention(entity, found.symbol, score, spans, found.how))
    return sorted(mentions, key=lambda mention: -mention.relevance)


def _as_source(text: str, start: int, end: int) -> bool:
    """Whether a company is named as whose analyst speaks, or as who rates, not as what is spoken of."""
    return _SOURCE_AFTER.match(text, end) is not None or (
        text.endswith(_SOURCE_LINKS, 0, start)
        and _SOURCE_BEFORE.search(text, max(0, start - 80), start) is not None
    )


def _reading_order(span: Span) -> tuple[bool, int]:
    return span[0] == "body", span[1]


def _first_words(names: Names) -> re.Pattern[str]:
    """What finds the first words of names: those that begin with a capital or a digit by that, the rest by themselves."""
    small = sorted((re.escape(word) for word in names if word[0].islower()), key=len, reverse=True)
    if len(small) > len(names) / 2:
        return re.compile(r"(?<![^\W_])[^\W_]+")
    return re.compile(
        "(?<![^\\W_])(?:" + "|".join([r"[A-Z0-9À-Þ][^\W_]*", *small]) + ")(?![^\\W_])"
    )


_SAME_LENGTH = str.maketrans(
    {"’": "'", "‘": "'", "\u00a0": " ", "\n": " ", "\t": " ", "–": "-", "‑": "-"}
)


def _plain(text: str) -> str:
    """The text with typographic apostrophes and spaces made plain; every character stays where it is."""
    return (
        text.translate(_SAME_LENGTH) if not text.isascii() or "\n" in text or "\t" in text else text
    )


def _lower(text: str) -> str:
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
