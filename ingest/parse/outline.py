"""Paragraphs with marks in, one text with sections, footnote anchors and pages out.

Shared by the plain formats (release, text, markdown). A parser hands over paragraphs in reading
order; a footnote call is written into a paragraph with `call("12")`, a page boundary with
`page_mark("37496")`. Both marks are taken out when the text is put together, and become
`Section.anchor` and `Page` there.
"""

import re
import unicodedata
from dataclasses import dataclass, field

from ingest.document import Kind, Page, Section

# Private-use characters carry the marks; tidy() removes any that come in with the source.
_CALL_OPEN, _CALL_SHUT, _PAGE_OPEN, _PAGE_SHUT = "\ue000", "\ue001", "\ue002", "\ue003"
_MARK = re.compile(r"([\ue000\ue002])([^\ue000-\ue003]*)[\ue001\ue003]")

_SPACES = re.compile(r"[^\S\n]+")
_UNSEEN = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ue000-\ue0ff]"
)
_BULLETS = str.maketrans({"\uf0b7": "•", "\uf0a7": "•", "\uf0d8": "•", "\x0c": "\n", "\x85": "\n"})


def clean_characters(text: str) -> str:
    """NFC, "\\n" line ends, plain spaces; unseen characters and soft hyphens removed;
    indentation is kept.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).translate(
        _BULLETS
    )
    text = re.sub(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]", " ", text)
    return _UNSEEN.sub("", text)


def one_line(text: str) -> str:
    """A paragraph on one line, runs of spaces collapsed."""
    return re.sub(r"\s+", " ", text).strip()


def call(label: str) -> str:
    """The mark of a footnote call, to be written into a paragraph where the call stands."""
    return f"{_CALL_OPEN}{label}{_CALL_SHUT}"


def page_mark(printed: str) -> str:
    """The mark of a page that begins here, to be written into a paragraph."""
    return f"{_PAGE_OPEN}{printed}{_PAGE_SHUT}"


def without_marks(text: str) -> str:
    """The paragraph as a reader sees it."""
    return _MARK.sub("", text)


@dataclass(slots=True)
class _Part:
    path: tuple[str, ...]
    kind: Kind
    label: str | None
    paragraphs: list[str] = field(default_factory=list)


class Outline:
    """Collects paragraphs under sections and puts the text together once."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._printed: str | None = None

    def open(
        self,
        path: tuple[str, ...] = (),
        kind: Kind = Kind.BODY,
        label: str | None = None,
    ) -> None:
        """Begin a section; what is added next belongs to it. A section that stays empty leaves
        no trace.
        """
        self._parts.append(_Part(path, kind, label))

    def add(self, paragraph: str, *, lines: bool = False) -> None:
        """Add a paragraph to the open section; with `lines`, line breaks are kept (the rows of a
        table).
        """
        rows = paragraph.split("\n") if lines else [paragraph]
        shown = "\n".join(row for row in map(one_line, rows) if row)
        if not shown:
            return
        if not self._parts:
            self.open()
        self._parts[-1].paragraphs.append(shown)

    def build(self) -> tuple[str, tuple[Section, ...], tuple[Page, ...]]:
        """The text, its sections in order, and its pages (none where no page was marked)."""
        text = ""
        calls: dict[str, int] = {}
        marks: list[tuple[int, str]] = []
        spans: list[tuple[int, int, _Part]] = []
        for part in self._parts:
            start: int | None = None
            for paragraph in part.paragraphs:
                shown, own_calls, own_marks = _take_out(paragraph)
                offset = len(text) + (2 if text and shown else 0)
                if shown:
                    text += ("\n\n" if text else "") + shown
                    start = offset if start is None else start
                marks += [(min(offset + at, len(text)), printed) for at, printed in own_marks]
                for at, label in own_calls:
                    calls.setdefault(label, offset + at)
            if start is not None:
                spans.append((start, len(text), part))
        sections = tuple(
            Section(start, end, part.path, part.kind, part.label, _anchor(part, calls))
            for start, end, part in spans
        )
        return text, sections, _pages(marks, len(text))


def _anchor(part: _Part, calls: dict[str, int]) -> int | None:
    return calls.get(part.label) if part.kind is Kind.FOOTNOTE and part.label else None


