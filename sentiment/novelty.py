"""News items in, in (known_at, offset) order; how new each is out: for everyone, and for each company by what that
company has seen of it in the last 24 hours.

    words        of the headline, and the first 48 of the body: without case, stop words and the wire's own marks
                 ("UPDATE 2-", "CORRECTED-", "(Adds analyst)", "CITY (Agency) -")
    similarity   0.4 × the Jaccard index of the headlines' words + 0.6 × that of all words, of this item and an earlier one
    linked       similarity at least 0.2; at least 0.5 where neither has a body: a headline alone is thin evidence
    copy         similarity at least 0.75, and the headline has no figure that the earlier item does not have
    novelty      1 where nothing is linked, else (0.75 - similarity) / (0.75 - 0.2 or 0.5) of the most similar item, in
                 0 .. 1, and at least 0.5 with a new figure in the headline: the event is known, its size is not
    story        the earliest item of the window that is linked. Not transitive: a story that drifts gets a new name (the
                 first item of 13 % of links is itself linked to an earlier one)

Where these come from is measured by eval/novelty.py. On Reuters 2006-2013 (106,494 items, 50 in a window, pairs within
24 hours judged by the slugs of their ids, 36 spans of two days) average precision is 0.83 for this similarity, 0.81 where
rare words weigh more, 0.80 for shingles of three words, 0.78 for 128 MinHashes of the words, and 0.87 for MiniLM vectors
at 87 items a second instead of 5,800. Of pairs read by hand, 26 of 27 from 0.75 up were copies, 79 of 93 from 0.2 to 0.75
one story going on (88 % of links, weighted by how often each similarity occurs), 2 of 24 below 0.15. From 0.15 to 0.2 the
nearest item was of the same story 10 times of 12, but not the earliest one, which names the story: of the pairs that are
linked, slugs agree with 75 % at 0.2 and 54 % at 0.15. Headlines alone reach the same at 0.3 on a newswire, and at 0.5 on
tweets, of which many are templates.

All is exact: an inverted index counts shared words, so nothing depends on hashes, on chance, or on the process. What is
told of an item depends only on the items of the 24 hours before it, so a state is rebuilt by observing those again.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadRequest
from ingest.moment import from_micros, to_micros
from ingest.tokens import STOP

WIDTH = timedelta(hours=24)
MOST = 200_000  # items remembered at a time, about 2 kB each; only a flood reaches it before they are 24 hours old

VERSION = "words-1"  # raise it whenever a number below, or what a word is, changes
HEADLINE, TEXT = 0.4, 0.6
LINK, LINK_HEADLINES, COPY = 0.2, 0.5, 0.75
NEW_FIGURE = 0.5
LEAD = 48  # words of a body: 600 characters. So an item and the same one cut short by a feed have the same words.

_HEADLINE_WORDS = 64
_NO_HEADLINE = 8  # words of a body that stand in for one
_BODY_READ = 1_500  # characters of a body in which those words are looked for

Similarities = NDArray[np.float64]

_MARK = re.compile(
    r"(?:\s*\(?(?:update|wrapup|wrap|refile|rpt|repeat|corrected|correction|corrects|clarified|exclusive)"
    r"(?:\s*\d+)?\)?\s*[-:–—]+\s*)+",
    re.IGNORECASE,
)
_RETWEET = re.compile(r"(?:\s*rt\s+@\w+\s*:?\s)+", re.IGNORECASE)
_LEAD_IN = re.compile(
    r"\s*(?:\((?i:recasts|adds|updates|corrects|rewrites|repeats|releads|changes|clarifies|fixes)\b[^)]{0,300}\)\s*)?"
    r"(?:[^.()]{0,60}\([A-Z][A-Za-z ]{1,20}\)\s*[-–—]{1,2}\s)?"
)
_ADDRESS = re.compile(r"https?://\S+|(?<!\w)@\w+")
_WORD = re.compile(r"[^\W\d_]+(?:&[^\W\d_]+)*|\d+(?:[.,]\d+)*")
_SAME = {"pct": "percent", "bln": "billion", "mln": "million", "bn": "billion", "qtr": "quarter"}
# Said in every item, or the reading of what stands before an apostrophe.
_STOP = STOP | set("after before new one say says said reuters don didn isn wasn won".split())


@dataclass(frozen=True, slots=True)
class Novel:
    """How new an item is.

    novelty      0 (a copy) to 1 (nothing like it within the window)
    story        offset of the earliest item that it is linked to; its own where it is new
    like         offset of the most similar of those, the earliest of several; None where it is new
    similarity   to that one; where it is new, to the nearest there was
    """

    novelty: float
    story: int
    like: int | None
    similarity: float
    link: Literal["new", "copy", "update"]


class Told(NamedTuple):
    """One item, as `observe` takes it."""

    offset: int
    known_at: datetime
    headline: str
    body: str
    entities: Sequence[str]


News = tuple[Novel, dict[str, Novel]]  # of the item, and for each company it is about


@dataclass(frozen=True, slots=True)
class Text:
    """What is compared of an item: distinct words of the headline, and of the headline and the body's beginning."""

    headline: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def thin(self) -> bool:
        """Only a headline."""
        return len(self.words) == len(self.headline)

    @property
    def figures(self) -> frozenset[str]:
        """Numbers of the headline."""
        return frozenset(word for word in self.headline if word[0].isdigit())


