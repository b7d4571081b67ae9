"""Real sentences in, forged drafts out, and how many of them the gate lets through: it must be none.

    python -m eval.forgeries --n 10000 --seed 1 --corpus DIR

eval/forging.py makes the forgeries; eval/rewriting.py makes true rewritings, so that a gate which refuses everything shows.
Prints one JSON object; every escape goes to stderr, to be read.
"""

import argparse
import json
import math
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.verify import EvidenceSentence, evidence_sentence, gate
from eval.forging import Forgery, Passage, forge
from eval.rewriting import truths
from ingest.sentences import sentences

SAMPLE = Path(__file__).with_name("forgery_sample.txt")
MOST_FILES = 60  # of a corpus folder, drawn by the seed: reading all would take longer than judging


def sample_passages() -> list[list[EvidenceSentence]]:
    """Our own sentences: a passage a paragraph, first line "doc type | heading"."""
    passages = []
    for block in SAMPLE.read_text("utf-8").split("\n\n"):
        head, _, body = block.strip().partition("\n")
        doc_type, _, heading = head.partition(" | ")
        if body:
            passages.append(_passage(" ".join(body.split()), doc_type, (heading,)))
    return passages


def corpus_passages(folder: Path, rng: random.Random, most: int) -> list[list[EvidenceSentence]]:
    """At most that many paragraphs of two sentences and more, drawn from the text files below a
    folder; markup is dropped, not parsed."""
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix in {".txt", ".md", ".xml"} and p.stat().st_size > 3000
    )
    releases = [p for p in files if p.stat().st_size > 50_000]
    blocks = [
        (block, _doc_type(path))
        for path in dict.fromkeys([*releases, *rng.sample(files, min(MOST_FILES, len(files)))])
        for block in _blocks(path.read_text("utf-8", "replace"))
    ]
    rng.shuffle(blocks)
    passages: list[list[EvidenceSentence]] = []
    for text, doc_type in blocks:
        passage = _passage(text, doc_type, ())
        if len(passage) > 1:
            passages.append(passage)
        if len(passages) == most:
            break
    return passages


def _blocks(raw: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n|</P>|<h>[^<]*</h>", raw):
        bare = re.sub(r"<(?:sup|SUP|SU)>[^<]*</\w+>|<[^>]{1,200}>", " ", block)
        text = re.sub(r"\s+", " ", bare).strip()
        if 150 < len(text) < 6000:
            yield text


_DOC_TYPES = {
    "sec_final": "final rule",
    "eu_mifid": "regulation",
    "usc": "statute",
    "ecfr": "regulation",
    "propos": "proposed rule",
    "order": "order",
    "fr_xml": "notice",
    "edgar": "filing",
}


def _doc_type(path: Path) -> str:
    return next((kind for part, kind in _DOC_TYPES.items() if part in str(path)), "other")


def _passage(text: str, doc_type: str, path: tuple[str, ...]) -> list[EvidenceSentence]:
    found = [
        evidence_sentence(text, start, end, path=path, doc_type=doc_type)
        for start, end in sentences(text)
        if 40 <= end - start <= 700
    ]
    return found[:10]


# --- judging -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """What was tried and what got through, by kind."""

    forged: Counter[str]
    escaped: Counter[str]
    told: Counter[str]
    passed: Counter[str]
    escapes: list[Forgery]
    refused: list[tuple[str, str, str, str]]


def judge(passages: Sequence[Passage], n: int, rng: random.Random) -> Tally:
    """At least n forgeries against the gate, each with its whole passage as evidence, and true rewritings beside them."""
    tally = Tally(Counter(), Counter(), Counter(), Counter(), [], [])
    at = 0
    while sum(tally.forged.values()) < n:
        passage = passages[at % len(passages)]
        at += 1
        if at > 50 * len(passages) + 50:
            break
        for forgery in forge(passage, rng):
            tally.forged[forgery.kind] += 1
            if gate(forgery.draft, passage).passed:
                tally.escaped[forgery.kind] += 1
                tally.escapes.append(forgery)
        if at <= len(passages):
            _tell(rng.choice(list(passage)), passage, tally)
    return tally


def _tell(source: EvidenceSentence, passage: Passage, tally: Tally) -> None:
    for kind, draft in truths(source):
        tally.told[kind] += 1
        verdict = gate(draft, passage)
        if verdict.passed:
            tally.passed[kind] += 1
        else:
            tally.refused.append((kind, f"{verdict.point}: {verdict.reason}", draft, source.text))


def report(tally: Tally, dataset: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The one JSON object every eval prints."""
    forged, escaped = sum(tally.forged.values()), sum(tally.escaped.values())
    told, passed = sum(tally.told.values()), sum(tally.passed.values())
    return {
        "task": "forgeries",
        "dataset": dataset,
        "n": forged,
        "metrics": {"escape_rate": share(escaped, forged), "true_pass_rate": share(passed, told)},
        "groups": {
            **{
                kind: {"escape_rate": share(tally.escaped[kind], n)}
                for kind, n in sorted(tally.forged.items())
            },
            **{
                f"true: {kind}": {"true_pass_rate": share(tally.passed[kind], n)}
                for kind, n in sorted(tally.told.items())
            },
        },
        "settings": {**settings, "escapes": escaped},
    }


def share(hits: int, n: int) -> dict[str, float | int]:
    """A share with its 95 % Wilson interval, which stays honest at 0 of n."""
    if not n:
        return {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}
    z = 1.96
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low, high = (0.0 if not hits else middle - half), (1.0 if hits == n else middle + half)
    return {
        "value": round(p, 6),
        "low": round(max(0.0, low), 6),
        "high": round(min(1.0, high), 6),
        "n": n,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 when nothing escaped, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.forgeries", description="Forged drafts against the gate."
    )
    parser.add_argument("--n", type=int, default=2000, help="forgeries to make")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--corpus", type=Path, help="folder of texts; default: the sample in our own words"
    )
    parser.add_argument(
        "--refused", type=int, default=0, help="show that many true rewritings that were refused"
    )
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    passages = (
        corpus_passages(options.corpus, rng, options.n // 8 + 50)
        if options.corpus
        else sample_passages()
    )
    tally = judge(passages, options.n, rng)
    for escape in tally.escapes:
        print(
            f"ESCAPE {escape.kind}\n  draft  {escape.draft}\n  source {escape.source.text}",
            file=sys.stderr,
        )
    for kind, why, draft, source in rng.sample(
        tally.refused, min(options.refused, len(tally.refused))
    ):
        print(f"REFUSED {kind} ({why})\n  draft  {draft}\n  source {source}", file=sys.stderr)
    dataset = options.corpus.name if options.corpus else "sample"
    print(
        json.dumps(
            report(tally, dataset, {"seed": options.seed, "passages": len(passages)}), indent=1
        )
    )
    return 1 if tally.escapes else 0


if __name__ == "__main__":
    sys.exit(main())
