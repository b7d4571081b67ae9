"""The pages of documents and news in a real browser, beside a real server: what is uploaded, and what moves while news comes."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from ingest.moment import now
from tests.e2e.test_pages import CHROMIUM
from tests.ingest.test_jobs import BROKEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

GOOD = files("api.sample") / "documents" / "market-access-rule-15c3-5.pdf"
_JOB = 120_000  # milliseconds: what runs jobs gives way to everything else on the machine
WIDTHS = [(1280, "light"), (390, "dark")]

pytestmark = pytest.mark.slow


@pytest.fixture(name="address", scope="module")
def _address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`regtape serve` over an empty home, with the small models that need no weights."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("live")
    said = (home / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve", "--port", str(port)],
        env=os.environ | {
            "REGTAPE_HOME": str(home), "REGTAPE_EMBEDDER": "hashing", "REGTAPE_NEWS_SCORER": "lexicon",
        },
        stderr=said,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if httpx.get(f"{address}/v1/features/BAC").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert process.poll() is None, (home / "log").read_text()
            time.sleep(0.1)
        yield address
    finally:
        said.close()
        process.terminate()
        process.wait(20)


@pytest.fixture(name="browser", scope="module")
def _browser() -> "Iterator[Browser]":
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium is installed (Debian: apt install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


def a_page(browser: "Browser", width: int, scheme: str, *, script: bool = True) -> "BrowserContext":
    context = browser.new_context(
        viewport={"width": width, "height": 900}, java_script_enabled=script,
        color_scheme="dark" if scheme == "dark" else "light",
    )  # fmt: skip
    context.set_default_timeout(30_000)
    return context


@pytest.fixture(name="page", params=WIDTHS, ids=["wide", "narrow dark"])
def _page(browser: "Browser", request: pytest.FixtureRequest) -> "Iterator[Page]":
    """A page on which nothing may be logged, and from which nothing may be asked of elsewhere."""
    context = a_page(browser, *request.param)
    page = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert told == []
    assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in asked)


def log(address: str, id: str, headline: str, *symbols: str, minutes: float = 0) -> None:
    row = {
        "id": id, "published_at": (now() - timedelta(minutes=minutes)).isoformat(), "source": "wire",
        "headline": headline, "symbols": list(symbols),
    }  # fmt: skip
    assert httpx.post(f"{address}/v1/news", json=row).status_code in (200, 201)


# ---- documents


def test_a_broken_file_is_shown_with_its_reason_and_a_good_one_can_be_asked_about(
    page: "Page", address: str, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(BROKEN)
    page.goto(f"{address}/jobs")
    page.get_by_label("Files", exact=False).first.set_input_files([str(broken), str(GOOD)])
    page.get_by_role("button", name="Bring in").click()

    job = page.locator(".job").first
    job.locator(".badge.done").wait_for(timeout=_JOB)
    assert "1 rejected" in job.locator(".line").inner_text()
    why = job.locator(".files li", has_text="broken.pdf")
    why.filter(
        has_text=re.compile("rejected", re.IGNORECASE)
    ).wait_for()  # the files follow the job
    assert len(why.locator(".why").inner_text()) > 20
    page.locator("#told").filter(has_text="done").wait_for(state="attached")

    # Without a reload of anything: the next question finds it.
    job.get_by_role("link", name="market-access-rule-15c3-5.pdf", exact=True).click()
    page.wait_for_url("**/documents/*")
    asked = httpx.post(
        f"{address}/v1/ask", json={"question": "What must a broker with market access establish under Rule 15c3-5?"}, timeout=60,
    ).json()  # fmt: skip
    assert asked["citations"], asked
    assert page.url.rpartition("/")[2] in {c["document_id"] for c in asked["citations"]}


def test_what_is_refused_is_said_beside_the_form(browser: "Browser", address: str) -> None:
    page = a_page(browser, 1280, "light").new_page()
    page.goto(f"{address}/jobs")
    page.get_by_label("Addresses", exact=False).fill("http://169.254.169.254/latest/meta-data")
    page.get_by_role("button", name="Bring in").click()
    page.get_by_role("alert").wait_for()
    assert "does not lead to an address of the public web" in page.get_by_role("alert").inner_text()
    page.context.close()


def test_the_form_works_without_script(browser: "Browser", address: str, tmp_path: Path) -> None:
    broken = tmp_path / "plain.pdf"
    broken.write_bytes(BROKEN + b"plain")
    context = a_page(browser, 1280, "light", script=False)
    page = context.new_page()
    page.goto(f"{address}/jobs")
    page.get_by_label("Files", exact=False).first.set_input_files(str(broken))
    page.get_by_role("button", name="Bring in").click()
    page.wait_for_url("**/jobs/*")
    for _ in range(600):
        page.reload()
        if page.locator(".badge").inner_text() == "done":
            break
        time.sleep(0.2)
    assert "plain.pdf" in page.locator("h1").inner_text()
    assert page.locator(".why").is_visible()
    context.close()


def test_two_users_at_once_each_see_their_own(
    browser: "Browser", address: str, tmp_path: Path
) -> None:
    people = [a_page(browser, *each).new_page() for each in WIDTHS]
    for number, page in enumerate(people):
        sent = tmp_path / f"of-{number}.md"
        sent.write_text(f"# Lamp {number}\n\nEach venue must keep lamp number {number} lit.\n")
        page.goto(f"{address}/jobs")
        page.get_by_label("Files", exact=False).first.set_input_files(str(sent))
    for page in people:
        page.get_by_role("button", name="Bring in").click()
    for number, page in enumerate(people):
        job = page.locator(".job", has_text=f"of-{number}.md")
        job.locator(".badge.done").wait_for(timeout=_JOB)
        assert "1 added" in job.locator(".line").inner_text()
        page.context.close()


# ---- news


def test_a_symbol_moves_while_news_comes(page: "Page", address: str) -> None:
    symbol = "BAC" if visible(page) == ".broad" else "WMT"
    log(address, f"{symbol}-1", f"${symbol} cuts outlook after weak sales", symbol, minutes=1)
    page.goto(f"{address}/symbols/{symbol}?span=1h")
    page.locator("[data-words]", has_text="Live").wait_for()
    items, told = page.locator("#glance-volume_1d"), page.locator(f"#chart {visible(page)}")
    items.filter(has_text="1").wait_for()
    assert told.locator("circle.down").count() == 1
    drawn = told.locator("path.trend").get_attribute("d")

    log(address, f"{symbol}-2", f"${symbol} profit rises, best gain in years", symbol)
    page.locator(".wire li", has_text="best gain in years").locator(".score .up").wait_for()
    items.filter(has_text="2").wait_for()
    assert (told.locator("circle.down").count(), told.locator("circle.up").count()) == (1, 1)
    assert told.locator("path.trend").get_attribute("d") != drawn
    assert page.locator("#told").inner_text().startswith(f"{symbol}: 2 items in a day")
    assert f'"symbol":"{symbol}"' in page.locator(".receipt").inner_text()


def test_news_moves_and_leads_to_a_symbol_and_back_in_time(page: "Page", address: str) -> None:
    log(address, f"ford-{page.viewport_size}", "Ford wins large order, shares gain", "F")
    page.goto(f"{address}/news")
    page.locator("[data-words]", has_text="Live").wait_for()
    page.locator("tr[data-symbol=F]").wait_for()
    width = str(page.viewport_size)
    log(address, f"ford-2-{width}", f"Ford cuts outlook after weak sales {width}", "F")
    page.locator(".wire .head", has_text=width).wait_for()

    page.get_by_role("link", name="F", exact=True).first.click()
    page.wait_for_url("**/symbols/F")
    then = (now() - timedelta(days=400)).strftime("%Y-%m-%dT%H:%M")
    page.get_by_label("As of").fill(then)
    page.get_by_role("button", name="See", exact=True).click()
    assert "No item known then speaks of F" in page.locator("main").inner_text()
    assert page.locator("script").count() == 0, "the past does not move"
    page.get_by_role("link", name="Now").click()
    assert page.locator(".wire li").count() >= 2


def visible(page: "Page") -> str:
    assert page.viewport_size is not None
    return ".broad" if page.viewport_size["width"] > 700 else ".slim"


@pytest.mark.parametrize("path", ["/news", "/symbols/BAC?span=1d", "/jobs"])
def test_no_page_scrolls_sideways_is_hard_to_read_or_slow(
    page: "Page", address: str, path: str
) -> None:
    from tests.e2e.test_pages import _CONTRASTS

    log(address, "contrast", "Bank of America settles", "BAC", minutes=2)
    page.goto(address + path)
    page.goto(address + path)
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    assert [t for t in page.evaluate(_CONTRASTS) if t[0] < 4.5] == []
    timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    assert page.evaluate(timing) < 1000
    assert page.locator("h1").count() == 1


def test_the_keyboard_alone_reaches_a_dot_of_the_chart(page: "Page", address: str) -> None:
    log(address, "keyed", "Bank of America gains", "BAC", minutes=3)
    page.goto(f"{address}/symbols/BAC?span=1d")
    page.locator(f"#chart {visible(page)} circle").first.wait_for()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.getAttribute('href') ?? document.activeElement.id"
            )
        )
        if str(reached[-1]).startswith("#item-"):
            break
    assert str(reached[-1]).startswith("#item-"), reached
    page.keyboard.press("Enter")
    assert page.locator("li:target .head").is_visible()
