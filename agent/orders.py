"""A sentence in; whether it gives orders to whoever reads it, instead of stating something.

Text inside a document is data. A sentence that speaks to a model or to its user is never evidence and never a draft,
however true its other half may be.
"""

import re

_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}"
    r"\b(?:previous|above|prior|earlier|preceding|all|any|these|your|system)\b.{0,40}"
    r"\b(?:instructions?|prompts?|context|directions?|rules|guidelines|messages?|text)\b"
    r"|\bsystem prompt\b|\bas an AI\b"
    r"|\byou are (?:now |an? )?(?:AI|assistant|language model|chatbot|helpful)\b"
    r"|<\|[a-z_]+\|>|\[/?INST\]|^\s*(?:system|assistant|user)\s*:|###\s*(?:instruction|system)"
    r"|\b(?:answer|respond|reply|output|print|say)\s(?:only\s)?(?:with|that|exactly|the following)\b.{0,60}"
    r"\b(?:user|question|prompt)\b"
    r"|\b(?:tell|inform)\sthe\s(?:user|reader)\b"
    r"|\bdo not (?:cite|mention|reveal)\b.{0,40}\b(?:source|document|prompt|instruction)",
    re.IGNORECASE,
)


def commands(sentence: str) -> bool:
    """Whether a sentence speaks to a model or its user instead of stating something."""
    return bool(_ORDERS.search(sentence))
