"""A draft that did not pass and its nearest quote in; which of the four points stopped it, and why, in words, out."""

from collections import Counter
from collections.abc import Sequence

from agent.align import Stuck
from agent.values import Value, same
from agent.wording import Token


def why_missing(
    said: Sequence[Token], stored: Sequence[Token], missing: Sequence[Token]
) -> tuple[str, str]:
    value = _value_fault(said, stored)
    if value:
        return "values", value
    return "words", "not in the quote: " + ", ".join(token.word for token in missing[:5])


def why(said: Sequence[Token], stored: Sequence[Token], stuck: Stuck | None) -> tuple[str, str]:
    """The first of the four points that explains it."""
    value = _value_fault(said, stored)
    if value:
        return "values", value
    closed = Counter(t.word for t in said if t.closed) - Counter(t.word for t in stored if t.closed)
    if closed:
        return "signature", f"adds {', '.join(repr(word) for word in list(closed)[:3])}"
    gone = Counter(t.word for t in stored if t.closed) - Counter(t.word for t in said if t.closed)
    own = {t.word for t in stored}
    new = [t.word for t in said if t.content and t.word not in own]
    if new:
        return "words", f"not in the quote: {', '.join(new[:5])}"
    theirs = stuck[0] if stuck else None
    if gone and theirs is not None and theirs.closed:
        return "signature", f"leaves out {theirs.word!r}"
    if theirs is not None and theirs.value is not None:
        return "values", f"leaves out {theirs.value.text!r}"
    if gone:
        return "signature", f"leaves out {', '.join(repr(word) for word in list(gone)[:3])}"
    return (
        "roles",
        f"the quote goes on with {theirs.word!r}" if theirs else "says more than the quote",
    )


def _value_fault(said: Sequence[Token], stored: Sequence[Token]) -> str:
    """The first value of the draft that the quote does not have, and in what it differs."""
    have = [token.value for token in stored if token.value is not None]
    for value in (token.value for token in said if token.value is not None):
        if not any(same(value, other) for other in have):
            return _difference(value, have)
    return ""


def _difference(value: Value, have: Sequence[Value]) -> str:
    for other in have:
        if other.key == value.key:
            if other.bound != value.bound:
                return (
                    f"{value.text!r} is {value.bound} in the draft and {other.bound} in the quote"
                )
            return (
                f"{value.text!r} is of {value.unit} in the draft and of {other.unit} in the quote"
            )
        if (other.kind, other.amount) == (value.kind, value.amount):
            return f"{value.text!r} is in {value.unit or 'no unit'}, the quote's in {other.unit or 'no unit'}"
    return f"{value.text!r} is not in the quote"
