"""The bundled news: marked as invented, readable without a single reject, and with all that a real feed brings."""

import json
from collections import Counter

from api import sample
from ingest.news import Kind, NewsItem, open_news, read_news
from sentiment.entities import open_resolver
from sentiment.novelty import Stories, Told

ROWS = [json.loads(line) for line in sample.news().read_text("utf-8").splitlines()]
with open_news(sample.news()) as (_lines, _format):
    READ = list(read_news(_lines, _format))
ITEMS = [row for row in READ if isinstance(row, NewsItem)]


def test_every_row_is_read_and_nothing_about_it_is_odd() -> None:
    assert len(ITEMS) == len(READ) == len(ROWS)
    assert 30 <= len(ITEMS) <= 60
    assert {flag for item in ITEMS for flag in item.flags} == set()


def test_every_row_is_marked_as_invented() -> None:
    for item in ITEMS:
        assert item.source.startswith("sample-")
        assert item.id.startswith("sample-")
        assert not item.body or item.body.endswith("Invented for the RegTape sample.")


def test_it_has_what_a_feed_has() -> None:
    kinds = Counter(item.kind for item in ITEMS)
    ids = {(item.source, item.id) for item in ITEMS}
    written = {mark for row in ROWS for s in row.get("symbols", ["none"]) for mark in (".", ":") if mark in s}  # fmt: skip

    assert len({item.source for item in ITEMS}) >= 3
    assert (kinds[Kind.CORRECTION], kinds[Kind.RETRACTION]) == (1, 1)
    assert all((i.source, i.refers_to) in ids for i in ITEMS if i.refers_to)
    assert written == {".", ":"}, "RICs and EXCHANGE:TICKER"
    assert any("$" in item.headline for item in ITEMS), "cashtags"
    assert any(not item.symbols for item in ITEMS), "companies to be found by name"
    assert any(item.language != "en" for item in ITEMS)


def test_companies_and_stories_are_found_in_it() -> None:
    resolver = open_resolver()
    about = {
        item.id: resolver.find(item.headline, item.body, item.symbols, item.public_at)
        for item in ITEMS
    }
    told = [
        Told(n, item.public_at, item.headline, item.body, [m.entity for m in about[item.id]])
        for n, item in enumerate(ITEMS)
        if item.kind is not Kind.RETRACTION
    ]
    links = Counter(news.link for news, _ in Stories().observe_all(told).values())

    assert sum(len(found) >= 2 for found in about.values()) >= 8, "headlines about two companies"
    assert sum(not found for found in about.values()) <= 3
    assert links["copy"] >= 1
    assert links["update"] >= 3
