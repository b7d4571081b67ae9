"""Lines that may be a heading in, its level out; and the heading path as one goes down a document."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.parse.glyphs import ITALIC
from ingest.parse.layout import Line, bare
from ingest.parse.outline import roman_value

_DIVISION = re.compile(
    r"(part|item)\s+[\divx]+[a-c]?\b(?=\s*[.:—–-]|\s+[A-Z]|\s*$)|(exhibit)\s+\d+(?:\.\d+)?[a-z]?(?=\s*$|\s+[A-Z])",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?:([IVXLC]{1,6}|[A-Z]|\d{1,2}|[a-z]|[ivx]{1,5})\.|\((\d{1,2}|[a-z]|[ivx]{1,5})\))\s+(?=\S)"
)
_READS_ON = re.compile(
    r"\s*,|\s+(?:of|in|to|and|is|are|below|above|under|hereof|hereto|for|on|as)\b"
)
_ENDS = re.compile(r"[.?!;,][\"”’')\]]*$")
_DEPTH = ("I", "A", "1", "a", "i", "(1)")
_MOST = 8  # levels of a path


@dataclass(frozen=True, slots=True)
class Level:
    """How far out a heading stands.

    division: "part", "item", "exhibit" or ""; numbering: one of I A 1 a i (1) or ""; number: its value, as read in that
    numbering; strength: greater for larger, bold and capital type; title: the heading's words.
    """

    division: str
    numbering: str
    number: int
    strength: float
    title: str


def starts_division(text: str, bold: bool) -> bool:
    """'Item 7. …' or 'PART II', which never run on from the line above."""
    match = _DIVISION.match(text)
    if not match or _READS_ON.match(text, match.end()):
        return False
    return (
        bold
        or text[: match.end()].isupper()
        or len(text) == match.end()
        or text[match.end()] == "."
    )


def level_of(text: str, lines: Sequence[Line], body: float, *, in_outline: bool) -> Level | None:
    """The level of a paragraph of few lines if it is a heading.

    It is one when the file's own outline has it, or its type is bold, italic, in capitals or larger than the body's;
    plain type is enough for a short title with a number before it.
    """
    words = bare(text)
    letters = [char for char in words if char.isalpha()]
    if len(letters) < 2 or len(words) > 240 or words.count(" ") > 35 or words[0].islower():
        return None
    line = lines[0]
    bold = all(other.bold for other in lines)
    italic = all(other.style & ITALIC for other in lines)
    caps = len(letters) > 3 and sum(map(str.isupper, letters)) > 0.85 * len(letters)
    large = line.height > 1.12 * body
    strength = line.height * 4 + 2 * bold + 1.5 * caps
    sentence = _ENDS.search(words) is not None
    division = "" if sentence and words.count(" ") > 8 and not bold else _division(words)
    if division and (
        bold or caps or large or italic or in_outline or starts_division(words, False)
    ):
        return Level(division, "", 0, strength, words)
    numbering, number = _numbering(words)
    level = Level("", numbering, number, strength, words)
    if in_outline:
        return level
    if sentence and not (words.endswith(".") and (bold or italic) and not caps):
        return None
    if line.height < 0.8 * body or (caps and words.count(" ") > 24):
        return None
    if bold or large or caps:
        return level
    short = words.count(" ") < 14 and not sentence and not words.endswith(":")
    if italic:
        return level if short else None
    return level if numbering in ("I", "A", "1") and short and _is_title(words) else None


def _is_title(words: str) -> bool:
    long = [word for word in words.split()[1:] if len(word) > 3 and word[0].isalpha()]
    return bool(long) and sum(word[0].isupper() for word in long) >= 0.7 * len(long)


def _division(words: str) -> str:
    match = _DIVISION.match(words)
    if not match or len(words) > 200 or _READS_ON.match(words, match.end()) or words.endswith(","):
        return ""
    return (match[1] or match[2]).lower()


def _numbering(words: str) -> tuple[str, int]:
    match = _NUMBERED.match(words)
    if not match:
        return "", 0
    mark = match[1] or match[2]
    if match[2]:
        return "(1)", int(mark) if mark.isdigit() else ord(mark[0])
    if mark.isdigit():
        return "1", int(mark)
    if len(mark) == 1 and mark not in "Ii":
        return ("A" if mark.isupper() else "a"), ord(mark.lower()) - 96
    roman = roman_value(mark)
    return (("I" if mark.isupper() else "i"), roman) if roman else ("", 0)


class Ladder:
    """The headings open at a point of the document, outermost first."""

    def __init__(self) -> None:
        self._open: list[Level] = []

    @property
    def path(self) -> tuple[str, ...]:
        """Their words."""
        return tuple(level.title for level in self._open)

    def climb(self, level: Level) -> bool:
        """Enter a heading; False if it only repeats an open one ('… (continued)')."""
        title = re.sub(r"[\s,—–-]*\(?continued\)?\.?$", "", level.title, flags=re.IGNORECASE)
        if title != level.title and any(_same(title, other.title) for other in self._open):
            return False
        level = self._as_counted(level)
        keep = 0
        while keep < len(self._open) and _outranks(self._open[keep], level):
            keep += 1
        self._open[min(keep, _MOST - 1) :] = [level]
        return True

    def _as_counted(self, level: Level) -> Level:
        """'I.' after 'H.' is a letter and 'V.' after 'IV.' a Roman five: what continues an open count wins."""
        mark = level.title.split(".", 1)[0]
        if level.numbering not in ("I", "A") or len(mark) != 1:
            return level
        letter, roman = ord(mark) - 64, roman_value(mark)
        due = {other.numbering: other.number + 1 for other in self._open}
        if roman and due.get("I") == roman:
            return Level("", "I", roman, level.strength, level.title)
        if due.get("A") == letter:
            return Level("", "A", letter, level.strength, level.title)
        return level


def _same(a: str, b: str) -> bool:
    return a.casefold().strip(" .:") == b.casefold().strip(" .:")


def _outranks(outer: Level, inner: Level) -> bool:
    """Whether `inner` belongs under `outer`."""
    if inner.division:
        return outer.division in ("part", "exhibit") and inner.division == "item"
    if outer.division:
        return True
    if outer.numbering and inner.numbering:
        return _DEPTH.index(outer.numbering) < _DEPTH.index(inner.numbering)
    if abs(outer.strength - inner.strength) < 0.6:
        return bool(outer.numbering) and not inner.numbering
    return outer.strength > inner.strength
