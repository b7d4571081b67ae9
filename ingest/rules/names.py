"""Words in, sections of 17 CFR out: "Rules 200(g) and 201", "§§ 242.200 and 203", "Order Protection Rule".

A section is written "242.612(b)(1)", without its title. Rules of Regulation M, SHO, ATS, NMS and SCI go by their number
alone and lie in part 242; rules of the Exchange Act carry a hyphen ("15c3-5") and lie in part 240. A number that fits
neither, and a rule of an exchange ("FINRA Rule 6750"), is no section. Names are what counsel calls a rule by; they say
what a text is about where it gives no number, and a reader is told so.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from ingest.errors import BadRequest

PARAGRAPHS = r"(?:\((?:[a-zA-Z]{1,4}|\d{1,3})\))*"
_OF_ACT = r"\d{1,2}[A-Za-z]{1,2}\d{0,2}-\d{1,2}(?:[A-Z]|[a-z](?![a-z]))?"
_NUMBER = rf"(?:{_OF_ACT}|\d{{3,4}}T?|31T?)(?![\w-]*\.\d)(?!\d)"
_ONE = rf"(?:(?:17 C\.?F\.?R\.? ?)?(?:§+ ?)?(?:2\d\d\. ?)?{_NUMBER}{PARAGRAPHS})"
# "Rules 610, 611, and 612", "§§ 242.200 and 203", "Rules 600(b), 602(a)(5), and 611(c)".
_LIST = re.compile(
    rf"(?P<lead>\b[Rr]ules?\s|§+ ?|\b17 C\.?F\.?R\.? ?(?:§+ ?)?|\bSections? (?=2[34]\d\.)|(?=\b24[02]\.\d))"
    rf"(?P<list>{_ONE}(?:(?:,? (?:and|or|through) |, | and )(?:[Rr]ules? )?{_ONE})*)"
)
_ITEM = re.compile(
    rf"(?P<through>through )?(?:[Rr]ules? )?(?:17 C\.?F\.?R\.? ?)?(?:§+ ?)?(?:(?P<part>2\d\d)\. ?)?"
    rf"(?P<number>{_NUMBER})(?P<paragraphs>{PARAGRAPHS})"
)
_OF_EXCHANGE = re.compile(
    r"(?:\b(?:NYSE|Nasdaq|NASDAQ|NASD|FINRA|Amex|AMEX|BATS|BYX|BZX|EDGA|EDGX|CBOE|Cboe|MSRB|MIAX|MEMX|IEX|ISE|PHLX|Phlx|Arca|"
    r"American|National|Chicago|Texas|BX|BOX|LTSE|ICE|DTC|NSCC|OCC|24X|Series|Equity \d+,|Equities|CFTC|Board|Exchange's)"
    r"['’]?s?|Section) $"
)
# Part 242: what each regulation holds.
_RANGES = ((100, 105), (200, 204), (300, 304), (600, 615), (1000, 1007))
_REGULATION_SECTIONS = {
    "Regulation NMS": (600, 612),
    "Regulation SHO": (200, 203),
    "Regulation ATS": (300, 303),
    "Regulation SCI": (1000, 1007),
}


@dataclass(frozen=True, slots=True)
class Named:
    """A section as a text names it, at the half-open [start, end) of that text."""

    section: str
    start: int
    end: int


# What a rule is called, most telling first; matched in any case, hyphens and spaces alike.
NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("order protection rule", ("242.611",)),
    ("trade-through rule and locked and crossed markets", ("242.610(e)", "242.611")),
    ("trade-through rule for nms stocks", ("242.611",)),
    ("provision regarding locking and crossing quotations", ("242.610(e)",)),
    ("sub-penny rule", ("242.612",)),
    ("minimum pricing increments?", ("242.612",)),
    ("tick sizes", ("242.612",)),
    ("access fees?(?: caps?)?", ("242.610",)),
    ("(?<!fair.)access rule", ("242.610",)),
    ("transaction fee pilot", ("242.610T",)),
    ("market access rule", ("240.15c3-5",)),
    ("brokers or dealers with market access", ("240.15c3-5",)),
    ("rule requiring a consolidated audit trail", ("242.613",)),
    ("(?:proposed|establish a) consolidated audit trail", ("242.613",)),
    ("consolidated audit trail propos(?:al|ing release)", ("242.613",)),
    ("disclosure of order executions? information", ("242.605",)),
    ("disclosure of order executions", ("242.605",)),
    ("disclosure of order handling information", ("242.606",)),
    ("(?:standard )?settlement cycle", ("240.15c6-1",)),
    ("short position and short activity reporting", ("240.13f-2",)),
    ("new form sho", ("240.13f-2",)),
    ("reporting of securities loans", ("240.10c-1a",)),
    ("large trader reporting", ("240.13h-1",)),
    ("trade-through disclosure rules?", ("240.11Ac1-7",)),
    ("naked[”\"]? short selling antifraud rule", ("240.10b-21",)),
    ("order competition rule", ("242.615",)),
    ("regulation best execution", ("242.1100",)),
)  # fmt: skip
# Names that a person types for a rule, besides those above.
_ASKED = {
    "trade-through rule": "242.611",
    "tick size": "242.612",
    "tick size rule": "242.612",
    "access fee cap": "242.610",
    "locked and crossed markets": "242.610",
    "fee pilot": "242.610T",
    "alternative uptick rule": "242.201",
    "short sale circuit breaker": "242.201",
    "uptick rule": "240.10a-1",
    "market access": "240.15c3-5",
    "consolidated audit trail": "242.613",
    "cat": "242.613",
    "order execution quality": "242.605",
    "order routing": "242.606",
    "settlement cycle": "240.15c6-1",
    "t+1": "240.15c6-1",
    "form sho": "240.13f-2",
    "large trader": "240.13h-1",
    "close-out requirement": "242.203",
    "form ats-n": "242.304",
}
# Redesignated by Regulation NMS (70 FR 37496): what is said of the old number before that is said of the same rule.
RENUMBERED = {
    "240.11Aa2-1": "242.600",
    "240.11Aa3-1": "242.601",
    "240.11Aa3-2": "242.608",
    "240.11Ac1-1": "242.602",
    "240.11Ac1-2": "242.603",
    "240.11Ac1-4": "242.604",
    "240.11Ac1-5": "242.605",
    "240.11Ac1-6": "242.606",
}
REDESIGNATED_BY = "34-51808"


def _tolerant(words: str) -> str:
    return words.replace("-", r"[-\s]").replace(" ", r"\s+")


_NAME = re.compile(
    "|".join(rf"(?P<n{i}>\b{_tolerant(words)}\b)" for i, (words, _) in enumerate(NAMES)),
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def numbered(text: str) -> tuple[Named, ...]:
    """The sections that a text names by number, in order; paragraphs stay on them."""
    found: list[Named] = []
    for match in _LIST.finditer(text):
        if _OF_EXCHANGE.search(text, max(0, match.start() - 14), match.start()):
            continue
        part = ""
        last: Named | None = None
        for item in _ITEM.finditer(text, match.start("list"), match.end("list")):
            of_rule = match["lead"].strip().lower().startswith("rule")
            part = item["part"] or ("" if of_rule else part)
            section = _section(part, item["number"], item["paragraphs"], code="CF" in match["lead"])
            if section is None:
                continue
            named = Named(section, item.start("number"), item.end())
            found += (
                _between(last, named) if item["through"] or _through(text, item.start()) else ()
            )
            found.append(named)
            last = named
    return tuple(found)


def _through(text: str, at: int) -> bool:
    return text[max(0, at - 9) : at].rstrip().endswith(("through", "-"))


def _between(first: Named | None, last: Named) -> list[Named]:
    """What lies between in "Rules 1000 through 1007"."""
    ends = [re.fullmatch(r"242\.(\d+)", n.section) for n in (first, last) if n]
    if len(ends) != 2 or not all(ends):
        return []
    low, high = (int(m[1]) for m in ends if m)
    return [
        Named(f"242.{n}", last.start, last.end) for n in range(low + 1, high) if high - low < 30
    ]


def _section(part: str, number: str, paragraphs: str, code: bool = False) -> str | None:
    if not part and code:
        return None  # "17 CFR 200" is a part
    if "-" in number:
        # "242.10b-21" is a misprint found in print; no rule with a hyphen lies in part 242.
        return f"{part if part and part != '242' else '240'}.{number}{paragraphs}"
    if part:
        return f"{part}.{number}{paragraphs}"
    plain = int(number.removesuffix("T"))
    if plain == 31:
        return f"240.{number}{paragraphs}"  # of the Exchange Act, fees on transactions
    inside = any(low <= plain <= high for low, high in _RANGES)
    return f"242.{number}{paragraphs}" if inside else None


def called(text: str) -> tuple[Named, ...]:
    """The sections that a text names by what they are called, in order."""
    found: list[Named] = []
    for match in _NAME.finditer(text):
        sections = NAMES[int(str(match.lastgroup)[1:])][1]
        found += [Named(section, match.start(), match.end()) for section in sections]
    return tuple(found)


def regulation(text: str) -> tuple[str, ...]:
    """Every section of a regulation that a text names as a whole ("new Regulation SCI"); () when it names none."""
    named = [r for r in _REGULATION_SECTIONS if re.search(rf"\b{r}\b", text)]
    if len(named) != 1:
        return ()
    low, high = _REGULATION_SECTIONS[named[0]]
    return tuple(f"242.{n}" for n in range(low, high + 1))


def base(section: str) -> str:
    """ "242.610" of "242.610(c)(1)"."""
    return section.partition("(")[0]


def title(section: str) -> str:
    """ "Access to quotations" of "242.610(c)"; "" where titles.toml has none."""
    return _titles().get(base(section), "")


@cache
def _titles() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_name("titles.toml").read_text("utf-8"))


def in_order(section: str) -> tuple[int | str, ...]:
    """A key by which 242.610 comes before 242.1000, and 240.3b-16 before 240.15c3-5."""
    parts = re.split(r"(\d+)", section)
    return tuple(int(part) if part.isdigit() else part for part in parts)


def covers(wide: str, narrow: str) -> bool:
    """Whether what is said of `wide` is said of `narrow`: the same section, or one of its paragraphs."""
    return narrow == wide or (narrow.startswith(wide) and narrow[len(wide)] == "(")


def bears_on(said: str, asked: str) -> bool:
    """Whether a statement on `said` has to do with `asked`: either holds the other."""
    return covers(said, asked) or covers(asked, said)


def unique(sections: Iterable[str]) -> tuple[str, ...]:
    """Each once, in order of first mention."""
    return tuple(dict.fromkeys(sections))


_TYPED = re.compile(
    rf"(?i)(?:17 C\.?F\.?R\.? ?|§+ ?|(?:sec )?rule )?(?:(2\d\d)\.)?({_OF_ACT}|\d{{3,4}}T?|31T?)({PARAGRAPHS})\Z"
)


def resolve(asked: str) -> str:
    """The section a person means by "242.612", "17 CFR 242.612", "Rule 612(b)", "15c3-5" or "Sub-Penny Rule".

    Raises BadRequest when it is no section and no name.
    """
    words = re.sub(r"\s+", " ", asked).strip().rstrip(".?")
    if match := _TYPED.match(words):
        number = match[2] if "-" in match[2] else match[2].upper()
        if section := _section(match[1] or "", number, match[3]):
            return section
    lowered = re.sub(r"^the ", "", words.lower())
    if lowered in _ASKED:
        return _ASKED[lowered]
    if found := called(words):
        return base(found[0].section)
    raise BadRequest(
        f"{asked!r} is no section; write 242.612, Rule 612, 15c3-5 or a name such as Order Protection Rule"
    )
