"""The pages over HTTP: what they show and link to, that words of documents stay words, and how they fail.

Rules and documents are read in a catalog made here; questions are asked of a fake agent over the whole application.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from lxml import etree, html

from agent.reply import Headline, Tone
from api import problems, rules, schemas
from api.access import route_of
from api.app import create_app
from api.deps import _catalog
from api.exports import answers_in
from api.guard import Guard
from api.keys import Scope
from api.pages import POLICY, STATIC, page
from api.pages.answer import shown
from api.pages.chart import inline
from api.pages.excerpt import excerpt, outline
from api.pages.home import overview
from api.pages.rule import _once
from api.recheck import recheck
from api.routes import pages
from api.services import Services
from ingest.catalog import Catalog
from ingest.document import DocType, Page, Section
from ingest.moment import end_of_day
from ingest.rules import names
from ingest.rules.kinds import About, EventKind
from tests.api.fakes import FakeAgent, an_answer, fake_services
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


@pytest.fixture(name="services")
def _services(tmp_path: Path) -> Iterator[Services]:
    with fake_services(tmp_path / "asking") as services:
        yield services


@pytest.fixture(name="asking")
def _asking(services: Services) -> Iterator[TestClient]:
    """The whole application, whose agent answers of lamps and refuses of bells."""
    app = create_app(services.settings, services)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def at(root: html.HtmlElement, path: str) -> list[Any]:
    """What stands at an XPath."""
    found = root.xpath(path)
    assert isinstance(found, list)
    return found


def words(page: str) -> str:
    return text_of(html.fromstring(page))


def text_of(element: etree._Element) -> str:
    return " ".join("".join(map(str, element.itertext())).split())


def test_a_page_lists_the_rules_with_their_state_today(client: TestClient) -> None:
    page = html.fromstring(client.get("/rules").text)

    rows = [[text_of(cell) for cell in row] for row in page.iter("tr")][1:]
    assert ["242.611", "Order protection rule", "in force, rescission proposed", ""] in rows
    assert ["242.610T", "Equity transaction fee pilot", "vacated", ""] in rows
    assert rows == sorted(rows, key=lambda row: names.in_order(row[0]))


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        ("Rule 611", "/rules/242.611"),
        ("order protection rule", "/rules/242.611"),
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
    addresses = (
        "/rules/242.605", f"/documents/{hostile.id}?at=0&to=60", "/rules", "/documents", "/impacts?of=242.605",
        f"/compare?a={hostile.id}&b=34-3", "/documents?words=" + ATTACK,
    )  # fmt: skip
    for address in addresses:
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


@pytest.mark.parametrize(
    "address",
    ["/", "/rules", "/rules/242.611", "/rules/lamps", "/compare", "/impacts", "/documents"],
)
def test_pages_run_only_modules_from_here_and_load_nothing_from_elsewhere(
    asking: TestClient, address: str
) -> None:
    found = asking.get(address)
    root = html.fromstring(found.text)

    assert found.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert root.get("lang") == "en"
    inline = "//script[not(@src)] | //style | //@style | //@*[starts-with(name(), 'on')]"
    assert not at(root, inline)
    sources = [str(e.get(name)) for e in root.iter() for name in ("src", "href") if e.get(name)]
    assert sources
    assert all(source.startswith(("/", "#", "data:image/")) for source in sources)
    assert len(root.findall(".//h1")) == 1


def test_the_style_sheet_has_an_address_of_its_own_content(client: TestClient) -> None:
    (address,) = re.findall(r'href="(/static/\w+/page\.css)"', client.get("/rules").text)
    sheet = client.get(address)

    assert sheet.headers["content-type"].startswith("text/css")
    assert "immutable" in sheet.headers["cache-control"]
    assert "prefers-color-scheme: dark" in sheet.text
    assert client.get(address.replace("page.css", "../__init__.py")).status_code == 404


def test_every_module_that_is_imported_is_served(client: TestClient) -> None:
    modules = {name: body.decode() for name, (body, _) in STATIC.items() if name.endswith(".js")}
    assert "ask.js" in modules
    for words in modules.values():
        for name in re.findall(r'from "\./([^"]+)"', words):
            served = client.get(f"/static/any/{name}")
            assert served.headers["content-type"].startswith("text/javascript")
            assert served.text == modules[name]


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


# ---- asking


def test_the_first_page_asks_without_script(asking: TestClient) -> None:
    page = html.fromstring(asking.get("/", params={"q": "How many lamps?"}).text)

    (form,) = at(page, "//form[@id='ask']")
    assert (form.get("action"), form.get("method")) == ("/", "post")
    assert at(form, ".//textarea")[0].text == "How many lamps?"
    assert {"question", "as_of", "thread", "doc_type", "authority", "cfr_section"} <= set(
        form.fields
    )


def test_an_answer_stands_in_a_conversation_with_its_quotes(
    asking: TestClient, services: Services
) -> None:
    page = asked(asking, "How many lamps?")

    said = at(page, "//div[@class='said']//p")[0]
    assert text_of(said) == "Each venue must keep one lamp lit. 1"
    (chip,) = at(said, ".//a[@class='chip']")
    (card,) = at(page, f"//li[@id='{chip.get('href')[1:]}']")
    assert "Commission · adopted" in text_of(card)
    there = html.fromstring(asking.get(str(at(card, ".//a")[0].get("href"))).text)
    assert [text_of(mark) for mark in there.iter("mark")] == ["Each venue must keep one lamp lit."]
    assert "page 101" in text_of(card), "as printed"
    assert "Lamps is a final rule" in text_of(page)


def test_a_follow_up_goes_on_in_the_same_conversation(asking: TestClient) -> None:
    first = asked(asking, "How many lamps?")
    thread = at(first, "//input[@name='thread']")[0].get("value")
    both = asked(asking, "And in winter: lamps?", thread=thread)

    assert [text_of(h) for h in at(both, "//h2[@class='asked']")] == [
        "How many lamps?",
        "And in winter: lamps?",
    ]
    assert next(text_of(li) for li in at(both, "//details[@id='threads']//li")).startswith(
        "How many lamps?"
    )
    assert len({e.get("id") for e in at(both, "//*[@id]")}) == len(at(both, "//*[@id]"))


def test_a_refusal_says_what_to_try(asking: TestClient) -> None:
    page = asked(asking, "How many bells?")

    (refusal,) = at(page, "//section[@class='refusal']")
    assert text_of(refusal).startswith("The documents do not say.")
    assert "What to try" in text_of(refusal)
    assert not at(page, "//div[@class='said']")


def test_what_is_asked_reaches_the_agent_with_day_and_filters(
    asking: TestClient, services: Services
) -> None:
    asked(asking, "lamps?", as_of="2024-01-31", cfr_section="1.1", agency="")

    agent = services.agent
    assert isinstance(agent, FakeAgent)
    ((_, as_of, filters),) = agent.asked
    assert as_of is not None
    assert as_of.isoformat() == "2024-02-01T04:59:59.999999+00:00"
    assert filters is not None
    assert (filters.cfr_section, filters.agency) == ("1.1", None)


@pytest.mark.parametrize(
    "sent", [{"question": " "}, {"question": "lamps?", "as_of": "soon"}, {"question": "lamps?", "doc_type": "poem"}]
)  # fmt: skip
def test_a_question_that_cannot_be_read_is_a_page(asking: TestClient, sent: dict[str, str]) -> None:
    page = asking.post("/", data=sent)

    assert (page.status_code, page.headers["content-type"]) == (422, "text/html; charset=utf-8")


def test_no_page_of_another_site_asks_or_deletes(asking: TestClient, services: Services) -> None:
    elsewhere = (
        {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:9"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    )  # fmt: skip
    for headers in elsewhere:
        for address in ("/", "/threads/any/delete"):
            sent = asking.post(address, data={"question": "lamps?"}, headers=headers)
            assert sent.status_code in (403, 422)
    agent = services.agent
    assert isinstance(agent, FakeAgent)
    assert agent.asked == []


def test_an_exported_answer_is_verified(asking: TestClient, services: Services) -> None:
    page = asked(asking, "How many lamps?")
    (link,) = at(page, "//a[text()='Export JSON']")
    file = asking.get(link.get("href"))

    assert "attachment" in file.headers["content-disposition"]
    (answer,) = answers_in(file.text, "answer.json")
    assert recheck(answer, services.catalog) == []
    changed = file.text.replace("one lamp lit", "two lamps lit")
    assert recheck(answers_in(changed, "answer.json")[0], services.catalog) != []


def test_an_answer_is_copied_with_its_citations(asking: TestClient) -> None:
    page = asked(asking, "How many lamps?")
    plain, markdown = (page.get_element_by_id(f"t1-{kind}").text for kind in ("text", "markdown"))

    assert "“Each venue must keep one lamp lit.” [1]" in plain
    assert re.search(r"\[1\] .*I\. Lamps, page 101, Commission · adopted: “Each venue", plain)
    assert "“Each venue must keep one lamp lit.” [^1]" in markdown
    assert "[^1]: " in markdown


def test_a_turn_is_also_a_piece_of_a_page(asking: TestClient) -> None:
    page = asked(asking, "How many lamps?")
    thread = at(page, "//input[@name='thread']")[0].get("value")
    piece = asking.get(f"/threads/{thread}/1")

    assert html.fromstring(piece.text).get("id") == "turn-1"
    assert asking.get(f"/threads/{thread}/2").status_code == 404
    assert asking.get("/threads/none/1").status_code == 404


def test_a_conversation_is_deleted_from_its_page(asking: TestClient) -> None:
    page = asked(asking, "How many lamps?")
    (form,) = at(page, "//form[@id='forget']")

    gone = asking.post(form.get("action"), follow_redirects=False)
    assert (gone.status_code, gone.headers["location"]) == (303, "/")
    assert asking.get(form.get("action").removesuffix("/delete")).status_code == 404


def test_what_is_quoted_and_why_less_was_done_stay_words(services: Services) -> None:
    answer = an_answer(services.catalog)
    (citation,) = answer.sentences[0].citations
    cited = replace(citation, title=ATTACK, section=ATTACK, force=ATTACK)
    said = replace(answer.sentences[0], text=ATTACK, lead_in=ATTACK, citations=(cited,))
    hostile = replace(
        answer, sentences=(said,), degraded=ATTACK, not_found=(ATTACK,), status=(ATTACK,)
    )
    turn = schemas.Turn(
        question=ATTACK, asked_as=ATTACK, as_of=None, answer=schemas.Answer.of(hostile)
    )

    drawn = page(
        "fragment.html",
        date(2024, 3, 4),
        shown=shown(services.catalog, turn, date(2024, 3, 4)),
        n=1,
    )

    found = html.fromstring(bytes(drawn.body).decode())
    assert not at(found, "//img | //script | //*[@onerror]")
    assert text_of(found).count(ATTACK) >= 8


def test_what_news_says_stands_in_numbers_beside_the_documents(services: Services) -> None:
    moment = datetime(2024, 3, 4, 15, tzinfo=UTC)
    tone = Tone(
        symbol="BRK/B", entity="cik:1", as_of=moment, since=moment, since_what="in the 5 days before", items=3, all_items=True,
        mean=-0.25, features={"sentiment_mean_1d": -0.5, "buzz_1d": None},
        status={"sentiment_mean_1d": "PRESENT", "buzz_1d": "EMPTY"},
        known_at=moment, backfilled=True, model_versions=("m",), receipt={"offset": 87, "hash": "h"},
        headlines=(Headline(ATTACK, "wire", moment, -0.5),),
    )  # fmt: skip
    answer = replace(an_answer(services.catalog), sentences=(), status=(), news=(tone,))
    turn = schemas.Turn(question="News?", asked_as="", as_of=None, answer=schemas.Answer.of(answer))
    view = shown(services.catalog, turn, date(2024, 3, 4))
    found = html.fromstring(
        bytes(page("fragment.html", date(2024, 3, 4), shown=view, n=1).body).decode()
    )

    (told,) = at(found, "//section[@class='tone']")
    assert "−0.25 mean sentiment (−1 to 1) of 3 scored items in the 5 days before" in text_of(told)
    assert "Sentiment, 1 d −0.50" in " ".join(text_of(told).replace("d−", "d −").split())
    assert at(told, ".//a")[0].get("href") == "/symbols/BRK%2FB"
    assert ATTACK in text_of(told)
    assert not at(found, "//script | //img | //div[@class='said']")
    assert "News of BRK/B: mean sentiment -0.25 of 3 scored items" in view.text
    assert "\\<script\\>" in view.markdown


def asked(client: TestClient, question: str, **more: str) -> html.HtmlElement:
    """The page that the form of the first one leads to."""
    sent = client.post("/", data={"question": question} | more)
    assert (sent.status_code, sent.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return html.fromstring(sent.text)


# ---- compare, impacts, documents


def test_two_texts_stand_side_by_side_with_what_changed(
    client: TestClient, catalog: Catalog
) -> None:
    older, newer = two_texts(catalog)
    page = html.fromstring(client.get("/compare", params={"a": older, "b": newer}).text)

    (row,) = at(page, "//table[@class='numbers']/tbody/tr")
    assert [text_of(cell) for cell in row][1:3] == ["$0.003 per share", "$0.001 per share"]
    assert [text_of(e) for e in at(page, "//div[contains(@class, 'row')]//del")] == ["0.003"]
    assert [text_of(e) for e in at(page, "//div[contains(@class, 'row')]//ins")] == ["0.001"]
    for link in at(row, ".//a"):
        there = html.fromstring(client.get(link.get("href")).text)
        assert "per share" in " ".join(text_of(mark) for mark in there.iter("mark"))


def test_paragraphs_of_one_fate_can_be_looked_at_alone(
    client: TestClient, catalog: Catalog
) -> None:
    older, newer = two_texts(catalog)

    def rows(**more: str) -> list[str]:
        found = client.get("/compare", params={"a": older, "b": newer} | more)
        return [text_of(row) for row in at(html.fromstring(found.text), "//p[@class='fate']")]

    assert rows() == ["changed"]
    assert rows(same="1") == ["changed", "same"]
    assert rows(fate="same") == ["same"]
    assert rows(fate="moved") == []
    assert client.get("/compare?fate=lost").status_code == 422


@pytest.mark.parametrize(("a", "status"), [("242.605@9", 404), ("34-3", 422)])
def test_what_cannot_be_compared_is_said_beside_the_form(
    client: TestClient, a: str, status: int
) -> None:
    answer = client.get("/compare", params={"a": a, "b": "34-3"})
    page = html.fromstring(answer.text)

    assert answer.status_code == status
    assert at(page, "//input[@id='a']")[0].get("value") == a
    assert at(page, "//div[@role='alert']")


def test_effects_stand_by_variable_with_who_says_so(client: TestClient, catalog: Catalog) -> None:
    (held,) = catalog.record([a_document(
        "34-7", date(2023, 6, 1),
        ("", "The Commission believes that the amendments would narrow quoted spreads in NMS stocks."),
        section="242.612", title="Effects",
    )])  # fmt: skip
    page = html.fromstring(client.get("/impacts", params={"of": held.id}).text)

    (row,) = at(page, "//table[@class='effects']/tbody/tr")
    assert text_of(row).startswith("↓ down Commission")
    assert "narrow quoted spreads" in text_of(row)
    assert client.get("/impacts", params={"of": "lamps"}).status_code == 404
    assert client.get("/impacts", params={"of": held.id, "variable": "lamps"}).status_code == 422


def test_documents_are_listed_and_filtered(client: TestClient, catalog: Catalog) -> None:
    def titles(**wanted: str) -> list[str]:
        found = html.fromstring(client.get("/documents", params=wanted).text)
        return [text_of(a) for a in at(found, "//table//th[@scope='row']/a")]

    assert len(titles()) == len(catalog.moments())
    assert [t for t in titles(doc_type="proposed rule") if "Lamps" in t]
    assert titles(words="LAMPS onerror") == [f"Lamps {ATTACK}"]
    assert titles(section="242.605") == [f"Lamps {ATTACK}"]
    assert titles(words="nothing of the kind") == []
    page_of_all = client.get("/documents").text
    assert "/rules/242.605" in page_of_all
    assert page_of_all.count("Lamps &lt;script&gt;") == 1, (
        "the title is not said again in the citation"
    )
    assert client.get("/documents?page=0").status_code == 422


def test_a_long_list_of_documents_is_turned_page_by_page(
    client: TestClient, catalog: Catalog
) -> None:
    catalog.record([
        a_document(f"35-{n}", date(2024, 1, 1), ("SUMMARY", f"The Commission is lighting lamp {n}."), title=f"Note {n}")
        for n in range(60)
    ])  # fmt: skip
    seen: list[str] = []
    address = "/documents?words=note"
    while address:
        page = html.fromstring(client.get(address).text)
        seen += [text_of(a) for a in at(page, "//table//th[@scope='row']/a")]
        address = next(iter(at(page, "//a[@rel='next']/@href")), "")

    assert sorted(seen) == sorted(f"Note {n}" for n in range(60))


def two_texts(catalog: Catalog) -> tuple[str, str]:
    def held(number: str, cap: str) -> str:
        (found,) = catalog.record([a_document(
            number, date(2023, 6, 1),
            ("", f"No fee may exceed ${cap} per share for stocks of a dollar or more at any trading center."),
            ("", "A trading center must post its fees where anyone can read them before the day begins."),
            title=f"Caps {number}",
        )])  # fmt: skip
        return found.id

    return held("34-8", "0.003"), held("34-9", "0.001")


def test_an_outline_says_where_the_place_lies() -> None:
    sections = tuple(
        Section(n * 10, n * 10 + 10, (f"{part}.", *((f"{part}{leaf}",) if leaf else ())))
        for n, (part, leaf) in enumerate([("I", ""), ("I", "A"), ("I", "B"), ("II", "")])
    )
    found = outline(sections, 25)

    assert [(h.name, h.depth, h.here) for h in found] == [
        ("I.", 1, False), ("IA", 2, False), ("IB", 2, True), ("II.", 1, False),
    ]  # fmt: skip
    assert outline(sections[:1], 0) == ()


def test_a_reader_with_a_key_that_only_reads_may_ask_and_delete_here() -> None:
    for method, path in (
        ("GET", "/"),
        ("POST", "/"),
        ("POST", "/threads/x/delete"),
        ("GET", "/compare"),
    ):
        assert route_of(method, path).scope is Scope.READ
    assert route_of("GET", "/static/any/page.css").scope is None, "of the page that logs in, too"


def test_an_act_that_several_documents_tell_of_stands_once() -> None:
    adopted = an_event(on=date(2024, 9, 18), known_on=date(2025, 11, 30))
    statement = an_event(known_on=date(2024, 9, 18))
    in_print = an_event(known_on=date(2024, 10, 8), release="34-1", sections=("242.610", "242.612"))

    (row,) = _once([statement, adopted, in_print])
    assert (row.on, row.release, row.known_on) == (date(2024, 9, 18), "34-1", date(2024, 9, 18))
    assert row.sections == ("242.612", "242.610")

    for other in (
        an_event(kind=EventKind.PROPOSED, known_on=date(2024, 9, 18)),
        an_event(known_on=date(2024, 9, 19), sections=("242.611",)),
        an_event(known_on=date(2025, 3, 1)),
        an_event(on=date(2024, 9, 19)),
        an_event(on=date(2024, 9, 18), change="conforming"),
    ):
        assert len(_once([adopted, other])) == 2, other
    one, two = (an_event(known_on=date(2024, 9, 18), release=f"34-{n}") for n in (1, 2))
    assert len(_once([one, two])) == 2, "two releases of one summer are two rulemakings"


def an_event(**more: Any) -> rules.TimelineEvent:
    values: dict[str, Any] = {
        "kind": EventKind.ADOPTED, "on": None, "relative": None, "role": None, "about": About.OWN, "sections": ("242.612",),
        "by_name": False, "release": None, "known_on": date(2024, 9, 18), "source": "documents", "basis": (),
    }  # fmt: skip
    return rules.TimelineEvent(**values | more)


def test_what_comes_next_stands_on_the_first_page_and_beside_the_rule(catalog: Catalog) -> None:
    catalog.record([a_document(
        "34-30", date(2023, 9, 1), ("SUMMARY", "The Commission is adopting amendments to Rule 607 to snuff lamps."),
        ("DATES", "Effective Date: November 2, 2023."), section="242.607",
    )])  # fmt: skip
    held = overview(catalog, end_of_day(date(2023, 10, 1)))
    after = overview(catalog, end_of_day(date(2023, 11, 2)))

    days = [(each.on, each.sections) for each in held.coming if "242.607" in each.sections]
    assert days == [(date(2023, 11, 2), ("242.607",))]
    (rule,) = [rule for rule in held.rules if rule.section == "242.607"]
    assert rule.coming is not None
    assert rule.coming.on == date(2023, 11, 2)
    assert not [each for each in after.coming if "242.607" in each.sections]
    assert all(example.question.endswith("?") for example in held.examples)