class Stories:
    """What has been seen in the last `width`, (now - width, now], of at most `most` items.

    Order is (known_at, offset). Two that are given the same items of a window say the same of the next one, to the bit.
    """

    def __init__(self, width: timedelta = WIDTH, most: int = MOST) -> None:
        if width <= timedelta(0) or most < 1:
            raise BadRequest(
                "a window of stories is longer than nothing and holds at least one item"
            )
        self.width = width
        self._most = most
        self._width = width // timedelta(microseconds=1)
        self._last: tuple[int, int] | None = None
        self._window = _Window()

    def __len__(self) -> int:
        """How many items are remembered."""
        return len(self._window)

    def observe(
        self, offset: int, known_at: datetime, headline: str, body: str, entities: Sequence[str]
    ) -> News:
        """How new this item is, and how new to each company it is about; from now on it is among what has been seen.

        Raises BadRequest when it does not come after the last one in (known_at, offset) order.
        """
        now = to_micros(known_at)
        if self._last is not None and (now, offset) <= self._last:
            raise BadRequest(
                f"item {offset} of {known_at.isoformat()} comes after item {self._last[1]} of"
                f" {from_micros(self._last[0]).isoformat()}; stories are followed in time, then by offset"
            )
        self._last = now, offset
        text, window = read(headline, body), self._window
        window.forget(now - self._width, self._most - 1)
        similar, linked = window.compare(text)
        market = window.novel(offset, text, similar, linked, None)
        each = {
            entity: window.novel(offset, text, similar, linked, window.seen_by(entity))
            for entity in entities
        }
        window.add(offset, now, text, entities)
        return market, each

    def observe_all(self, items: Iterable[Told]) -> dict[int, News]:
        """The same for many, by offset, in whatever order they are given: they are taken in theirs."""
        return {
            item.offset: self.observe(*item)
            for item in sorted(items, key=lambda item: (to_micros(item.known_at), item.offset))
        }


def read(headline: str, body: str) -> Text:
    """The words of an item. A headline of nothing but stop words or signs is taken as it stands, and where there is none
    the body's first words are one.
    """
    lead = _words(_LEAD_IN.sub("", body[:_BODY_READ], count=1))[:LEAD]
    title = _words(_RETWEET.sub("", _MARK.sub("", headline, count=1), count=1))
    title = title or tuple(dict.fromkeys(headline.casefold().split()))
    title = title[:_HEADLINE_WORDS] or lead[:_NO_HEADLINE]
    return Text(title, tuple(dict.fromkeys(title + lead)))


def similarity(new: Text, old: Text) -> float:
    """0 to 1, the same both ways; 1 where the words are the same. What the index computes, plainly."""
    return HEADLINE * _jaccard(new.headline, old.headline) + TEXT * _jaccard(new.words, old.words)


def threshold(new: Text, old: Text) -> float:
    """The similarity from which two items are of one story."""
    return LINK_HEADLINES if new.thin and old.thin else LINK


def novelty(similarity: float, threshold: float, new_figure: bool = False) -> float:
    """0 to 1, falling with similarity: 1 up to the threshold, 0 from COPY on."""
    if similarity < threshold:
        return 1.0
    share = min(max((COPY - similarity) / (COPY - threshold), 0.0), 1.0)
    return max(share, NEW_FIGURE) if new_figure else share


def _words(text: str) -> tuple[str, ...]:
    """Distinct words, in order."""
    plain = text.lower()
    if "@" in plain or "://" in plain:
        plain = _ADDRESS.sub(" ", plain)
    return tuple(dict.fromkeys(filter(None, map(_word, _WORD.findall(plain)))))


@lru_cache(maxsize=100_000)
def _word(word: str) -> str:
    """As it is compared; "" for a stop word or a single letter."""
    if word in _STOP or (len(word) == 1 and not word.isdigit()):
        return ""
    return _SAME.get(word, word.replace(",", ""))


def _jaccard(some: Sequence[str], others: Sequence[str]) -> float:
    shared = len(set(some) & set(others))
    return shared / max(len(some) + len(others) - shared, 1)


