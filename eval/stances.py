"""Hand labels of who speaks and at what stage in; how often ingest/stance.py agrees, and how often what ships is right, out.

    python -m eval.stances --corpus DIR [--half dev|kept]

eval/gold/stance.jsonl points at sentences by file, offsets into the raw file and hash; the words stay in the corpus.
"""

import argparse
import html
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.reply import Speaker, Stage
from eval.forgeries import share
from ingest.quote import fingerprint
from ingest.stance import lead_in, stance

GOLD = Path(__file__).parent / "gold" / "stance.jsonl"
_HEADING = re.compile(r"<h>(.*?)(?:</h>|\n)")
_LEVELS = tuple(map(re.compile, (r"[IVX]+\.", r"[A-Z]\.", r"\d+\.", r"[a-z]\.")))


@dataclass(frozen=True, slots=True)
class Labelled:
    """One sentence with its surroundings and its label by hand."""

    sentence: str
    path: tuple[str, ...]
    before: str
    doc_type: str
    kind: str
    half: str
    speaker: Speaker
    stage: Stage


def labelled(corpus: Path) -> Iterator[Labelled]:
    """The gold sentences; raises ValueError where a file no longer says what was labelled."""
    for line in GOLD.read_text("utf-8").splitlines():
        row = json.loads(line)
        text = (corpus / row["file"]).read_text("utf-8")
        start, end = row["start"], row["end"]
        if fingerprint(text[start:end]) != row["sha256"]:
            raise ValueError(f"{row['file']} [{start}, {end}) is not what was labelled")
        yield Labelled(
            _bare(text[start:end]), _path(text, start), _bare(text[max(0, start - 400) : start]), row["doc_type"],
            "rule text" if "ecfr" in row["file"] else "body", row["half"], Speaker(row["speaker"]), Stage(row["stage"]),
        )  # fmt: skip


def evaluate(corpus: Path, half: str | None = None) -> dict[str, Any]:
    """Shares with 95 % intervals: speaker, stage, both, and the lead-in, which is what a reader sees of a label."""
    rows = [row for row in labelled(corpus) if half in (None, row.half)]
    right: Counter[str] = Counter()
    for row in rows:
        speaker, stage = stance(
            row.sentence, path=row.path, doc_type=row.doc_type, kind=row.kind, before=row.before
        )
        right["speaker"] += speaker is row.speaker
        right["stage"] += stage is row.stage
        right["both"] += (speaker, stage) == (row.speaker, row.stage)
        wanted = lead_in(row.speaker, row.stage, row.sentence)
        right["lead_in"] += lead_in(speaker, stage, row.sentence) == wanted
    return {
        "task": "stance",
        "dataset": GOLD.name if half is None else f"{GOLD.name}, {half} half",
        "n": len(rows),
        "metrics": {
            f"{name}_accuracy": share(right[name], len(rows))
            for name in ("speaker", "stage", "both", "lead_in")
        },
        "groups": {},
        "settings": {"half": half},
    }


def _bare(raw: str) -> str:
    text = re.sub(r"<(?:sup|SUP|SU)>[^<]*</\w+>|<[^>]{1,200}>", " ", raw)
    return re.sub(r"\s+", " ", html.unescape(text)).strip()


def _path(text: str, offset: int) -> tuple[str, ...]:
    """The headings above an offset of a release: "I." over "A." over "1." over "a."; the rest counts as "1."."""
    above: list[tuple[int, str]] = []
    for heading in _HEADING.finditer(text, 0, offset):
        words = heading[1].strip()
        level = next((n for n, pattern in enumerate(_LEVELS) if pattern.match(words)), 2)
        above = [(n, other) for n, other in above if n < level] + [(level, words)]
    return tuple(words for _, words in above)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.stances", description="Labels by rule against labels by hand."
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--half", choices=("dev", "kept"))
    options = parser.parse_args(arguments)
    print(json.dumps(evaluate(options.corpus, options.half), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
