"""Folders of labelled financial text in; rows with one meaning of positive, deduplicated and split by hash, out.

A label here says what the text means for who holds the thing it speaks of: good, bad, or neither. The sets do not all say
the same, so each is read for what its labels mean (`SETS`), and what cannot be read that way is left out:

- FOMC sentences (hawkish, dovish) are about the path of interest rates, not about a company: not used.
- StockEmotions (StockTwits, bullish or bearish as the writer ticked) has no neutral and no licence: not used.
"""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from ingest.errors import BadRequest
from sentiment.scorer import LABELS

SPLITS = ("train", "validation", "test")

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text. With spans, the label is of what they mark (each a half-open range of characters); without, of
    the whole text. agreement: share of annotators who said so, in percent, where the set tells."""

    set: str
    text: str
    label: str
    spans: Spans = ()
    agreement: int | None = None


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """A set as it was published: what its licence allows and what its labels mean."""

    name: str
    licence: str
    commercial: bool  # whether a model trained on it may be used commercially
    source: str
    meaning: str
    read: Callable[[Path], list[Row]]


# --- Readers. Each gets the folder of its set and returns all rows that can be read as `Row` says.


def read_tfns(folder: Path) -> list[Row]:
    """Tweets. Where one cashtag stands alone, it is what the tweet is about, so the row comes marked as well."""
    rows = []
    for record in _lines(folder / "train.jsonl"):
        text, label = _clean(record["text"]), record["label"]
        rows.append(Row("tfns", text, label))
        tags = [m.span() for m in _CASHTAG.finditer(text)]
        if len({text[a:b] for a, b in tags}) == 1:
            rows.append(Row("tfns", text, label, tuple(tags)))
    return rows


def read_sentfin(folder: Path) -> list[Row]:
    """Headlines with a label for each thing named. A headline whose targets agree has that label as a whole too."""
    rows = []
    for record in _lines(folder / "train.jsonl"):
        text = _clean(record["text"])
        targets = {_unmangled(_clean(t["target"])): t["label"] for t in record["targets"]}
        for target, label in targets.items():
            if spans := find_target(text, target):
                rows.append(Row("sentfin", text, label, spans))
        if len(set(targets.values())) == 1:
            rows.append(Row("sentfin", text, next(iter(targets.values()))))
    return rows


def read_finentity(folder: Path) -> list[Row]:
    """Newswire passages with marked entities. A passage whose entities agree, two or more of them, or whose one entity is
    not neutral, has that label as a whole too (one neutral entity may be a bystander)."""
    rows = []
    for record in json.loads(
        (folder / "FinEntity.json").read_text(encoding="utf-8", errors="replace")
    ):
        text = record["content"]
        spans: dict[str, set[tuple[int, int]]] = defaultdict(set)
        labels: dict[str, set[str]] = defaultdict(set)
        for mark in record["annotations"]:
            if text[mark["start"] : mark["end"]] == mark["value"]:
                found: Spans = ((mark["start"], mark["end"]),)
            else:
                found = find_target(text, mark["value"])[:1]
            spans[mark["value"]].update(found)
            labels[mark["value"]].add(mark["label"].lower())
        one = {name: next(iter(said)) for name, said in labels.items() if len(said) == 1}
        for name, label in one.items():
            if spans[name]:
                rows.append(_tidied(Row("finentity", text, label, tuple(sorted(spans[name])))))
        whole = set(one.values())
        if len(whole) == 1 and len(one) == len(labels) and (len(one) > 1 or whole != {"neutral"}):
            rows.append(_tidied(Row("finentity", text, whole.pop())))
    return rows


# FiQA scores run from -1 to 1 with hardly any exact zero. Read by hand: below a sixth, headlines say nothing clear.
FIQA_NEUTRAL = 0.16


def read_fiqa(folder: Path) -> list[Row]:
    """Headlines and posts with a score for a named target."""
    rows = []
    for name in ("headline_train.jsonl", "post_train.jsonl"):
        for record in _lines(folder / name):
            text, score = _clean(record["text"]), float(record["score"])
            label = "neutral" if abs(score) < FIQA_NEUTRAL else LABELS[2 if score > 0 else 0]
            if spans := find_target(text, _clean(record["target"])):
                rows.append(Row("fiqa", text, label, spans))
    return rows


def read_phrasebank(folder: Path) -> list[Row]:
    """Sentences from news about Finnish companies, labelled from an investor's view by 5 to 8 people each."""
    return [
        Row("phrasebank", _clean(r["text"]), r["label"], agreement=int(r["agreement"]))
        for r in _lines(folder / "train.jsonl")
    ]


