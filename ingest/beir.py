"""A folder of passages, questions and judgements (BEIR's form) in, what to train on, what to hold apart and an index out.

Holding apart is stricter than drawing questions. Two questions may be judged against one passage, or against a paragraph and
its neighbour, which say the same; then one of them teaches the answer to the other. So whole sections are held, and what
touches them from outside is neither trained on nor measured.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.catalog import Arrival, Catalog
from ingest.chunk import DEFAULT
from ingest.document import Document, Metadata, Section
from ingest.embed import Embedder, Vectors
from ingest.errors import BadRequest
from ingest.index import Index
from ingest.pipeline import complete
from ingest.tokens import query_terms

Progress = Callable[[int, int | None, str], None]

SPLIT_FILE = "split.jsonl"
NEAR = 1  # places in the order of the folder, within one document, that count as near
_AT_ONCE = 500  # passages recorded in one transaction
_LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Beir:
    """Passages and questions by id, and which passages are relevant to each judged question."""

    passages: Mapping[str, tuple[str, str]]  # title, text
    questions: Mapping[str, str]
    relevant: Mapping[str, frozenset[str]]


def read_beir(folder: Path, split: str) -> Beir:
    """corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv. Raises BadRequest where one is missing or a line cannot be read."""
    passages = {
        row["_id"]: (row.get("title") or "", row["text"]) for row in _rows(folder / "corpus.jsonl")
    }
    questions = {row["_id"]: row["text"] for row in _rows(folder / "queries.jsonl")}
    relevant: dict[str, set[str]] = defaultdict(set)
    judged = folder / "qrels" / f"{split}.tsv"
    if not judged.exists():
        there = ", ".join(sorted(path.stem for path in (folder / "qrels").glob("*.tsv"))) or "none"
        raise BadRequest(f"{judged} is not there; splits of {folder.name}: {there}")
    for number, line in enumerate(judged.read_text("utf-8").splitlines()[1:], start=2):
        parts = line.split("\t")
        if len(parts) != 3 or parts[0] not in questions or parts[1] not in passages:
            raise BadRequest(f"{judged.name}, line {number}: not a question, a passage and a score")
        if float(parts[2]) > 0:
            relevant[parts[0]].add(parts[1])
    return Beir(passages, questions, {id: frozenset(found) for id, found in relevant.items()})


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        raise BadRequest(
            f"{path} is not there; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/"
        )
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                row["_id"], row["text"]
            except (ValueError, KeyError, TypeError) as exc:
                raise BadRequest(
                    f"{path.name}, line {number}: not an object with _id and text"
                ) from exc
            yield row


# ---- held apart


@dataclass(frozen=True, slots=True)
class Split:
    """Ids of judged questions. Those in neither share passages with those held, or near ones."""

    held: frozenset[str]
    training: frozenset[str]

    def write(self, path: Path, beir: Beir) -> None:
        """A line a question, by hash: the file tells nothing of a text that may not be passed on."""
        of = {"held": self.held, "training": self.training}
        with path.open("w", encoding="utf-8") as file:
            for id in sorted(beir.relevant):
                name = next((name for name, ids in of.items() if id in ids), "neither")
                file.write(json.dumps({"question": key(id), "split": name}) + "\n")


def split_for(beir: Beir, share: float, out: Path) -> Split:
    """What to train on and what is held apart, written to out/split.jsonl. Raises BadRequest where one is near the other."""
    split = hold_apart(beir, share)
    forbid_overlap(beir, split)
    split.write(out / SPLIT_FILE, beir)
    return split


def hold_apart(beir: Beir, share: float) -> Split:
    """About that share of the questions, by sections that a hash picks: the same in every run and on every machine."""
    held = {id for id, found in beir.relevant.items() if _place_of(section(min(found))) < share}
    near = _near(beir, held)
    rest = {id for id, found in beir.relevant.items() if id not in held and near.isdisjoint(found)}
    return Split(frozenset(held), frozenset(rest))


def forbid_overlap(beir: Beir, split: Split) -> None:
    """Raise BadRequest where a passage that is trained on is, or is near, one of a held question."""
    taught = {passage for id in split.training for passage in beir.relevant[id]}
    if shared := sorted(taught & _near(beir, split.held)) or sorted(split.held & split.training):
        raise BadRequest(
            f"{len(shared)} trained on are held apart, or near it, such as {shared[0]}"
        )


def read_held(path: Path, beir: Beir) -> Beir:
    """The judged questions that a file of `Split.write` holds apart. Raises BadRequest where it names none of them."""
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    held = {row["question"] for row in rows if row["split"] == "held"}
    kept = {id: found for id, found in beir.relevant.items() if key(id) in held}
    if not kept:
        raise BadRequest(f"{path.name} holds none of these questions apart")
    return Beir(beir.passages, beir.questions, kept)


def key(id: str) -> str:
    """What names a question in a file of the split."""
    return sha256(id.encode()).hexdigest()[:16]


def section(passage: str) -> str:
    """The document and the first two steps of its numbering: "7:3.3.41.(3)" is of 7:3.3, "19:95)" stands for itself."""
    document, _, rest = passage.partition(":")
    steps = rest.split(".")
    return f"{document}:{'.'.join(steps[:2]) if len(steps) > 2 else steps[0]}"


def _place_of(name: str) -> float:
    return int(sha256(name.encode()).hexdigest()[:8], 16) / 2**32


def _near(beir: Beir, questions: set[str] | frozenset[str]) -> set[str]:
    """The relevant passages of these questions, and those beside them in their documents."""
    ids = list(beir.passages)
    places = {id: number for number, id in enumerate(ids)}
    found: set[str] = set()
    for passage in {passage for id in questions for passage in beir.relevant[id]}:
        at = places[passage]
        around = ids[max(0, at - NEAR) : at + NEAR + 1]
        found |= {id for id in around if id.partition(":")[0] == passage.partition(":")[0]}
    return found


# ---- indexed


def index_passages(
    beir: Beir, home: Path, embedder: Embedder, *, progress: Progress
) -> tuple[Catalog, Index]:
    """Every passage that says something as a document of one section; a second call takes what is there."""
    chunking = DEFAULT.model_copy(update={"least_words": 1})
    catalog = Catalog(home)
    index = Index(catalog, f"{embedder.name}-{embedder.fingerprint[:12]}", embedder.dimensions)
    ids = list(beir.passages)
    for first in range(0, len(ids), _AT_ONCE):
        catalog.record([_arrival(id, *beir.passages[id]) for id in ids[first : first + _AT_ONCE]])
    complete(
        catalog, index, embedder, chunking,
        progress=lambda done, of: progress(done, of, "passages indexed"),
    )  # fmt: skip
    index.refresh()
    return catalog, index


def _arrival(id: str, title: str, text: str) -> Arrival:
    section = Section(0, len(text))
    document = Document(text, "text", (section,), (), Metadata(title=title or " "))
    name = sha256(f"{id}\0{title}\0{text}".encode()).hexdigest()
    return Arrival(document, name, id, _LONG_AGO, "stated", ())


def passage_of_rows(beir: Beir, catalog: Catalog, index: Index) -> NDArray[np.intp]:
    """(rows,): the number of the passage that each row of the index is a piece of."""
    names = {held.offset: held.path for held in catalog.documents()}
    place = {id: number for number, id in enumerate(beir.passages)}
    rows = (
        row
        for first in range(0, index.size, _AT_ONCE)
        for row in index.rows(range(first, min(first + _AT_ONCE, index.size)))
    )
    return np.array([place[names[row.offset]] for row in rows], np.intp)


# ---- what looks relevant and is not


def hard_negatives(
    beir: Beir, questions: Sequence[str], home: Path, embedder: Embedder, *,
    depth: int = 40, alike: float = 0.93, progress: Progress = lambda *_: None,
) -> dict[str, list[int]]:  # fmt: skip
    """For each question the numbers of passages that rank first by words and by vectors together and are not relevant.

    alike: a passage whose cosine with a relevant one is more is left out. Rules are repeated from document to document, and
    the judgements name one of the places: the others are not wrong.
    """
    catalog, index = index_passages(beir, home, embedder, progress=progress)
    try:
        view = index.view(datetime.now(UTC))
        of = passage_of_rows(beir, catalog, index)
        places = {id: number for number, id in enumerate(beir.passages)}
        texts = [text for _, text in beir.passages.values()]
        vectors = _vectors(embedder, texts, progress)
        asked = embedder.embed([beir.questions[id] for id in questions])
        found = {}
        for number, (id, vector) in enumerate(zip(questions, asked, strict=True)):
            weights = dict.fromkeys(query_terms(beir.questions[id]), 1.0)
            words = np.zeros(len(texts))
            np.maximum.at(words, of, index.lexical(weights, view))
            both = _above_the_rest(words) + _above_the_rest((vectors @ vector).astype(np.float64))
            relevant = [places[passage] for passage in sorted(beir.relevant[id])]
            best = np.argsort(-both, kind="stable")[:depth]
            near = (vectors[best] @ vectors[relevant].T).max(axis=1) > alike
            found[id] = [int(at) for at in best[~near] if at not in relevant]
            progress(number + 1, len(questions), "questions searched")
        return found
    finally:
        index.close()
        catalog.close()


def _vectors(embedder: Embedder, texts: Sequence[str], progress: Progress) -> Vectors:
    parts = []
    for first in range(0, len(texts), _AT_ONCE):
        parts.append(embedder.embed(texts[first : first + _AT_ONCE]))
        progress(min(first + _AT_ONCE, len(texts)), len(texts), "passages embedded")
    return np.concatenate(parts)


def _above_the_rest(scores: NDArray[np.float64], depth: int = 120) -> NDArray[np.float64]:
    """0 for all but the best `depth`, which are spread up to 1."""
    floor = np.partition(scores, -min(depth, len(scores)))[-min(depth, len(scores))]
    reach = float(scores.max() - floor)
    return np.maximum(scores - floor, 0) / reach if reach > 0 else np.zeros_like(scores)
