"""The encoder: its graph against torch, its cache against damage and company, its results against themselves."""

import json
import multiprocessing
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.bert_graph import quantise
from ingest.embed import minilm_folder
from ingest.encoder import Encoder, EncoderSettings, Weights, open_encoder
from ingest.errors import ModelMissing

FP32, INT8 = EncoderSettings(precision="fp32"), EncoderSettings(precision="int8")
TEXTS = [
    "lamp",
    "Each venue must keep one lamp lit from 9:30 a.m. until 4:00 p.m.",
    "The increment is $0.005 where the time weighted average spread is $0.015 or less. " * 12,
]


@pytest.fixture(name="tiny", scope="session")
def _tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, as a folder."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("tiny")
    config = {
        "model_type": "bert", "hidden_act": "gelu", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "layer_norm_eps": 1e-12, "max_position_embeddings": 24,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    pieces = {
        p: n for n, p in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "lamp", "lit", "##s"])
    }
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )  # fmt: skip
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(_random_weights(), folder / "model.safetensors")
    return folder


def _random_weights() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(7)

    def normal(*shape: int) -> NDArray[np.float32]:
        return random.normal(0, 0.3, shape).astype(np.float32)

    found: dict[str, NDArray[np.float32]] = {
        "embeddings.word_embeddings.weight": normal(7, 16),
        "embeddings.position_embeddings.weight": normal(24, 16),
        "embeddings.token_type_embeddings.weight": normal(2, 16),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in (0, 1):
        key = f"encoder.layer.{layer}."
        norms += [key + "attention.output.LayerNorm", key + "output.LayerNorm"]
        square = [f"attention.self.{part}" for part in ("query", "key", "value")]
        shapes = dict.fromkeys([*square, "attention.output.dense"], (16, 16))
        shapes |= {"intermediate.dense": (32, 16), "output.dense": (16, 32)}
        for name, shape in shapes.items():
            found |= {
                key + name + ".weight": normal(*shape),
                key + name + ".bias": normal(shape[0]),
            }
    for name in norms:
        found |= {name + ".weight": 1 + normal(16), name + ".bias": normal(16)}
    return found


def test_a_text_gives_one_unit_vector(tiny: Path) -> None:
    (vector,) = open_encoder(tiny, FP32).encode(["lamps lit"])
    assert vector.shape == (16,)
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_the_vector_is_the_mean_of_the_token_states(tiny: Path) -> None:
    (states,) = open_encoder(tiny, EncoderSettings(precision="fp32", output="tokens")).encode(["lamp lit"])  # fmt: skip
    (vector,) = open_encoder(tiny, FP32).encode(["lamp lit"])
    mean = states.mean(axis=0)
    assert states.shape == (4, 16)
    assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_int8_is_near_fp32(tiny: Path) -> None:
    texts = ["lamp", "lamps lit", "lit lamp lit lamps"]
    exact, near = open_encoder(tiny, FP32).encode(texts), open_encoder(tiny, INT8).encode(texts)
    assert [float(a @ b) for a, b in zip(exact, near, strict=True)] == pytest.approx(
        [1] * 3, abs=1e-3
    )


def test_a_pair_is_read_as_two_segments(tiny: Path) -> None:
    encoder = open_encoder(tiny, FP32)
    pair, joined = encoder.encode([("lamp", "lit"), "lamp [SEP] lit"])
    assert not np.array_equal(pair, joined)


@pytest.mark.parametrize("settings", [FP32, INT8])
def test_a_result_does_not_depend_on_its_company(tiny: Path, settings: EncoderSettings) -> None:
    encoder = open_encoder(tiny, settings, threads=3)
    texts = ["lamp", "lit " * 20, "", "lamps lit"] * 5
    together = encoder.encode(texts)
    for text, found in zip(texts, together, strict=True):
        assert np.array_equal(encoder.encode([text])[0], found)


def test_tokens_are_counted_whole_and_read_up_to_the_limit(tiny: Path) -> None:
    encoder = open_encoder(tiny, EncoderSettings(precision="fp32", max_tokens=8))
    assert encoder.room == 6
    assert encoder.count_tokens("lamps " * 50) == 100
    short, long = encoder.encode(["lamp " * 6, "lamp " * 600])
    assert np.array_equal(short, long)


def test_no_more_is_read_than_the_model_has_places_for(tiny: Path) -> None:
    assert open_encoder(tiny, EncoderSettings(max_tokens=4000)).room == 22


def test_a_lone_surrogate_is_read_as_a_question_mark(tiny: Path) -> None:
    encoder = open_encoder(tiny, FP32)
    broken, mended = encoder.encode(["lamp \udcff", "lamp ?"])
    assert np.array_equal(broken, mended)


def test_the_built_graph_is_kept_and_used_again(tiny: Path, tmp_path: Path) -> None:
    encoder = open_encoder(tiny, FP32, cache_dir=tmp_path)
    graph = tmp_path / f"encoder-{encoder.fingerprint}.onnx"
    before = graph.stat().st_mtime_ns
    open_encoder(tiny, FP32, cache_dir=tmp_path)
    assert graph.stat().st_mtime_ns == before
    assert {path.suffix for path in tmp_path.iterdir()} == {".onnx", ".sha256"}


@pytest.mark.parametrize("damage", ["cut off", "other bytes", "no checksum", "odd checksum"])
def test_a_damaged_graph_is_built_again(tiny: Path, tmp_path: Path, damage: str) -> None:
    encoder = open_encoder(tiny, FP32, cache_dir=tmp_path)
    graph = tmp_path / f"encoder-{encoder.fingerprint}.onnx"
    checksum, whole = graph.with_suffix(".sha256"), graph.read_bytes()
    if damage == "cut off":
        graph.write_bytes(whole[:-9])
    elif damage == "other bytes":
        graph.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "no checksum":
        checksum.unlink()
    else:
        checksum.write_bytes(b"\xff")
    again = open_encoder(tiny, FP32, cache_dir=tmp_path)
    assert graph.read_bytes() == whole
    assert checksum.read_text() == sha256(whole).hexdigest()
    assert np.array_equal(again.encode(["lamp"])[0], encoder.encode(["lamp"])[0])


def test_settings_and_weights_have_files_of_their_own(tiny: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in tiny.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-3] ^= 64
    (other / "model.safetensors").write_bytes(weights)
    opened = [open_encoder(tiny, FP32), open_encoder(tiny, INT8), open_encoder(other, FP32)]
    assert len({encoder.fingerprint for encoder in opened}) == 3


def _open_and_encode(tiny: Path, cache: Path) -> list[float]:
    found: list[float] = open_encoder(tiny, INT8, cache_dir=cache).encode(["lamp"])[0].tolist()
    return found


@pytest.mark.slow
def test_two_processes_that_build_at_once_do_no_harm(tiny: Path, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.starmap(_open_and_encode, [(tiny, tmp_path)] * 8)
    assert found == [_open_and_encode(tiny, tmp_path)] * 8
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".onnx", ".sha256"]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"model_type": "roberta"}, "roberta"), ({"hidden_act": "relu"}, "relu"), (None, "holds no config.json")],
)  # fmt: skip
def test_what_is_not_bert_is_refused(
    tiny: Path, tmp_path: Path, change: dict[str, str] | None, words: str
) -> None:
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    if change is None:
        (tmp_path / "config.json").unlink()
    else:
        config = json.loads((tmp_path / "config.json").read_bytes()) | change
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelMissing, match=words):
        Weights(tmp_path)


