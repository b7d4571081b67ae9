"""A file of gold questions in, questions with their evidence as quotes out.

Two forms of evidence are read. The shared form carries the words: `{"file", "quote"}`. The
committed form points at them: `{"file", "start", "end", "sha256"}`, with "page_index0" for a PDF,
because the documents are not ours to redistribute. `start` and `end` count characters of the file
decoded as UTF-8 (of the page's pypdfium2 text for a PDF), and `sha256` is taken over that slice in
UTF-8, so a changed document is noticed instead of scored against.
"""

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.errors import BadRequest, Damaged, NotKnown

KINDS = ("number", "date", "ref", "phrase")
_MARKUP = re.compile(r"<[^>]*>")
_CARRIES_MARKUP = frozenset({".xml", ".html", ".htm", ".nc"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words that answer the question, markup removed. `file` is relative to the corpus folder."""

    file: str
    quote: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What a right answer says, in any of these wordings; kind is one of KINDS."""

    any_of: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Question:
    """One gold question.

    as_of   a civil day or an instant, as written; None asks as of now
    answer  what is right, for a human reader; scoring looks at key_facts only
    """

    id: str
    type: str
    question: str
    answerable: bool
    as_of: str | None
    evidence: tuple[Evidence, ...]
    key_facts: tuple[Fact, ...]
    answer: str = ""
    notes: str | None = None


def load_questions(path: Path, data: Path | None = None) -> list[Question]:
    """Read JSONL; `data` is the folder with the documents, or the one above its `corpus/`.

    Raises BadRequest for a malformed row, an id used twice, or offsets without `data`; NotKnown for
    a document that is not there; Damaged for one that no longer says what it said.
    """
    corpus = data / "corpus" if data is not None and (data / "corpus").is_dir() else data
    questions: dict[str, Question] = {}
    for where, row in _rows(path):
        try:
            question = _question(row, corpus)
        except (KeyError, TypeError, AttributeError) as exc:
            raise BadRequest(f"{where} is not a gold question: {exc!r}") from exc
        if question.id in questions:
            raise BadRequest(f"{where}: the id {question.id!r} is used twice")
        questions[question.id] = question
    return list(questions.values())


def locate(file: Path, words: str, page_index0: int | None = None) -> dict[str, int | str]:
    """Offsets and hash of words in a file, markup included: how a committed row is made.

    Raises NotKnown unless they stand there exactly once.
    """
    text = _text(file, page_index0)
    start = text.find(words)
    if start < 0 or text.find(words, start + 1) >= 0:
        raise NotKnown(f"{words!r} stands {text.count(words)} times in {file}, not once")
    span: dict[str, int | str] = {"start": start, "end": start + len(words)}
    page: dict[str, int | str] = {} if page_index0 is None else {"page_index0": page_index0}
    return span | {"sha256": _sha256(words)} | page


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where = f"{path}:{number}"
                try:
                    yield where, json.loads(line)
                except json.JSONDecodeError as exc:
                    raise BadRequest(f"{where} is not JSON: {exc}") from exc


def _question(row: Mapping[str, Any], corpus: Path | None) -> Question:
    return Question(
        id=row["id"],
        type=row["type"],
        question=row["question"],
        answerable=row["answerable"],
        as_of=row["as_of"],
        evidence=tuple(_evidence(entry, corpus) for entry in row["evidence"]),
        key_facts=tuple(_fact(entry) for entry in row["key_facts"]),
        answer=row.get("answer") or "",
        notes=row.get("notes"),
    )


def _fact(entry: Mapping[str, Any]) -> Fact:
    wordings = entry["any_of"]
    if isinstance(wordings, str) or not wordings or not all(wordings):
        raise BadRequest(f"{entry!r} is not a key fact; any_of needs a list of wordings")
    if entry["kind"] not in KINDS:
        raise BadRequest(f"{entry!r} is not a key fact; there are {', '.join(KINDS)}")
    return Fact(tuple(wordings), entry["kind"])


def _evidence(entry: Mapping[str, Any], corpus: Path | None) -> Evidence:
    file = entry["file"]
    if "quote" in entry:
        return Evidence(file, entry["quote"])
    if corpus is None:
        raise BadRequest(
            f"the evidence in {file} is given as offsets; name the folder that holds the documents"
            " with --data or REGTAPE_DATA"
        )
    words = _text(corpus / file, entry.get("page_index0"))[entry["start"] : entry["end"]]
    if _sha256(words) != entry["sha256"]:
        raise Damaged(f"{file} no longer says, at {entry['start']}, what the question rests on")
    return Evidence(file, _plain(words, Path(file).suffix.lower()))


@lru_cache(maxsize=16)  # a long release is read once for its quotes, and not kept for ever
def _text(file: Path, page_index0: int | None) -> str:
    """The file decoded as UTF-8, or one PDF page's text; line ends stay: offsets count them."""
    if not file.is_file():
        raise NotKnown(f"no document {file}: the questions were not written on this folder")
    if page_index0 is None:
        return file.read_bytes().decode("utf-8", errors="replace")
    import pypdfium2  # type: ignore[import-untyped]  # only questions on PDFs need it

    with pypdfium2.PdfDocument(file) as pdf:
        return str(pdf[page_index0].get_textpage().get_text_range())


def _plain(words: str, suffix: str) -> str:
    """Words as a reader sees them: tags gone, entities decoded, where the file carries markup."""
    if suffix in _CARRIES_MARKUP or "</" in words:  # a full-submission .txt holds HTML parts
        return html.unescape(_MARKUP.sub("", words))
    return words


def _sha256(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()
