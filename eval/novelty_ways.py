"""Reuters items in, out how well other ways to compare two items tell one story from two, and how fast they are.

words     ours: sentiment.novelty.similarity
rarity    the same, where a word weighs the log of (items of the window / those of them that have it)
shingles  Jaccard index of runs of three words
minhash   that of the words by 128 permutations; found_*: shares of pairs that meet in one of 64 bands of two
minilm    cosine of all-MiniLM-L6-v2 vectors of headline and body, int8, one thread
"""

import random
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from time import process_time

import numpy as np
from numpy.typing import NDArray

from eval.archives import Item, same_slug
from eval.scoring import DRAWS, SEED, Measure, Measures, interval
from sentiment.novelty import COPY, HEADLINE, LINK, TEXT, WIDTH, Stories, Text, read, similarity

_SPANS, _SPAN = 36, timedelta(days=2)
_PERMUTATIONS, _BANDS = 128, 64
_SHINGLE = 3

Pairs = list[tuple[int, int]]
Floats = NDArray[np.float64]
Verdicts = NDArray[np.bool_]
Places = NDArray[np.int64]


def compare(items: Sequence[Item], *, minilm: bool, seed: int = 7) -> dict[str, Measures]:
    """By way: average_precision over the pairs of a window that slugs can judge, and items a second; on 36 spans of two
    days, drawn by `seed`, with intervals from spans drawn again. minilm: load the embedder."""
    spans = _spans(items, seed)
    pairs, truth, span = _judged(items, spans)
    some = [items[at] for part in spans for at in part]
    ways: dict[str, Measures] = {}
    ways["words"] = {
        "average_precision": _precision(_words(items, pairs), truth, span),
        "per_second": _observed(some),
    }
    ways["rarity"] = {"average_precision": _precision(_rarity(items, pairs), truth, span)}
    ways["shingles"] = {"average_precision": _precision(_shingles(items, pairs), truth, span)}
    ways["minhash"] = _minhash(items, pairs, truth, span)
    if minilm:
        ways["minilm"] = _minilm(items, pairs, truth, span)
    return ways