SETS: Mapping[str, LabelledSet] = {
    s.name: s
    for s in (
        LabelledSet(
            "tfns", "MIT", True, "huggingface.co/datasets/zeroshot/twitter-financial-news-sentiment",
            "Bearish, bullish or neither: what a tweet says about the price; a dividend declared or a deal is neutral.",
            read_tfns,
        ),
        LabelledSet(
            "sentfin", "MIT (its LICENSE file)", True, "github.com/pyRis/SEntFiN",
            "For each company, index, commodity or currency named in an Indian business headline.",
            read_sentfin,
        ),
        LabelledSet(
            "finentity", "ODC-BY 1.0", True, "huggingface.co/datasets/yixuantt/FinEntity",
            "For each company or index named in a newswire passage; a company only mentioned is neutral.",
            read_finentity,
        ),
        LabelledSet(
            "fiqa", "none stated by its makers", False, "sites.google.com/view/fiqa",
            "A score for a named target; headlines and microblogs, the latter often trading chatter.",
            read_fiqa,
        ),
        LabelledSet(
            "phrasebank", "CC BY-NC-SA 3.0", False, "Malo et al. 2014, Financial PhraseBank v1.0",
            "From the view of an investor, whether news may move the price; orders, growth and deals won are positive.",
            read_phrasebank,
        ),
    )
}  # fmt: skip


def read_sets(folder: Path, names: Iterable[str]) -> list[Row]:
    """All rows of these sets, in the order of `names`. folder holds one folder for each set.

    Raises BadRequest for a name that is no set, and where a set's files are not there.
    """
    rows: list[Row] = []
    for name in names:
        if name not in SETS:
            raise BadRequest(f"no labelled set {name!r}; there are {', '.join(SETS)}")
        try:
            rows += SETS[name].read(folder / name)
        except FileNotFoundError as missing:
            raise BadRequest(f"{name} is not in {folder}: {missing.filename} is missing") from None
    return rows


# --- The same text, nearly the same text


def normalised(text: str) -> str:
    """What two copies of a sentence share: letters and digits, lower case, no links, no spacing or punctuation."""
    folded = unicodedata.normalize("NFKC", _LINK.sub(" ", text)).casefold()
    return " ".join(_WORD.findall(folded))


def key(text: str) -> str:
    """The name of a text in a split file: SHA-256 of its normalised form, in hex. Copies have the same one."""
    return sha256(normalised(text).encode()).hexdigest()


# Of the words and pairs of words of both. 0.7 joins a headline with its copy that has a source or a date added, and most
# pairs of company reports that differ by a number; those may share a split, which costs nothing.
NEAR = 0.7


