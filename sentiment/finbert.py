"""A folder of BERT weights in, a Scorer out; and out of the folder that training wrote, the one that is shipped.

Ours and any plain BERT classifier run as the graphs of ingest/bert_graph.py on ONNX Runtime, without torch; only texts of one
length share a run, and a score is the same to the bit alone and in any company.

    trained folder   config.json tokenizer.json model.safetensors             built as fp32 or int8 when it is opened
    shipped folder   config.json tokenizer.json model.int8.onnx SHA256SUMS    what `export` makes of it

A text longer than the model (sentiment/pieces.py says when) has the mean of its sentences' probabilities, weighted by their
word pieces.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from ingest.encoder import (
    EncoderSettings,
    Weights,
    built_graph,
    cores,
    graph_name,
    open_session,
    open_tokenizer,
    side_by_side,
    user_cache,
)
from ingest.errors import Damaged, ModelMissing
from sentiment.pieces import PIECES_VERSION, Pieces, Reader
from sentiment.scorer import (
    LABELS,
    MODELS,
    NEUTRAL,
    RULES_VERSION,
    Marked,
    Probabilities,
    Scorer,
)

Precision = Literal["int8", "fp32"]
Logits = Callable[[Sequence[Pieces]], Sequence[NDArray[np.float32]]]  # (labels,) of each run

SUMS = "SHA256SUMS"
_TOGETHER = 200  # word pieces of texts that go in one run; measured best of 64 to 400, with 15 and with 32 in a text
_SHIPPED = ("config.json", "model.int8.onnx", "tokenizer.json")


class Head(BaseModel, frozen=True):
    """What a model's config.json says of its head, as "regtape"; training writes it."""

    head: Literal["cls", "mean+target"] = Field(description="What the head reads; bert_graph.py.")
    labels: tuple[str, ...] = Field(description="What each logit stands for, in order.")
    temperature: float = Field(default=1, gt=0, description="Divides the logits of a text.")
    temperature_target: float | None = Field(
        default=None, gt=0, description="Divides the logits of a target; None: as of a text."
    )
    max_tokens: int = Field(default=128, ge=8, description="Word pieces of a run, all included.")
    compares: bool = Field(default=False, description="Whether it was taught by comparisons.py.")
    trained_through: str | None = Field(default=None, description="As a Scorer says it.")
    notice: str | None = Field(default=None, description="As a Scorer says it.")


class Classifier:
    """A Scorer over a head. version: of all that decides the logits; the head's settings are added to it.

    Safe to use from several threads when `logits` is.
    """

    def __init__(
        self, name: str, head: Head, reader: Reader, logits: Logits, *, version: str
    ) -> None:
        self.name, self.trained_through, self.notice = name, head.trained_through, head.notice
        self.reads_targets = head.head == "mean+target"
        identity = f"{PIECES_VERSION} {RULES_VERSION} {version} {head.model_dump_json()}"
        self.version = sha256(identity.encode()).hexdigest()[:16]
        self._head, self._reader, self._logits = head, reader, logits
        self._columns = [LABELS.index(label) for label in head.labels]

    def score(self, texts: Sequence[str | Marked]) -> Probabilities:
        read = [self._reader.read(text) for text in texts]
        logits = iter(self._logits([run for runs in read for run in runs]))
        found = np.zeros((len(texts), len(LABELS)), np.float32)
        for row, runs, text in zip(found, read, texts, strict=True):
            if not runs:
                row[NEUTRAL] = 1
                continue
            each = probabilities(np.stack([next(logits) for _ in runs]), self._temperature(text))
            row[self._columns] = np.average(each, axis=0, weights=[run.size for run in runs])
        return found

    def _temperature(self, text: str | Marked) -> float:
        target = self._head.temperature_target
        marked = self.reads_targets and isinstance(text, Marked)
        return target if marked and target is not None else self._head.temperature


