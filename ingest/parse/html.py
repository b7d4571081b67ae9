"""HTML (EDGAR filings, inline XBRL, ordinary pages) in, Document out: Items, headings, tables as rows, pages, notes."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from ingest.civil import MONTH, days
from ingest.document import Document, Kind, Metadata, Where
from ingest.errors import Unreadable
from ingest.parse.assemble import NOTE, PAGE, Writer, unmarked
from ingest.parse.htmlblocks import Block, Page, read

_PART = re.compile(r"part\s+(?:[IVX]{1,4}|[1-4])\b\W*(?:[A-Z][A-Za-z ]{0,60})?", re.IGNORECASE)
_ITEM = re.compile(
    r"item\s*(\d{1,2}[A-C]?(?:\.\d{2})?)(?:\s*\([a-z]\))?\s*[.:—–-]*\s*(.*)", re.IGNORECASE
)
_CLOSING = re.compile(
    r"(?:signatures?|exhibit index|index to exhibits|power of attorney)\W*", re.IGNORECASE
)
_CONTENTS = re.compile(r"(?:table of contents|contents|index)\W*", re.IGNORECASE)
_PRINTED = re.compile(
    r"\W*(?:page\s+)?((?:[A-Z]{1,2}-)?\d{1,4}|[ivxl]{1,6})(?:\s+of\s+\d+)?\W*", re.IGNORECASE
)
_DIGITS = re.compile(r"\d+")
_ENDS_SENTENCE = re.compile(r"[.!?:;]['\")\]”’]*$")
_TABLE_NOTE = re.compile(r"\(?(\d{1,2}|[a-z]|\*{1,3})\)?\s+(?=\S)")
_NO_HEADING = re.compile(rf"[(•☐☒☑]|/s/|{MONTH}\s+\d{{1,2}}, \d{{4}}$", re.IGNORECASE)
_CONTINUED = re.compile(r"\W*\(?continued\)?\W*$", re.IGNORECASE)
_LONGEST_HEADING = 200
_LONGEST_RUNNING_HEAD = 120
_ITEM_RANK = (2000.0,)
_TOP_RANK = (3000.0,)


def parse(data: bytes, name: str, *, filing: bool | None = None) -> Document:
    """filing: whether it is an EDGAR form; None asks the page.

    Raises Unreadable: "empty", "no-text", "too-large", "too-deep".
    """
    page = read(data)
    writer = Writer()
    write(page.blocks, writer, filing=_is_filing(page) if filing is None else filing)
    document = writer.finish("html", _metadata(page), page.warnings)
    if not document.text:
        raise Unreadable(
            "no-text",
            f"{name} shows no text without its scripts and images",
            "open it in a browser and save it as PDF, or fetch the printable version",
        )
    return document


def write(blocks: list[Block], writer: Writer, *, filing: bool) -> None:
    """Blocks in reading order into a writer: running heads out, broken paragraphs joined, notes tied, outline found."""
    _write(_noted(_paged(blocks)), writer, filing=filing)


# --- page breaks, running heads, paragraphs broken by them


def _paged(blocks: list[Block]) -> list[Block]:
    """Blocks without running heads and page numbers; each break once, labelled with the number of the page it opens."""
    if any(b.role == "page" and b.label is None for b in blocks):
        blocks = [b for b in blocks if not (b.role == "page" and b.label == "rule")]
    else:
        blocks = _rules_as_breaks(blocks)
    pages = _split(blocks)
    if len(pages) > 1:
        pages = _without_running_heads(pages)
    joined: list[Block] = []
    for printed, page in pages:
        if len(pages) > 1 and page:
            joined.append(Block("page", label=printed or ""))
        joined.extend(page)
    return list(_mended(joined))


def _rules_as_breaks(blocks: list[Block]) -> list[Block]:
    """Old pages mark a page's end by a number and a rule; any other rule is decoration."""
    kept: list[Block] = []
    for at, block in enumerate(blocks):
        if block.role == "page" and block.label == "rule":
            beside = blocks[max(0, at - 1) : at] + blocks[at + 1 : at + 2]
            if not any(b.role == "text" and _PRINTED.fullmatch(b.text) for b in beside):
                continue
            block = Block("page")
        kept.append(block)
    return kept