def _take_out(
    paragraph: str,
) -> tuple[str, list[tuple[int, str]], list[tuple[int, str]]]:
    """A paragraph without its marks, and the offsets in it where calls and pages stood."""
    shown = ""
    calls: list[tuple[int, str]] = []
    marks: list[tuple[int, str]] = []
    last = 0
    for mark in _MARK.finditer(paragraph):
        shown += paragraph[last : mark.start()]
        last = mark.end()
        if mark[1] == _CALL_OPEN:
            shown = shown.rstrip(" ")  # "securities. <call>" leaves no space behind
            calls.append((len(shown), mark[2]))
            if last < len(paragraph) and paragraph[last].isalnum() and shown:
                shown += " "
        else:
            if shown.endswith(" ") and paragraph[last : last + 1] == " ":
                last += 1
            marks.append((len(shown), mark[2]))
    shown += paragraph[last:]
    return shown.strip(), calls, marks


def _pages(marks: list[tuple[int, str]], end: int) -> tuple[Page, ...]:
    if not marks:
        return ()
    starts = [(0, ""), *marks] if marks[0][0] > 0 else marks
    ends = [at for at, _ in starts[1:]] + [end]
    return tuple(
        Page(number, at, stop, printed or None)
        for number, ((at, printed), stop) in enumerate(zip(starts, ends, strict=True), start=1)
    )


# --- headings -----------------------------------------------------------------------------------

_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_HEADING = re.compile(
    r"^(?:(?P<mark>[IVXL]{1,7}|[A-Z]|\d{1,2}|[ivx]{1,5}|[a-z])\.|\((?P<bracket>\d{1,2}|[ivx]{1,4}|[a-z])\))\s*(?P<title>\S.*)$"
)
_STYLES = ("ROMAN", "ALPHA", "digit", "alpha", "roman", "bracket")


@dataclass(frozen=True, slots=True)
class Heading:
    """A numbered heading as read: "A. Background" has mark "A", title "Background"."""

    mark: str
    title: str
    bracketed: bool = False


def roman_value(mark: str) -> int | None:
    """4 for "IV" or "iv"; None for what is not a Roman numeral under 90."""
    values = [_ROMAN.get(letter, 0) for letter in mark.lower()]
    if not values or 0 in values:
        return None
    total = sum(-v if v < nxt else v for v, nxt in zip(values, [*values[1:], 0], strict=True))
    return total if to_roman(total) == mark.lower() else None


def to_roman(number: int) -> str:
    """Lower-case Roman numeral."""
    out = ""
    for value, letters in (
        (50, "l"),
        (40, "xl"),
        (10, "x"),
        (9, "ix"),
        (5, "v"),
        (4, "iv"),
        (1, "i"),
    ):
        while number >= value:
            out, number = out + letters, number - value
    return out


def read_heading(text: str) -> Heading | None:
    """The numbered heading a short line is, or None where it reads as a sentence or an item of a
    list.
    """
    match = _HEADING.match(text)
    if not match:
        return None
    title = match["title"].strip()
    if not _reads_as_title(title):
        return None
    return Heading(match["mark"] or match["bracket"], title, bracketed=match["mark"] is None)


_ABBREVIATION = re.compile(
    r"(?:\b(?:U\.S|Inc|Corp|Co|No|Nos|vs?|Sec|St|Jr|Sr|Dr|Mr|Ms|i\.e|e\.g|et al|[A-Z]))\.",
    re.IGNORECASE,
)


def _reads_as_title(title: str) -> bool:
    first = title.lstrip("“\"\u2018'(§ ")[:1]
    if not first or first.islower() or len(title) > 250:
        return False
    if title.endswith((";", ",", "; and", "; or")):
        return False
    bare = _ABBREVIATION.sub("", title)
    if re.search(r"[.?!][”\"]?\s+[A-Z“(]", bare) and len(bare) > 60:  # two sentences
        return False
    return not (bare.endswith(".") and len(bare) > 100)


class HeadingPath:
    """Follows numbered headings and says under which path each stands.

    Levels are those of SEC releases: I. / A. / 1. / a. / i. / (1). A mark that may be two things
    ("I." after "H.", "C." after "B.") is what continues the running count; gaps and repeats in the
    numbering are survived.
    """

    def __init__(self) -> None:
        self._stack: list[tuple[int, int, str]] = []  # level, number, heading as shown

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(shown for _, _, shown in self._stack)

    def enter(self, heading: Heading, shown: str) -> tuple[str, ...]:
        level, number = self._place(heading)
        self._stack = [entry for entry in self._stack if entry[0] < level]
        self._stack.append((level, number, shown))
        return self.path

    def _place(self, heading: Heading) -> tuple[int, int]:
        readings = _readings(heading)
        now = {level: number for level, number, _ in self._stack}
        for level, number in sorted(
            readings, reverse=True
        ):  # the deepest running count that goes on
            if now.get(level, 0) and number == now[level] + 1:
                return level, number
        opened = [(level, number) for level, number in readings if number == 1]
        if opened and len(readings) > 1:  # "i." may open a count of its own below what is open
            deepest = max(now, default=-1)
            below = [reading for reading in opened if reading[0] > deepest]
            return min(below) if below else min(opened)
        return min(readings, key=lambda reading: abs(reading[1] - now.get(reading[0], 0) - 1))