def probabilities(logits: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """(…, labels): softmax in double precision, adding up to 1."""
    scaled = np.asarray(logits, np.float64) / temperature
    raised = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return shares


# ---- opening


def open_finbert(
    folder: Path,
    *,
    name: str = "finbert",
    precision: Precision | None = None,
    threads: int | None = None,
    cache_dir: Path | None = None,
) -> Scorer:
    """Open a trained or a shipped folder. precision: None takes the shipped graph where there is one, else fp32.

    Raises ModelMissing when the folder does not hold what it takes, and Damaged when a shipped file is not what was shipped.
    """
    if not (folder / "config.json").is_file():
        raise ModelMissing(_nothing_in(folder, name))
    head = read_head(folder)
    if (folder / "model.int8.onnx").is_file() and precision != "fp32":
        verify(folder)
        graph = (folder / "model.int8.onnx").read_bytes()
        digest = sha256((folder / "tokenizer.json").read_bytes() + graph)
        reader = _reader(head, folder / "tokenizer.json")
        return Classifier(
            name, head, reader, onnx_logits(graph, threads), version=digest.hexdigest()
        )
    return open_bert(folder, head, name, precision or "fp32", threads, cache_dir)


def open_bert(
    folder: Path,
    head: Head,
    name: str,
    precision: Precision,
    threads: int | None,
    cache_dir: Path | None,
) -> Classifier:
    """Open BERT weights with a head that bert_graph.py can build. Raises ModelMissing where it cannot."""
    weights = Weights(folder)
    settings = EncoderSettings(precision=precision, output="logits", max_tokens=head.max_tokens)
    reader = _reader(head, weights.tokenizer)
    tried = _tried(reader) if precision == "int8" else []
    try:
        graph = built_graph(weights, settings, cache_dir or user_cache(), tried)
    except KeyError as exc:
        raise ModelMissing(f"{folder}: model.safetensors holds no {exc.args[0]}") from exc
    version = graph_name(weights, settings, tried)
    return Classifier(name, head, reader, onnx_logits(graph, threads), version=version)


def read_head(folder: Path) -> Head:
    """The "regtape" part of a folder's config.json. Raises ModelMissing when it has none that can be read."""
    config = json.loads((folder / "config.json").read_bytes())
    try:
        head = Head.model_validate(config["regtape"])
    except KeyError:
        raise ModelMissing(f'{folder}: config.json has no "regtape" part; hf:{folder}?') from None
    except ValidationError as exc:
        raise ModelMissing(f'{folder}: the "regtape" part of config.json: {exc}') from exc
    if sorted(head.labels) != sorted(LABELS):
        raise ModelMissing(f"{folder}: labels are {head.labels}; a scorer has {LABELS}")
    return head


def _reader(head: Head, tokenizer: Path) -> Reader:
    marks = head.head == "mean+target"
    return Reader(open_tokenizer(tokenizer), head.max_tokens, marks=marks, compares=head.compares)


def onnx_logits(graph: bytes, threads: int | None = None) -> Logits:
    """Runs of a graph with a head on so many cores (default: those this process may use); those of one length go together."""
    session, places = open_session(graph), threads or cores()
    inputs = {each.name: each.shape for each in session.get_inputs()}

    def logits(runs: Sequence[Pieces]) -> list[NDArray[np.float32]]:
        parts = (
            _of_one_length(runs, places)
            if inputs["ids"][0] != 1
            else [[n] for n in range(len(runs))]
        )
        found = side_by_side(
            lambda part: run([runs[n] for n in part]),
            parts,
            lambda part: sum(len(runs[n].ids) for n in part),
            places,
        )
        rows = {
            n: row
            for part, rows in zip(parts, found, strict=True)
            for n, row in zip(part, rows, strict=True)
        }
        return [rows[n] for n in range(len(runs))]

    def run(runs: Sequence[Pieces]) -> NDArray[np.float32]:
        ids = np.array([each.ids for each in runs], np.int32)
        feed: dict[str, NDArray[Any]] = {"ids": ids, "segments": np.zeros_like(ids)}
        if "target" in inputs:
            feed["target"] = np.array([each.shares for each in runs], np.float32)
        found: NDArray[np.float32] = session.run(None, feed)[0]
        return found

    return logits


def _of_one_length(runs: Sequence[Pieces], places: int) -> list[list[int]]:
    """Where runs of one length are, in parts that are small enough for a core's cache and for every core to have its share."""
    found: dict[int, list[int]] = {}
    for at, each in enumerate(runs):
        found.setdefault(len(each.ids), []).append(at)
    share = sum(len(each.ids) for each in runs) // places
    parts = []
    for length, group in found.items():
        count = -(-len(group) // max(1, min(_TOGETHER, share) // length))
        if count > 1:
            count = min(len(group), -(-count // places) * places)
        ends = [len(group) * n // count for n in range(count + 1)]
        parts += [group[start:end] for start, end in pairwise(ends)]
    return parts


def _nothing_in(folder: Path, name: str) -> str:
    if folder.parent == MODELS:
        return f"the weights of {name} are not in this build; `regtape train finbert` makes them, `lexicon` needs none"
    return f"{folder} holds no config.json; a model's folder has one"


# ---- shipping


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and the largest and the mean difference of a probability from the network in plain NumPy.

    size: bytes of model.int8.onnx; texts: how many were compared
    """

    size: int
    texts: int
    fp32_largest: float
    int8_largest: float
    int8_mean: float


def export(folder: Path, out: Path, *, keep_fp32: bool = False) -> Exported:
    """Make the shipped folder of a trained one: both graphs are built and compared with NumPy, int8 is kept, fp32 if wished.

    Raises Damaged when a graph does not compute what the weights say (fp32: any probability off by 1e-4; int8: 0.05 in the
    mean), ModelMissing when the folder holds no weights of ours.
    """
    weights, head = Weights(folder), read_head(folder)
    reader = _reader(head, weights.tokenizer)
    graphs: dict[Precision, bytes] = {
        "fp32": built_graph(weights, _settings("fp32", head), None),
        "int8": built_graph(weights, _settings("int8", head), None, _tried(reader)),
    }
    found = _compared(weights, head, reader, graphs)
    if found.fp32_largest > 1e-4 or found.int8_mean > 0.05:
        raise Damaged(f"{folder}: the graphs do not compute what the weights say: {found}")
    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        if folder.resolve() != out.resolve():
            shutil.copyfile(folder / name, out / name)
    (out / "model.int8.onnx").write_bytes(graphs["int8"])
    if keep_fp32:
        (out / "model.fp32.onnx").write_bytes(graphs["fp32"])
    write_sums(out)
    return found


def write_sums(folder: Path) -> None:
    """Put SHA256SUMS beside the shipped files, as `sha256sum --check` reads it; again whenever one of them is changed."""
    lines = [f"{_sum(folder / name)}  {name}\n" for name in _SHIPPED]
    (folder / SUMS).write_text("".join(lines), "ascii")


def verify(folder: Path) -> None:
    """Raise Damaged when a shipped file is missing or is not the one that SHA256SUMS names."""
    file = folder / SUMS
    lines = file.read_text("ascii").splitlines() if file.is_file() else []
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in _SHIPPED:
        if not (folder / name).is_file() or _sum(folder / name) != sums.get(name):
            raise Damaged(f"{folder / name} is not the file that {SUMS} names; get the folder anew")


def _sum(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _settings(precision: Precision, head: Head) -> EncoderSettings:
    return EncoderSettings(precision=precision, output="logits", max_tokens=head.max_tokens)


def _tried(reader: Reader) -> list[list[int]]:
    return [run.ids for text in TRIED for run in reader.read(text)]


def _compared(
    weights: Weights, head: Head, reader: Reader, graphs: dict[Precision, bytes]
) -> Exported:
    from ingest.bert_reference import Network
    from ingest.bert_weights import load_weights

    network = Network(load_weights(weights.folder / "model.safetensors"), weights.config)
    runs = [run for text in COMPARED for run in reader.read(text)]
    logits = np.stack([network.logits(run.ids, run.shares) for run in runs])
    exact = probabilities(logits, head.temperature)
    off = {}
    for precision, graph in graphs.items():
        near = probabilities(np.stack(onnx_logits(graph, 1)(runs)), head.temperature)
        off[precision] = np.abs(near - exact)
    return Exported(
        size=len(graphs["int8"]),
        texts=len(COMPARED),
        fp32_largest=float(off["fp32"].max()),
        int8_largest=float(off["int8"].max()),
        int8_mean=float(off["int8"].mean()),
    )


# Our own headlines. From the first int8 learns its ranges, with the second graphs are compared; what they say does not matter,
# their lengths, marks and kinds of word do.
TRIED: tuple[str | Marked, ...] = (
    "Profit warning",
    "$KELD - Keld Steel upgraded to Buy at Arden Securities, PT raised to $48 from $41 https://example.com/a1",
    "Ostrava Bank's Q2 net loss narrows to Rs 10.4 crore; provisions down 12% y/y",
    "Pretax profit at Lowell dropped to EUR 4.6 mn , or 3.1 % of turnover , from EUR 6.9 mn in the first half of last year .",
    "Stocks to watch: Arden, Boreal, Keld, Lowell Energy and Mindale",
    Marked("Boreal shares plunge as regulators block its merger with Arden", ((0, 6),)),
    Marked("Boreal shares plunge as regulators block its merger with Arden", ((57, 62),)),
    "UPDATE 3-Fenwick cuts 2009 outlook, to close 40 stores; shares fall 11 pct",
    "The company said it does not expect any material effect on its results, and that talks with its lenders go on.",
    "Gold steady near $1,250 an ounce ahead of the Fed's decision; silver, copper ease",
    "I'd never sell $LWL here lol, this thing is going to the moon 🚀🚀",
    "Tern Airlines and its pilots' union reach a deal, ending a nine-day strike that cost the carrier some $60 million a week",
    "RPT-Calder Bank names Jane Holm chief financial officer, effective March 1 (Adds background, share price)",
    "NEW YORK (AP) - Vasco Chemicals Inc. (VSC.N) said on Tuesday that its board had approved a plan to buy back up to $2 "
    "billion of stock, as the maker of solvents and coatings beat Wall Street's estimates for a fourth straight quarter.",
)
COMPARED: tuple[str | Marked, ...] = (
    "Profit",
    "Harbour Foods narrows loss as costs fall",
    "Orlane Motors beats estimates but lowers full-year outlook on weaker demand in Asia",
    "Tern Airlines cuts 2,400 jobs, warns of a wider loss in the second half",
    "UPDATE 2-Calder Bank Q3 net income $1.24 bln vs $1.31 bln; revenue up 3.5 pct",
    "Regulator fines Vasco Chemicals $41.5 million over emissions reports",
    "Mindale says it is not aware of any reason for the fall in its shares",
    "Board of Keld Steel to meet on Thursday",
    Marked("Shell gains as BP slides", ((0, 5),)),
    Marked("Shell gains as BP slides", ((15, 17),)),
    Marked("Arden wins the contract that Boreal lost; Arden shares rise 7%", ((0, 5), (42, 47))),
    Marked("Boreal: Arden wins the contract that Boreal lost", ((0, 6), (37, 43))),
    "Fenwick Retail said on Monday that sales at stores open for at least a year rose 2.1 percent in the quarter to "
    "September, less than the 3 percent that analysts had expected, because warm weather kept customers from buying coats.",
    "Lowell Energy is said to be near a deal to sell its pipelines in the north for about 1.8 billion euros, according to "
    "two people who know of the talks. The company, which has debt of 6.2 billion, lost a fifth of its value this year. It "
    "declined to comment. A sale would let it keep its dividend, which it has paid in each of the last 31 years, and would "
    "end a dispute with its largest holder, who wants the board to go. Analysts were of two minds. One called the price fair.",
)