def _split(blocks: list[Block]) -> list[tuple[str | None, list[Block]]]:
    pages: list[tuple[str | None, list[Block]]] = [(None, [])]
    for block in blocks:
        if block.role != "page":
            pages[-1][1].append(block)
        elif pages[-1][1] or len(pages) == 1:
            pages.append((None, []))
    return pages


def _without_running_heads(
    pages: list[tuple[str | None, list[Block]]],
) -> list[tuple[str | None, list[Block]]]:
    """Drop page numbers and what stands at the top or bottom of many pages; keep the number as the page's label."""
    top = Counter(key for _, page in pages for key in {_running_key(b) for b in page[:2]} if key)
    bottom = Counter(
        key for _, page in pages for key in {_running_key(b) for b in page[-2:]} if key
    )
    often = max(3, 0.25 * len(pages))
    repeated_top = {key for key, count in top.items() if count >= often}
    repeated_bottom = {key for key, count in bottom.items() if count >= often}
    cut: list[tuple[str | None, list[Block]]] = []
    for number, (printed, page) in enumerate(pages):
        page = list(page)
        while page and (
            _PRINTED.fullmatch(page[-1].text) or _running_key(page[-1]) in repeated_bottom
        ):
            number_text = page.pop().text
            printed = printed or _number_in(number_text)
        while (
            page
            and number
            and (_PRINTED.fullmatch(page[0].text) or _running_key(page[0]) in repeated_top)
        ):
            number_text = page.pop(0).text
            printed = printed or _number_in(number_text)
        cut.append((printed, page))
    return cut


def _running_key(block: Block) -> str:
    if (
        block.role == "column"
        or len(block.text) > _LONGEST_RUNNING_HEAD
        or "\n" in block.text
        or block.level
    ):
        return ""
    if _ITEM.match(block.text) or _PART.fullmatch(block.text):
        return ""
    return _DIGITS.sub("#", block.text.lower())


def _number_in(text: str) -> str | None:
    if found := _PRINTED.fullmatch(text):
        return found.group(1)
    numbers = _DIGITS.findall(text)
    return numbers[0] if len(numbers) == 1 and len(numbers[0]) < 5 else None


def _mended(blocks: list[Block]) -> Iterator[Block]:
    """Join a paragraph that a page or column break cut in two; put page breaks into the text they precede."""
    held: Block | None = None
    broke = False
    marks: list[str] = []
    for block in blocks:
        if block.role in ("page", "column"):
            broke = True
            if block.role == "page":
                marks.append(block.label or "")
            continue
        lead = PAGE * len(marks)
        if held is not None and broke and _continues(held, block):
            gap = "" if held.text.endswith("-") else " "
            held = replace(
                held,
                text=f"{held.text}{gap}{lead}{block.text}",
                marks=held.marks + marks + block.marks,
            )
        else:
            if held is not None:
                yield held
            held = (
                replace(block, text=lead + block.text, marks=marks + block.marks)
                if marks
                else block
            )
        marks, broke = [], False
    if held is not None:
        yield held


def _continues(before: Block, after: Block) -> bool:
    if (
        before.role != "text"
        or after.role != "text"
        or before.level
        or after.level
        or before.bold
        or after.bold
    ):
        return False
    return (
        not _ENDS_SENTENCE.search(before.text)
        and after.text[:1].islower()
        and len(before.text) > 40
    )


# --- notes


