"""A conversation in, a file out that `regtape verify` re-checks; and such a file in, its answers out.

JSON is the conversation as HTTP tells it. Markdown is for reading and carries the same in a comment at its end: it is taken
for whole only where writing it again from that comment gives every visible word, so a quote that was edited is found.
"""

import json
import re
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from agent.threads import Threads
from api.schemas import Answer, Citation, Thread, Turn
from ingest.errors import BadRequest

_MARK = "<!-- regtape: "
_COMMENT = re.compile(rf"\n{_MARK}(?P<held>\{{.*\}}) -->\s*\Z", re.DOTALL)
_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def read_thread(threads: Threads, id: str) -> Thread:
    """A conversation as it is told. Raises NotKnown."""
    row = threads.thread(id)
    turns = tuple(
        Turn.model_validate(
            {"question": t.question, "asked_as": t.asked_as, "as_of": t.as_of, "answer": t.answer}
        )
        for t in threads.turns(id)
    )
    return Thread(id=row.id, title=row.title, turns=turns)


def as_json(thread: Thread) -> str:
    """All of it."""
    return thread.model_dump_json(indent=2) + "\n"


def as_markdown(thread: Thread) -> str:
    """For reading: questions, sentences, quotes; passages that were only looked at are left out."""
    turns = tuple(
        turn.model_copy(update={"answer": turn.answer.model_copy(update={"passages": ()})})
        for turn in thread.turns
    )
    kept = thread.model_copy(update={"turns": turns})
    # ">" is written so that no word of a document can end the comment.
    held = kept.model_dump_json().replace(">", "\\u003e")
    return f"{_visible(kept)}\n{_MARK}{held} -->\n"


MAKERS: Mapping[str, Callable[[Thread], str]] = {"json": as_json, "markdown": as_markdown}


def answers_in(text: str, name: str) -> list[Answer]:
    """The answers in what `regtape ask --json` printed (one object, or one a line) or in an exported conversation.

    Raises BadRequest for anything else, and for Markdown whose visible words are not those of its answers.
    """
    try:
        if found := _COMMENT.search(text.replace("\r\n", "\n")):
            thread = Thread.model_validate_json(found["held"])
            if as_markdown(thread) != text.replace("\r\n", "\n"):
                raise BadRequest(
                    f"{name} was changed: its words are not those of the answers it carries"
                )
            return [turn.answer for turn in thread.turns]
        whole = _object(text)
        if whole is not None and "turns" in whole:
            return [turn.answer for turn in Thread.model_validate_json(text).turns]
        lines = [line for line in text.splitlines() if line.strip()]
        answers = [
            Answer.model_validate_json(each) for each in ([text] if whole is not None else lines)
        ]
    except ValidationError as exc:
        first = exc.errors()[0]
        place = "/".join(map(str, first["loc"]))
        raise BadRequest(
            f"{name} is not what `regtape ask --json` prints, nor an exported conversation: {place}: {first['msg']}"
        ) from exc
    if not answers:
        raise BadRequest(f"{name} is empty")
    return answers


def _object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


# ---- what a person reads


def _visible(thread: Thread) -> str:
    parts = [f"# {_plain(thread.title)}"]
    for number, turn in enumerate(thread.turns, start=1):
        parts.append(f"## {number}. {_plain(turn.question)}")
        if turn.asked_as:
            parts.append(f"Asked as: {_plain(turn.asked_as)}")
        parts += _told(turn.answer)
    parts.append(f"Conversation {thread.id}. Check it again with `regtape verify FILE`.")
    return "\n\n".join(parts) + "\n"


def _told(answer: Answer) -> list[str]:
    told = [f"As of {answer.as_of.isoformat()}; drafted by {_plain(answer.drafter)}."]
    if answer.degraded:
        told.append(f"Note: {_plain(answer.degraded)}.")
    if answer.refusal:
        told.append(f"**{_plain(answer.refusal.text)}**")
    for tone in answer.news:
        mean = "none" if tone.mean is None else f"{tone.mean:+.3f}"
        told.append(
            f"News on {_plain(tone.symbol)}, no quote of a document: {tone.items} scored items {_plain(tone.since_what)}, "
            f"mean sentiment {mean}; read at offset {tone.receipt['offset']} of the log."
        )
        told += [
            f"- {h.sentiment:+.2f} {_plain(h.words)} ({_plain(h.source)}, {h.known_at.isoformat()})"
            for h in tone.headlines
        ]
    for sentence in answer.sentences:
        words = f"“{sentence.text}”" if sentence.verbatim else sentence.text
        told.append(f"{_plain(f'{sentence.lead_in} {words}'.strip())} {_marks(sentence.citations)}")
    for rule in answer.rules:
        lines = [f"- {_plain(line.text)} {_marks(line.citations)}".rstrip() for line in rule.lines]
        told.append("\n".join([f"**{_plain(rule.says)}**", "", *lines]).rstrip())
    if answer.brief:
        lines = [
            f"- {_plain(f'{line.label}: {line.text}' if line.label else line.text)} {_marks(line.citations)}".rstrip()
            for part in ("changes", "whom", "dates", "effects", "open")
            for line in getattr(answer.brief, part)
        ]
        told.append("\n".join([f"**{_plain(answer.brief.says)}**", "", *lines]).rstrip())
    told += [f"- {_plain(line)}" for line in answer.status]
    told += [_quoted(citation) for citation in answer.citations]
    return told


def _quoted(c: Citation) -> str:
    page = f"page {c.page}" if c.page is not None else ""
    place = f"characters {c.start} to {c.end} of {c.document_id}"
    worth = f"({c.force})" if c.force else ""
    parts = (
        c.title,
        c.reference,
        c.section,
        page,
        f"{c.speaker}, {c.stage}",
        worth,
        c.authority,
        place,
    )
    return f"\\[{c.number}\\] {_plain(' · '.join(filter(None, parts)))} · sha256 {c.sha256}\n\n> {_plain(c.quote)}"


def _marks(numbers: tuple[int, ...]) -> str:
    return "".join(f"\\[{number}\\]" for number in numbers)


def _plain(words: str) -> str:
    """Words of a document as words: one line, no markup of theirs."""
    line = _SPECIAL.sub(r"\\\1", " ".join(words.split()))
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(
        r"^(\d+)([.)])|^([-+#=])", lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", line
    )
