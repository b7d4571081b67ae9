"""Tokens a second of several embedders over the same texts, by turns."""

from pathlib import Path

import numpy as np
import pytest

from api.settings import Settings
from eval.speed_embed import OURS, PLAIN, drawn_passages, embed_speed
from ingest.embed import Vectors
from ingest.errors import BadRequest


class Counting:
    """An embedder that notes what it was asked for, at an angle to the first axis."""

    name, fingerprint, dimensions, max_tokens, trained_through = "counting", "0", 2, 5, None

    def __init__(self, angle: float, order: list[float]) -> None:
        self.angle, self.order = angle, order

    def embed(self, texts: list[str]) -> Vectors:
        self.order.append(self.angle)
        one = np.array([np.cos(self.angle), np.sin(self.angle)], np.float32)
        return np.tile(one, (len(texts), 1))

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def test_each_side_embeds_in_every_run_by_turns_and_the_cosine_is_told() -> None:
    order: list[float] = []
    sides = {
        OURS: Counting(0.0, order),
        "minilm-fp32": Counting(0.1, order),
        PLAIN: Counting(0.2, order),
    }

    found = embed_speed(["a lamp", "one two three four five six"], sides, 2, lambda *_: None)  # type: ignore[arg-type]

    assert found["settings"]["tokens"] == 2 + 5
    assert order == [0.0, 0.1, 0.2, 0.0, 0.1, 0.2, 0.2, 0.1, 0.0]
    assert found["metrics"]["cosine"]["value"] == pytest.approx(np.cos(0.1))
    assert found["metrics"]["times_torch"]["n"] == 2
    assert set(found["groups"]) == set(sides)


def test_too_few_passages_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="holds 0 passages, not 8"):
        drawn_passages(Settings(home=tmp_path, embedder="hashing"), 8)
