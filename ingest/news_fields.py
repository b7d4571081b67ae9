"""One value of a row in, one field of a NewsItem out, or BadRow: texts made fit to read, ids, symbols, languages, links."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from ingest.news_stamp import BadRow, Precision

MAX_HEADLINE = 1_000  # characters
MAX_BODY = 200_000
MAX_SYMBOLS = 200
MAX_ID = 500
MAX_SOURCE = 200
MAX_URL = 2_000


# What pandas, SQL and Excel write for no value. NAN in capitals is a ticker.
NOTHING = frozenset(("", "nan", "NaN", "None", "null", "NULL", "N/A", "n/a", "NaT", "<NA>"))


class Kind(StrEnum):
    """What a record does."""

    ITEM = "item"
    CORRECTION = "correction"
    RETRACTION = "retraction"


def precision_of(value: object) -> Precision:
    """What the source says of its stamps' precision; instant where it says nothing."""
    return _one_of(Precision, "precision", value, Precision.INSTANT)


def kind_of(value: object) -> Kind:
    """An item where nothing else is said."""
    return _one_of(Kind, "kind", value, Kind.ITEM)


_Named = TypeVar("_Named", bound=StrEnum)


def _one_of(kinds: type[_Named], name: str, value: object, default: _Named) -> _Named:
    if value is None:
        return default
    try:
        return kinds(str(value).strip().lower())
    except ValueError:
        right = ", ".join(kinds)
        raise BadRow(
            f"bad-{name}", f"{name} cannot be {short(value)}; give one of {right}"
        ) from None


def reference_of(kind: Kind, given: str) -> str | None:
    """The id that a correction or retraction is about; None for an item."""
    if kind is Kind.ITEM and given:
        raise BadRow(
            "unexpected-refers-to",
            f"an item refers to {short(given)}; give kind correction or retraction, or leave refers_to empty",
        )
    if kind is not Kind.ITEM and not given:
        raise BadRow("missing-refers-to", f"a {kind} must say in refers_to which id it is about")
    return given or None


# Nothing to see: controls, zero-width space and joiner, direction overrides (they make text read as what it is not), byte
# order marks, tags (text that only a program reads). Soft hyphens, joiners of emoji and letters, and marks of direction
# stay: they are part of words.
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)


def _cleaned(odd: re.Match[str]) -> str:
    char = odd[0]
    if "\x80" <= char <= "\x9f":
        # 0x92 is the apostrophe of a text in Windows-1252 that something took for Latin-1.
        return char.encode("latin-1").decode("cp1252", "ignore")
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    return " " if char in "\x0b\x0c\x1c\x1d\x1e\x1f" else ""


def text_of(name: str, value: object, flags: list[str]) -> str:
    """Text without what shows nothing; "stripped-controls" joins the flags where there was any."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRow("not-text", f"{name} is {short(value)}, not text; put it in quotes")
    clean, changed = _ODD.subn(_cleaned, value)
    if changed:
        flags.append("stripped-controls")
    return clean


def paragraphs(text: str) -> str:
    """Line breaks as line feeds, none around."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def line_of(name: str, value: object, most: int, flags: list[str]) -> str:
    """Text with white space made single."""
    text = " ".join(text_of(name, value, flags).split())
    if len(text) > most:
        raise BadRow(
            "too-large",
            f"{name} has {len(text):,} characters; at most {most:,} are kept, shorten it",
        )
    return text


