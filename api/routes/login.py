"""A key typed into a form in, a cookie that stands for it in this browser out."""

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.access import COOKIE, SESSION_SECONDS, Access
from api.pages import page
from ingest.moment import civil_day, now

router = APIRouter(include_in_schema=False)


@router.get("/login")
def read_login(next: Annotated[str, Query(max_length=2000)] = "/") -> Response:  # noqa: A002 - as the address says it
    """The form."""
    return _form(next)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """To where the browser wanted to go; the cookie is not the key, and no script of a page can read it."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        found = parse_qs(body, max_num_fields=8)
    except ValueError:
        found = {}
    there = found.get("next", ["/"])[0]
    access: Access = request.app.state.access
    kept = access.log_in(found.get("key", [""])[0].strip())
    if kept is None:
        return _form(there, "That is no key, or one that has expired or was revoked.", 403)
    answer = RedirectResponse(_here(there), 303)
    answer.set_cookie(
        COOKIE, kept, max_age=SESSION_SECONDS, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


@router.post("/logout")
def log_out() -> Response:
    """To the form; the browser forgets."""
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


def _form(there: str, fault: str = "", status: int = 200) -> Response:
    return page("login.html", civil_day(now()), status, next=_here(there), fault=fault)


def _here(there: str) -> str:
    """A path of this server: an address elsewhere is not gone to."""
    local = there.startswith("/") and not there.startswith(("//", "/\\")) and there.isprintable()
    return there if local else "/"
