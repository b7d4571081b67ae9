"""The pages of news, symbols and jobs over HTTP: as of an instant, whatever comes later; hostile words; forms of other sites."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from lxml import etree, html

from api.app import create_app
from api.deps import Opened
from api.pages import POLICY
from api.pages.lines import chart
from api.pages.tape import SPANS, Headline, Series
from ingest.moment import NEW_YORK, now, to_micros
from tests.api.fakes import fake_services
from tests.api.serving import an_item, scored, wait_until_folded
from tests.api.test_pages import ATTACK, text_of
from tests.ingest.test_jobs import BROKEN, LAMPS

HERE = "http://127.0.0.1"
DAY = "2026-02-24"


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> Iterator[FastAPI]:
    with fake_services(tmp_path / "home") as services:
        yield create_app(services.settings, services)


@pytest.fixture(name="client")
def _client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(name="opened")
def _opened(app: FastAPI, client: TestClient) -> Opened:
    """A day of news: three items about LAMP, one about BELL, all of them history."""
    opened: Opened = app.state.opened
    for id, hour, symbol, positive in (
        ("a", 10, "LAMP", 0.7), ("b", 11, "LAMP", 0.1), ("c", 12, "BELL", 0.7), ("d", 15, "LAMP", 0.7),
    ):  # fmt: skip
        scored(
            opened.tape, id, symbol, positive=positive, backfill=True, published_at=f"{DAY}T{hour}:00:00-05:00"
        )  # fmt: skip
    wait_until_folded(opened.tape, app)
    return opened


def page(client: TestClient, address: str, **query: str) -> Any:
    """Its root element."""
    found = client.get(address, params=query or None)
    assert found.status_code == 200, found.text
    assert found.headers["content-security-policy"] == POLICY
    return html.fromstring(found.text)


def by_id(root: Any, id: str) -> Any:
    (found,) = root.xpath(f'//*[@id="{id}"]')
    return found


# ---- news and symbols


def test_news_lists_symbols_with_their_numbers_and_headlines_with_scores(
    client: TestClient, opened: Opened
) -> None:
    root = page(client, "/news", at=f"{DAY}T16:00")

    rows = [[text_of(cell) for cell in row] for row in by_id(root, "symbols").iter("tr")][1:]
    assert [(row[0], row[3], row[4]) for row in rows] == [("LAMP", "3", "3"), ("BELL", "1", "1")]
    assert rows[1][1] == "+0.65"
    heads = [text_of(each) for each in root.find_class("head")]
    assert heads == [f"Lamp maker has news number {id}" for id in "dcba"]
    assert "As known at Feb 24, 2026 16:00:00, New York time" in text_of(by_id(root, "state"))


def test_a_page_as_of_an_instant_shows_nothing_later_and_stays_as_it_is(
    client: TestClient, opened: Opened, app: FastAPI
) -> None:
    def then() -> str:
        root = page(client, "/symbols/LAMP", at=f"{DAY}T11:30", span="1d")
        return " ".join(text_of(by_id(root, id)) for id in ("glance", "chart", "headlines"))

    before = then()
    assert "number b" in before
    assert "number d" not in before
    scored(opened.tape, "later", "LAMP", positive=0.7)
    wait_until_folded(opened.tape, app)
    assert then() == before


def test_a_symbol_is_shown_with_values_status_receipt_and_a_dot_for_each_item(
    client: TestClient, opened: Opened
) -> None:
    root = page(client, "/symbols/lamp", at=f"{DAY}T16:00", span="1d")

    assert text_of(root.findall(".//h1")[0]) == "LAMP"
    assert text_of(by_id(root, "f-volume_1d")) == "3"
    status = [text_of(row[2]) for row in by_id(root, "features").iter("tr") if len(row) == 3]
    assert {"present", "empty"} <= set(status)
    receipt = text_of(root.find_class("receipt")[0])
    assert '"symbol":"LAMP"' in receipt
    wide, narrow = by_id(root, "chart").iter("svg")
    for drawn in (wide, narrow):
        assert len(drawn.xpath(".//circle")) == 3
        links = [str(a.get("href")) for a in drawn.iter("a")]
        assert all(root.xpath(f'//li[@id="{link[1:]}"]') for link in links)
    assert "3 items; mean sentiment of the last 2h now 0.65" in str(wide.get("aria-label"))


def test_a_page_of_now_says_when_there_was_news(client: TestClient, opened: Opened) -> None:
    for address in ("/news", "/symbols/LAMP"):
        root = page(client, address)
        (note,) = root.find_class("note")
        assert "in the last five days" in text_of(note)
        there = page(client, str(note.findall(".//a")[0].get("href")))
        assert "number d" in text_of(there)


def test_only_a_page_of_now_has_a_script(client: TestClient, opened: Opened) -> None:
    assert page(client, "/symbols/LAMP").xpath("//script/@src")
    assert not page(client, "/symbols/LAMP", at=f"{DAY}T16:00").xpath("//script")


def test_an_item_that_waits_for_its_score_is_shown_as_such(
    client: TestClient, opened: Opened
) -> None:
    opened.tape.append([an_item("new", "LAMP", published_at=now().isoformat())])
    line = page(client, "/symbols/LAMP").find_class("wire")[0][0]

    assert "scoring …" in text_of(line)


def test_words_of_news_stay_words(client: TestClient, opened: Opened, app: FastAPI) -> None:
    scored(
        opened.tape, "evil", "LAMP", headline=f"Lamps {ATTACK}", url="javascript:alert(1)", published_at=now().isoformat(),
    )  # fmt: skip
    wait_until_folded(opened.tape, app)
    for address in ("/news", "/symbols/LAMP"):
        text = client.get(address).text
        root: Any = html.fromstring(text)
        assert ATTACK in text_of(root)
        assert not root.xpath("//img | //script[not(@src)] | //*[@onerror] | //@style")
        assert "javascript:" not in text


@pytest.mark.parametrize(
    ("address", "status", "says"),
    [
        ("/symbols/LAMP?span=2y", 422, "there are 1h, 1d, 5d, 30d"),
        ("/symbols/LAMP?at=tomorrow", 422, "is not a time"),
        ("/news?at=2999-01-01T00:00", 422, "as_of"),
        ("/symbols/" + "x" * 90, 422, "symbol"),
    ],
)
def test_what_cannot_be_meant_is_a_page(
    client: TestClient, address: str, status: int, says: str
) -> None:
    found = client.get(address)

    assert (found.status_code, found.headers["content-type"]) == (
        status,
        "text/html; charset=utf-8",
    )
    assert says in found.text


@pytest.mark.parametrize(
    ("typed", "there"),
    [("bf/b", "/symbols/BF%2FB"), (" brk.b ", "/symbols/BRK.B"), (" ", "/news")],
)
def test_a_symbol_that_is_typed_leads_to_its_page(
    client: TestClient, typed: str, there: str
) -> None:
    found = client.get("/symbols", params={"symbol": typed}, follow_redirects=False)

    assert (found.status_code, found.headers["location"]) == (303, there)
    assert client.get(there).status_code == 200


def test_an_empty_home_says_what_to_do(client: TestClient) -> None:
    assert "No news is held" in text_of(page(client, "/news"))
    assert "No item known speaks of LAMP" in text_of(page(client, "/symbols/LAMP"))


# ---- the chart


def a_series(n: int, **lines: Any) -> Series:
    last = to_micros(datetime(2026, 2, 24, 21, tzinfo=UTC))
    times = np.linspace(last - SPANS["1d"].width, last, n).astype(np.int64)
    nothing = np.full(n, np.nan)
    return Series(times, **{name: lines.get(name, nothing) for name in ("trend", "detail", "volume", "buzz")})  # fmt: skip


def numbers(path: str) -> list[float]:
    return [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", path)]


@pytest.mark.parametrize("width", [350, 1010])
def test_a_chart_stays_within_its_frame_and_breaks_where_there_is_nothing(width: int) -> None:
    trend = np.array([0.2, 0.4, np.nan, np.nan, -0.9, -1.0])
    series = a_series(6, trend=trend, volume=np.array([1.0, 50, 0, 0, 2, 3]), buzz=trend * 40)
    drawn: Any = etree.fromstring(chart(series, [], "1d", 'a "label" & more', width))

    assert drawn.get("aria-label") == 'a "label" & more'
    (line,) = drawn.xpath('.//*[@class="trend"]')
    assert str(line.get("d")).count("M") == 2
    height = float(str(drawn.get("height")))
    for path in drawn.xpath('.//*[@class="trend" or @class="buzz"]'):
        found = numbers(str(path.get("d")))
        assert all(0 <= x <= width for x in found[::2])
        assert all(0 <= y <= height for y in found[1::2])
    assert not drawn.xpath(".//@style")


def test_nothing_at_all_is_drawn_too() -> None:
    drawn: Any = etree.fromstring(chart(a_series(3), [], "30d", "nothing", 350))

    assert not drawn.xpath('.//*[@class="trend" or @class="buzz"]')


def test_marks_of_time_are_round_in_new_york_over_the_change_of_clocks() -> None:
    last = to_micros(datetime(2026, 3, 9, 16, tzinfo=NEW_YORK))  # clocks went forward on the 8th
    times = np.linspace(last - SPANS["5d"].width, last, 50).astype(np.int64)
    nothing = np.full(50, np.nan)
    drawn = chart(Series(times, nothing, nothing, nothing, nothing), [], "5d", "", 1010)

    assert re.findall(r">(Mar \d+)<", drawn) == ["Mar 5", "Mar 6", "Mar 7", "Mar 8", "Mar 9"]


def test_a_dot_stands_where_and_when_its_item_was_known() -> None:
    series = a_series(9)
    middle = datetime(2026, 2, 24, 9, tzinfo=UTC)
    one = Headline(7, 'Lamps "<b>"', "wire", "item", middle, middle, False, 0.5, (), False, None)
    late = Headline(8, "late", "wire", "item", middle + timedelta(days=9), None, False, None, (), False, None)  # fmt: skip
    (dot,) = etree.fromstring(chart(series, [one, late], "1d", "", 1000)).iter("{*}circle")

    assert float(str(dot.get("cx"))) == pytest.approx(500)
    assert dot.get("class") == "dot up"


# ---- jobs


def test_the_form_makes_a_job_whose_page_says_what_became_of_its_files(
    client: TestClient, opened: Opened
) -> None:
    sent = [("files", ("lamps.md", LAMPS)), ("files", (f"{ATTACK}.pdf", BROKEN))]
    made = client.post("/jobs", files=sent, data={"url": ""}, follow_redirects=False)
    assert made.status_code == 303
    root = page(client, made.headers["location"])

    assert [text_of(each) for each in root.find_class("result")] == ["waiting", "waiting"]
    assert not root.xpath("//img | //*[@onerror]")
    (job,) = opened.jobs.jobs()
    assert client.post(f"/jobs/{job.id}/cancel").status_code == 200
    root = page(client, "/jobs")
    assert "cancelled" in text_of(root)
    assert [text_of(each) for each in root.find_class("result")] == ["not read", "not read"]


ELSEWHERE = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
]


@pytest.mark.parametrize(
    ("path", "headers"),
    [(path, headers) for path in ("/jobs", "/jobs/x/cancel") for headers in ELSEWHERE]
    + [("/v1/documents", headers) for headers in ELSEWHERE[:2]],
)
def test_a_form_of_another_site_brings_nothing_in(
    client: TestClient, opened: Opened, path: str, headers: dict[str, str]
) -> None:
    found = client.post(path, files=[("files", ("lamps.md", LAMPS))], headers=headers)

    assert found.status_code in (403, 422)
    assert opened.jobs.jobs() == []


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"data": {"url": "http://127.0.0.1/"}}, "public web"),
        ({"data": {"url": ""}}, "a form with files"),
        ({"files": [("files", ("", b""))]}, "nothing to bring in"),
    ],
)
def test_what_is_refused_is_a_page_that_says_why(
    client: TestClient, sent: dict[str, Any], says: str
) -> None:
    files = sent.get("files") or ([("other", ("a", b""))] if "127" in str(sent) else [])
    found = client.post("/jobs", data=sent.get("data"), files=files or None)

    assert found.status_code == 422
    assert found.headers["content-type"].startswith("text/html")
    assert says in found.text


def test_jobs_come_page_by_page(client: TestClient, opened: Opened) -> None:
    for number in range(23):
        client.post("/v1/documents", files=[("files", (f"{number}.md", LAMPS))])
    root = page(client, "/jobs")
    assert len(root.find_class("job")) == 20
    (older,) = root.xpath('//a[@rel="next"]/@href')
    assert len(page(client, str(older)).find_class("job")) == 3
