"""A question in, what of it asks about news out: of which company, since when; and what is left for the documents.

News and its features belong to another half of the program. What is needed of it is the port below, which the composition
root fills; numbers come with the receipt of the read, headlines as headlines, and neither is ever told as a quote.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agent.reply import Tone

_TONE = re.compile(
    r"\b(?:tone|sentiment|mood|buzz|headlines|news\sflow|(?:the|any|latest|recent|what)\snews|news\s(?:on|about))\b",
    re.I,
)
_SINCE = re.compile(
    r"\bsince\s(?:the\s)?(?P<what>.+?)(?=\s+and\s+(?:does|do|did|is|are|was|what|when|how|which|who|has|have)\b|[,;?](?!\s\d{4})|$)",
    re.I,
)
_PARTS = re.compile(
    r"[,;]\s+(?:and\s+)?(?=(?:does|do|did|is|are|was|were|what|when|how|which|who|has|have|must|may|can|would|will|under|in|for)\b)"
    r"|\s+and\s+(?=(?:does|do|did|is|are|was|were|what|when|how|which|who|has|have|must|may|can|would|will)\b)",
    re.I,
)
_TICKER = re.compile(r"(?<![\w$.])\$?([A-Z]{1,5}(?:\.[A-Z])?)(?![\w-])")
_NO_TICKER = frozenset(
    "A I SEC NMS ATS SRO CAT ETF US EU NBBO FINRA CFR SHO SCI NYSE OK TRACE NSCC DTC IPO CEO".split()
)
_IT = re.compile(r"\b(?:it|its stock|their stock|the stock|that stock|this stock)\b", re.I)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the news, and of the documents. since: the words behind "since", "" where there are none."""

    news: str
    since: str
    documents: str
    tickers: tuple[str, ...]


class News(Protocol):
    """The other half, as far as answers need it."""

    def tones(
        self, question: str, tickers: tuple[str, ...], since: str, as_of: datetime
    ) -> tuple[Tone, ...]:
        """What news known by `as_of` says of each company that the question names; () where it names none, or there is no
        news."""


def asked_of_news(question: str) -> Asked | None:
    """None where a question asks nothing about news."""
    parts = [part for part in _PARTS.split(question) if part.strip()]
    news = [part for part in parts if _TONE.search(part)]
    if not news:
        return None
    since = _SINCE.search(" ".join(news))
    tickers = tuple(dict.fromkeys(t for t in _TICKER.findall(question) if t not in _NO_TICKER))
    rest = [part for part in parts if part not in news]
    documents = " ".join(part.strip(" ,;") for part in rest)
    # "It" was the company: to the rules it is a stock like others.
    documents = _IT.sub("NMS stocks", documents, count=1) if documents else ""
    return Asked(" ".join(news), since["what"].strip() if since else "", documents, tickers)
