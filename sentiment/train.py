"""Labelled sets in, a folder with a calibrated FinBERT out: read, deduplicate, split, fit, average, calibrate, measure, save.

Imports torch (`pip install 'regtape[torch]'`), so nothing that scores imports this. `train` is the recipe; its
steps are in sentiment/network.py (fitting) and sentiment/calibration.py (measuring).
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ingest.embed import minilm_folder
from ingest.errors import BadRequest
from sentiment.calibration import Measured, measure, nll, softmax, temperature_of
from sentiment.labelled import (
    SETS,
    Dealt,
    Row,
    fold_of,
    key,
    overlap,
    read_sets,
    read_splits,
    sort_out,
    write_splits,
)  # fmt: skip
from sentiment.network import (
    Progress,
    Recipe,
    TargetBert,
    ahead,
    examples_of,
    fit,
    labels_of,
    logits_of,
    open_base,
    save,
    silent,
    soup,
)  # fmt: skip
from sentiment.scorer import LABELS
from sentiment.written import written_rows

COMMERCIAL = tuple(s.name for s in SETS.values() if s.commercial)
RESEARCH = ("phrasebank", *COMMERCIAL, "fiqa")
DEFAULT = Recipe()


# --- The recipe


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. sets: metrics of each set; a name that ends in "/targets" is about marked targets."""

    research: bool
    seed: int
    minutes: float
    rows: Mapping[str, int]  # trained on, by set
    dropped: Mapping[str, int]
    temperature: float
    temperature_target: float
    uncalibrated_nll: float
    sets: Mapping[str, Measured]


def train(
    data: Path,
    out: Path,
    *,
    research: bool = False,
    seed: int = 0,
    base: Path | None = None,
    recipe: Recipe = DEFAULT,
    progress: Progress = silent,
) -> Report:
    """Fine-tune `base` (a folder with a BERT; MiniLM where none is named) on the sets in `data`, and write a model folder.

    out gets config.json, tokenizer.json, model.safetensors, splits.jsonl (who was in which split, by hash) and report.json.
    Without `research`, only sets whose licence allows commercial use are read at all. With it, PhraseBank is learnt last, in
    ten folds from the same start: each fold's model is measured on what it did not see, and what is kept is their mean. A
    base that this recipe wrote knows the commercial sets already and goes straight to the folds.

    Raises BadRequest when a set is missing, the base is no BERT, or a measured text is in, or near, what was trained on.
    """
    began = time.monotonic()
    base = base or minilm_folder()
    out.mkdir(parents=True, exist_ok=True)

    dealt = sort_out(read_sets(data, RESEARCH if research else COMMERCIAL))
    write_splits(out / SPLIT_FILE, dealt)
    bank = [row for row in dealt.rows if row.set == "phrasebank"]
    training = without_near(dealt.of("train"), bank, dealt)
    before = groups_taught(base, dealt)
    held = {
        split: [
            r
            for r in without_near(dealt.of(split), bank, dealt)
            if dealt.group[key(r.text)] not in before
        ]
        for split in ("validation", "test")
    }
    forbid_overlap(training, [*held["validation"], *held["test"], *bank])

    model, tokenizer = open_base(base, recipe.dropout, seed)
    taught = training + written_rows(recipe.written, seed)
    ready = examples_of(taught, tokenizer, recipe)
    if not (research and taught_before(base)):
        fit(model, ready, recipe, seed, progress)
    folds: NDArray[np.float64] | None = None
    if research:
        folds = fit_folds(model, bank, training, tokenizer, recipe, dealt, seed, progress)

    logits = {
        split: logits_of(model, examples_of(rows, tokenizer, recipe))
        for split, rows in held.items()
    }
    temperature, temperature_target = (
        temperature_of(logits["validation"][which], labels_of(held["validation"])[which])
        for which in _text_and_target(held["validation"])
    )
    measured = dict(_by_set(held["test"], logits["test"], temperature, temperature_target))
    if folds is not None:
        temperature = temperature_of(folds, labels_of(bank))
        measured |= _by_agreement(bank, folds, temperature)

    save(
        model, base, out, temperature=temperature, temperature_target=temperature_target, recipe=recipe,
        notice=NOTICE if research else None, trained_through=TRAINED_THROUGH,
    )  # fmt: skip
    report = Report(
        research=research,
        seed=seed,
        minutes=round((time.monotonic() - began) / 60, 1),
        rows=dict(Counter(row.set for row in (*taught, *(bank if research else ())))),
        dropped=dict(dealt.dropped),
        temperature=temperature,
        temperature_target=temperature_target,
        uncalibrated_nll=nll(softmax(logits["test"]), labels_of(held["test"])),
        sets=measured,
    )
    (out / "report.json").write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    return report


