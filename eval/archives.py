"""A folder of data in, its news archives out as items, each with what stands in for a label: which story, which copy.

No archive has its stories marked. Two labels stand in; eval/novelty.py says what each is worth.
"""

import gzip
import json
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from sentiment.novelty import WIDTH

REUTERS = "news/reuters_2006_2013.jsonl.gz"
STOCKNET = "news/stocknet_tweets.jsonl.gz"
_LONG = 5  # words


@dataclass(frozen=True, slots=True)
class Item:
    """One row of an archive. about: companies; chain: what the proxy label is read from."""

    id: str
    known_at: datetime
    headline: str
    body: str
    about: tuple[str, ...]
    chain: str


def reuters(path: Path) -> list[Item]:
    """Rows with a time, in (time, id) order; the chain is the slug."""
    rows = (row for row in _rows(path) if row["ts_utc"])
    return _in_order(
        Item(
            id=row["id"],
            known_at=datetime.fromisoformat(row["ts_utc"]),
            headline=row["title"],
            body=row["lede"],
            about=tuple(row["us_rics"]),
            chain=re.sub(r"-?id[A-Z][A-Z0-9]+$", "", row["id"]),
        )
        for row in rows
    )


def stocknet(path: Path) -> list[Item]:
    """Tweets, one for all the tickers it was collected under; the chain is the text without "rt" and marks."""
    tickers: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in _rows(path):
        tickers[row["ts_utc"], row["source"], row["text"]].add(row["ticker"])
    return _in_order(
        Item(
            id=sha256("|".join(key).encode()).hexdigest()[:16],
            known_at=datetime.fromisoformat(key[0]),
            headline=key[2].replace("AT_USER", "@user").replace("URL", "https://example.com"),
            body="",
            about=tuple(sorted(about)),
            chain=key[2],
        )
        for key, about in tickers.items()
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _in_order(items: Iterator[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (item.known_at, item.id))


# Parts of slugs that name a desk, a region or a form rather than a story.
_DESKS = frozenset(
    """us usa uk eu sb dc markets market economy businesspro stocks instant outlook update results summary earns china
    japan europe britain germany france india korea global oil bank banks financial eurozone euro deal deals ceo autos
    auto talks shares""".split()
)


@lru_cache(maxsize=200_000)
def _parts(slug: str) -> frozenset[str]:
    return frozenset(slug.split("-")) - _DESKS


def same_slug(one: str, other: str) -> bool | None:
    """Whether two slugs name one story; None where that cannot be said."""
    if one == other:
        return True
    ours, theirs = _parts(one), _parts(other)
    return None if not ours or not theirs or ours & theirs else False


def earlier_copies(items: Sequence[Item]) -> list[bool]:
    """For each tweet, whether an earlier one of the last 24 hours says the same, up to where either is cut off.

    The test is of words in order, not of sets of them: a copy by another measure than the one that is judged.
    """
    seen: dict[tuple[str, ...], deque[tuple[datetime, list[str]]]] = defaultdict(deque)
    found = []
    for item in items:
        words = _said(item.chain)
        held = seen[tuple(words[:_LONG])]
        while held and held[0][0] <= item.known_at - WIDTH:
            held.popleft()
        found.append(len(words) >= _LONG and any(_begins(words, other) for _, other in held))
        held.append((item.known_at, words))
    return found


def long_enough(item: Item) -> bool:
    """Whether a tweet has the words by which a copy is told."""
    return len(_said(item.chain)) >= _LONG


def _said(text: str) -> list[str]:
    plain = re.sub(r"^(?:rt \S+ (?:: )?)+", "", text)
    cut = plain.rstrip().endswith("…")
    words = [word for word in plain.split() if word not in ("URL", "AT_USER", "…")]
    return words[:-1] if cut else words  # the last one is cut off itself


def _begins(some: Sequence[str], others: Sequence[str]) -> bool:
    shorter = min(len(some), len(others))
    return some[:shorter] == others[:shorter] and shorter >= 0.6 * max(len(some), len(others))