def _noted(blocks: list[Block]) -> list[Block]:
    """Find which raised marks call a note that stands later, and which blocks are those notes.

    A call without its note becomes text again: a raised "2" may be an exponent.
    """
    defined: list[Block] = []
    pending: dict[str, list[tuple[int, int]]] = {}
    answered: set[tuple[int, int]] = set()
    last: Block | None = None
    for number, block in enumerate(blocks):
        label = _defines(block, last, pending)
        if label is not None:
            block = _as_note(block, label)
            answered.update(pending.pop(label, []))
        defined.append(block)
        order = 0
        for mark in block.text if block.marks else "":
            if mark in (NOTE, PAGE):
                if mark == NOTE and block.role != "note":
                    pending.setdefault(_bare(block.marks[order]), []).append((number, order))
                order += 1
        last = block
    return [_settled_calls(block, number, answered) for number, block in enumerate(defined)]


def _bare(label: str) -> str:
    return label.strip("()[]")


def _defines(
    block: Block, last: Block | None, pending: dict[str, list[tuple[int, int]]]
) -> str | None:
    """The label of the note this block is, if a call waits for it."""
    if block.role != "text" or block.level:
        return None
    text = block.text.lstrip(PAGE)
    if text.startswith(NOTE) and len(text) > 1:
        label = _bare(block.marks[len(block.text) - len(text)])
        return label if label in pending else None
    if last is not None and last.role in ("table", "note") and (found := _TABLE_NOTE.match(text)):
        return found.group(1) if found.group(1) in pending else None
    return None


def _as_note(block: Block, label: str) -> Block:
    text = block.text.lstrip(PAGE)
    pages = len(block.text) - len(text)
    if text.startswith(NOTE):
        shown = block.marks[pages]
        rest = text[1:].lstrip()
        marks = block.marks[:pages] + block.marks[pages + 1 :]
        return replace(
            block, role="note", text=f"{PAGE * pages}{shown} {rest}", marks=marks, label=label
        )
    return replace(block, role="note", label=label)


def _settled_calls(block: Block, number: int, answered: set[tuple[int, int]]) -> Block:
    if NOTE not in block.text:
        return block
    pieces: list[str] = []
    marks: list[str] = []
    order = 0
    for letter in block.text:
        if letter not in (NOTE, PAGE):
            pieces.append(letter)
            continue
        label = block.marks[order]
        if letter == PAGE or (number, order) in answered:
            pieces.append(letter)
            marks.append(_bare(label) if letter == NOTE else label)
        else:
            pieces.append(_written_out(label, "".join(pieces[-3:])))
        order += 1
    return replace(block, text="".join(pieces), marks=marks)


def _written_out(label: str, before: str) -> str:
    """A raised mark that calls nothing: 10^2, CO2, note [2]; a number never grows a digit."""
    if label[0] == "(":
        return f" {label}" if before and not before.endswith(" ") else label
    if before[-1:].isdigit() and label.isdigit():
        return f"^{label}"
    if not label.isdigit() or not before.strip() or len(before.split()[-1]) < 3:
        return label
    return f"[{label}]"


# --- outline


def _is_filing(page: Page) -> bool:
    """An EDGAR form: it says so in its facts, or it has Items and calls itself a form."""
    if "dei:DocumentType" in page.facts:
        return True
    opening = " ".join(b.text for b in page.blocks[:60])[:6000].lower()
    return bool(re.search(r"form\s+(?:10-?[kq]|8-?k|20-?f|6-?k|s-\d|n-\d)", opening))


