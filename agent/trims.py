"""A quote's tokens in; the stretches that may be left out without changing what it says.

Leaving something out is the commonest way to make true words false ("…, unless the customer consents"), so nothing may
be left out unless it is one of the kinds below and holds no word that qualifies the rest.
"""

import re
from collections.abc import Iterator, Sequence

from agent.values import ValueKind
from agent.wording import LINKING, LINKING_ASIDE, Closed, Token

Stretch = tuple[int, int]  # half-open, in tokens

_QUALIFIES = {Closed.NEGATION, Closed.EXCEPTION, Closed.CONDITION, Closed.STAGE}
CONNECTIVES = {
    tuple(words.split())
    for words in (
        "in addition,in particular,as a result,in fact,at the same time,as such,in turn,of course,"
        "in this regard,in that regard,for these reasons,for this reason,for that reason,in light of the foregoing,"
        "for example,specifically,indeed,finally,further,likewise,moreover,furthermore,additionally,"
        "consequently,accordingly,therefore,thus,however,nevertheless,nonetheless,similarly,also,hence,notably,"
        "significantly,importantly,relatedly,as noted,on the other hand,in contrast,by contrast,conversely,"
        "lastly,to begin,in sum,in summary,in short,in response,more specifically,that said"
    ).split(",")
}
_POINTING = {
    "discussed",
    "noted",
    "described",
    "explained",
    "stated",
    "mentioned",
    "set",
    "detailed",
}
_ASIDES = {"see", "e.g.", "collectively", "hereinafter", "together"}
_RESTRICTING = set(
    "for in on at during within if when unless until with by under where while through from to before after per of".split()
)
_SUBJECTS = set(
    "the a an it they this these such those its their commission exchange each all we there".split()
)
_FINITE = set(
    "is are was were has have had will would may must can could should shall does do did might".split()
)


def droppable(quote: Sequence[Token]) -> list[Stretch]:
    """Every stretch of the quote that a draft may leave out; stretches may be combined."""
    return [*_opening(quote), *_links(quote), *_asides(quote), *_relatives(quote), *_tails(quote)]


def _comma(quote: Sequence[Token], start: int) -> int | None:
    return next((at for at in range(start, len(quote)) if quote[at].word == ","), None)


# Verbs that take back what came before: "…, which the exchange may waive", "…, and it expires in May".
_UNDOES = re.compile(
    r"propos|waiv|suspend|revok|expir|vacat|supersed|withdr[ae]w|rescind|repeal|terminat|sunset|modif|amend|replac"
    r"|delay|postpon|exten[ds]|overr|oppos|disagre|disput|contrar|wrong|mistak|incorrect|false|alleg|challeng|chang"
)


def _plain(stretch: Sequence[Token]) -> bool:
    """Whether nothing in it qualifies, or takes back, what is left."""
    return not any(
        token.closed in _QUALIFIES or token.word in {";", ":", "?"} or _UNDOES.match(token.word)
        for token in stretch
    )


def _opening(quote: Sequence[Token]) -> Iterator[Stretch]:
    """ "However, …" and "As discussed above, …"."""
    comma = _comma(quote, 0)
    if comma is not None and 0 < comma <= 12:
        words = tuple(token.word for token in quote[:comma])
        if words in CONNECTIVES or _points(quote[:comma]):
            yield 0, comma + 1


def _points(opening: Sequence[Token]) -> bool:
    """ "As discussed above" and "As noted in Section II.B", but not "As noted by one commenter"."""
    if len(opening) < 2 or opening[0].word != "as" or opening[1].word not in _POINTING:
        return False
    return all(
        token.word in _PLACES or (token.value is not None and token.value.kind is ValueKind.SECTION)
        for token in opening[2:]
    )


_PLACES = set(
    "above below earlier further in section part and detail more fully the this release herein forth".split()
)


