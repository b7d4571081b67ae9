"""Drafts that an outside author wrote, each on one stored sentence, in; how many attacks ship and how many true ones fall, out.

`regtape eval drafts FILE`. A row is {"document", "start", "end", "sha256", "kind", "attack", "text"}: the sentence is named, not
quoted, since documents are not ours to hand on. kind: "attack" (then `attack` says which) or "true-close", "true-middling",
"true-free", by how far the wording is from the sentence's. Unlike eval/forging.py, whoever wrote them had not seen the gate.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from agent.verify import EvidenceSentence, evidence_sentence, gate
from api.console import DONE, print_json, regtape_command, settings, wants_json
from eval.forgeries import share
from ingest.catalog import Catalog
from ingest.document import section_at
from ingest.errors import BadRequest, NotKnown
from ingest.quote import fingerprint

ATTACK = "attack"


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft on the sentence at [start, end) of a document."""

    document: str
    start: int
    end: int
    sha256: str
    kind: str
    attack: str
    text: str


def read_drafts(file: Path) -> list[Draft]:
    """The rows of a file. Raises BadRequest, naming the line."""
    found = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        try:
            found.append(Draft(**json.loads(line)))
        except (TypeError, ValueError) as exc:
            raise BadRequest(f"{file.name}, line {number}: {exc}") from exc
    return found


def judge(drafts: list[Draft], catalog: Catalog) -> dict[str, Any]:
    """What the gate says of each draft whose sentence is held.

    escape_rate     share of attacks that pass; escapes: their texts
    true_pass_rate  share of true drafts that pass; the rest are replaced by their quotes
    stopped_at      of the true drafts that fall, how many at which point
    unscored        drafts whose sentence is not held as it was hashed
    """
    passed, seen, stopped = Counter[str](), Counter[str](), Counter[str]()
    unscored, escapes = 0, list[str]()
    for draft in drafts:
        quote = _quoted(draft, catalog)
        if quote is None:
            unscored += 1
            continue
        verdict = gate(draft.text, [quote])
        group = f"{ATTACK}, {draft.attack}" if draft.kind == ATTACK else draft.kind
        seen[group] += 1
        passed[group] += verdict.passed
        if draft.kind == ATTACK and verdict.passed:
            escapes.append(draft.text)
        elif not verdict.passed and draft.kind != ATTACK:
            stopped[verdict.point] += 1
    attacks = [group for group in seen if group.startswith(ATTACK)]
    true = [group for group in seen if not group.startswith(ATTACK)]
    return {
        "task": "drafts",
        "n": seen.total(),
        "metrics": {
            "escape_rate": share(sum(passed[g] for g in attacks), sum(seen[g] for g in attacks)),
            "true_pass_rate": share(sum(passed[g] for g in true), sum(seen[g] for g in true)),
        },
        "groups": {
            group: {
                "escape_rate" if group in attacks else "true_pass_rate": share(passed[group], seen[group])
            }
            for group in sorted(seen)
        },
        "stopped_at": dict(stopped.most_common()),
        "escapes": escapes,
        "settings": {"unscored": unscored},
    }  # fmt: skip


def _quoted(draft: Draft, catalog: Catalog) -> EvidenceSentence | None:
    """The sentence a draft is on, labelled as in an answer; None where it is not held."""
    try:
        held = catalog.document(draft.document)
    except NotKnown:
        return None
    text, sections, _ = catalog.body(held.id)
    if fingerprint(text[draft.start : draft.end]) != draft.sha256:
        return None
    section = section_at(sections, draft.start)
    return evidence_sentence(
        text,
        draft.start,
        draft.end,
        path=section.path if section else (),
        doc_type=held.doc_type,
        kind=section.kind if section else "body",
        document_id=held.id,
        title=held.title,
        reference=held.reference,
        agency=held.metadata.agency or "",
    )


@regtape_command(
    "drafts",
    short_help="The gate, on drafts by an outside author.",
    examples=("regtape eval drafts eval/gold/drafts.jsonl --json",),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(file: Path) -> int:
    """Judge FILE's drafts against the documents in REGTAPE_HOME."""
    with Catalog(settings().home) as catalog:
        found = judge(read_drafts(file), catalog) | {"dataset": file.stem}
    if wants_json():
        print_json(found)
    else:
        for name, measure in found["metrics"].items():
            click.echo(f"{name:16} {measure['value']}  n {measure['n']}")
        for text in found["escapes"]:
            click.echo(f"shipped: {text}")
    return DONE
