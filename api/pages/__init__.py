"""A template's name and its values in, an HTML page with a policy of its own out.

Words of documents are hostile: every value is escaped, and the policy lets no script run but the modules served from here,
and nothing load from elsewhere. Pages are whole without script; the modules only save a reader steps.
"""

from datetime import date
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from ingest.civil import spoken
from ingest.rules import names
from ingest.rules.state import Standing

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# What stands in the head of every page, in order: what it is called, and its address.
NAVIGATION = (
    ("Ask", "/"),
    ("Rules", "/rules"),
    ("Compare", "/compare"),
    ("Impacts", "/impacts"),
    ("Documents", "/documents"),
)
_TYPES = {"css": "text/css", "js": "text/javascript"}
STATIC = {
    each.name: (each.read_bytes(), _TYPES[each.name.rpartition(".")[2]])
    for each in (files(__name__) / "static").iterdir()
}
# Browsers keep these for good: another content has another address, and modules import one another under the same one.
_DIGEST = sha256(b"".join(STATIC[name][0] for name in sorted(STATIC))).hexdigest()[:12]

_ENVIRONMENT = Environment(
    loader=PackageLoader(__name__, ""),
    autoescape=True,  # of all, whatever a file is called
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def rule_name(section: str) -> str:
    """ "Rule 612", "Rule 15c3-5", "Rule 610(c)" of "242.612", …; a section of another title by its number."""
    part, _, number = section.partition(".")
    return f"Rule {number}" if part in ("240", "242") and number else f"§ {section}"


_WORDED = {
    Standing.EXEMPTED: "effective, under exemptive relief",
    Standing.PARTLY: "adopted, relief from parts of it",
    Standing.TO_BE_RESCINDED: "in force, rescission proposed",
}


def worded(standing: Standing) -> str:
    """A standing on a badge, where a reader has nothing else beside it."""
    return _WORDED.get(standing, standing.words)


def seconds(milliseconds: float) -> str:
    """ "0.4 s", "38 ms"."""
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 100 else f"{milliseconds:.0f} ms"


_ENVIRONMENT.filters |= {
    "spoken": spoken, "rule_name": rule_name, "rule_title": names.title, "worded": worded, "seconds": seconds,
}  # fmt: skip
_ENVIRONMENT.globals |= {"static": f"/static/{_DIGEST}", "navigation": NAVIGATION}


def page(name: str, today: date, status: int = 200, **values: object) -> HTMLResponse:
    """The page. today: the last day that a reader may ask about."""
    words = _ENVIRONMENT.get_template(name).render(today=today, **values)
    # With the policy of all other answers, no-referrer, a browser would send a page's own form as from nowhere.
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
    return HTMLResponse(words, status, headers)
