"""Legal prose in, sentence spans out: what the gate checks, the composer quotes and the chunker does not cut.

A wrong break is worse than a missing one: half a sentence loses its "unless", its speaker or its section number. So a stop
ends a sentence only when nothing speaks against it:

- an abbreviation that always has more to come ("v. FAA", "See, e.g., SIFMA Letter", "No. 34-51808") never ends one; one
  that may ("Inc.", "U.S.C.", "a.m.", "Id.", an initial) does so only before a word that opens sentences ("The", "See");
- inside a parenthesis or quotation that closes in the same paragraph there is no end: what a commenter is quoted as saying
  stays with the words that say whose it is (one that is longer than a few sentences is broken all the same);
- an enumerator ("1.", "III.", "Item 7.") belongs to what follows it, and "(a) ...; (b) ..." is one sentence;
- a blank line always ends one, and so does the end of a table row (a line with " | ").

Closing quotes and brackets stay with their stop, and so does a footnote number glued to it ("limit orders.28").
"""

import re
from collections.abc import Iterator

Span = tuple[int, int]

_LONGEST_ASIDE = 700  # characters of a parenthesis or quotation that is kept whole

_BLANK_LINE = re.compile(r"\n\s*\n")
_LINE_END = re.compile(r"\n")
_SPACE = re.compile(r"\s*")
_STOP = re.compile(
    r"""(?P<stop>[.!?…]+)
        (?P<close>["'”’)\]]*)
        (?P<note>\d{1,4}(?!\S))?
        (?=\s|(?P<glued>[“"(]?[A-Z][a-z]*(?![\w.])))""",
    re.VERBOSE,
)
_WORD_BEFORE = re.compile(r"[^\s()\[\]“”\"—–/,;]*\Z")
_NEXT_WORD = re.compile(r"\s*[\"'“‘(\[]*([^\s,;:!?)\]”\"]*)")
_LISTED = re.compile(r"\s*\([a-z0-9]{1,4}\)\s")
_ENUMERATOR = re.compile(
    r"(?:\(?(?:[A-Za-z]|[ivxlcIVXLC]{1,7}|\d{1,3})(?:\)|\b)[.\s]*){1,4}"
    r"|(?:Item|Question|Section|Sec|Part|Article|Rule|Table|Figure|Annex|Appendix|§+)\.?\s*[\w.()-]+|[QA]"
)
_DOTTED = re.compile(r"(?:[A-Za-z]{1,2}\.)+[A-Za-z]{1,2}|[A-Za-z]")  # U.S.C, a.m, Ph.D, an initial

# To end a sentence with one of these is not English.
_NEVER = frozenset(
    "v vs cf e.g i.e viz Cf Mr Mrs Ms Dr Prof Hon Messrs Sec Secs Sect Art Arts Pt Par Reg Regs Fed Supp Vol Rev Bull Exch "
    "Comm’n Comm'n Gen Sen Gov Rel Rels Ex Exs Fig Figs Nos nos pp nn fn ed eds ca approx Jan Feb Mar Apr Jun Jul Aug Sep "
    "Sept Oct Nov Dec".split()
)
# These only before a number; else they are words ("The answer is no.").
_BEFORE_NUMBERS = frozenset("No no p n art sec ch Ch para Para item fig vol note".split())
# These may end a sentence or stand within one, like all that is dotted.
_MAYBE = frozenset(
    "Inc Corp Co Cos Ltd Bros Jr Sr Esq etc al seq Id id Ibid ibid Ass’n Ass'n Assoc Cir Ct App Div Stat Dep’t Dep't Univ "
    "Int’l Int'l Nat’l Nat'l Dist Cal Del Ill Mass Tex Wash St Ave Ste Blvd Fin Econ".split()
)
_OPENERS = frozenset(
    "A About Accord Accordingly Additionally After Again All Also Although Among An And Another Any As At Based Because Before "
    "Being Between Both But By Cf Commenters Compare Consequently Consistent Conversely Currently Despite Due During Each "
    "Either Even Every Few Finally First For Fourth From Further Furthermore Generally Given Had Has Have He Hence Her Here "
    "His How However I If In Indeed Instead Is It Its Last Lastly Later Like Likewise Many Moreover Most Much Neither "
    "Nevertheless Next No None Nonetheless Nor Not Nothing Notwithstanding Now Of On Once One Only Or Other Others Otherwise "
    "Our Over Overall Pursuant Rather Regarding Second See She Should Similarly Since So Some Specifically Still Subject "
    "Subsequently Such That The Their Then There Thereafter Therefore These They Third This Those Though Through Thus To "
    "Together Two Under Unless Unlike Until Upon Using We Were What When Where Whereas Whether Which While Who Why Will With "
    "Within Without Would Yet You Your".split()
)
_MARK = re.compile(r"[()\[\]“”\"]")
_OPENS = {")": "(", "]": "[", "”": "“", '"': '"'}
_DEEPEST = 8  # how far back a mark looks for its opener: unclosed ones must not cost quadratic time