def _readings(heading: Heading) -> list[tuple[int, int]]:
    mark = heading.mark
    if heading.bracketed:
        return [(5, int(mark) if mark.isdigit() else ord(mark[0]))]
    if mark.isdigit():
        return [(2, int(mark))]
    roman = roman_value(mark)
    readings = [(0 if mark.isupper() else 4, roman)] if roman else []
    if len(mark) == 1:
        readings.append((1 if mark.isupper() else 3, ord(mark.lower()) - 96))
    return readings or [(4, 1)]


# --- paragraph labels of rules and statutes -----------------------------------------------------

_LABEL = re.compile(r"^\(\s?([a-z]{1,2}|[ivxl]{1,6}|[A-Z]{1,2}|[IVXL]{1,5}|\d{1,3})\s?\)\s*")
_NEXT_LABEL = re.compile(r"^[A-Z][^()]{2,140}?(?:[.—\u2013:-]|\s-)\s*(?=\((?:1|i|A|I)\)\s)")
CFR_ORDER = ("alpha", "digit", "roman", "ALPHA", "digit2", "roman2")
USC_ORDER = ("alpha", "digit", "ALPHA", "roman", "ROMAN", "alpha2")


class Labels:
    """Follows paragraph marks "(a)", "(1)", "(i)" and gives the whole label, "(a)(1)(i)"."""

    def __init__(self, order: tuple[str, ...] = CFR_ORDER) -> None:
        self._order = order
        self._stack: list[tuple[int, int, str]] = []  # rank in the order, number, mark
        self._opens = False  # the paragraph before ended as one does that a deeper list follows

    def read(self, paragraph: str) -> str | None:
        """The label of a paragraph that begins with one or more marks; None where it has none."""
        rest, found = paragraph, False
        while match := _LABEL.match(rest):
            self._enter(match[1])
            found = True
            rest = rest[match.end() :]
            if titled := _NEXT_LABEL.match(
                rest
            ):  # "(b) Pilot securities - (1) Initial list. (i) The …"
                rest = rest[titled.end() :]
        self._opens = not re.search(r"(?:[.;]|; and|; or)$", paragraph.rstrip())
        return self.label if found else None

    @property
    def label(self) -> str:
        return "".join(f"({mark})" for _, _, mark in self._stack)

    def _enter(self, mark: str) -> None:
        readings = [
            (rank, number)
            for rank, style in enumerate(self._order)
            if (number := _count(mark, style))
        ]
        now = {rank: number for rank, number, _ in self._stack}
        deepest = max(now, default=-1)
        below = [reading for reading in readings if reading[0] > deepest and reading[1] == 1]
        going_on = [
            reading
            for reading in readings
            if now.get(reading[0], 0) + 1 == reading[1] and reading[0] in now
        ]
        if not now and readings and readings[0][0] == 0 and len(mark) == 1:
            rank, number = readings[
                0
            ]  # subsection "(i)" at the head of an excerpt is the ninth, not a Roman one
        elif going_on and not (below and self._opens):
            rank, number = max(going_on)
        elif below:
            rank, number = min(below)
        elif readings:  # an excerpt that begins in the middle, or a gap
            rank, number = min(
                readings,
                key=lambda reading: (reading[0] in now, abs(reading[0] - deepest - 1)),
            )
        else:
            return
        self._stack = [entry for entry in self._stack if entry[0] < rank]
        self._stack.append((rank, number, mark))


def _count(mark: str, style: str) -> int:
    """Which number a mark is in a style; 0 where it cannot be of that style."""
    if style.startswith("digit"):
        return int(mark) if mark.isdigit() else 0
    if mark.isdigit() or mark.isupper() is not style.isupper():
        return 0
    if style.lower().startswith("roman"):
        return roman_value(mark) or 0
    if len(set(mark)) > 1:
        return 0
    return ord(mark[0].lower()) - 96 + 26 * (len(mark) - 1)
