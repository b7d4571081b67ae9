"""A quote's tokens in; the stretches that may be left out without changing what it says.

Leaving something out is the commonest way to make true words false ("…, unless the customer consents"), so nothing may
be left out unless it is one of the kinds below and holds no word that qualifies the rest.
"""

from collections.abc import Iterator, Sequence

from agent.reply import Speaker
from agent.values import ValueKind
from agent.wording import LINKING, Closed, Token

Stretch = tuple[int, int]  # half-open, in tokens

_QUALIFIES = {Closed.NEGATION, Closed.EXCEPTION, Closed.CONDITION, Closed.STAGE}
_CONNECTIVES = {
    tuple(words.split())
    for words in (
        "in addition,in particular,as a result,in fact,at the same time,as such,in turn,in general,of course,"
        "in this regard,in that regard,for these reasons,for this reason,for that reason,in light of the foregoing,"
        "for example,specifically,indeed,finally,further,likewise,moreover,furthermore,additionally,"
        "consequently,accordingly,therefore,thus,however,nevertheless,nonetheless,similarly,also,hence,notably,"
        "significantly,importantly,relatedly,as noted,on the other hand,in contrast,by contrast,conversely,"
        "lastly,next,to begin,in sum,in summary,in short,overall,in response,more specifically,that said"
    ).split(",")
}
_POINTING = {"discussed", "noted", "described", "explained", "stated", "mentioned", "set", "detailed"}
_NOTING = {"notes", "noted", "emphasizes", "emphasized", "explained", "explains", "observes", "stated", "states"}
_ASIDES = {"see", "e.g", "i.e", "e.g.", "i.e.", "defined", "referred", "collectively", "discussed", "hereinafter"}
_RESTRICTING = set(
    "for in on at during within if when unless until with by under where while through from to before after per of".split()
)
_SUBJECTS = set("the a an it they this these such those its their commission exchange each all we there".split())
_FINITE = set("is are was were has have had will would may must can could should shall does do did might".split())


def droppable(quote: Sequence[Token], speaker: Speaker) -> list[Stretch]:
    """Every stretch of the quote that a draft may leave out; stretches may be combined."""
    found = [*_opening(quote, speaker), *_asides(quote), *_relatives(quote), *_tails(quote)]
    found += [(at, at + 1) for at, token in enumerate(quote) if token.word in LINKING]
    return found


def _comma(quote: Sequence[Token], start: int) -> int | None:
    return next((at for at in range(start, len(quote)) if quote[at].word == ","), None)


def _plain(stretch: Sequence[Token]) -> bool:
    """Whether nothing in it qualifies what is left."""
    return not any(token.closed in _QUALIFIES or token.word in {";", ":", "?"} for token in stretch)


def _opening(quote: Sequence[Token], speaker: Speaker) -> Iterator[Stretch]:
    """ "However, …", "As discussed above, …", and "The Commission notes that …" where the Commission speaks anyway."""
    comma = _comma(quote, 0)
    if comma is not None and 0 < comma <= 12:
        words = tuple(token.word for token in quote[:comma])
        pointing = len(words) > 1 and words[0] == "as" and words[1] in _POINTING
        if words in _CONNECTIVES or (pointing and _plain(quote[1:comma])):
            yield 0, comma + 1
    strong = [at for at, token in enumerate(quote[:8]) if not token.weak and token.word not in LINKING]
    if speaker is Speaker.COMMISSION and len(strong) > 2 and quote[strong[0]].word == "commission":
        that = strong[1] + 1
        if quote[strong[1]].word in _NOTING and quote[that].word == "that":
            yield 0, that + 1


def _asides(quote: Sequence[Token]) -> Iterator[Stretch]:
    """Parentheses that only name, point or explain: (“SCI entity”), (see Section II), (OEA)."""
    opened: int | None = None
    for at, token in enumerate(quote):
        if token.word in "([":
            opened = at
        elif token.word in ")]" and opened is not None:
            inside = [t for t in quote[opened + 1 : at] if not t.weak]
            if inside and _names_only(quote[opened + 1 : at], inside):
                yield opened, at + 1
            opened = None


def _names_only(span: Sequence[Token], inside: Sequence[Token]) -> bool:
    references = {ValueKind.SECTION, ValueKind.RELEASE, ValueKind.CITATION, ValueKind.RULE}
    if any(token.value is not None and token.value.kind not in references for token in inside):
        return False
    if span[0].word in "“\"\u2018'" and span[-1].word in "”\"\u2019'":
        return all(token.closed is not Closed.NEGATION for token in inside)
    return inside[0].word in _ASIDES and _plain(inside)


def _relatives(quote: Sequence[Token]) -> Iterator[Stretch]:
    """ ", which …" at the end or between commas before a finite verb, never one that restricts."""
    for at, token in enumerate(quote[:-2]):
        if token.word != "," or quote[at + 1].word not in {"which", "who", "whose"}:
            continue
        closing = _comma(quote, at + 1)
        if closing is None:
            if _plain(quote[at + 1 :]):
                yield at, len(quote)
        elif quote[closing + 1 : closing + 2] and quote[closing + 1].word in _FINITE and _plain(quote[at:closing]):
            yield at, closing + 1


def _tails(quote: Sequence[Token]) -> Iterator[Stretch]:
    """What may be cut off at the end: ", including …", ", thereby …", ", because …", ", and the rule …", "; …"."""
    listed = any(token.word == ":" for token in quote)
    for at in range(4, len(quote) - 2):
        token, tail = quote[at], quote[at + 1 :]
        if token.word == ";" and not listed:
            if tail[0].word not in {"and", "or", "but", "provided"} and _plain(tail) and _clause(tail):
                yield at, len(quote)
        elif token.word == ",":
            first = tail[0].word
            adds = first in {"including", "thereby", "thus"} and not _restricts(tail)
            reasons = first == "because" and not _restricts(tail[1:]) and not _negated(quote[:at])
            joins = first == "and" and _clause(tail[1:]) and _whole(quote[:at])
            if (adds or reasons or joins) and _plain(tail[1:]):
                yield at, len(quote)


def _restricts(tail: Sequence[Token]) -> bool:
    """Whether a later comma brings back a phrase that limits the main clause: ", including A, for two years"."""
    return any(t.word == "," and tail[n + 1 : n + 2] and tail[n + 1].word in _RESTRICTING for n, t in enumerate(tail))


def _negated(head: Sequence[Token]) -> bool:
    return any(token.closed is Closed.NEGATION for token in head)


def _clause(tail: Sequence[Token]) -> bool:
    """Whether it begins like a clause of its own: a subject, then a finite verb before any relative pronoun."""
    if not tail or tail[0].word not in _SUBJECTS:
        return False
    for token in tail[1:10]:
        if token.word in {"that", "which", "who", "whose", ",", "and", "or"}:
            return False
        if token.word in _FINITE:
            return True
    return False


def _whole(head: Sequence[Token]) -> bool:
    """Whether what is left is a main clause and not the first half of a list or of a condition."""
    if head[0].closed is Closed.CONDITION or any(t.word in {"if", "both", "either", "between"} for t in head):
        return False
    return any(token.word in _FINITE or token.word.startswith("did-") for token in head) and not any(
        token.word == "," and head[n + 1 : n + 2] and head[n + 1].word in {"and", "or"} for n, token in enumerate(head)
    )
