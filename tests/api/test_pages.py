"""The pages over HTTP: what they show and link to, that words of documents stay words, and how they fail."""

import re
from collections.abc import Iterator
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from lxml import etree, html

from api import problems
from api.deps import _catalog
from api.guard import Guard
from api.pages import POLICY
from api.pages.chart import inline
from api.pages.excerpt import excerpt
from api.routes import pages
from ingest.catalog import Catalog
from ingest.document import DocType, Page
from ingest.rules import names
from tests.api.test_rule_http import PILOT
from tests.ingest.test_rules_state import ALL, a_document

ATTACK = '<script>alert(1)</script><img src=x onerror="alert(2)">'
HOSTILE = a_document(
    "34-6", date(2023, 5, 1),
    ("SUMMARY", f"The Commission is proposing amendments to Rule 605 to light lamps {ATTACK} soon."),
    section="242.605", title=f"Lamps {ATTACK}", doc_type=DocType.PROPOSED_RULE,
)  # fmt: skip


def an_app(catalog: Catalog) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Guard, request_bytes=1000)
    app.include_router(pages.router)
    app.dependency_overrides[_catalog] = lambda: catalog
    return app


@pytest.fixture(name="catalog")
def _held(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as catalog:
        catalog.record([*ALL, PILOT, HOSTILE])
        yield catalog


@pytest.fixture(name="client")
def _client(catalog: Catalog) -> Iterator[TestClient]:
    app = an_app(catalog)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def words(page: str) -> str:
    return text_of(html.fromstring(page))


def text_of(element: etree._Element) -> str:
    return " ".join("".join(map(str, element.itertext())).split())


def test_the_first_page_lists_the_rules_with_their_state_today(client: TestClient) -> None:
    page = html.fromstring(client.get("/").text)

    rows = [[text_of(cell) for cell in row] for row in page.iter("tr")][1:]
    assert ["242.611", "Order protection rule", "rescission proposed"] in rows
    assert ["242.610T", "Equity transaction fee pilot", "vacated"] in rows
    assert rows == sorted(rows, key=lambda row: names.in_order(row[0]))


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        ("Rule 611", "/rules/242.611"),
        ("order protection rule", "/rules/242.611"),
        (" ", "/"),
        ("610(c)", "/rules/242.610(c)"),
    ],
)
def test_what_is_typed_leads_to_its_page(client: TestClient, typed: str, there: str) -> None:
    found = client.get("/rules", params={"rule": typed}, follow_redirects=False)

    assert (found.status_code, found.headers["location"]) == (303, there)


def test_a_rule_is_shown_as_of_a_day_and_nothing_later_is(client: TestClient) -> None:
    then = words(client.get("/rules/242.611", params={"as_of": "2021-01-04"}).text)

    assert "effective, compliance not yet required" in then
    assert "According to the documents held, through January 4, 2021." in then
    assert "Compliance required from May 3, 2021" in then
    assert "34-3" not in then, "known in March"
    assert "rescission" not in then


def test_the_badge_says_that_it_is_of_the_newest_version_alone(tmp_path: Path) -> None:
    newer = a_document(
        "34-9", date(2023, 9, 1),
        ("SUMMARY", "The Commission is adopting amendments to Rule 611 to snuff lamps."),
        ("DATES", "Effective Date: November 2, 2023."),
    )  # fmt: skip
    with (
        Catalog(tmp_path / "other") as catalog,
        TestClient(an_app(catalog), "http://localhost") as client,
    ):
        catalog.record([*ALL, newer])
        before, between = (
            words(client.get(f"/rules/242.611?as_of={day}").text)
            for day in ("2023-08-01", "2023-10-01")
        )

    assert "newest version" not in before
    assert "adopted, not yet effective So stands the newest version adopted." in between


def test_the_events_file_is_told_apart(client: TestClient) -> None:
    page = words(client.get("/rules/242.610T", params={"as_of": "2021-06-01"}).text)

    assert "in force by the documents alone; with the events file vacated" in page
    assert "according to the events file, not to a document held" in page
    assert "events file: in no document held" in page


def test_each_quote_leads_to_its_place_in_the_document(
    client: TestClient, catalog: Catalog
) -> None:
    page = html.fromstring(client.get("/rules/242.611", params={"as_of": "2021-01-04"}).text)

    quotes = page.findall(".//blockquote")
    assert quotes
    for quote in quotes:
        (link,) = quote.iter("a")
        there = html.fromstring(client.get(str(link.get("href"))).text)
        (marked,) = there.iter("mark")
        assert text_of(quote[0]) == text_of(marked)
        assert marked.get("id") == "quote"
        assert text_of(link) in text_of(there), "cited alike"