def near_groups(texts: Sequence[str], near: float = NEAR) -> list[int]:
    """For each text the number of its group: texts whose words and pairs of words overlap by `near` (Jaccard), chained.

    Exact: a text of n features can only reach `near` with one that shares one of its n - ceil(near * n) + 1 rarest.
    """
    bags = [_features(text) for text in texts]
    counts = Counter(feature for bag in bags for feature in bag)
    order = [sorted(bag, key=lambda f: (counts[f], f)) for bag in bags]
    parent = list(range(len(texts)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    holders: dict[str, list[int]] = defaultdict(list)
    for at in sorted(range(len(texts)), key=lambda i: len(bags[i])):
        bag, n = bags[at], len(bags[at])
        for feature in order[at][: n - _ceil(near * n) + 1]:
            for other in holders[feature]:
                if len(bags[other]) >= near * n and root(other) != root(at):
                    shared = len(bag & bags[other])
                    if shared >= near * (n + len(bags[other]) - shared):
                        parent[root(at)] = root(other)
            holders[feature].append(at)
    return [root(at) for at in range(len(texts))]


@dataclass(frozen=True, slots=True)
class Dealt:
    """Rows without copies, and the split of each text.

    split: key of a text -> its split. group: key of a text -> key that names the group of texts near it.
    dropped: why rows went, and how many.
    """

    rows: tuple[Row, ...]
    split: Mapping[str, str]
    group: Mapping[str, str]
    dropped: Mapping[str, int]

    def of(self, split: str) -> list[Row]:
        """The rows of one split."""
        return [row for row in self.rows if self.split[key(row.text)] == split]


def sort_out(rows: Sequence[Row], *, shares: tuple[int, int] = (80, 10)) -> Dealt:
    """Drop copies, within and across sets, and deal the groups of near texts into splits by hash.

    A copy has the same normalised text and the same target; the first stays, so put the set that matters most first. Where
    copies in one set disagree, all of them go: nobody knows the label. shares: percent of groups for train and validation.
    """
    dropped: Counter[str] = Counter()
    said: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in rows:
        said[row.set, key(row.text), _target(row)].add(row.label)
    kept, seen = [], set()
    for row in rows:
        name = key(row.text), _target(row)
        if len(said[row.set, *name]) > 1:
            dropped["labels disagree"] += 1
        elif name in seen:
            dropped["copy"] += 1
        elif not normalised(row.text):
            dropped["no words"] += 1
        else:
            seen.add(name)
            kept.append(row)
    texts = {key(row.text): row.text for row in kept}
    keys = sorted(texts)
    numbers = near_groups([texts[k] for k in keys])
    name_of: dict[int, str] = {}
    for k, number in zip(keys, numbers, strict=True):
        name_of.setdefault(number, k)  # the smallest key of the group
    group = {k: name_of[number] for k, number in zip(keys, numbers, strict=True)}
    split = {k: split_of(group[k], shares) for k in keys}
    return Dealt(tuple(kept), split, group, dropped)


def split_of(name: str, shares: tuple[int, int] = (80, 10)) -> str:
    """The split that a hash falls into: a function of the text alone, so no run can move a text."""
    place = int(name[:8], 16) % 100
    return SPLITS[0 if place < shares[0] else 1 if place < sum(shares) else 2]


def fold_of(name: str, folds: int) -> int:
    """The fold, from 0, that the group of this name falls into; other digits of the hash than `split_of` reads."""
    return int(name[8:16], 16) % folds


def overlap(train: Iterable[Row], test: Iterable[Row], near: float = NEAR) -> list[tuple[Row, Row]]:
    """Pairs of a training and a test row that share a text or nearly; empty is the proof that a run must give."""
    left, right = list(train), list(test)
    groups = near_groups([row.text for row in left + right], near)
    first: dict[int, Row] = {}
    for row, number in zip(left, groups, strict=False):
        first.setdefault(number, row)
    return [
        (first[number], row)
        for row, number in zip(right, groups[len(left) :], strict=True)
        if number in first
    ]


def write_splits(path: Path, dealt: Dealt) -> None:
    """One line a text, by hash and in its order: {"key", "group", "split", "sets"}. Holds no text, so it may be published."""
    sets: dict[str, set[str]] = defaultdict(set)
    for row in dealt.rows:
        sets[key(row.text)].add(row.set)
    with path.open("w", encoding="utf-8") as out:
        for k in sorted(dealt.split):
            record = {
                "key": k,
                "group": dealt.group[k],
                "split": dealt.split[k],
                "sets": sorted(sets[k]),
            }
            out.write(json.dumps(record) + "\n")


def read_splits(path: Path) -> dict[str, str]:
    """Of a file that `write_splits` wrote: key of a text -> its split."""
    return {record["key"]: record["split"] for record in _lines(path)}


# --- Details

_LINK = re.compile(r"https?://\S+|\bt\.co/\S+")
_WORD = re.compile(r"[^\W_]+")
_CASHTAG = re.compile(r"\$[A-Za-z][A-Za-z.]{0,5}\b")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _clean(text: str) -> str:
    """Links out (they differ in every copy and say nothing), white space single."""
    return " ".join(_LINK.sub(" ", text).split())


def _tidied(row: Row) -> Row:
    """White space at the ends off, spans moved along."""
    start = len(row.text) - len(row.text.lstrip())
    return replace(
        row, text=row.text.strip(), spans=tuple((a - start, b - start) for a, b in row.spans)
    )


def _unmangled(target: str) -> str:
    """SEntFiN replaced words of ratings inside names: "Bajaj neutralings" was "Bajaj Holdings"."""
    return (
        target.replace("neutraling", "Holding").replace("Rusnegative", "Russell")
        if "neutraling" in target or "Rusnegative" in target
        else target
    )


def find_target(text: str, target: str) -> Spans:
    """Where the target's name stands in the text as words, case aside; inside a word only where nowhere else."""
    inside = (
        [m.span() for m in re.finditer(re.escape(target), text, re.IGNORECASE)] if target else []
    )
    words = [
        (a, b)
        for a, b in inside
        if not (a and text[a - 1].isalnum() and text[a].isalnum())
        and not (b < len(text) and text[b].isalnum() and text[b - 1].isalnum())
    ]
    return tuple(words or inside[:1])


def _target(row: Row) -> str:
    return (
        normalised(row.text[slice(*row.spans[0])]) or row.text[slice(*row.spans[0])]
        if row.spans
        else ""
    )


def _features(text: str) -> frozenset[str]:
    words = normalised(text).split()
    return frozenset(words) | {f"{a} {b}" for a, b in pairwise(words)}


def _ceil(value: float) -> int:
    return -int(-value // 1)
