"""A sentence in; drafts that say the same in other words, out: a gate that refuses everything stops no forgery either."""

import re
from collections.abc import Callable, Iterator

from agent.verify import EvidenceSentence


def truths(source: EvidenceSentence) -> Iterator[tuple[str, str]]:
    """(kind, draft) pairs that say what the source says, each by one rewriting the sentence allows."""
    for kind, rewrite in _REWRITINGS.items():
        draft = rewrite(source.text)
        if draft and (draft != source.text or kind == "verbatim"):
            yield kind, draft


_WORDS = dict(
    pair.split("=")
    for pair in "two=2 three=3 four=4 five=5 six=6 ten=10 thirty=30 sixty=60".split()
)


def _digits(text: str) -> str:
    counted = "days|years|months|business|percent|cents|shares|exchanges|commenters|minutes"
    pattern = rf"\b(?<!-)(?:{'|'.join(_WORDS)})\b(?=[ -](?:\w+ )?(?:{counted}))(?!-\w+ commenters)"
    return re.sub(pattern, lambda m: _WORDS[m[0]], text)


def _basis_points(text: str) -> str:
    return re.sub(
        r"\b(0?\.\d+|\d{1,2})(?:%| percent)", lambda m: f"{float(m[1]) * 100:g} basis points", text
    )


def _rule_names(text: str) -> str:
    return re.sub(r"\bRule (6\d\d|20[0-4])(?=[\s(,.])", r"17 CFR 242.\1", text)


def _at_start(pattern: str) -> Callable[[str], str]:
    def rewrite(text: str) -> str:
        rest = re.sub(rf"^(?:{pattern}),\s", "", text)
        return rest[:1].upper() + rest[1:]

    return rewrite


def _without_tail(pattern: str, qualifies: str) -> Callable[[str], str]:
    """Cut a tail off, unless it holds a word that qualifies the rest."""
    tail = re.compile(pattern)
    limits = re.compile(rf"\b(?:{qualifies.replace(' ', '|')})\b|[:]|\(\d\)")

    def rewrite(text: str) -> str:
        found = tail.search(text)
        return text[: found.start()] + "." if found and not limits.search(found[0]) else ""

    return rewrite


_QUALIFIES = "not no unless except only if proposed but other until when during before so any all adopted currently"

_REWRITINGS: dict[str, Callable[[str], str]] = {
    "verbatim": lambda text: text,
    "retyped": lambda text: text.translate(str.maketrans("“”‘’–", "\"\"''-")),
    "full stop left out": lambda text: text.rstrip(" ."),
    "connective left out": _at_start(
        "However|In addition|Moreover|Accordingly|Therefore|Thus|Further|Additionally|For example|Finally|As a result"
        "|Specifically|Furthermore"
    ),
    "pointer left out": _at_start(
        r"As (?:discussed|noted|described) (?:above|below|further below|in Section [\w.]+)"
    ),
    "inner link left out": lambda text: re.sub(r", (?:however|therefore|thus), ", " ", text),
    "also left out": lambda text: re.sub(r" also (?=[a-z])", " ", text),
    "defined term left out": lambda text: re.sub(r" \(“[^”\d]{2,40}”\)", "", text),
    "acronym written": lambda text: re.sub(r"\b([Tt])he Commission\b", r"\1he SEC", text),
    "digits for words": _digits,
    "basis points for percent": _basis_points,
    "citation for rule": _rule_names,
    "must for shall": lambda text: re.sub(r"\bshall\b", "must", text),
    "before for prior to": lambda text: re.sub(r"\bprior to\b", "before", text),
    "relative left out": _without_tail(r", which [^,;()]{10,120}\.$", f"{_QUALIFIES} would could"),
    "examples left out": _without_tail(
        r", including [^;():]{5,160}\.$", f"{_QUALIFIES} for in on which"
    ),
    "second clause left out": _without_tail(
        r"; (?:the|this|it|they|these) [^;:]{10,200}\.$", f"{_QUALIFIES} however"
    ),
}
