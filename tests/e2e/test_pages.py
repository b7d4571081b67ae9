"""The pages in a real browser, Debian's chromium, without JavaScript: read, open a quote, by keyboard, dark and narrow."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ingest.catalog import Catalog
from tests.api.serving import served
from tests.api.test_pages import HOSTILE, an_app
from tests.api.test_rule_http import PILOT
from tests.ingest.test_rules_state import ALL

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")


@pytest.fixture(name="address", scope="module")
def _address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Catalog(tmp_path_factory.mktemp("pages") / "home") as catalog:
        catalog.record([*ALL, PILOT, HOSTILE])
        with served(an_app(catalog)) as address:
            yield address


@pytest.fixture(name="browser", scope="module")
def _browser() -> "Iterator[Browser]":
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium is installed (Debian: apt install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(name="page", params=[(1280, "light"), (390, "dark")], ids=["wide", "narrow dark"])
def _page(browser: "Browser", request: pytest.FixtureRequest) -> "Iterator[Page]":
    """A page on which nothing may be logged, and from which nothing may be asked of elsewhere."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=False
    )
    page = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert told == []
    assert all(url.startswith(("http://127.0.0.1:", "data:")) for url in asked)


@pytest.mark.slow
def test_a_reader_goes_from_a_rule_to_a_day_to_a_quote_in_its_document(
    page: "Page", address: str
) -> None:
    page.goto(address)
    page.get_by_label("Rule", exact=True).fill("Order Protection Rule")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/rules/242.611")
    assert page.locator(".state .badge").inner_text() == "rescission proposed"

    page.get_by_label("As known on").fill("2021-01-04")
    page.get_by_role("button", name="See that day").click()
    assert page.locator(".state .badge").inner_text() == "effective, compliance not yet required"

    quote = page.locator("blockquote").first
    said = quote.locator("p").inner_text()
    quote.get_by_role("link").click()
    assert page.locator("mark").inner_text() == said
    assert page.locator("mark").is_visible()


@pytest.mark.slow
def test_the_keyboard_alone_is_enough_and_shows_where_it_is(page: "Page", address: str) -> None:
    page.goto(f"{address}/rules/242.611")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        where, outline = page.evaluate(_FOCUSED)
        reached.append(where)
        # A picker inside the field of a day draws its own ring.
        assert outline != "none" or where == "as_of"

    assert reached[:3] == ["skip", "brand", "rule"]
    assert {"as_of", "chart"} <= set(reached)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/rules/242.611", "/rules/242.605"])
def test_no_page_scrolls_sideways_or_is_hard_to_read(page: "Page", address: str, path: str) -> None:
    answer = page.goto(address + path)
    assert answer is not None
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    assert [t for t in page.evaluate(_CONTRASTS) if t[0] < 4.5] == []


@pytest.mark.slow
def test_a_page_is_there_within_a_second(page: "Page", address: str) -> None:
    page.goto(f"{address}/rules/242.611")  # the first one draws the chart
    page.goto(f"{address}/rules/242.611")
    timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    assert page.evaluate(timing) < 1000


_FOCUSED = """() => { const e = document.activeElement;
  return [e.id || e.className || e.textContent.trim(), getComputedStyle(e).outlineStyle]; }"""
# Contrast of each text against the nearest background, by the formula of WCAG 2; the chart's bars have words of their own.
_CONTRASTS = """() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => rgb(c).slice(0, 3).map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const paper = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] !== 0) return c; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => { const [a, b] = [light(getComputedStyle(e).color), light(paper(e))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), e.className, e.textContent.slice(0, 40)]; });
}"""
