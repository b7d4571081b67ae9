"""A home grown from its own passages: as many as were asked for, searchable, measured on every side."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from api.cli import run
from api.services import Services, open_services
from api.settings import Settings
from eval.scoring import Measure
from eval.speed_retrieval import chroma_server, copies, draw, grow, parts_of
from ingest.catalog import Catalog
from ingest.errors import BadRequest
from ingest.index import Index

LAMPS = "\n\n".join(
    f"# Part {n}\n\nLamp {n} of the harbour is lit at {n} every night." for n in range(40)
)


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Settings:
    from api.commands.ingest import bring_in
    from ingest.pipeline import sources

    (tmp_path / "lamps.md").write_text(LAMPS, "utf-8")
    chosen = Settings(home=tmp_path / "home", embedder="hashing", parse_workers=1)
    bring_in(sources([tmp_path / "lamps.md"]), chosen, lambda *_: None)
    return chosen


@pytest.fixture(name="services")
def _services(home: Settings) -> Iterator[Services]:
    with open_services(home) as services:
        services.index.refresh()
        yield services


def test_a_home_grows_to_just_so_many_passages_and_each_can_be_read(
    services: Services, tmp_path: Path
) -> None:
    source = copies(parts_of(services.catalog, services.index))
    with Catalog(tmp_path / "grown") as catalog:
        index = Index(catalog, "test", services.index.dimensions)
        for size in (30, 100):
            assert grow(source, catalog, index, size) > 0
            index.refresh()
            assert index.size == size
        for row in index.rows(range(100)):
            held = catalog.at([row.offset])[0]
            assert catalog.text(held.id)[row.start : row.end].strip()
        assert index.check() == []


def test_copies_differ_in_words_and_vectors_and_are_the_same_in_every_run(
    services: Services,
) -> None:
    parts = parts_of(services.catalog, services.index)
    drawn = [part for part, _ in zip(copies(parts), range(3 * len(parts)), strict=False)]
    again = [part for part, _ in zip(copies(parts), range(3 * len(parts)), strict=False)]

    first, second, third = (drawn[at * len(parts)] for at in range(3))
    assert first.texts == parts[0].texts
    assert len({tuple(part.texts) for part in (first, second, third)}) == 3
    assert np.allclose(np.linalg.norm(second.vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(second.vectors, third.vectors)
    assert [part.texts for part in drawn] == [part.texts for part in again]


def test_an_empty_home_has_nothing_to_grow_from(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog, pytest.raises(BadRequest, match="holds no passage"):
        parts_of(catalog, Index(catalog, "test", 4))


@pytest.mark.slow
def test_a_chroma_server_by_url_holds_what_is_ingested(tmp_path: Path) -> None:
    (tmp_path / "lamps.md").write_text(LAMPS, "utf-8")
    with chroma_server(tmp_path / "server") as url:
        told = {
            "REGTAPE_HOME": str(tmp_path / "home"),
            "REGTAPE_EMBEDDER": "hashing",
            "REGTAPE_VECTORS_URL": url,
        }

        def regtape(*words: str) -> str:
            # Processes of their own: Chroma's client leaves its sockets for the end of the process.
            program = [sys.executable, "-c", "from api.cli import main; main()", *words]
            return subprocess.run(
                program, env=os.environ | told, check=True, capture_output=True, text=True
            ).stdout

        regtape("ingest", str(tmp_path / "lamps.md"))
        regtape("doctor")  # fails where a passage has no vector, or a vector no passage
        found = json.loads(regtape("search", "which lamp is lit at 7", "-k", "1", "--json"))
        held = json.loads(
            subprocess.run(
                [sys.executable, "-c", _COUNT, url], check=True, capture_output=True, text=True
            ).stdout
        )

        assert "Lamp 7 " in found["passages"][0]["text"]
        assert held == [40]
        assert not (tmp_path / "home" / "chroma").exists()


_COUNT = """
import json, sys, chromadb
from urllib.parse import urlsplit
url = urlsplit(sys.argv[1])
client = chromadb.HttpClient(host=url.hostname, port=url.port)
print(json.dumps([collection.count() for collection in client.list_collections()]))
"""


@pytest.mark.slow
def test_the_command_measures_each_side_and_draws_it(
    home: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REGTAPE_HOME", str(home.home))
    monkeypatch.setenv("REGTAPE_EMBEDDER", "hashing")
    png = tmp_path / "scale.png"
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"question": "which lamp is lit at 7"}\n{"question": "harbour"}\n', "utf-8")
    words = [
        "eval",
        "speed",
        "retrieval",
        "--chunks",
        "100",
        "--chunks",
        "120",
        "--chroma-most",
        "100",
    ]
    assert run([*words, "--questions", str(asked), "--plot", str(png), "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert list(found["groups"]) == ["regtape, 100", "chroma, 100", "server, 100", "regtape, 120"]
    assert found["metrics"]["p50_ms"]["n"] == 5 * found["settings"]["questions"] == 10
    assert found["groups"]["server, 100"]["recall_at_10"]["value"] >= 0.9
    assert all(each["p99_ms"]["value"] > 0 for each in found["groups"].values())
    assert png.read_bytes().startswith(b"\x89PNG")


def test_one_size_is_drawn_too(tmp_path: Path) -> None:
    one: Measure = {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}

    draw({"regtape, 100": dict.fromkeys(("p50_ms", "p99_ms", "mib"), one)}, tmp_path / "a.png")

    assert (tmp_path / "a.png").stat().st_size > 1000
