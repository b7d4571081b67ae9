"""A template's name and its values in, an HTML page with a policy of its own out.

Words of documents are hostile: every value is escaped, and the policy lets no script run but the modules served from here,
and nothing load from elsewhere. Pages are whole without script; the modules only save a reader steps.
"""

from datetime import date, datetime
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from ingest.civil import spoken
from ingest.moment import NEW_YORK
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
    ("News", "/news"),
    ("Add", "/jobs"),
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


def clock(moment: datetime, whole: bool = False) -> str:
    """ "Feb 24, 16:02" in New York; whole: with year and seconds."""
    local = moment.astimezone(NEW_YORK)
    return f"{local:%b} {local.day}, {local:%Y %H:%M:%S}" if whole else f"{local:%b} {local.day}, {local:%H:%M}"  # fmt: skip


def signed(value: float) -> str:
    """ "+0.25", "−0.25"."""
    return f"{value:+.2f}".replace("-", "−")


def lasting(seconds: float) -> str:
    """ "42 s", "12 min", "3 h", "5 days"."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def sentence(words: str) -> str:
    """The same with a stop at its end, and a capital letter where it does not begin with a file's name or an address."""
    first = words.partition(" ")[0]
    begun = words[:1].upper() + words[1:] if first.isalpha() else words
    return begun.rstrip(".") + "."


_PLAIN = {
    "sentiment_mean": "Sentiment", "sentiment_change": "Change", "volume": "Items", "positive_share": "Positive share",
    "negative_share": "Negative share", "buzz": "Buzz",
    "age_seconds": "Newest item",
}  # fmt: skip


def plainly(name: str) -> str:
    """ "Sentiment, 1 d" of "sentiment_mean_1d"."""
    kind, _, window = name.rpartition("_")
    if name in _PLAIN or kind not in _PLAIN:
        return _PLAIN.get(name, name)
    return f"{_PLAIN[kind]}, {window[:-1]} {window[-1]}"


_ENVIRONMENT.filters |= {
    "spoken": spoken, "rule_name": rule_name, "rule_title": names.title, "worded": worded, "seconds": seconds,
    "clock": clock, "signed": signed, "lasting": lasting, "plainly": plainly, "sentence": sentence,
}  # fmt: skip
_ENVIRONMENT.globals |= {"static": f"/static/{_DIGEST}", "navigation": NAVIGATION}


def page(name: str, today: date, status: int = 200, **values: object) -> HTMLResponse:
    """The page. today: the last day that a reader may ask about."""
    words = _ENVIRONMENT.get_template(name).render(today=today, **values)
    # With the policy of all other answers, no-referrer, a browser would send a page's own form as from nowhere.
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
    return HTMLResponse(words, status, headers)