def sentences(text: str, start: int = 0) -> list[Span]:
    """Half-open spans of the sentences of `text`, in order, without white space at their ends; `start` is added to each.

    Together they hold every character of the text that is not white space.
    """
    return [
        (start + begin, start + end)
        for paragraph in paragraphs(text)
        for line in _lines(text, paragraph)
        for begin, end in _split(text, line)
    ]


def paragraphs(text: str, start: int = 0) -> list[Span]:
    """Spans of what blank lines divide, without white space at their ends; `start` is added to each."""
    return [(start + begin, start + end) for begin, end in _between(_BLANK_LINE, text)]


def rows(text: str, start: int = 0) -> list[Span]:
    """Spans of the lines that are not blank, without white space at their ends; `start` is added to each."""
    return [(start + begin, start + end) for begin, end in _between(_LINE_END, text)]


def _lines(text: str, paragraph: Span) -> list[Span]:
    """The paragraph; or, where it holds table rows, each of its lines."""
    has_rows = text.find(" | ", *paragraph) >= 0
    return list(_between(_LINE_END, text, paragraph)) if has_rows else [paragraph]


def _between(divider: re.Pattern[str], text: str, span: Span | None = None) -> Iterator[Span]:
    begin, end = span or (0, len(text))
    for match in divider.finditer(text, begin, end):
        yield from _trimmed(text, begin, match.start())
        begin = match.end()
    yield from _trimmed(text, begin, end)


def _trimmed(text: str, begin: int, end: int) -> Iterator[Span]:
    part = text[begin:end]
    if words := part.strip():
        begin += len(part) - len(part.lstrip())
        yield begin, begin + len(words)


def _split(text: str, line: Span) -> Iterator[Span]:
    begin, end = line
    asides = _asides(text, line)
    at = 0
    for stop in _STOP.finditer(text, begin, end):
        if stop.end() >= end:
            break
        while at < len(asides) and asides[at][1] <= stop.start():
            at += 1
        opened, closed = asides[at] if at < len(asides) else (end, end)
        if opened < stop.start() and stop.end() < closed:
            continue
        # "as it said (citing 15 U.S.C.) The rule": the stop belongs to what is in the brackets alone.
        bracketed = begin < opened < stop.start() and text[opened] in "(["
        if _ends(text, begin, stop, bracketed):
            yield begin, stop.end()
            begin = stop.end() + len(_SPACE.match(text, stop.end())[0])  # type: ignore[index]
    yield begin, end


def _asides(text: str, line: Span) -> list[Span]:
    """Outermost pairs of brackets and of quotation marks that are short enough to keep whole; ends lie after the mark."""
    begin, end = line
    opened: list[tuple[str, int]] = []
    pairs: list[Span] = []
    for match in _MARK.finditer(text, begin, end):
        mark, at = match[0], match.start()
        if mark in "([“" or (mark == '"' and (at == begin or text[at - 1] in " \n([—–“")):
            opened.append((mark, at))
            continue
        for depth in range(len(opened) - 1, max(-1, len(opened) - _DEEPEST), -1):
            if opened[depth][0] == _OPENS[mark]:
                pairs.append((opened[depth][1], at + 1))
                del opened[depth:]
                break
    outermost: list[Span] = []
    for pair in sorted(pair for pair in pairs if pair[1] - pair[0] <= _LONGEST_ASIDE):
        if not outermost or pair[0] >= outermost[-1][1]:
            outermost.append(pair)
    return outermost


def _ends(text: str, begin: int, stop: re.Match[str], bracketed: bool) -> bool:
    following = _NEXT_WORD.match(text, stop.end())
    word = following[1] if following else ""
    listed = _LISTED.match(text, stop.end()) is not None
    if (word[:1].islower() and not listed) or word[:1] == "." or stop.start() == begin:
        return False
    opens = listed or word.removesuffix("’s").removesuffix("'s") in _OPENERS
    if bracketed:
        return opens
    if stop["stop"] != ".":
        return stop["stop"] != "..." or opens
    before = _WORD_BEFORE.search(text[max(begin, stop.start() - 40) : stop.start()])
    ended = before[0] if before else ""
    if stop["note"] and not stop["close"] and not ended[-1:].isalpha():
        return False  # the rest of a number: "242.612"
    if stop["glued"] and not stop["close"] and not ended[-3:].islower():
        return False  # "U.S.Treasury"; but "and issuers.Many" lost its space at a page break
    if _ENUMERATOR.fullmatch(text, begin, stop.start()):
        return False
    number = _is_number(word) or bool(stop["note"])
    if ended in _NEVER or (ended in _BEFORE_NUMBERS and number):
        return False
    if not ended and text[stop.start() - 1].isspace():
        return opens and text.endswith(". . .", 0, stop.start() - 1)  # an ellipsis, then the stop
    return opens or not (ended in _MAYBE or _DOTTED.fullmatch(ended))


def _is_number(word: str) -> bool:
    """Whether a reference goes on with it: 34-51808, S7-10-04, SR-FINRA-2010-043, [34-1]."""
    return any(letter.isdigit() for letter in word) or "-" in word