# The day FinEntity, the youngest set, was published; no later text can be in the weights. Our own sentences tell no news.
TRAINED_THROUGH = "2024-01-24"
NOTICE = (
    "finbert-research was trained on Financial PhraseBank (CC BY-NC-SA 3.0) and FiQA (no licence stated): for research, "
    "not for commercial use."
)
FOLDS = 10
SPLIT_FILE = "splits.jsonl"


def taught_before(base: Path) -> bool:
    """Whether the base is a folder that `train` wrote."""
    return "regtape" in json.loads((base / "config.json").read_text(encoding="utf-8"))


def groups_taught(base: Path, dealt: Dealt) -> set[str]:
    """The groups with a text that the base was trained on. Its run may have read other sets, so grouped otherwise."""
    if not taught_before(base):
        return set()
    return {
        dealt.group[k]
        for k, split in read_splits(base / SPLIT_FILE).items()
        if split == "train" and k in dealt.group
    }


def without_near(rows: Sequence[Row], bank: Sequence[Row], dealt: Dealt) -> list[Row]:
    """The rows that are not of PhraseBank and not near any sentence of it."""
    near = {dealt.group[key(row.text)] for row in bank}
    return [
        row for row in rows if row.set != "phrasebank" and dealt.group[key(row.text)] not in near
    ]


def forbid_overlap(training: Sequence[Row], measured: Sequence[Row]) -> None:
    """Raise BadRequest when a measured text is, or nearly is, one that was trained on."""
    if shared := overlap(training, measured):
        left, right = shared[0]
        raise BadRequest(
            f"{len(shared)} measured texts are in what is trained on, such as one of {right.set} that is near one of {left.set}"
        )


def fit_folds(
    model: TargetBert,
    bank: Sequence[Row],
    others: Sequence[Row],
    tokenizer: Tokenizer,
    recipe: Recipe,
    dealt: Dealt,
    seed: int,
    progress: Progress,
) -> NDArray[np.float64]:
    """Learn the bank's sentences in ten folds, all from the model as it is, and leave the mean of the ten in it.

    Near sentences share a fold. A sample of the other sets goes along, so that they are not forgotten. Returns the logits
    (n, 3) of each sentence by the model that did not see it.
    """
    start = {name: value.clone() for name, value in model.state_dict().items()}
    fold = np.array([fold_of(dealt.group[key(row.text)], FOLDS) for row in bank])
    some = np.random.default_rng(seed).permutation(len(others))[
        : int(len(bank) * recipe.rehearsal * 2)
    ]
    ready = ahead(model, examples_of(bank, tokenizer, recipe), recipe.fold_layers)
    rehearsed = ahead(
        model, examples_of([others[i] for i in some], tokenizer, recipe), recipe.fold_layers
    )
    second = replace(
        recipe, epochs=recipe.fold_epochs, rate=recipe.fold_rate, head_rate=recipe.fold_rate
    )
    out = np.zeros((len(bank), len(LABELS)))
    fitted = []
    for n in range(FOLDS):
        model.load_state_dict(start)
        seen, unseen = np.flatnonzero(fold != n).tolist(), np.flatnonzero(fold == n).tolist()
        forbid_overlap([bank[i] for i in seen], [bank[i] for i in unseen])
        picked = np.random.default_rng(seed + n).permutation(len(rehearsed))[
            : int(len(seen) * recipe.rehearsal)
        ]
        learnt = [ready[i] for i in seen] + [rehearsed[i] for i in picked]
        fit(model, learnt, second, seed + n, progress, f"fold {n + 1}")
        out[unseen] = logits_of(model, [ready[i] for i in unseen], exact=False)
        fitted.append({name: value.clone() for name, value in model.state_dict().items()})
    model.load_state_dict(soup(fitted))
    return out


def _text_and_target(rows: Sequence[Row]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    marked = np.array([bool(row.spans) for row in rows])
    return ~marked, marked


def _by_set(
    rows: Sequence[Row], logits: NDArray[np.float64], temperature: float, temperature_target: float
) -> Iterator[tuple[str, Measured]]:
    labels = labels_of(rows)
    plain, marked = _text_and_target(rows)
    sets = np.array([row.set for row in rows])
    for which, heat, suffix in ((plain, temperature, ""), (marked, temperature_target, "/targets")):
        for name in sorted(set(sets[which])):
            at = which & (sets == name)
            yield name + suffix, measure(softmax(logits[at], heat), labels[at])


def _by_agreement(
    bank: Sequence[Row], logits: NDArray[np.float64], temperature: float
) -> dict[str, Measured]:
    labels, agreement = labels_of(bank), np.array([row.agreement or 0 for row in bank])
    return {
        f"phrasebank/{least}": measure(softmax(logits[at], temperature), labels[at])
        for least, at in ((n, agreement >= n) for n in (50, 66, 75, 100))
    }
