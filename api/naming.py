"""What a person calls a document or a rule in, the documents held that are meant out."""

import json
import re
import threading
from collections import OrderedDict
from datetime import datetime
from pathlib import Path

from ingest.catalog import Catalog, Filters, Held
from ingest.errors import BadRequest, NotKnown
from ingest.rules.held import KIND
from ingest.rules.names import base, covers, resolve


def document_named(catalog: Catalog, words: str, as_of: datetime | None = None) -> Held | None:
    """The document with that id, path, release number or Federal Register number, known by `as_of`; None when there is none.

    Of several manifestations of a release the longest text is taken: it is the most complete.
    """
    try:
        found = [catalog.document(words)]
    except NotKnown:
        wanted = words.strip().lower()
        number = re.sub(r"^(?:release\s+(?:no\.?\s*)?)", "", wanted)
        found = [
            held
            for held in _all(catalog)
            if wanted in (held.path.lower(), held.work_id) or number in (
                (held.metadata.release or "").lower(), (held.metadata.fr_document or "").lower(),
                (held.metadata.fr_citation or "").lower(),
            ) or number in held.reference.lower().split()  # of a note: the release that it is on
        ]  # fmt: skip
    known = [held for held in found if as_of is None or held.known_at <= as_of]
    return max(known, key=lambda held: held.characters, default=None)


_LOCK = threading.Lock()
_HELD: OrderedDict[tuple[Path, int], list[Held]] = OrderedDict()
_KEPT = 4


def _all(catalog: Catalog) -> list[Held]:
    """Every document held, read once for each state of the catalog: their metadata cost more than all else asked here."""
    key = (catalog.home, catalog.head())
    with _LOCK:
        if key not in _HELD:
            _HELD[key] = catalog.documents()
            while len(_HELD) > _KEPT:
                _HELD.popitem(last=False)
        return _HELD[key]


def documents_on(
    catalog: Catalog, rule: str, as_of: datetime | None = None
) -> tuple[str, list[Held]]:
    """The section a rule's number or name means, and the documents on it known by `as_of`, oldest first.

    A document is on a section when its header names it, or when it states an event of its own on it (its adoption, say).
    Raises BadRequest when the words are no rule, NotKnown when nothing held is on it.
    """
    section = base(resolve(rule))
    offsets = catalog.offsets(Filters(cfr_section=section)) | _of_events(catalog, section)
    known = [h for h in catalog.at(sorted(offsets)) if as_of is None or h.known_at <= as_of]
    if not known:
        raise NotKnown(
            f"nothing held is on section {section}" + (f" by {as_of.isoformat()}" if as_of else "")
        )
    return section, sorted(known, key=lambda held: (held.known_at, held.offset))


def _of_events(catalog: Catalog, section: str) -> set[int]:
    found: set[int] = set()
    for offset, words in catalog.readings(KIND):
        if section not in words:
            continue
        own = (e for e in json.loads(words)["events"] if e["about"] == "own")
        if any(covers(section, name) for event in own for name in event.get("sections", ())):
            found.add(offset)
    return found


def documents_meant(
    catalog: Catalog, words: str, as_of: datetime | None = None
) -> tuple[str, list[Held]]:
    """A document, or all on a rule, with the name to show. Raises NotKnown when it is neither."""
    held = document_named(catalog, words, as_of)
    if held is not None:
        return held.reference or held.title, [held]
    try:
        return documents_on(catalog, words, as_of)
    except BadRequest:
        raise NotKnown(
            f"{words!r} is no document held and no rule; `regtape documents` lists what is held"
        ) from None
