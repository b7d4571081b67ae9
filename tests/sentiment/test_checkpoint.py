"""Other people's checkpoints: their own numbers in our order of labels, by our graph where it can, and refusals that help."""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.errors import BadRequest, ModelMissing
from sentiment.checkpoint import find_checkpoint, is_plain_bert, labels_of, open_checkpoint
from sentiment.finbert import Classifier
from sentiment.scorer import LABELS, Marked, Scorer
from tests.sentiment.weights import write_checkpoint, write_ours

pytest.importorskip("torch")
pytest.importorskip("transformers")

TEXTS = ["shell gains as bp slides", "profit", "keld beats but lowers outlook , and the bank warns of a loss", "not"]  # fmt: skip
ORDERS = [list(order) for order in itertools.permutations(LABELS)]


def _open(folder: Path, order: str = "") -> Scorer:
    return open_checkpoint(f"hf:{folder}{order}", threads=2, cache_dir=folder.parent / "cache")


def _transformers(folder: Path, texts: list[str]) -> NDArray[np.float32]:
    """Probabilities of negative, neutral and positive as transformers gives them, by the names in its config."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    places = {label.lower(): place for place, label in model.config.id2label.items()}
    with torch.no_grad():
        pieces = tokenizer(texts, return_tensors="pt", padding=True)
        pieces.pop("token_type_ids", None)
        found = torch.softmax(model(**pieces).logits, dim=-1).numpy()
    return found[:, [places[label] for label in LABELS]]


@pytest.mark.parametrize("order", ORDERS, ids=",".join)
def test_plain_bert_gives_what_transformers_gives(tmp_path: Path, order: list[str]) -> None:
    folder = write_checkpoint(tmp_path / "plain", order)
    assert is_plain_bert(folder, json.loads((folder / "config.json").read_bytes()))
    found = _open(folder).score(TEXTS)
    assert found == pytest.approx(_transformers(folder, TEXTS), abs=1e-5)
    assert np.ptp(found, axis=0).max() > 0.1, "too easy"


@pytest.mark.parametrize(
    ("kind", "config"),
    [("distilbert", {}), ("bert", {"hidden_act": "relu"}), ("bert", {"architectures": ["Other"]})],
)
@pytest.mark.parametrize("order", ORDERS[3:5], ids=",".join)
def test_what_is_no_plain_bert_goes_through_torch(
    tmp_path: Path, order: list[str], kind: str, config: dict[str, Any]
) -> None:
    folder = write_checkpoint(tmp_path / "other", order, kind=kind, **config)
    if "architectures" in config:
        told = json.loads((folder / "config.json").read_bytes()) | config
        (folder / "config.json").write_text(json.dumps(told))
    assert not is_plain_bert(folder, json.loads((folder / "config.json").read_bytes()))
    assert _open(folder).score(TEXTS) == pytest.approx(_transformers(folder, TEXTS), abs=1e-5)


def test_our_graph_needs_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = write_checkpoint(tmp_path / "plain", list(LABELS))
    other = write_checkpoint(tmp_path / "other", list(LABELS), kind="distilbert")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert _open(plain).score(TEXTS).shape == (4, 3)
    with pytest.raises(ModelMissing, match=r"pip install 'regtape\[torch\]'"):
        _open(other)


def test_the_vocabulary_of_old_is_read(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "old", list(LABELS))
    before = _open(folder).score(TEXTS)
    _old_tokenizer(folder, lower=True)
    assert np.array_equal(_open(folder).score(TEXTS), before)
    assert np.array_equal(
        _open(folder).score(["Shell GAINS"]), _open(folder).score(["shell gains"])
    )
    _old_tokenizer(folder, lower=False)
    assert not np.array_equal(_open(folder).score(["SHELL"]), _open(folder).score(["shell"]))


def _old_tokenizer(folder: Path, *, lower: bool) -> None:
    from tests.sentiment.weights import PIECES

    (folder / "tokenizer.json").unlink(missing_ok=True)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": lower, "model_max_length": 64})
    )


def test_a_target_has_the_score_of_its_sentence_and_it_says_so(tmp_path: Path) -> None:
    scorer = _open(write_checkpoint(tmp_path / "plain", list(LABELS)))
    plain, shell = scorer.score([TEXTS[0], Marked(TEXTS[0], ((0, 5),))])
    assert np.array_equal(plain, shell)
    assert not scorer.reads_targets
    assert "reads no mark" in (scorer.notice or "")
    assert scorer.trained_through is None


def test_a_text_longer_than_the_model_is_read_by_sentences(tmp_path: Path) -> None:
    scorer = _open(write_checkpoint(tmp_path / "plain", list(LABELS)))
    parts = ["Shell gains as the outlook of profit rises.", "Keld warns that it falls."] * 6
    wanted = np.average(scorer.score(parts), axis=0, weights=[9, 6] * 6)
    assert scorer.score([" ".join(parts)])[0] == pytest.approx(wanted, abs=1e-6)


def test_a_folder_of_ours_opens_under_the_same_name(tmp_path: Path) -> None:
    folder = write_ours(tmp_path / "ours")
    scorer = _open(folder)
    assert scorer.reads_targets
    assert scorer.name == f"hf:{folder}"
    with pytest.raises(BadRequest, match="tells the order of its labels itself"):
        _open(folder, "#negative,neutral,positive")


def test_versions_tell_checkpoints_and_told_orders_apart(tmp_path: Path) -> None:
    unnamed = ["LABEL_0", "LABEL_1", "LABEL_2"]
    plain = write_checkpoint(tmp_path / "plain", unnamed)
    other = write_checkpoint(tmp_path / "other", unnamed, seed=4)
    torch = write_checkpoint(tmp_path / "torch", unnamed, kind="distilbert")
    first, second = "#negative,neutral,positive", "#positive,neutral,negative"
    opened = [_open(folder, order) for folder in (plain, other, torch) for order in (first, second)]
    assert len({scorer.version for scorer in opened}) == 6


# ---- labels


def test_an_order_that_is_told_is_used(tmp_path: Path) -> None:
    named = write_checkpoint(tmp_path / "named", ["Neutral", "Positive", "Negative"])
    unnamed = write_checkpoint(tmp_path / "unnamed", ["LABEL_0", "LABEL_1", "LABEL_2"])
    told = _open(unnamed, "#neutral,positive,negative")
    assert np.array_equal(told.score(TEXTS), _open(named).score(TEXTS))


def test_without_it_the_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "unnamed", ["LABEL_0", "LABEL_1", "LABEL_2"])
    with pytest.raises(
        BadRequest, match=r"says LABEL_0, LABEL_1, LABEL_2.*#neutral,positive,negative"
    ):
        _open(folder)


def _config(*labels: str, **more: Any) -> dict[str, Any]:
    return {"id2label": {str(place): label for place, label in enumerate(labels)}} | more


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (("positive", "negative", "neutral"), ("positive", "negative", "neutral")),
        (("Neutral", "Positive", "Negative"), ("neutral", "positive", "negative")),
        (("BULLISH", "bearish", "NEUTRAL"), ("positive", "negative", "neutral")),
        (("neg", "neu", "pos"), ("negative", "neutral", "positive")),
        (("NEGATIVE", "POSITIVE"), ("negative", "positive")),
    ],
)
def test_names_of_labels(labels: tuple[str, ...], order: tuple[str, ...]) -> None:
    assert labels_of(_config(*labels), (), "x") == order


@pytest.mark.parametrize(
    "config",
    [
        {}, _config("1 star", "2 stars", "3 stars"), _config("negative", "neutral"), _config("positive", "positive", "negative"),
        _config("negative", "neutral", "positive", problem_type="multi_label_classification"),
        _config("negative", "neutral", "positive", "mixed"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_ours_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="x"):
        labels_of(config, (), "x")


@pytest.mark.parametrize(
    ("config", "told", "words"),
    [
        (_config("positive", "negative", "neutral"), ("negative", "neutral", "positive"), "config.json says"),
        (_config("LABEL_0", "LABEL_1"), ("negative", "neutral", "positive"), "has 2 labels, and 3 were told"),
        (_config("LABEL_0", "LABEL_1", "LABEL_2"), ("negative", "negative", "positive"), "no order"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_meant_is_refused(
    config: dict[str, Any], told: tuple[str, ...], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        labels_of(config, told, "x")


def test_two_labels_leave_nothing_for_neutral(tmp_path: Path) -> None:
    found = _open(write_checkpoint(tmp_path / "two", ["POSITIVE", "NEGATIVE"])).score(TEXTS)
    assert found[:, 1].tolist() == [0] * 4
    assert found.sum(axis=1) == pytest.approx(1)


# ---- finding


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=f"no folder {tmp_path}/gone"):
        _open(tmp_path / "gone")
    with pytest.raises(ModelMissing, match=r"holds no config\.json"):
        _open(tmp_path)


def test_a_name_that_cannot_be_reached_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[bool] = []

    def refuse(name: str, *, local_files_only: bool = False, **_: Any) -> str:
        asked.append(local_files_only)
        raise huggingface_hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ModelMissing, match=r"hf download ProsusAI/finbert.*name that: hf:FOLDER"):
        open_checkpoint("hf:ProsusAI/finbert", threads=1, cache_dir=None)
    assert asked == [True, False]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentiment.checkpoint.find_spec", lambda _: None)
    with pytest.raises(ModelMissing, match=r"pip install 'regtape\[torch\]'"):
        find_checkpoint("ProsusAI/finbert")


def test_a_name_in_the_local_cache_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    folder = write_checkpoint(tmp_path / "held", list(LABELS))
    asked: list[dict[str, Any]] = []

    def held(name: str, **options: Any) -> str:
        asked.append(options)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", held)
    assert find_checkpoint("ProsusAI/finbert") == folder
    assert [each["local_files_only"] for each in asked] == [True]
    assert not any("bin" in pattern or "*.py" in pattern for pattern in asked[0]["allow_patterns"])


@pytest.mark.parametrize("offered", [True, False])
def test_pickles_are_not_read_but_the_hubs_safetensors_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered: bool
) -> None:
    import huggingface_hub

    pickled, safe = tmp_path / "pickled", write_checkpoint(tmp_path / "safe", list(LABELS))
    pickled.mkdir()
    (pickled / "config.json").write_bytes((safe / "config.json").read_bytes())

    def held(name: str, *, revision: str = "main", **_: Any) -> str:
        return str(safe if revision == "refs/pr/9" else pickled)

    class Hub:
        def list_repo_commits(self, name: str, revision: str = "main") -> list[Any]:
            today = "a" if offered else "b"
            return [_Has(commit_id=c) for c in (["x", "a"] if revision == "refs/pr/9" else [today])]

        def get_repo_discussions(self, name: str, author: str) -> list[Any]:
            assert author == "SFconvertbot"
            return [_Has(is_pull_request=True, status="open", git_reference="refs/pr/9")]

    monkeypatch.setattr(huggingface_hub, "snapshot_download", held)
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    if offered:
        assert find_checkpoint("ProsusAI/finbert") == safe
    else:
        with pytest.raises(ModelMissing, match=r"pickled weights are never read.*save_pretrained"):
            find_checkpoint("ProsusAI/finbert")


class _Has:
    """Anything with these attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__ |= attributes


def test_what_is_opened_is_a_classifier(tmp_path: Path) -> None:
    assert isinstance(_open(write_checkpoint(tmp_path / "plain", list(LABELS))), Classifier)