def test_weights_come_back_from_whole_numbers_within_half_a_step() -> None:
    weight = np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
    weight[:, 3] = 0
    whole, step = quantise(weight)
    assert np.abs(whole).max() == 127
    assert np.all(np.abs(whole * step - weight) <= step * 0.501)


# ---- real weights


@pytest.fixture(name="minilm", scope="module")
def _minilm(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return open_encoder(minilm_folder(), FP32, cache_dir=tmp_path_factory.mktemp("models"))


@pytest.mark.model
def test_fp32_is_what_torch_computes(minilm: Encoder) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(minilm_folder(), local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_folder(), local_files_only=True)
    for text, found in zip(TEXTS, minilm.encode(TEXTS), strict=True):
        pieces = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        with torch.no_grad():
            mean = model(**pieces).last_hidden_state[0].mean(dim=0).numpy()
        assert float(found @ mean) / np.linalg.norm(mean) > 0.9999
        assert pieces["input_ids"].shape[1] - 2 == min(minilm.room, minilm.count_tokens(text))


@pytest.mark.model
def test_int8_stays_near_fp32_on_real_weights(minilm: Encoder) -> None:
    near = open_encoder(minilm_folder(), INT8).encode(TEXTS)
    cosines = [float(a @ b) for a, b in zip(minilm.encode(TEXTS), near, strict=True)]
    assert min(cosines) > 0.995