class _Postings:
    """Name → the serials that have it, ascending. Those before the window's first are cut off now and then."""

    def __init__(self) -> None:
        self._of: dict[str, array[int]] = {}

    def add(self, serial: int, names: Iterable[str]) -> None:
        for name in names:
            held = self._of.get(name)
            if held is None:
                held = self._of[name] = array("q")
            held.append(serial)

    def cut(self, first: int, names: Iterable[str]) -> None:
        """Forget what these names had before serial `first`."""
        for name in names:
            held = self._of[name]
            del held[: bisect_left(held, first)]
            if not held:
                del self._of[name]

    def counts(self, names: Iterable[str], first: int, size: int) -> NDArray[np.int64]:
        """How many of the names each of `size` serials from `first` on has."""
        found = [np.frombuffer(held, np.int64) for name in names if (held := self._of.get(name))]
        if not found:
            return np.zeros(size, np.int64)
        return np.bincount(np.concatenate(found) - first, minlength=size)

    def of(self, name: str) -> NDArray[np.int64]:
        """The serials that have it; a copy."""
        held = self._of.get(name)
        return np.array(held, np.int64) if held else np.empty(0, np.int64)


class _Window:
    """The remembered items, oldest first, each with a serial. `_from`: serial of the oldest that is stored; `_first`: of
    the oldest that counts. The two differ because cutting is done for many at a time."""

    def __init__(self) -> None:
        self._from = self._first = 0
        self._at = array("q")
        self._offsets = array("q")
        self._sizes = array("q"), array("q")
        self._texts: list[Text] = []
        self._entities: list[tuple[str, ...]] = []
        self._headlines, self._words, self._seen = _Postings(), _Postings(), _Postings()

    def __len__(self) -> int:
        return self._from + len(self._at) - self._first

    def forget(self, until: int, most: int) -> None:
        """Forget what became known at `until` (microseconds) or before, and all but the last `most`."""
        dead = bisect_right(self._at, until, lo=self._first - self._from)
        dead = max(dead, len(self._at) - most)
        self._first = self._from + dead
        if dead > 64 and dead > len(self):
            self._cut(dead)

    def compare(self, text: Text) -> tuple[Similarities, NDArray[np.bool_]]:
        """Similarity to each remembered item, oldest first, and whether it is enough for one story."""
        dead, size = self._first - self._from, len(self._at)
        titles, alls = (np.frombuffer(sizes, np.int64)[dead:] for sizes in self._sizes)
        title = self._headlines.counts(text.headline, self._from, size)[dead:]
        word = self._words.counts(text.words, self._from, size)[dead:]
        similar = HEADLINE * (title / np.maximum(titles + len(text.headline) - title, 1))
        similar += TEXT * (word / np.maximum(alls + len(text.words) - word, 1))
        if not text.thin:
            return similar, similar >= LINK
        return similar, similar >= np.where(titles == alls, LINK_HEADLINES, LINK)

    def seen_by(self, entity: str) -> NDArray[np.int64]:
        """Places, from 0 for the oldest remembered item, of those about a company."""
        serials = self._seen.of(entity)
        return serials[bisect_left(serials, self._first) :] - self._first

    def novel(
        self,
        offset: int,
        text: Text,
        similar: Similarities,
        linked: NDArray[np.bool_],
        places: NDArray[np.int64] | None,
    ) -> Novel:
        """How new an item is beside these remembered ones; places None: beside all."""
        if places is not None:
            similar, linked = similar[places], linked[places]
        of_story = np.flatnonzero(linked)
        if not len(of_story):
            return Novel(1.0, offset, None, float(similar.max()) if len(similar) else 0.0, "new")
        best = int(of_story[similar[of_story].argmax()])  # the first of equals: the earliest
        first = int(of_story[0])
        nearest = float(similar[best])
        if places is not None:
            best, first = int(places[best]), int(places[first])
        dead = self._first - self._from
        like = self._texts[dead + best]
        new_figure = not text.figures.issubset(like.words)
        return Novel(
            novelty=novelty(nearest, threshold(text, like), new_figure),
            story=self._offsets[dead + first],
            like=self._offsets[dead + best],
            similarity=nearest,
            link="copy" if nearest >= COPY and not new_figure else "update",
        )

    def add(self, offset: int, at: int, text: Text, entities: Sequence[str]) -> None:
        serial = self._from + len(self._at)
        names = tuple(dict.fromkeys(entities))
        self._at.append(at)
        self._offsets.append(offset)
        self._sizes[0].append(len(text.headline))
        self._sizes[1].append(len(text.words))
        self._texts.append(text)
        self._entities.append(names)
        self._headlines.add(serial, text.headline)
        self._words.add(serial, text.words)
        self._seen.add(serial, names)

    def _cut(self, dead: int) -> None:
        """Free what the first `dead` items took."""
        texts, first = self._texts[:dead], self._first
        self._headlines.cut(first, {word for text in texts for word in text.headline})
        self._words.cut(first, {word for text in texts for word in text.words})
        self._seen.cut(first, {name for names in islice(self._entities, dead) for name in names})
        for held in (self._at, self._offsets, *self._sizes, self._texts, self._entities):
            del held[:dead]
        self._from = first