def id_of(name: str, value: object, flags: list[str]) -> str:
    """Text, or a whole number's digits; empty where there is none."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**MAX_ID:
        return str(value)
    if value is not None and not isinstance(value, str):
        raise BadRow("bad-id", f"{name} cannot be {short(value)}; give text or a whole number")
    return line_of(name, value, MAX_ID, flags)


def cut(text: str, most: int) -> str:
    """At the last space within a tenth of the limit, so that no half word is read."""
    space = text.rfind(" ", most - most // 10, most + 1)
    return text[: space if space > 0 else most].rstrip()


def url_of(value: object, flags: list[str]) -> str | None:
    """Shown as a link one day, so nothing but the web; the news is not lost for it."""
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= MAX_URL and _WEB.fullmatch(url := value.strip()):
        return url
    flags.append("bad-url")
    return None


_WEB = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f\ud800-\udfff\"<>]+", re.IGNORECASE)

_LANGUAGE = re.compile(r"([a-z]{2,3})((?:-[a-z0-9]{1,8})*)", re.IGNORECASE | re.ASCII)
_TWO_LETTERS = {
    "ara": "ar", "chi": "zh", "deu": "de", "dut": "nl", "eng": "en", "fra": "fr", "fre": "fr", "ger": "de", "ita": "it",
    "jpn": "ja", "kor": "ko", "nld": "nl", "por": "pt", "rus": "ru", "spa": "es", "zho": "zh",
}  # fmt: skip


def language_of(value: object) -> str:
    """RFC 5646 in its usual case: en, en-US, zh-Hant; two letters where three say the same."""
    if value is None:
        return "en"
    found = _LANGUAGE.fullmatch(value.strip().replace("_", "-")) if isinstance(value, str) else None
    if not found or len(found[0]) > 35:
        raise BadRow(
            "bad-language", f"language cannot be {short(value)}; give a code such as en or pt-BR"
        )
    first = found[1].lower()
    parts = [_TWO_LETTERS.get(first, first)]
    for part in found[2].split("-")[1:]:
        script = len(part) == 4 and part.isalpha()
        parts.append(part.upper() if len(part) == 2 else part.title() if script else part.lower())
    return "-".join(parts)


# BRK.B, BF/B, AAPL.O, NYSE:BAC, $BAC, ^GSPC, .SPX, EUR=, BTC-USD, M&M.NS, @ES#, 0700.HK, BAC US EQUITY
_SYMBOL = re.compile(r"[$^.@#/]{0,2}[A-Z0-9](?:[A-Z0-9 ./:_=^&+*!#@-]{0,38}[A-Z0-9=^#!*+-])?")
_LISTED = re.compile(r"[,;|\n]")


_BLOOMBERG = frozenset(("EQUITY", "INDEX", "CURNCY", "COMDTY", "CORP", "GOVT", "MTGE", "PFD"))


def symbols_of(value: object, flags: list[str]) -> tuple[str, ...]:
    """As given, in upper case, each once: a list, or a text that is one."""
    if value is None:
        return ()
    if isinstance(value, str):
        text = value.strip()
        if text[:1] + text[-1:] in ("[]", "()", "{}"):  # a list that was printed into a cell
            text = text[1:-1]
        parts: Sequence[object] = [text]  # "BAC US Equity" is one
        if _LISTED.search(text):
            parts = _LISTED.split(text)
        elif text.upper().rpartition(" ")[2] not in _BLOOMBERG:
            parts = text.split()
    elif isinstance(value, list | tuple):
        parts = value
    else:
        raise BadRow(
            "bad-symbols", f"symbols cannot be {short(value)}; give a list of texts, or one text"
        )
    if len(parts) > MAX_SYMBOLS:
        raise BadRow(
            "too-large",
            f"{len(parts)} symbols; at most {MAX_SYMBOLS} are kept, name the ones it is about",
        )
    symbols: dict[str, None] = {}
    for part in parts:
        if part is None:
            continue
        if not isinstance(part, str):
            raise BadRow("bad-symbols", f"{short(part)} is no symbol; give texts")
        given = " ".join(text_of("symbols", part, flags).strip().strip("'\"").split())
        if given in NOTHING:
            continue
        if not _SYMBOL.fullmatch(symbol := given.upper()):
            raise BadRow(
                "bad-symbols",
                f"{short(part)} is no symbol; write it like BRK.B, BF/B, AAPL.O or NYSE:BAC",
            )
        symbols[symbol] = None
    return tuple(symbols)


def short(value: object) -> str:
    """A value in a sentence: readable, never long, printable."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**60:
        return "a huge number"
    if isinstance(value, str):
        return repr(value[:60])
    if value is None or isinstance(value, bool | int | float | Decimal):
        return str(value)
    return f"{type(value).__name__} {as_json(value)[:60]}"


def as_json(value: object) -> str:
    """JSON in ASCII of whatever came in; a sentence where it has none."""
    try:
        return json.dumps(dict(value) if isinstance(value, Mapping) else value, default=str)
    except (ValueError, RecursionError, TypeError):
        return f"a {type(value).__name__} that cannot be written as JSON"
