"""A question and texts in, how well each answers it out: a cross-encoder on ONNX Runtime, which reads both together.

Slower than vectors by what it reads, so only the best of a search are shown to it; one text is one run, and its score is the
same to the bit whatever else is asked. `agent/train_reranker.py` makes the weights.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.retrieve import unit
from ingest.encoder import (
    EncoderSettings,
    Weights,
    built_graph,
    cores,
    encodable,
    graph_name,
    open_session,
    open_tokenizer,
    side_by_side,
    user_cache,
)
from ingest.errors import ModelMissing

Floats = NDArray[np.float64]


class Reranker:
    """Open weights of a cross-encoder. Safe to use from several threads.

    fingerprint: of all that decides a score; trained_through: as an Embedder says it
    """

    def __init__(
        self,
        folder: Path,
        *,
        precision: Literal["int8", "fp32"] = "int8",
        threads: int | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        weights = Weights(folder)
        told: dict[str, Any] = weights.config.get("regtape", {})
        if told.get("head") != "mean+target":
            raise ModelMissing(f"{folder} is no reranker; `regtape train reranker` makes one")
        self.trained_through: str | None = told.get("trained_through")
        self._room = int(told["max_tokens"])
        settings = EncoderSettings(precision=precision, output="logits", max_tokens=self._room)
        self.fingerprint = graph_name(weights, settings)
        self._session = open_session(built_graph(weights, settings, cache_dir or user_cache()))
        self._tokenizer, self._threads = open_tokenizer(weights.tokenizer), threads or cores()

    def score(self, question: str, texts: Sequence[str]) -> Floats:
        """(texts,): larger is better; to be compared among the texts of one question only."""
        asked = self._tokenizer.encode(encodable(question)).ids[1:-1]
        pairs = [
            pieces_of_pair(asked, self._tokenizer.encode(encodable(text)).ids, self._room)
            for text in texts
        ]
        found = side_by_side(self._logit, pairs, lambda pair: len(pair[0]), self._threads)
        return np.array(found, np.float64)

    def _logit(self, pair: tuple[list[int], int]) -> float:
        ids, first = pair
        target = np.zeros((1, len(ids)), np.float32)
        target[0, :first] = 1 / first
        segments = (np.arange(len(ids)) >= first).astype(np.int32)[None]
        feed = {"ids": np.array([ids], np.int32), "segments": segments, "target": target}
        return float(self._session.run(None, feed)[0][0, 0])


def pieces_of_pair(
    question: Sequence[int], text: Sequence[int], room: int
) -> tuple[list[int], int]:
    """[CLS] question [SEP] text [SEP], and how many of them come before the text. A long question leaves the text a half.

    question: word pieces alone; text: with [CLS] and [SEP] around them.
    """
    first = [text[0], *question[: room // 2 - 2], text[-1]]
    return [*first, *text[1:-1][: room - len(first) - 1], text[-1]], len(first)


def mixed(fused: Floats, reranked: Floats, share: float) -> Floats:
    """Both brought to 0..1 among the candidates, and added up: what words and vectors found still counts."""
    return (1 - share) * unit(fused) + share * unit(reranked)
