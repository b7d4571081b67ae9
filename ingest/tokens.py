"""Text in, lexical terms out: stems of words, and the tokens of the law kept whole.

"§ 242.612(b)(1)" gives 242.612(b)(1), 242.612(b), 242.612 and 612, so that it is found by any of
them; "$0.005", "T+1", "15c3-5", "S7-22-16" and "0.3 percent" (as 0.3%) stay one term each, where a
plain tokeniser makes 242·612·b·1 and 0·005 of them. Number words become digits, so "ten percent"
and "10%" meet. Stems are Snowball English (Porter 2).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import Stemmer

_STEMMER = Stemmer.Stemmer("english")
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    .split()
)} | {"twenty": "20", "thirty": "30", "forty": "40", "fifty": "50"} | {
    "sixty": "60", "ninety": "90", "hundred": "100"
}  # fmt: skip
_PERCENT_WORDS = re.compile(rf"\b({'|'.join(_NUMBER_WORDS)})[ -]per ?cent\b", re.IGNORECASE)

# Words too common to tell one passage from another; a query of nothing else still searches by them.
STOP = frozenset(
    """a about all also an and any are as at be been being but by can could did do does doing for from
    had has have having he her his how i if in into is it its just may me might more most must my no
    nor not of on only or other our out over own same shall she should so some such than that the
    their them then there these they this those through to too under until up upon very was we were
    what when where which while who whom why will with would you your""".split()
)

_TOKEN = re.compile(
    r"""
    (?P<money>\$\s?\d[\d,]*(?:\.\d+)?)
  | (?P<percent>\d[\d,]*(?:\.\d+)?(?=\s?(?:%|percent\b|per\scent\b)))
  | (?P<whole>\d{1,2}[A-Z][a-z]\d+-\d+|[Tt]\+\d|(?:10|8|6|20|40)-[KQF]\b|[A-Z]{1,2}\d?-[A-Z\d]+(?:-\d+)+)
  | (?P<section>(?:\d{2,3}\.)?\d+[a-z]{1,2}\d*(?:-\d+)*[A-Z]?(?:\([A-Za-z0-9]{1,4}\))*(?![\w.]\d)
               |\d{3}\.\d+[A-Za-z]?(?:-\d+)?(?:\([A-Za-z0-9]{1,4}\))*)
  | (?P<number>\d[\d,]*(?:\.\d+)?[A-Z]?(?:\([A-Za-z0-9]{1,4}\))*(?:[-/]\d+)*)
  | (?P<word>[A-Za-z]+(?:[-'’.][A-Za-z0-9]+)*)
    """,
    re.VERBOSE,
)
_PARTS = frozenset(
    ["200", "201", "230", "232", "240", "242", "249", "275"]
)  # of title 17; their rules are called by what follows the dot
_PARAGRAPH = re.compile(r"\([A-Za-z0-9]{1,4}\)$")


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return str(_STEMMER.stemWord(word))


def terms(text: str) -> list[str]:
    """All terms of a text, in order, repeats included."""
    plain = text.replace("–", "-").replace("‑", "-").replace("−", "-")
    return list(_terms(_PERCENT_WORDS.sub(lambda m: _NUMBER_WORDS[m[1].lower()] + "%", plain)))


def query_terms(text: str) -> list[str]:
    """Distinct terms of a query without stop words, in order; if only stop words were said,
    those.
    """
    found = dict.fromkeys(terms(text))
    return [term for term in found if term not in _STOP_STEMS] or list(found)


def query_pairs(text: str) -> list[tuple[str, str]]:
    """Distinct neighbours among the terms of a query, stop words apart."""
    found = terms(text)
    pairs = dict.fromkeys(pairwise(found))
    return [pair for pair in pairs if not _STOP_STEMS.intersection(pair)]


def _terms(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        kind, words = match.lastgroup, match[0]
        if kind == "word":
            yield from _word(words.lower())
        elif kind == "money":
            yield "$" + words.lstrip("$ ").replace(",", "")
        elif kind == "percent":
            yield words.replace(",", "") + "%"
        elif kind == "whole":
            yield words.lower()
        elif kind == "section":
            yield from _section(words.lower())
        else:
            yield from _section(words.lower().replace(",", ""))


def _section(name: str) -> Iterator[str]:
    """A numbered thing and everything it is inside: 242.612(b)(1), 612(b)(1), 242.612(b), 612(b),
    242.612, 612.
    """
    part, dot, _ = name.partition(".")
    in_title_17 = bool(dot) and part in _PARTS
    while True:
        yield name
        if in_title_17:
            yield name[len(part) + 1 :]
        if not _PARAGRAPH.search(name):
            return
        name = _PARAGRAPH.sub("", name)


def _word(word: str) -> Iterator[str]:
    parts = re.split(r"[-'’.]", word)
    if len(parts) == 1 or word.endswith(("'s", "’s")):
        yield _NUMBER_WORDS.get(parts[0]) or _stem(parts[0])
    elif all(len(part) == 1 for part in parts):
        yield "".join(parts)  # U.S.C. is usc
    elif "-" in word and any(len(part) == 1 or any(c.isdigit() for c in part) for part in parts):
        yield word  # a-1, covid-19
        yield from (_stem(part) for part in parts if len(part) > 1)
    else:
        yield _stem("".join(parts))  # sub-penny also as subpenny
        yield from (_NUMBER_WORDS.get(part) or _stem(part) for part in parts if len(part) > 1)


_STOP_STEMS = frozenset(STOP | {_stem(word) for word in STOP})
