"""A path in, an HTML page for a person out; whole without script, nothing from elsewhere, errors as pages too."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from agent.compare import Fate
from agent.threads import NEW, Threads
from api import rules, schemas
from api.asking import Question
from api.comparing import compared
from api.deps import CatalogDep, Opened, OpenedDep, OwnerDep, SettingsDep
from api.exports import read_thread
from api.impacts import impacts_of
from api.pages import STATIC, page
from api.pages.answer import STEPS, shown
from api.pages.excerpt import excerpt, outline
from api.pages.home import overview
from api.pages.listing import Wanted, listing
from api.pages.rule import rule_page, spoken_of
from api.pages.sides import sides
from api.problems import problem_of, problem_of_request, read_form
from api.schemas import Problem
from api.settings import Settings
from api.timeline import warm
from ingest.document import Authority, DocType, page_at, section_at
from ingest.errors import BadRequest, NotKnown, RegTapeError
from ingest.moment import civil_day, now, parse_moment
from ingest.rules import names
from ingest.rules.cite import place_of
from ingest.rules.taxonomy import taxonomy


class PageRoute(APIRoute):
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


router = APIRouter(include_in_schema=False, route_class=PageRoute)

AsOf = Annotated[str, Query(max_length=40)]
Name = Annotated[str, Query(max_length=300)]


# ---- asking

_THREADS = 30  # listed at the side


@dataclass(frozen=True, slots=True)
class _Asked:
    """What stands in the form."""

    question: str = ""
    as_of: str = ""


@router.get("/")
def read_home(
    opened: OpenedDep,
    owner: OwnerDep,
    after: BackgroundTasks,
    q: Annotated[str, Query(max_length=2000)] = "",
    as_of: AsOf = "",
) -> HTMLResponse:
    """A question can be asked here; `q` stands in the form already."""
    # Whoever looks here looks at a rule's chart next; a server that only serves features has none.
    after.add_task(warm)
    return _ask_page(opened, owner, _Asked(q, as_of))


@router.post("/")
async def answer_here(request: Request, opened: OpenedDep, owner: OwnerDep) -> RedirectResponse:
    """The same for a browser without script: asked, kept, and shown as the newest turn of its conversation."""
    from_here(request)
    sent = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    filters = {name: sent[name] for name in schemas.Filters.model_fields if sent.get(name)}
    form = {"question": sent.get("question", "").strip(), "as_of": sent.get("as_of") or None}
    wanted = read_form(schemas.AskRequest, form | {"filters": filters}, "form")
    thread = sent.get("thread") or NEW
    if thread != NEW:
        await run_in_threadpool(_turns, opened.settings, owner, thread)
    question = Question(
        wanted.question, wanted.as_of, wanted.filters.to_catalog(), thread=thread, owner=owner
    )
    async with opened.answering.turn(None if thread == NEW else thread):
        found = await opened.asker.ask(question, lambda _: None)
    return RedirectResponse(f"/threads/{found.thread}#turn-{found.turn}", 303)


@router.get("/threads/{id}")
def read_thread_page(id: str, opened: OpenedDep, owner: OwnerDep) -> HTMLResponse:
    """A conversation, which can be gone on with."""
    return _ask_page(opened, owner, _Asked(), id)


@router.get("/threads/{id}/{number}")
def read_turn(id: str, number: int, opened: OpenedDep, owner: OwnerDep) -> HTMLResponse:
    """One turn as the piece of a page that it is: what a stream ends with."""
    today = civil_day(now())
    turn = _turn(opened.settings, owner, id, number)
    return page("fragment.html", today, shown=shown(opened.catalog, turn, today), n=number)


@router.get("/threads/{id}/{number}/answer.json")
def read_answer(id: str, number: int, settings: SettingsDep, owner: OwnerDep) -> Response:
    """One answer as a file that `regtape verify` re-checks."""
    name = f"regtape-{id}-{number}.json"
    return Response(
        _turn(settings, owner, id, number).answer.model_dump_json(indent=2) + "\n",
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.post("/threads/{id}/delete")
def delete_thread(
    id: str, request: Request, settings: SettingsDep, owner: OwnerDep
) -> RedirectResponse:
    """It is gone with all its turns."""
    from_here(request)
    with Threads(settings.home, owner=owner) as threads:
        threads.delete(id)
    return RedirectResponse("/", 303)


def _ask_page(opened: Opened, owner: str | None, asked: _Asked, thread: str = "") -> HTMLResponse:
    moment = now()
    today, held = civil_day(moment), overview(opened.catalog, moment)
    turns = _turns(opened.settings, owner, thread) if thread else ()
    with Threads(opened.settings.home, owner=owner) as threads:
        rows = threads.all()[:_THREADS]
    return page(
        "ask.html", today, steps=STEPS, asked=asked, thread=thread, turns=[shown(opened.catalog, turn, today) for turn in turns],
        threads=[(row.id, row.title, civil_day(row.updated_at), row.turns) for row in rows], documents=held.documents,
        through=held.through, examples=held.examples, coming=held.coming, sections=[(r.section, r.title) for r in held.rules],
        kinds=list(DocType), authorities=list(Authority),
    )  # fmt: skip


def _turns(settings: Settings, owner: str | None, thread: str) -> tuple[schemas.Turn, ...]:
    with Threads(settings.home, owner=owner) as threads:
        return read_thread(threads, thread).turns


def _turn(settings: Settings, owner: str | None, thread: str, number: int) -> schemas.Turn:
    for turn in _turns(settings, owner, thread):
        if turn.answer.turn == number:
            return turn
    raise NotKnown(f"The conversation {thread} has no turn {number}.")


def from_here(request: Request) -> None:
    """A form of another site must not make a reader's browser ask. Raises BadRequest."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    ):
        raise BadRequest("this form was sent by a page of another site")


