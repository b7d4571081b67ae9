"""A sentence in; its typed values out: money, rates, counts, durations, dates, times, rules, releases, citations.

Two wordings of one value get one key: "0.1 percent" is "10 basis points", "30 mils" is "$0.003", "Rule 612" is
"17 CFR 242.612" and the Sub-Penny Rule. Marks of footnotes and pages are not values.
"""

import re
from functools import lru_cache

from agent.values.context import bound_of, role_of
from agent.values.nouns import Bound, Value, ValueKind, same
from agent.values.patterns import scan

INNER_DASH = re.compile(r"(?<=\w)[\u2010-\u2013\u2212](?=\w)")  # "19b–4", "2024–02841"

__all__ = ["INNER_DASH", "Bound", "Value", "ValueKind", "same", "values"]


@lru_cache(maxsize=4096)
def values(sentence: str) -> tuple[Value, ...]:
    """The typed values of a sentence, in order, never overlapping."""
    found: list[Value] = []
    reach = 0
    typed = INNER_DASH.sub("-", sentence)  # the same length, so spans stay
    for start, end, kind, amount, unit in scan(typed):
        if start < reach:
            continue
        bound, spans = bound_of(typed, start, end, kind, reach)
        role = role_of(typed, start, end, kind)
        words = sentence[start:end]
        found.append(Value(kind, amount, unit, bound, role, start, end, words, spans))
        reach = end
    return tuple(found)
