"""Words joined at old page breaks or split by stray spaces in, words out; only where the
document itself is the proof.

Nothing is repaired from a word list: a split word is joined when the joined form occurs often
elsewhere in the same document and its pieces hardly ever do; a joined pair is parted when both
halves are common there and the pair is not.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

_WORD = re.compile(r"[A-Za-z]+")
_OFTEN, _RARE, _SCARCE = 5, 2, 10
_WINDOW = 6  # the most pieces a word was seen in
_NO_START = "\u2019'-&0123456789"  # the "s" of "day's end" begins nothing
_GLUED = frozenset(
    {
        "the",
        "and",
        "that",
        "for",
        "will",
        "would",
        "with",
        "this",
        "which",
        "were",
        "was",
        "have",
        "been",
        "from",
        "are",
        "not",
        "its",
        "of",
        "to",
        "any",
        "such",
    }
)
# Real words which are a common word and another one; the counts alone would part them.
_WHOLE = frozenset(
    {
        "therefor",
        "therewith",
        "herewith",
        "therefrom",
        "withstand",
        "withholding",
        "withdrawal",
        "withdrawals",
        "cannot",
        "today",
        "together",
        "forward",
        "whereas",
        "notwithstanding",
        "thereof",
        "forgoing",
        "forthcoming",
        "notable",
        "software",
        "forbearance",
        "withdrawing",
        "anything",
        "anyone",
        "anyway",
        "anybody",
        "anywhere",
        "willfully",
        "belong",
        "belongs",
        "noncompliance",
        "toward",
        "towards",
        "formal",
        "forming",
        "forms",
        "formula",
    }
)
_BEFORE_CAPITAL = re.compile(r"(?<=[a-z]{3}[.;:])(?=[A-Z][a-z]+\s)")
_COMMA = re.compile(r"(?<=[a-z],)(?=[A-Za-z]{2})|(?<=[a-z];)(?=[A-Za-z])")
_MONEY = re.compile(r"(?<=[a-z])(?=\$\d)")
_NUMBERS = re.compile(r"(?<=\d)(?=(?:hours|FR)\b)")
_POSSESSIVE = re.compile(r"(?<=s\u2019)(?=[a-z]{3,})")
_CITATION = re.compile(r"(?<=\b[Ss]ection)(?=\d)|(?<=\bRule)(?=\d)|(?<=\bForm)(?=[A-Z]\d)")
_HYPHEN = re.compile(r"(?<![A-Za-z])([A-Za-z]{1,40})- ([a-z]{1,40})\b|(?<=\d)- (?=\d)")
_BEFORE_STOP = re.compile(
    r"(?<=[\w)”\u2019]) (?=[.,;](?:[\s\ue000]|$))|(?<=\.) (?=,)|(?<=\() (?=\w)"
)
_TOKEN = re.compile(r"\S+")
_OF_ADDRESS = ("://", "www.", "@", ".gov", ".com", ".org", ".htm", ".pdf")


class Mender:
    """Knows the words of one document."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._count: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        for text in texts:
            words = [word.lower() for word in _WORD.findall(text)]
            self._count.update(words)
            self._pairs.update(pairwise(words))
        self._cuts: dict[str, tuple[str, str] | None] = {}

    def mend(self, text: str) -> str:
        """The text with its certain defects repaired; web addresses are left alone."""
        if not any(part in text for part in _OF_ADDRESS):
            return self._mend(text)
        out: list[str] = []
        last = 0
        for token in _TOKEN.finditer(text):
            if any(part in token[0] for part in _OF_ADDRESS):
                out += [self._mend(text[last : token.start()]), token[0]]
                last = token.end()
        return "".join(out) + self._mend(text[last:])

    def _mend(self, text: str) -> str:
        for gap in (_MONEY, _COMMA, _BEFORE_CAPITAL, _NUMBERS, _POSSESSIVE, _CITATION):
            text = gap.sub(" ", text)
        text = _HYPHEN.sub(self._hyphen, text)
        text = _BEFORE_STOP.sub("", text)
        return _WORD.sub(self._part, self._join(text))

    def _hyphen(self, match: re.Match[str]) -> str:
        if not match[1]:
            return "-"
        first, second = match[1], match[2]
        if second in ("and", "or", "to", "nor"):  # "pre- and post-trade"
            return match[0]
        whole = self._count[(first + second).lower()]
        if whole >= _OFTEN and self._count[second] <= _RARE:
            return first + second
        return f"{first}-{second}"

    def _part(self, match: re.Match[str]) -> str:
        word = match[0]
        lower = word.lower()
        if not 6 <= len(word) <= 40 or lower in _WHOLE or self._count[lower] > _RARE:
            return word
        if lower not in self._cuts:
            self._cuts[lower] = self._cut(lower)
        cut = self._cuts[lower]
        return f"{word[: len(cut[0])]} {word[len(cut[0]) :]}" if cut else word

    def _cut(self, word: str) -> tuple[str, str] | None:
        best: tuple[int, tuple[str, str]] | None = None
        for at in range(2, len(word) - 1):
            first, second = word[:at], word[at:]
            weight = self._proof(first, second)
            if weight and (best is None or weight > best[0]):
                best = weight, (first, second)
        return best[1] if best else None

    def _proof(self, first: str, second: str) -> int:
        seen = self._pairs[first, second]
        enough = 4 * _OFTEN
        if self._count[first] < _OFTEN or self._count[second] < _OFTEN:
            return 0
        if (first in _GLUED and len(second) >= 5) or (
            second in _GLUED and len(first) >= 5 and len(second) >= 3
        ):
            return 1 + seen
        if (
            seen >= 2
            and min(len(first), len(second)) >= 2
            and min(self._count[first], self._count[second]) >= enough
        ):
            return seen
        return 0

    def _join(self, text: str) -> str:
        words = list(_WORD.finditer(text))
        scraps = [i for i, word in enumerate(words) if self._may_be_scrap(word[0].lower())]
        out: list[str] = []
        last = done = 0
        for scrap in scraps:  # few: only around a scrap can there be a split word
            for at in range(max(done, scrap - _WINDOW + 1), scrap + 1):
                size = self._pieces(text, words[at : at + _WINDOW])
                if size > 1 and at + size > scrap:
                    out.append(text[last : words[at].start()])
                    out.append("".join(word[0] for word in words[at : at + size]))
                    done = at + size
                    last = words[done - 1].end()
                    break
        return "".join(out) + text[last:]

    def _may_be_scrap(self, piece: str) -> bool:
        if len(piece) == 1:
            return piece not in ("a", "i")
        return self._count[piece] <= _SCARCE and piece not in _GLUED

    def _pieces(self, text: str, words: Sequence[re.Match[str]]) -> int:
        """How many words from the first on are pieces of one; 1 where they are not."""
        begins = words[0].start()
        if begins and text[begins - 1] in _NO_START:
            return 1
        run = 1
        while run < len(words) and words[run].start() - words[run - 1].end() == 1:
            if text[words[run].start() - 1] != " ":
                break
            run += 1
        for size in range(run, 1, -1):
            shown = [word[0] for word in words[:size]]
            if self._is_split([word.lower() for word in shown], shown):
                return size
        return 1

    def _is_split(self, pieces: list[str], shown: Sequence[str]) -> bool:
        joined = self._count["".join(pieces)]
        if joined < _OFTEN:
            return False
        if "a" in pieces or any(piece in _GLUED for piece in pieces):
            return False
        if any(word[0].isupper() for word in shown[1:]) and not all(
            word.isupper() for word in shown
        ):
            return False
        odd = [piece for piece in pieces if self._is_fragment(piece, joined)]
        if not odd:
            return False
        whole = [piece for piece in pieces if piece not in odd]
        # "hour s", "institutiona l": beside a real word the fragment has to be a scrap, not a rare
        # word.
        return all(len(piece) > 1 or len(odd) > 2 for piece in whole) and (
            not whole or all(len(piece) <= 3 for piece in odd) or len(odd) > 1
        )

    def _is_fragment(self, piece: str, joined: int) -> bool:
        if len(piece) == 1:
            return piece not in ("a", "i")
        return self._may_be_scrap(piece) and self._count[piece] <= max(_RARE, joined // 50)