def _write(blocks: list[Block], writer: Writer, *, filing: bool) -> None:
    """Sections by heading; in a filing, Items are the top level and what precedes the first of them is the cover."""
    outline = _Outline()
    cover = filing and any(_top(b) in ("item", "part") for b in blocks)
    contents = False
    at = 0
    while at < len(blocks):
        block = blocks[at]
        at += 1
        if block.role == "contents" or (contents and block.role == "table" and block.linked):
            writer.add(block.text, block.marks, kind=Kind.CONTENTS)
            contents = True
            continue
        if block.role == "note":
            writer.note(block.label or "", block.text, block.marks, at_once=outline.after_table)
            continue
        top = _top(block)
        if top and contents and block.linked:
            writer.add(block.text, block.marks, kind=Kind.CONTENTS)
            continue
        if _CONTENTS.fullmatch(unmarked(block.text)) and _next_is(blocks, at, "contents"):
            writer.add(block.text, block.marks, kind=Kind.CONTENTS)
            continue
        contents = contents and not block.text
        if cover and not top:
            kind = Kind.TABLE if block.role == "table" else Kind.HEADER
            outline.after_table = block.role == "table"
            writer.add(block.text, block.marks, kind=kind)
            continue
        cover = False
        if block.role == "table":
            outline.after_table = outline.filled = True
            writer.add(block.text, block.marks, path=outline.path, kind=Kind.TABLE)
            continue
        outline.after_table = False
        if top and (title := _title_apart(block, blocks[at : at + 1])):
            outline.enter(block, f"{unmarked(block.text)} {unmarked(title.text)}", top)
            writer.add(block.text, block.marks, path=outline.path, label=outline.label)
            block = title
            at += 1
        elif top or (_is_heading(block) and (block.level or not outline.closing)):
            before = outline.path
            if outline.enter(block, unmarked(block.text), top):
                writer.retitle(before, outline.path)
        else:
            outline.filled = True
        writer.add(block.text, block.marks, path=outline.path, label=outline.label)


def _next_is(blocks: list[Block], at: int, role: str) -> bool:
    return any(b.role == role for b in blocks[at : at + 3])


def _top(block: Block) -> str | None:
    """ "item", "part" or "closing" where the block is a heading of a form's own outline."""
    if block.role != "text" or len(block.text) > _LONGEST_HEADING + 50:
        return None
    text = unmarked(block.text)
    if not text[:4].lower().startswith(("item", "part", "sign", "exhi", "inde", "powe")):
        return None
    strong = block.bold or block.underline or bool(block.level) or text.isupper()
    if found := _ITEM.fullmatch(text):
        set_apart = strong or (block.centred and len(text) < 80)
        return "item" if set_apart and _reads_as_title(found.group(2)) else None
    if strong and _PART.fullmatch(text):
        return "part"
    return "closing" if strong and _CLOSING.fullmatch(text) else None


def _reads_as_title(words: str) -> bool:
    """What follows "Item 7." in a heading, as against "Item 7 of this report says that …"."""
    if not words:
        return True
    sentence = _ENDS_SENTENCE.search(words.rstrip(".")) or ". " in words
    return (words[0].isupper() or words[0] == "[") and not sentence


def _label(title: str) -> str | None:
    found = _ITEM.fullmatch(title)
    return f"Item {found.group(1).upper()}" if found else None


def _title_apart(block: Block, following: list[Block]) -> Block | None:
    """The title of "Item 7." where it stands as a paragraph of its own."""
    found = _ITEM.fullmatch(unmarked(block.text))
    if not found or found.group(2) or not following:
        return None
    title = following[0]
    if title.role != "text" or _top(title) or not _is_heading(title):
        return None
    return title


def _is_heading(block: Block) -> bool:
    """<h1>..<h6>, or a short line set apart by bold, capitals, or italics all through."""
    if block.level:
        return len(block.text) <= 2 * _LONGEST_HEADING
    text = unmarked(block.text)
    if not 2 < len(text) <= _LONGEST_HEADING or not any(c.isalpha() for c in text):
        return False
    if text.endswith((";", ",", " and", " or")) or text[0].islower() or _NO_HEADING.match(text):
        return False
    if block.bold:
        return not (text.endswith(".") and len(text) > 120)
    if text.endswith((".", ":")) or len(text) > 120:
        return False
    return (block.italic or block.underline) and len(text) < 100


def _rank(block: Block, top: str | None) -> tuple[float, ...]:
    """Greater is further out: parts, Items, <h1>..<h6>, then styled lines by size, weight and capitals."""
    if top in ("part", "closing"):
        return _TOP_RANK
    if top == "item":
        return _ITEM_RANK
    if block.level:
        return (1000.0 - block.level,)
    return (round(block.size), block.bold, unmarked(block.text).isupper())