def _links(quote: Sequence[Token]) -> Iterator[Stretch]:
    """ "also", and ", however," with its commas."""
    for at, token in enumerate(quote):
        if token.word not in LINKING | LINKING_ASIDE:
            continue
        before, after = (quote[n].word if 0 <= n < len(quote) else "" for n in (at - 1, at + 1))
        if before == after == ",":
            yield at - 1, at + 2
        elif before == ";" and after == ",":
            yield at, at + 2
        elif token.word in LINKING:
            yield at, at + 1


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


_TERM = 10  # tokens of a defined term, its quotation marks included


def _names_only(span: Sequence[Token], inside: Sequence[Token]) -> bool:
    references = {ValueKind.SECTION, ValueKind.RELEASE, ValueKind.CITATION, ValueKind.RULE}
    if any(token.value is not None and token.value.kind not in references for token in inside):
        return False
    if span[0].word in "“\"\u2018'" and span[-1].word in "”\"\u2019'":
        limits = {Closed.NEGATION, Closed.EXCEPTION, Closed.CONDITION}
        # A defined term is short; a longer quotation in parentheses says something of its own.
        return len(inside) <= _TERM and not any(token.closed in limits for token in inside)
    return inside[0].word in _ASIDES and _plain(inside)


def _relatives(quote: Sequence[Token]) -> Iterator[Stretch]:
    """ ", which …" at the end. Between commas it may restrict: "an exchange, which has elected to, must"."""
    for at, token in enumerate(quote[:-2]):
        tail = quote[at + 1 :]
        last = _comma(quote, at + 1) is None
        if (
            token.word == ","
            and tail[0].word == "which"
            and last
            and _plain(tail)
            and _keeps(quote[:at], tail)
        ):
            yield at, len(quote)


def _tails(quote: Sequence[Token]) -> Iterator[Stretch]:
    """What may be cut off at the end: ", including …", ", thereby …", ", because …", ", and the rule …", "; …"."""
    listed = any(token.word == ":" for token in quote)
    for at in range(4, len(quote) - 2):
        head, tail = quote[:at], quote[at + 1 :]
        if quote[at].word == ";" and not listed:
            free = (
                tail[0].word not in {"and", "or", "but", "provided"}
                and _plain(tail)
                and _clause(tail)
            )
        elif quote[at].word == ",":
            first = tail[0].word
            adds = first in {"including", "thereby", "thus"} and not _restricts(tail)
            reasons = first == "because" and not _restricts(tail[1:]) and not _negated(head)
            joins = first == "and" and _clause(tail[1:]) and _whole(head)
            free = (adds or reasons or joins) and _plain(tail[1:])
        else:
            continue
        if free and _keeps(head, tail):
            yield at, len(quote)


_FIGURES = {
    ValueKind.MONEY,
    ValueKind.RATE,
    ValueKind.COUNT,
    ValueKind.DURATION,
    ValueKind.DATE,
    ValueKind.TIME,
}


def _keeps(head: Sequence[Token], tail: Sequence[Token]) -> bool:
    """Whether the tail has no figure of a kind the head has: "the fee is $0.003, and it falls to $0.001 in May"."""
    kinds = [
        {t.value.kind for t in part if t.value is not None} & _FIGURES for part in (head, tail)
    ]
    return not kinds[0] & kinds[1]


def _restricts(tail: Sequence[Token]) -> bool:
    """Whether a later comma brings back a phrase that limits the main clause: ", including A, for two years"."""
    return any(
        t.word == "," and tail[n + 1 : n + 2] and tail[n + 1].word in _RESTRICTING
        for n, t in enumerate(tail)
    )


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
    if head[0].closed is Closed.CONDITION or any(
        t.word in {"if", "both", "either", "between"} for t in head
    ):
        return False
    return any(
        token.word in _FINITE or token.word.startswith("did-") for token in head
    ) and not any(
        token.word == "," and head[n + 1 : n + 2] and head[n + 1].word in {"and", "or"}
        for n, token in enumerate(head)
    )
