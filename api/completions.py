"""Chat messages in, the question they end with out; an answer in, what an OpenAI client reads of it out. Pure.

The text carries its citations as [1], [2]; each mark is an annotation too: what it supports in the text, the address of the
quote in its document, and the citation itself under `citation`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.book import sections_named
from agent.follow import Said, resolve
from api import schemas
from ingest.errors import BadRequest

MODEL = "regtape"
_LONGEST = 2000  # characters of a question, as of POST /v1/ask
_MORE = set(
    """question as_of on asked_by refusal rules brief status not_found drafter fingerprint degraded""".split()
)
_TOKEN = re.compile(r"\w+|[^\w\s]")


class Part(BaseModel):
    """A piece of a message."""

    type: str
    text: str | None = None


class Message(BaseModel):
    """One turn. The words of a system are taken note of by nobody: what is said is said by the documents."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def words(self) -> str:
        """Its text. Raises BadRequest where a question holds something else."""
        if isinstance(self.content, list):
            if self.role == "user" and any(part.type != "text" for part in self.content):
                raise BadRequest("messages may hold text, and neither pictures nor sound nor files")
            return "\n".join(part.text or "" for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream tells besides."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """As OpenAI's, with `as_of`, `filters` and `sources` besides (`extra_body` of its client). Whatever else clients send,
    temperature for one, changes nothing.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": MODEL,
                    "messages": [{"role": "user", "content": "What is the access fee cap?"}],
                    "as_of": "2024-01-31",
                }
            ]
        }
    )

    model: str = Field(default=MODEL, max_length=200)
    messages: list[Message] = Field(min_length=1, max_length=400)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = 1
    as_of: schemas.Moment | None = None
    filters: schemas.Filters = schemas.Filters()
    sources: bool = Field(default=True, description="A list of the sources at the end of the text.")

    @model_validator(mode="after")
    def _ends_with_a_question(self) -> Self:
        try:
            "".join(message.words for message in self.messages).encode()
        except UnicodeEncodeError as exc:
            raise ValueError("messages hold half a character, a surrogate alone") from exc
        words = self.question
        if not words:
            raise ValueError("messages hold no words of a user")
        if len(words) > _LONGEST:
            raise ValueError(f"the last message of the user has more than {_LONGEST} characters")
        return self

    @property
    def question(self) -> str:
        """The user's last words."""
        return next((m.words.strip() for m in reversed(self.messages) if m.role == "user"), "")

    def asked(self) -> str:
        """The question that stands alone: what it leaves to earlier turns is taken from them."""
        said: list[Said] = []
        last = max(n for n, message in enumerate(self.messages) if message.role == "user")
        for number, message in enumerate(self.messages[:last]):
            if message.role != "user" or not message.words.strip():
                continue
            asked = resolve(message.words.strip(), said)
            reply = next((m.words for m in self.messages[number:last] if m.role == "assistant"), "")
            numbered, called = sections_named(asked)
            said.append(Said(message.words, asked, numbered or called or _told(reply)))
        return resolve(self.question, said)


def _told(reply: str) -> tuple[str, ...]:
    numbered, called = sections_named(reply)
    return numbered or called


@dataclass(frozen=True, slots=True)
class Written:
    """An answer as text, in the pieces that a stream tells, with what its marks stand for."""

    pieces: tuple[str, ...]
    annotations: tuple[dict[str, Any], ...]
    refusal: str | None

    @property
    def content(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    def usage(self, request: ChatRequest) -> dict[str, int]:
        """Words and marks, counted as tokens: nothing here is billed by them."""
        asked = sum(len(_TOKEN.findall(message.words)) for message in request.messages)
        told = len(_TOKEN.findall(self.content))
        return {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}


def write(answer: schemas.Answer, root: str, *, sources: bool = True) -> Written:
    """The text of an answer. root: the address under which documents are shown, without a slash at its end."""
    if answer.refusal:
        return Written((answer.refusal.text,), (), answer.refusal.text)
    pieces: list[str] = []
    annotations: list[dict[str, Any]] = []
    by_number = {c.number: c for c in answer.citations}
    at = 0
    for sentence in answer.sentences:
        words = f"“{sentence.text}”" if sentence.verbatim else sentence.text
        cited = [by_number[n] for n in sentence.citations]
        force = "; ".join(dict.fromkeys(c.force for c in cited if c.force))
        said = f"{sentence.lead_in} {words}".strip()
        piece = f"{said} {_marks(sentence.citations)}".rstrip() + (f" ({force})" if force else "")
        annotations += [_annotation(c, at, at + len(said), root) for c in cited]
        pieces.append(piece + "\n\n")
        at += len(pieces[-1])
    if lines := [rule.says for rule in answer.rules] + list(answer.status):
        pieces.append("Status:\n" + "".join(f"- {line}\n" for line in lines) + "\n")
    told = {n for sentence in answer.sentences for n in sentence.citations}
    if sources and told:
        listed = [_source(c, root) for c in answer.citations if c.number in told]
        pieces.append("Sources:\n" + "\n".join(listed))
    pieces[-1] = pieces[-1].rstrip()
    return Written(tuple(pieces), tuple(annotations), None)


def more(answer: schemas.Answer) -> dict[str, Any]:
    """What else the answer says, for who knows RegTape: under `regtape` of a completion, and of a stream's last chunk."""
    return answer.model_dump(mode="json", include=_MORE)


def _marks(numbers: Sequence[int]) -> str:
    return "".join(f"[{n}]" for n in numbers)


def _annotation(citation: schemas.Citation, start: int, end: int, root: str) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": start, "end_index": end, "title": citation.title, "url": _address(citation, root),
        },
        "citation": citation.model_dump(mode="json"),
    }  # fmt: skip


def _address(citation: schemas.Citation, root: str) -> str:
    return f"{root}/documents/{citation.document_id}?at={citation.start}&to={citation.end}"


def _source(citation: schemas.Citation, root: str) -> str:
    page = f"page {citation.page}" if citation.page is not None else ""
    where = ", ".join(filter(None, [citation.title, citation.reference, citation.section, page]))
    return f"[{citation.number}] {where} ({citation.authority}): {_address(citation, root)}"