@dataclass(frozen=True, slots=True)
class _Heading:
    rank: tuple[float, ...]
    manner: tuple[
        bool, ...
    ]  # italic, underlined, centred: says that two headings are of one level, not which is above
    title: str


class _Outline:
    """The headings we stand under.

    A heading closes those of lower rank, and those from the last one set in exactly its manner on; of two manners with
    the same rank, the one that came first is above.
    """

    def __init__(self) -> None:
        self._open: list[_Heading] = []
        self.label: str | None = None
        self.filled = True  # something was written under the last heading
        self.after_table = False

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(heading.title for heading in self._open)

    @property
    def closing(self) -> bool:
        """Under signatures or an exhibit index, where bold lines are names and column heads."""
        return bool(self._open) and bool(_CLOSING.fullmatch(self._open[0].title))

    def enter(self, block: Block, title: str, top: str | None) -> bool:
        """Go under a heading; True if it only completes the one before (a title set on two lines)."""
        rank = _rank(block, top)
        manner = (block.italic, block.underline, block.centred)
        label = _label(title) if top == "item" else None
        if top:
            if label is not None and label == self.label and self._open:
                del self._open[1:]  # "Item 8 (continued)": the same Item on another page
                return False
            self._open.clear()
            self.label = label
        elif (again := _CONTINUED.sub("", title)) != title and (
            depth := self._depth_of(again)
        ) is not None:
            del self._open[depth + 1 :]
            return False
        elif self._goes_on(rank, manner):
            last = self._open.pop()
            self._open.append(
                _Heading(rank, manner, f"{last.title} {title}"[: 2 * _LONGEST_HEADING])
            )
            return True
        while self._open and self._open[-1].rank < rank:
            self._open.pop()
        for depth, heading in enumerate(self._open):
            if heading.rank == rank and (heading.manner == manner or block.level):
                del self._open[depth:]
                break
        self._open.append(_Heading(rank, manner, title[: 2 * _LONGEST_HEADING]))
        self.filled = False
        return False

    def _depth_of(self, title: str) -> int | None:
        """How deep a heading with this title, or ending in it, is open."""
        held = [depth for depth, heading in enumerate(self._open) if heading.title.endswith(title)]
        return held[-1] if title and held else None

    def _goes_on(self, rank: tuple[float, ...], manner: tuple[bool, ...]) -> bool:
        """A centred heading set on two lines."""
        if self.filled or not self._open or len(rank) == 1:
            return False
        last = self._open[-1]
        return last.rank == rank and last.manner == manner and manner[2]


# --- metadata


def _metadata(page: Page) -> Metadata:
    """What the head and the dei: facts say; the rest is read from the text later."""
    metadata = Metadata(language=page.language)

    def put(field: str, value: object, place: str) -> None:
        if value and not getattr(metadata, field):
            setattr(metadata, field, value)
            metadata.where[field] = Where(place)

    facts = page.facts
    put("company", facts.get("dei:EntityRegistrantName"), "dei:EntityRegistrantName")
    put("cik", facts.get("dei:EntityCentralIndexKey"), "dei:EntityCentralIndexKey")
    put("form", facts.get("dei:DocumentType"), "dei:DocumentType")
    put("period", _day(facts.get("dei:DocumentPeriodEndDate", "")), "dei:DocumentPeriodEndDate")
    if metadata.company and metadata.form:
        ended = f", {metadata.period.isoformat()}" if metadata.period else ""
        put("title", f"{metadata.company}: Form {metadata.form}{ended}", "dei:EntityRegistrantName")
    put("title", page.meta.get("og:title") or _real_title(page.title), "<title>")
    for key in ("article:published_time", "dc.date", "dcterms.date", "date", "publication_date"):
        put("published_on", _day(page.meta.get(key, "")), f"<meta {key}>")
    return metadata


def _real_title(title: str | None) -> str | None:
    """Filing agents title a page with its file name ("v-20240930"); that is no title."""
    return title if title and " " in title and len(title) < 300 else None


def _day(text: str) -> date | None:
    return next((day.on for day in days(text)), None)
