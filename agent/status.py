"""Cited documents in, lines on what they were worth at the asked moment out.

A line says only what the cited document states of itself (its type and dates) set against the asked
moment; whether a later document stayed, amended or withdrew it is the rulebook's question, so each
line ends with what is held.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime

from agent.reply import Sentence
from ingest.catalog import Catalog, Held
from ingest.document import DocType
from ingest.moment import NEW_YORK

_PLACEHOLDER = re.compile(r"\[insert(?: date)?(?: of)? ([^\]]*)\]", re.IGNORECASE)
_BINDING = {DocType.FINAL_RULE, DocType.ORDER, DocType.REGULATION}


def status_lines(
    sentences: Iterable[Sentence], catalog: Catalog, as_of: datetime
) -> tuple[str, ...]:
    """One line for each rulemaking document cited, in the order of first citation."""
    ids = dict.fromkeys(c.document_id for s in sentences for c in s.citations)
    day = as_of.astimezone(NEW_YORK).date()
    works: dict[str, str] = {}
    for id in ids:
        held = catalog.document(id)
        if held.work_id not in works and (line := _line(held, day)):
            works[held.work_id] = line
    through = catalog.through()
    if not works or through is None:
        return ()
    held_through = min(through, as_of).astimezone(NEW_YORK).date()
    return tuple(
        f"{line}, according to the documents held, through {held_through}."
        for line in works.values()
    )


def _line(held: Held, day: date) -> str | None:
    name = held.reference or held.title
    if held.doc_type is DocType.PROPOSED_RULE:
        return f"{name} is a proposal: it binds no one unless adopted"
    if held.doc_type is DocType.WITHDRAWAL:
        return f"{name} withdraws what was proposed"
    if held.doc_type not in _BINDING:
        return None
    return f"{name} ({held.doc_type}): {_dates(held, day)}"


def _dates(held: Held, day: date) -> str:
    meta, parts = held.metadata, []
    if meta.effective_on:
        parts.append(
            f"{'effective' if meta.effective_on <= day else 'not yet effective; effective from'} {meta.effective_on}"
        )
    elif meta.effective_text:
        parts.append(f"effective {_short(meta.effective_text)}")
    if meta.compliance_on:
        parts.append(
            f"compliance {'required since' if meta.compliance_on <= day else 'from'} {meta.compliance_on}"
        )
    elif meta.compliance_text:
        parts.append(f"compliance {_short(meta.compliance_text)}")
    return "; ".join(parts) if parts else "its effective date is not stated where one is expected"


def _short(words: str) -> str:
    """The document's own wording, in one line; "[INSERT DATE 60 DAYS AFTER …]" as what it means."""
    placeholder = _PLACEHOLDER.search(words)
    if placeholder:
        return placeholder[1].strip().lower().replace("federal register", "Federal Register")
    return f"“{words}”" if len(words) <= 90 else f"“{words[:87].rsplit(' ', 1)[0]}…”"