def test_markup_in_a_document_stays_words(client: TestClient, catalog: Catalog) -> None:
    (hostile,) = [held for held in catalog.documents() if "34-6" in held.id]
    for address in ("/rules/242.605", f"/documents/{hostile.id}?at=0&to=60", "/"):
        page = client.get(address)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert not html.fromstring(page.text).xpath("//img | //script | //*[@onerror]")
    assert ATTACK in unescape(client.get(f"/documents/{hostile.id}").text)


@pytest.mark.parametrize("typed", [ATTACK, "lamps", "242.613", "../../etc/passwd"])
def test_an_unknown_rule_is_a_page_that_says_what_to_try(client: TestClient, typed: str) -> None:
    page = client.get("/rules", params={"rule": typed})

    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "What to try" in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/rules/242.611?as_of=tomorrow", 422),
        ("/documents/nothing", 404),
        ("/documents/nothing?at=-1", 422),
        ("/rules?rule=" + "9" * 300, 422),
    ],
)
def test_every_error_is_a_page(client: TestClient, address: str, status: int) -> None:
    page = client.get(address)

    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == POLICY


def test_a_document_is_not_shown_as_of_a_day_before_it_was_public(
    client: TestClient, catalog: Catalog
) -> None:
    (moved,) = [held for held in catalog.documents() if "34-3" in held.id]

    assert client.get(f"/documents/{moved.id}?as_of=2021-02-01").status_code == 404
    assert client.get(f"/documents/{moved.id}?as_of=2021-03-02").status_code == 200


def test_pages_run_no_script_and_load_nothing_from_elsewhere(client: TestClient) -> None:
    for address in ("/", "/rules/242.611", "/rules/lamps"):
        page = client.get(address)
        root = html.fromstring(page.text)
        assert page.headers["content-security-policy"] == POLICY
        assert root.get("lang") == "en"
        assert not root.xpath("//script | //style | //@style | //@*[starts-with(name(), 'on')]")
        sources = [str(e.get(name)) for e in root.iter() for name in ("src", "href") if e.get(name)]
        assert sources
        assert all(source.startswith(("/", "#", "data:,")) for source in sources)
        assert len(root.findall(".//h1")) == 1


def test_the_style_sheet_has_an_address_of_its_own_content(client: TestClient) -> None:
    (address,) = re.findall(r'href="(/page\.css\?\w+)"', client.get("/").text)
    sheet = client.get(address)

    assert sheet.headers["content-type"].startswith("text/css")
    assert "prefers-color-scheme: dark" in sheet.text


def test_the_chart_stands_in_the_page_without_styles(client: TestClient) -> None:
    pytest.importorskip("matplotlib")
    page = html.fromstring(client.get("/rules/242.611").text)

    (chart,) = page.iter("svg")
    assert "Timeline of 242.611" in str(chart.get("aria-label"))
    assert "adopted" in text_of(chart)


def test_words_in_a_chart_stay_words() -> None:
    drawn = b"""<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="9pt"><metadata><a/></metadata>
      <style>*{}</style><text style="font: 9px; fill: #ffffff">&lt;script&gt; style="a: b"</text></svg>"""
    found = etree.fromstring(inline(drawn, 'a "chart"'))

    (text,) = found
    assert (text.get("fill"), text.text) == ("#ffffff", '<script> style="a: b"')
    assert found.get("aria-label") == 'a "chart"'
    assert found.get("width") is None


@pytest.mark.parametrize(("at", "to"), [(0, 0), (0, 9), (30_000, 30_050), (59_990, 70_000)])
def test_an_excerpt_is_the_text_itself(at: int, to: int) -> None:
    text = "".join(f"Lamp {n:04}.\n\n" for n in range(5000))
    marks = tuple(Page(n + 1, n * 3000, n * 3000 + 3000) for n in range(20))

    found = excerpt(text, marks, at, to)

    assert "".join(piece.text for piece in found.pieces) == text[found.start : found.end]
    assert "".join(p.text for p in found.pieces if p.marked) == text[at:to]
    assert (found.start == 0) == (found.before is None)
    assert (found.end == len(text)) == (found.after is None)
    assert all(text[found.start :].startswith(p.text) for p in found.pieces[:1])
