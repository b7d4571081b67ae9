"""The pages in a real browser, Debian's chromium, wide and light, narrow and dark.

Rules are read without JavaScript. Questions are asked of the bundled sample, with the agent that answers everywhere: streamed,
gone on with, by keyboard alone, by two at once, over a connection that breaks, and without JavaScript too.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.app import create_app
from api.settings import load_settings
from ingest.catalog import Catalog
from tests.api.serving import served
from tests.api.test_pages import HOSTILE, an_app
from tests.api.test_rule_http import PILOT
from tests.ingest.test_rules_state import ALL

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route

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


WAYS = [(1280, "light"), (390, "dark")]
TICK = "What quoting increment did the Commission adopt in 2024 for tick-constrained stocks?"
SHORT = "What triggers the short sale circuit breaker, and for how long does the restriction last?"


@pytest.fixture(name="sample", scope="module")
def _sample(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The whole application over the sample, at its address."""
    home = tmp_path_factory.mktemp("asking") / "home"
    shutil.copytree(sample_home, home)
    settings = load_settings(home=home, embedder="hashing", ask_workers=0, news_scorer="none")
    with served(create_app(settings)) as address:
        yield address


@contextmanager
def a_page(browser: "Browser", width: int, scheme: str, *, script: bool) -> "Iterator[Page]":
    """A page on which nothing may be logged, and from which nothing may be asked of elsewhere."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script, permissions=["clipboard-read", "clipboard-write"],
    )  # fmt: skip
    page = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert told == []
    assert all(url.startswith(("http://127.0.0.1:", "data:image/")) for url in asked)


@pytest.fixture(name="page", params=WAYS, ids=["wide", "narrow dark"])
def _page(browser: "Browser", request: pytest.FixtureRequest) -> "Iterator[Page]":
    with a_page(browser, *request.param, script=False) as page:
        yield page


@pytest.fixture(name="live", params=WAYS, ids=["wide", "narrow dark"])
def _live(browser: "Browser", request: pytest.FixtureRequest) -> "Iterator[Page]":
    with a_page(browser, *request.param, script=True) as page:
        yield page


@pytest.mark.slow
def test_a_reader_goes_from_a_rule_to_a_day_to_a_quote_in_its_document(
    page: "Page", address: str
) -> None:
    page.goto(f"{address}/rules")
    page.get_by_label("Rule", exact=True).fill("Order Protection Rule")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/rules/242.611")
    assert page.locator(".state .badge").inner_text() == "in force, rescission proposed"

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
    for _ in range(18):
        page.keyboard.press("Tab")
        where, outline = page.evaluate(_FOCUSED)
        reached.append(where)
        # A picker inside the field of a day draws its own ring.
        assert outline != "none" or where == "as_of"

    assert reached[:2] == ["skip", "brand"]
    assert {"rule", "as_of", "chart"} <= set(reached)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["/rules", "/rules/242.611", "/rules/242.605", "/compare", "/compare?a=34-1&b=34-3", "/impacts", "/documents"],
)  # fmt: skip
def test_no_page_scrolls_sideways_or_is_hard_to_read(page: "Page", address: str, path: str) -> None:
    page.goto(address + path)
    assert is_readable(page)


@pytest.mark.slow
def test_a_page_is_there_within_a_second(live: "Page", address: str, sample: str) -> None:
    for place in (f"{address}/rules/242.611", f"{sample}/", f"{sample}/documents"):
        live.goto(place)  # the first one reads the rulebook and draws the chart
        live.goto(place)
        timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        assert live.evaluate(timing) < 1000


# ---- asking


@pytest.mark.slow
def test_an_answer_is_streamed_and_a_quote_opens_its_document(live: "Page", sample: str) -> None:
    live.goto(sample)
    live.evaluate(_WATCH)
    turn = ask(live, TICK)

    assert live.evaluate("seen.steps") >= 3
    assert live.evaluate("seen.sentences") >= 1, "shown before the whole answer was"
    said = turn.locator(".said p").first
    assert "0.005" in turn.locator(".said").inner_text()
    said.locator(".chip").first.click()
    card = live.locator(".peek")
    quote = card.locator("blockquote").inner_text().strip("“”")
    assert "RegTape sample note" in card.inner_text()
    assert is_readable(live)
    card.get_by_role("link", name=re.compile("Open the document")).click()

    live.wait_for_url("**/documents/**")
    assert " ".join(live.locator("mark").all_inner_texts()) == quote
    assert live.locator("mark").first.is_visible()
    live.go_back()
    live.wait_for_url("**/threads/*")
    assert live.locator(".asked").inner_text() == TICK


@pytest.mark.slow
def test_a_follow_up_stands_under_the_first_answer_and_both_are_there_again(
    live: "Page", sample: str
) -> None:
    live.goto(sample)
    ask(live, "What triggers the short sale circuit breaker under Rule 201?")
    ask(live, "And for how long does the restriction last?")
    live.wait_for_url("**/threads/*")
    live.reload()

    assert live.locator(".asked").all_inner_texts() == [
        "What triggers the short sale circuit breaker under Rule 201?",
        "And for how long does the restriction last?",
    ]
    assert "following day" in live.locator("#turn-2 .said").inner_text()
    current = live.locator("#threads [aria-current]")
    assert "What triggers" in (current.text_content() or "")
    assert is_readable(live)


@pytest.mark.slow
def test_from_load_to_an_opened_quote_by_keyboard_alone(live: "Page", sample: str) -> None:
    live.goto(sample)
    press_until(live, "Tab", "document.activeElement.id === 'question'")
    live.keyboard.type(SHORT)
    live.keyboard.press("Enter")
    live.wait_for_selector("#turn-1 .do")

    press_until(live, "Tab", "document.activeElement.matches('.said .chip')")
    peek = live.locator(".peek")
    assert peek.is_visible(), "reaching a chip shows its quote"
    live.keyboard.press("Escape")
    assert not peek.is_visible()
    live.keyboard.press("Enter")
    press_until(live, "Tab", "document.activeElement.matches('.peek .open a')")
    live.keyboard.press("Enter")
    live.wait_for_url("**/documents/**")
    assert live.locator("mark").first.is_visible()


@pytest.mark.slow
def test_two_readers_at_once_get_each_their_own_answer(browser: "Browser", sample: str) -> None:
    with (
        a_page(browser, 1280, "light", script=True) as one,
        a_page(browser, 1280, "dark", script=True) as other,
    ):
        for page, question in ((one, TICK), (other, SHORT)):
            page.goto(sample)
            page.locator("#question").fill(question)
        one.locator("#send").click()
        other.locator("#send").click()
        for page in (one, other):
            page.wait_for_selector("#turn-1 .do")

        assert "0.005" in one.locator("#turn-1 .said").inner_text()
        assert "following day" in other.locator("#turn-1 .said").inner_text()
        assert one.url != other.url


@pytest.mark.slow
def test_a_refusal_says_what_to_try_and_an_example_asks(live: "Page", sample: str) -> None:
    live.goto(sample)
    live.locator("[data-question]").first.click()
    live.wait_for_selector("#turn-1 .do")
    assert live.locator("#turn-1 .standing .badge").count() >= 1

    live.goto(sample)
    live.get_by_label("As known on").fill("1990-01-02")
    turn = ask(live, SHORT)
    assert "As known on January 2, 1990" in turn.inner_text()
    assert "What to try" in turn.locator(".refusal").inner_text()
    assert is_readable(live)


@pytest.mark.slow
def test_an_answer_is_copied_and_one_can_be_stopped(live: "Page", sample: str) -> None:
    live.goto(sample)
    turn = ask(live, TICK)
    turn.get_by_role("button", name="Copy answer").click()
    turn.get_by_role("button", name="Copied").wait_for()
    copied = live.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(TICK)
    assert re.search(r"\[1\] .+: “", copied)

    live.route("**/v1/ask", lambda route: None)  # a server that takes its time
    live.locator("#question").fill(SHORT)
    live.locator("#send").click()
    live.locator("#send", has_text="Stop").click()
    live.get_by_text("Nothing was answered.").wait_for()
    assert live.locator("#question").input_value() == SHORT, "it can be asked again"


@pytest.mark.slow
def test_a_stream_that_breaks_is_read_on(live: "Page", sample: str) -> None:
    resumed: list[str | None] = []

    def break_once(route: "Route") -> None:
        resumed.append(route.request.headers.get("last-event-id"))
        if len(resumed) > 1:
            route.continue_()
            return
        whole = route.fetch()
        begun = "\n\n".join(whole.text().split("\n\n")[:2]) + "\n\n"
        route.fulfill(status=200, body=begun, content_type="text/event-stream")

    live.route("**/v1/ask", break_once)
    live.goto(sample)
    turn = ask(live, SHORT)

    assert resumed[0] is None
    assert resumed[1]
    assert "following day" in turn.locator(".said").inner_text()


@pytest.mark.slow
def test_asking_works_without_script(page: "Page", sample: str) -> None:
    page.goto(sample)
    page.locator("#question").fill(TICK)
    page.locator("#send").click()
    page.wait_for_url("**/threads/*")
    assert "0.005" in page.locator(".said").inner_text()
    assert is_readable(page)

    page.locator(".said .chip").first.click()
    quote = page.locator(page.url[page.url.index("#") :])
    assert quote.is_visible()
    quote.locator("a").first.click()
    assert page.locator("mark").first.is_visible()


# ---- compare and impacts


@pytest.mark.slow
def test_a_reader_compares_the_proposal_with_what_was_adopted(page: "Page", sample: str) -> None:
    page.goto(f"{sample}/compare")
    page.get_by_label("Before").fill("34-96494")
    page.get_by_label("After").fill("34-101070")
    page.get_by_role("button", name="Compare").click()

    assert page.locator(".numbers tbody tr, .subject, .row.pair").count() >= 1
    assert is_readable(page)
    page.locator(".subject a, .row a, .numbers a").first.click()
    assert page.locator("mark").first.is_visible()


@pytest.mark.slow
def test_a_reader_goes_from_an_effect_to_its_sentence(page: "Page", sample: str) -> None:
    page.goto(f"{sample}/impacts")
    page.get_by_role("link", name="Rule 612", exact=True).click()
    row = page.locator(".effects tr", has=page.locator("q")).first
    quote = row.locator("q").inner_text()
    assert is_readable(page)
    row.locator(".cited a").click()

    assert page.locator("mark").first.is_visible()
    assert " ".join(page.locator("mark").all_inner_texts()).split() == quote.strip("“”").split()


def ask(page: "Page", question: str) -> "Locator":
    """The turn that the question became."""
    turn = page.locator(f"#turn-{page.locator('.turn').count() + 1}")
    page.locator("#question").fill(question)
    page.locator("#send").click()
    turn.locator(".do").wait_for()
    return turn


def press_until(page: "Page", key: str, there: str) -> None:
    for _ in range(60):
        page.keyboard.press(key)
        if page.evaluate(there):
            return
    raise AssertionError(f"{there} was not reached by {key}")


def is_readable(page: "Page") -> bool:
    """Nothing is cut off at the side, and each text stands out from what is behind it, as WCAG 2 AA asks."""
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
    faint = [t for t in page.evaluate(_CONTRASTS) if t[0] < 4.5]
    assert faint == []
    return True


# What was shown before the whole answer took its place.
_WATCH = """() => { window.seen = { steps: 0, sentences: 0 };
  new MutationObserver(() => {
    seen.steps = Math.max(seen.steps, document.querySelectorAll('.working li').length);
    seen.sentences = Math.max(seen.sentences, document.querySelectorAll('.turn:not([id]) .said p').length);
  }).observe(document.getElementById('turns'), { childList: true, subtree: true }); }"""
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
    .filter(e => !e.closest('svg, [hidden], .skip, .unseen') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => { const [a, b] = [light(getComputedStyle(e).color), light(paper(e))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), e.className, e.textContent.slice(0, 40)]; });
}"""