# ---- rules


@router.get("/rules")
def list_rules(catalog: CatalogDep, rule: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Every rule that a document speaks of, with its state today; or the page of what was typed into the search box."""
    if rule.strip():
        return RedirectResponse(f"/rules/{_section(rule)}", 303)
    moment = now()
    return page("rules.html", civil_day(moment), held=overview(catalog, moment))


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
        versions=[v for v in overview(catalog, today).versions if names.base(asked) in v.sections],
    )  # fmt: skip


# ---- compare and impacts


@router.get("/compare")
def read_comparison_page(
    catalog: CatalogDep, a: Name = "", b: Name = "", as_of: AsOf = "", same: str = "", fate: Fate | None = None
) -> HTMLResponse:  # fmt: skip
    """Two documents, or two versions of a section, side by side; of the paragraphs, those of one fate alone."""
    moment = now()
    found, problem = None, None
    if a.strip() and b.strip():
        try:
            every = bool(same) or fate is Fate.SAME
            both = compared(catalog, a.strip(), b.strip(), as_of=_moment(as_of), same=every)
            found = sides(both, fate or "")
        except RegTapeError as exc:
            problem = problem_of(exc, "/compare")
    held = overview(catalog, moment)
    return page(
        "compare.html", civil_day(moment), problem.status if problem else 200, a=a, b=b, as_of=as_of, same=same, fate=fate,
        found=found, problem=problem, versions=held.versions, rules=held.rules,
    )  # fmt: skip


@router.get("/impacts")
def read_impacts_page(
    catalog: CatalogDep, of: Name = "", variable: Annotated[str, Query(max_length=80)] = "", as_of: AsOf = ""
) -> HTMLResponse:  # fmt: skip
    """What a release, or all on a rule, says of effects on the market."""
    moment = now()
    found, problem = None, None
    if of.strip():
        try:
            found = impacts_of(
                catalog, of.strip(), variable=variable or None, as_of=_moment(as_of) or moment
            )
        except RegTapeError as exc:
            problem = problem_of(exc, "/impacts")
    held = overview(catalog, moment)
    return page(
        "impacts.html", civil_day(moment), problem.status if problem else 200, of=of, variable=variable, as_of=as_of,
        found=found, problem=problem, rules=held.rules,
        variables=sorted((v.name, id) for id, v in taxonomy().variables.items()),
    )  # fmt: skip


# ---- documents


@router.get("/documents")
def list_documents_page(wanted: Annotated[Wanted, Query()], catalog: CatalogDep) -> HTMLResponse:
    """What is held, newest first."""
    moment = now()
    return page(
        "documents.html", civil_day(moment), listing=listing(catalog, wanted, moment), wanted=wanted,
        kinds=list(DocType), authorities=list(Authority),
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
        as_of=quote(as_of), outline=outline(sections, at),
    )  # fmt: skip


@router.get("/static/{digest}/{name}")
def read_static(digest: str, name: str) -> Response:
    """A style sheet or module; its address changes with it."""
    if name not in STATIC:
        raise NotKnown(f"There is no {name!r} here.")
    content, media_type = STATIC[name]
    kept = {"Cache-Control": "max-age=31536000, immutable"}
    return Response(content, media_type=media_type, headers=kept)


def _moment(as_of: str) -> datetime | None:
    return parse_moment(as_of) if as_of else None


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