def by_group(groups: Sequence[int], values: Sequence[float | None]) -> Measure:
    """The mean of what is not None, with an interval from groups (days, spans) drawn again: what stands in one is not
    independent."""
    kept = [
        (group, value) for group, value in zip(groups, values, strict=True) if value is not None
    ]
    if not kept:
        return {"value": None, "low": None, "high": None, "n": 0}
    _, place = np.unique([group for group, _ in kept], return_inverse=True)
    sums = np.bincount(place, weights=[float(value) for _, value in kept])
    sizes = np.bincount(place)
    times = np.random.default_rng(SEED).multinomial(
        len(sizes), np.full(len(sizes), 1 / len(sizes)), size=DRAWS
    )
    means = np.sort((times @ sums) / np.maximum(times @ sizes, 1))
    return {
        "value": float(sums.sum() / sizes.sum()),
        "low": float(means[DRAWS // 40]),
        "high": float(means[DRAWS - DRAWS // 40 - 1]),
        "n": len(kept),
    }


def _spans(items: Sequence[Item], seed: int) -> list[range]:
    times = [item.known_at for item in items]
    starts = [times[0] + n * _SPAN for n in range((times[-1] - times[0]) // _SPAN + 1)]
    chosen = sorted(random.Random(seed).sample(starts, min(_SPANS, len(starts))))
    return [range(bisect_right(times, at), bisect_right(times, at + _SPAN)) for at in chosen]


def _judged(items: Sequence[Item], spans: Sequence[range]) -> tuple[Pairs, Verdicts, Places]:
    """(earlier, later) of each pair within 24 hours whose slugs can be judged, the verdict, and its span."""
    pairs, truth, span = [], [], []
    for number, part in enumerate(spans):
        for later in part:
            for earlier in range(part.start, later):
                if items[earlier].known_at <= items[later].known_at - WIDTH:
                    continue
                verdict = same_slug(items[earlier].chain, items[later].chain)
                if verdict is not None:
                    pairs.append((earlier, later))
                    truth.append(verdict)
                    span.append(number)
    return pairs, np.array(truth, bool), np.array(span, np.int64)


def average_precision(scores: Floats, truth: Verdicts, times: Floats) -> float:
    """Area under precision by recall, in steps; equal scores are one step. times: how often each pair counts."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(times[order] * truth[order])
    shown = np.cumsum(times[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    gained = np.diff(hits[last], prepend=0.0)
    return float((gained * hits[last] / np.maximum(shown[last], 1)).sum() / hits[-1])


def _precision(scores: Floats, truth: Verdicts, span: Places) -> Measure:
    """With an interval from spans drawn again."""
    draw, spans = np.random.default_rng(SEED), int(span.max()) + 1
    values = []
    for _ in range(DRAWS // 5):
        times = draw.multinomial(spans, np.full(spans, 1 / spans)).astype(float)[span]
        if (times * truth).any():
            values.append(average_precision(scores, truth, times))
    values.sort()
    cut = len(values) // 40
    return {
        "value": average_precision(scores, truth, np.ones(len(scores))),
        "low": values[cut],
        "high": values[-1 - cut],
        "n": len(scores),
    }


def _texts_of(items: Sequence[Item], pairs: Pairs) -> dict[int, Text]:
    return {
        at: read(items[at].headline, items[at].body) for at in {at for pair in pairs for at in pair}
    }


def _observed(items: Sequence[Item]) -> Measure:
    stories = Stories()
    began = process_time()
    for offset, item in enumerate(items):
        stories.observe(offset, item.known_at, item.headline, item.body, item.about)
    return interval([len(items) / (process_time() - began)], random.Random(SEED))


def _words(items: Sequence[Item], pairs: Pairs) -> Floats:
    texts = _texts_of(items, pairs)
    return np.array([similarity(texts[later], texts[earlier]) for earlier, later in pairs])


def _rarity(items: Sequence[Item], pairs: Pairs) -> Floats:
    texts = _texts_of(items, pairs)
    windows: dict[int, list[int]] = defaultdict(list)
    for earlier, later in pairs:
        windows[later].append(earlier)
    found = {}
    for later, window in windows.items():
        has = Counter(word for at in (*window, later) for word in texts[at].words)
        weight = {word: np.log((len(window) + 2) / (n + 0.5)) for word, n in has.items()}
        for earlier in window:
            found[earlier, later] = HEADLINE * _weighed(
                texts[later].headline, texts[earlier].headline, weight
            ) + TEXT * _weighed(texts[later].words, texts[earlier].words, weight)
    return np.array([found[pair] for pair in pairs])


def _weighed(some: Sequence[str], others: Sequence[str], weight: Mapping[str, float]) -> float:
    shared = sum(weight[word] for word in sorted(set(some) & set(others)))
    either = sum(weight[word] for word in sorted(set(some) | set(others)))
    return shared / either if either else 0.0


def _shingles(items: Sequence[Item], pairs: Pairs) -> Floats:
    runs = {}
    for at in {at for pair in pairs for at in pair}:
        words = re.findall(r"\w+", f"{items[at].headline} {items[at].body}".lower())
        runs[at] = {
            tuple(words[n : n + _SHINGLE]) for n in range(max(len(words) - _SHINGLE + 1, 1))
        }
    return np.array(
        [len(runs[a] & runs[b]) / max(len(runs[a] | runs[b]), 1) for a, b in pairs], dtype=float
    )


def _minhash(items: Sequence[Item], pairs: Pairs, truth: Verdicts, span: Places) -> Measures:
    """Signatures of the words; found_*: shares of pairs that meet in a band, linked and copies as the exact rule says."""
    texts = _texts_of(items, pairs)
    began = process_time()
    signed = {at: signature(text.words) for at, text in texts.items()}
    bands = {
        at: set(enumerate(map(tuple, sign.reshape(_BANDS, -1).tolist())))
        for at, sign in signed.items()
    }
    seconds = process_time() - began
    exact = _words(items, pairs)
    meet = np.array([not bands[a].isdisjoint(bands[b]) for a, b in pairs])
    near = np.array([float((signed[a] == signed[b]).mean()) for a, b in pairs])

    def met(which: Verdicts) -> Measure:
        return by_group(span[which].tolist(), meet[which].tolist())

    return {
        "average_precision": _precision(near, truth, span),
        "per_second": interval([len(texts) / seconds], random.Random(SEED)),
        "found_linked": met(exact >= LINK),
        "found_copies": met(exact >= COPY),
        "found_unlinked": met(exact < LINK),
    }


_DRAWN = np.random.default_rng(2006)
_TIMES = _DRAWN.integers(1, 2**63, _PERMUTATIONS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_PLUS = _DRAWN.integers(0, 2**63, _PERMUTATIONS, dtype=np.uint64)


def signature(words: Sequence[str]) -> NDArray[np.uint64]:
    """The least of each multiply-shift hash over the words: the same in every process."""
    hashed = np.array([_hash(word) for word in words] or [0], np.uint64)
    spread = _TIMES[:, None] * hashed[None, :] + _PLUS[:, None]
    least: NDArray[np.uint64] = (spread >> np.uint64(32)).min(axis=1)
    return least


@lru_cache(maxsize=200_000)
def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")


def _minilm(items: Sequence[Item], pairs: Pairs, truth: Verdicts, span: Places) -> Measures:
    from ingest.embed import open_embedder

    places = sorted({at for pair in pairs for at in pair})
    embedder = open_embedder("minilm", threads=1)
    began = process_time()
    vectors = embedder.embed([f"{items[at].headline}. {items[at].body}" for at in places])
    seconds = process_time() - began
    row = {at: vectors[n] for n, at in enumerate(places)}
    near = np.array([float(row[a] @ row[b]) for a, b in pairs])
    return {
        "average_precision": _precision(near, truth, span),
        "per_second": interval([len(places) / seconds], random.Random(SEED)),
    }
