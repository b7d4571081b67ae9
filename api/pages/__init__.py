"""A template's name and its values in, an HTML page with a policy of its own out.

Words of documents are hostile: every value is escaped, and the policy lets no script run and nothing load from elsewhere.
"""

from datetime import date
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from ingest.civil import spoken

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
CSS = (files(__name__) / "page.css").read_text("utf-8")

_ENVIRONMENT = Environment(
    loader=PackageLoader(__name__, ""),
    autoescape=True,  # of all, whatever a file is called
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["spoken"] = spoken
# The style sheet is kept by browsers: another one has another address.
_ENVIRONMENT.globals["css"] = f"/page.css?{sha256(CSS.encode()).hexdigest()[:12]}"


def page(name: str, today: date, status: int = 200, **values: object) -> HTMLResponse:
    """The page. today: the last day that a reader may ask about."""
    words = _ENVIRONMENT.get_template(name).render(today=today, **values)
    return HTMLResponse(words, status, {"Content-Security-Policy": POLICY})
