"""A path in, an HTML page for a person out; no script, nothing from elsewhere, errors as pages too."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from api import rules
from api.deps import CatalogDep
from api.pages import CSS, page
from api.pages.excerpt import excerpt
from api.pages.rule import badges, rule_page, spoken_of
from api.problems import problem_of, problem_of_request
from api.schemas import Problem
from api.timeline import warm
from ingest.document import page_at, section_at
from ingest.errors import NotKnown, RegTapeError
from ingest.moment import civil_day, now, parse_moment
from ingest.rules import names
from ingest.rules.cite import place_of


class _Page(APIRoute):
    """A route whose errors are pages that say what to try."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handler(request)
            except RegTapeError as exc:
                return _failed(problem_of(exc, request.url.path))
            except RequestValidationError as exc:
                return _failed(problem_of_request(exc, request.url.path))

        return told


router = APIRouter(include_in_schema=False, route_class=_Page)

AsOf = Annotated[str, Query(max_length=40)]


@router.get("/")
def read_home(catalog: CatalogDep, after: BackgroundTasks) -> HTMLResponse:
    """Every rule that a document speaks of, with its state today."""
    after.add_task(
        warm
    )  # whoever looks here looks at a rule's chart next; a server that only serves features has none
    moment = now()
    book = rules.book_of(catalog)
    through = civil_day(min(book.through, moment)) if book.through else None
    return page(
        "home.html", civil_day(moment), rules=badges(catalog, moment), through=through,
        documents=len(catalog.moments()),
    )  # fmt: skip


@router.get("/rules")
def find_rule(rule: Annotated[str, Query(max_length=200)] = "") -> RedirectResponse:
    """The page of what was typed into the search box."""
    return RedirectResponse(f"/rules/{_section(rule)}" if rule.strip() else "/", 303)


@router.get("/rules/{section}")
def read_rule_page(section: str, catalog: CatalogDep, as_of: AsOf = "") -> Response:
    """The state of a rule on a day, its timeline and quotes."""
    asked = _section(section)
    if not spoken_of(catalog, asked):
        raise NotKnown(f"No document held speaks of {asked}.")
    today = now()
    moment = parse_moment(as_of) if as_of else today
    return page(
        "rule.html", civil_day(today), rule=rule_page(catalog, asked, moment), named=rules.named,
        as_of=quote(as_of),
    )  # fmt: skip


@router.get("/documents/{id}")
def read_document_page(
    id: str,
    catalog: CatalogDep,
    at: Annotated[int, Query(ge=0)] = 0,
    to: Annotated[int, Query(ge=0)] = 0,
    as_of: AsOf = "",
) -> Response:
    """The text of a document around [at, to), which is marked."""
    today = now()
    moment = parse_moment(as_of) if as_of else today
    held, book = catalog.document(id), rules.book_of(catalog)
    public, basis = book.known.get(held.offset, (held.known_at, held.known_basis))
    if public > moment:
        raise NotKnown(f"The document {id!r} was not public by {civil_day(moment)}.")
    text, sections, pages = catalog.body(id)
    shown = excerpt(text, pages, at, to)
    on, section = page_at(pages, at), section_at(sections, at)
    return page(
        "document.html", civil_day(today), held=held, excerpt=shown, public=civil_day(public), basis=basis,
        citation=book.cite(held, moment, place_of(pages, sections, at)), marked=to > at,
        page=(on.printed or str(on.number)) if on else "", path=" › ".join(section.path) if section else "",
        as_of=quote(as_of),
    )  # fmt: skip


@router.get("/page.css")
def read_css() -> Response:
    """The style of all pages; its address changes with it."""
    return Response(CSS, media_type="text/css", headers={"Cache-Control": "max-age=31536000"})


def _section(asked: str) -> str:
    try:
        return names.resolve(asked)
    except RegTapeError as exc:
        raise NotKnown(str(exc)) from exc  # a page that is not there, whatever was meant


def _failed(problem: Problem) -> HTMLResponse:
    heading = "Not found" if problem.status == 404 else "That cannot be shown"
    return page(
        "missing.html", civil_day(now()), problem.status, heading=heading, detail=problem.detail
    )
