"""Choices come from the environment, are described, and name what they shape."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from api.services import cutting_name
from api.settings import Settings, load_settings
from ingest.chunk import ChunkSettings
from ingest.embed import open_embedder
from ingest.errors import BadRequest


def test_every_setting_is_described() -> None:
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_the_environment_chooses_and_the_command_line_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGTAPE_LLM", "embedded")
    monkeypatch.setenv("REGTAPE_CHUNK__TOKENS", "120")

    assert load_settings().llm == "embedded"
    assert load_settings().chunk.tokens == 120
    assert load_settings(llm="none", home=tmp_path).llm == "none"
    assert load_settings(llm=None, home=tmp_path).home == tmp_path


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings(home=tmp_path).llm = "other"


@pytest.mark.parametrize("name", ["REGTAPE_ASK_WORKERS", "REGTAPE_CHUNK__TOKENS"])
def test_what_cannot_be_meant_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "-1")

    with pytest.raises(BadRequest, match=f"{name}='-1'"):
        load_settings()


def test_the_fingerprint_changes_with_what_shapes_an_answer_and_with_nothing_else(
    tmp_path: Path,
) -> None:
    one = Settings(home=tmp_path)

    assert Settings(home=tmp_path / "else", ask_workers=3).fingerprint == one.fingerprint
    others = [
        Settings(home=tmp_path, llm="embedded"),
        Settings(home=tmp_path, embedder="hashing"),
        Settings(home=tmp_path, chunk=ChunkSettings(tokens=100)),
    ]
    assert len({one.fingerprint, *(s.fingerprint for s in others)}) == 4


def test_two_cuttings_never_share_a_name(tmp_path: Path) -> None:
    embedder = open_embedder("hashing")
    one, other = (Settings(home=tmp_path, chunk=ChunkSettings(tokens=n)) for n in (100, 200))

    assert cutting_name(one, embedder) != cutting_name(other, embedder)
    assert cutting_name(one, embedder).startswith("hashing-")
