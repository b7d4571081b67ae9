"""The installed `regtape`: help, exit codes, what goes to stdout and what to stderr."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from api.cli import regtape as root
from api.console import Command
from tests.conftest import Regtape


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, f"{path} {name}")
        elif not found.hidden:
            yield f"{path} {name}", found


COMMANDS = dict(commands(root, "regtape"))


# ---- help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_shows_how(name: str) -> None:
    found = COMMANDS[name]

    assert isinstance(found, Command)
    assert found.help
    assert found.short_help
    assert len(found.short_help) <= 60
    assert found.examples
    assert any(name in example for example in found.examples)
    for option in found.params:
        assert isinstance(option, click.Argument) or getattr(option, "help", None), option.name
    assert {"--json", "--home", "--debug"} <= {o for p in found.params for o in p.opts}


def test_help_lists_every_command_and_the_exit_codes(regtape: Regtape) -> None:
    shown = regtape("--help")

    assert shown.returncode == 0
    for name in (
        "demo",
        "ingest",
        "ask",
        "search",
        "documents",
        "verify",
        "serve",
        "doctor",
        "eval",
    ):
        assert f"  {name} " in shown.stdout
    assert "3 refused or nothing found" in shown.stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = "torch transformers chromadb langgraph langchain_core onnxruntime numpy pydantic rich fastapi"
    program = (
        "import sys; from api.cli import run; code = run(['--help']);"
        f"print([m for m in {heavy.split()!r} if m in sys.modules], code, file=sys.stderr)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert shown.stderr.strip() == "[] 0"


def test_help_answers_within_four_tenths_of_a_second(regtape: Regtape) -> None:
    """The best of five: what is measured is the program, not what else the machine does."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        regtape("--help")
        took.append(time.perf_counter() - began)

    assert min(took) < 0.4


def test_version_is_the_installed_one(regtape: Regtape) -> None:
    assert regtape("--version").stdout.startswith("regtape 0.")


# ---- usage


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("aks", "x"), "did you mean 'ask'"),
        (("ask",), "Missing argument"),
        (("ask", "x", "--as-of", "yesterday"), "is not a time"),
        (("ask", "x", "--as-of", "2024-01-31T10:00"), "has no time zone"),
        (("ask", "x", "--type", "poem"), "there are proposed rule, final rule"),
        (("search", "x", "-k", "0"), "is not in the range"),
        (("ingest",), "Missing argument"),
        (("ingest", "no-such-folder"), "no file or folder no-such-folder"),
        (("ingest", "ftp://example.org/a.pdf"), "is not a web address"),
        (("verify", "no-such-file"), "No such file"),
        (("serve", "--host", "0.0.0.0"), "without a key"),
        (("serve", "--port", "0"), "is not in the range"),
        (("eval", "beauty"), "No such command"),
    ],
)
def test_wrong_usage_exits_2_with_one_sentence(
    regtape: Regtape, words: tuple[str, ...], says: str
) -> None:
    done = regtape(*words)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_wrong_setting_is_named(regtape: Regtape) -> None:
    done = regtape("documents", REGTAPE_PARSE_WORKERS="many")

    assert done.returncode == 2
    assert "REGTAPE_PARSE_WORKERS='many'" in done.stderr


def test_a_model_that_does_not_exist_lists_those_that_do(regtape: Regtape) -> None:
    done = regtape("ask", "x?", REGTAPE_EMBEDDER="word3vec")

    assert done.returncode == 3
    assert "there are hashing, minilm" in done.stderr


def test_debug_shows_the_trace_and_without_it_there_is_none(regtape: Regtape) -> None:
    assert "Traceback" in regtape("serve", "--host", "0.0.0.0", "--debug").stderr
    assert "Traceback" not in regtape("serve", "--host", "0.0.0.0").stderr


def test_an_error_is_an_object_for_programs(regtape: Regtape) -> None:
    done = regtape("serve", "--host", "0.0.0.0", "--json")

    assert json.loads(done.stdout)["error"]["kind"] == "BadRequest"


# ---- on the bundled sample


@pytest.fixture(name="sample")
def _sample(sample_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGTAPE_HOME", str(sample_home))
    monkeypatch.setenv("REGTAPE_EMBEDDER", "hashing")
    return sample_home


QUESTION = (
    "What minimum pricing increment did the Commission adopt for tick-constrained stocks in 2024?"
)


def test_an_answer_can_be_exported_and_verified(
    regtape: Regtape, sample: Path, tmp_path: Path
) -> None:
    asked = regtape("ask", QUESTION, "--json")
    (tmp_path / "answer.json").write_text(asked.stdout)
    verified = regtape("verify", str(tmp_path / "answer.json"))

    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["citations"]
    assert verified.returncode == 0, verified.stdout
    assert "✓" in verified.stdout


def test_a_forged_answer_does_not_verify(regtape: Regtape, sample: Path) -> None:
    answer = json.loads(regtape("ask", QUESTION, "--json").stdout)
    answer["citations"][0]["quote"] += " Not."
    done = regtape("verify", "-", "--json", stdin=json.dumps(answer))

    assert done.returncode == 1
    assert "is not what" in json.loads(done.stdout)["answers"][0]["faults"][0]


def test_what_is_no_answer_cannot_be_verified(regtape: Regtape) -> None:
    done = regtape("verify", "-", stdin='{"colour": "green"}')

    assert done.returncode == 2
    assert "is not what `regtape ask --json` prints" in done.stderr


def test_a_person_reads_sentences_marks_and_sources(regtape: Regtape, sample: Path) -> None:
    shown = regtape("ask", QUESTION, "--steps").stdout

    for words in (
        "[1]",
        "Quotes",
        "secondary source, not official text",
        "Status",
        "Steps",
        "As of",
    ):
        assert words in shown
    assert "\x1b" not in shown, "no colours where nobody looks"
    assert max(map(len, shown.splitlines())) <= 100


def test_before_anything_was_known_it_refuses_with_exit_code_3(
    regtape: Regtape, sample: Path
) -> None:
    done = regtape("ask", QUESTION, "--as-of", "1999-12-31", "--json")

    assert done.returncode == 3
    assert json.loads(done.stdout)["refusal"]["reason"] == "nothing_held"


def test_filters_choose_documents(regtape: Regtape, sample: Path) -> None:
    found = json.loads(regtape("search", "increment", "--section", "242.612", "--json").stdout)
    held = json.loads(regtape("documents", "--section", "242.612", "--json").stdout)

    ids = {d["id"] for d in held["documents"]}
    assert {p["document_id"] for p in found["passages"]} <= ids
    assert len(ids) > 1
    assert regtape("documents", "--company", "Nobody").returncode == 3


def test_the_same_ingest_again_adds_nothing(regtape: Regtape, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "lamp.txt").write_text("Lamps\n\nEach venue must keep one lamp lit.\n")
    environment = {"REGTAPE_EMBEDDER": "hashing"}
    first = regtape("ingest", str(tmp_path / "notes"), "--json", **environment)
    second = regtape("ingest", str(tmp_path / "notes"), "--json", **environment)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert json.loads(first.stdout)["added"] == 1
    assert json.loads(second.stdout) | {"seconds": 0} == {
        "files": 1, "added": 0, "unchanged": 1, "duplicates": 0, "pages": 0, "chunks": 0,
        "seconds": 0, "rejected": [],
    }  # fmt: skip


def test_a_rejected_file_is_listed_with_its_reason_and_exits_1(
    regtape: Regtape, tmp_path: Path
) -> None:
    (tmp_path / "empty.pdf").write_bytes(b"")
    (tmp_path / "lamp.txt").write_text("Lamps\n\nEach venue must keep one lamp lit.\n")
    done = regtape("ingest", str(tmp_path), REGTAPE_EMBEDDER="hashing")
    listed = json.loads(regtape("documents", "--rejected", "--json").stdout)

    assert done.returncode == 1
    assert "1 documents added" in done.stdout
    assert "empty.pdf" in done.stdout
    assert [r["reason"] for r in listed["rejected"]] == ["empty"]


def test_an_empty_folder_is_nothing_found(regtape: Regtape, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()

    assert regtape("ingest", str(tmp_path / "nothing")).returncode == 3


def test_a_manifest_says_what_a_file_cannot(regtape: Regtape, tmp_path: Path) -> None:
    folder = tmp_path / "folder" / "sub"
    folder.mkdir(parents=True)
    (folder / "lamp.txt").write_text("Lamps\n\nEach venue must keep one lamp lit.\n")
    row = {"file": "sub/lamp.txt", "title": "On lamps", "published_on": "2020-01-02"}
    (tmp_path / "folder" / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    done = regtape("ingest", str(tmp_path / "folder"), REGTAPE_EMBEDDER="hashing")
    (held,) = json.loads(regtape("documents", "--json").stdout)["documents"]

    assert done.returncode == 0, done.stderr
    assert (held["title"], held["published_on"]) == ("On lamps", "2020-01-02")


def test_the_doctor_finds_and_mends_a_lost_index(regtape: Regtape, tmp_path: Path) -> None:
    (tmp_path / "lamp.txt").write_text("Lamps\n\nEach venue must keep one lamp lit.\n")
    environment = {"REGTAPE_EMBEDDER": "hashing"}
    regtape("ingest", str(tmp_path / "lamp.txt"), **environment)
    sound = regtape("doctor", **environment)
    for file in (tmp_path / "home").glob("index-*"):
        file.unlink()
    lost = regtape("doctor", **environment)
    mended = regtape("doctor", "--repair", "--json", **environment)

    assert [sound.returncode, lost.returncode, mended.returncode] == [0, 1, 0], mended.stdout
    assert "held but not indexed" in lost.stdout
    assert json.loads(mended.stdout)["sound"]
    assert regtape("search", "lamp", **environment).returncode == 0


def test_the_doctor_finds_a_tape_that_was_tampered_with(regtape: Regtape, tmp_path: Path) -> None:
    row = '{"published_at": "2026-01-02T10:00:00Z", "source": "s", "headline": "Acme gains", "id": "1"}'
    (tmp_path / "news.jsonl").write_text(row)
    regtape("news", "add", str(tmp_path / "news.jsonl"))
    sound = regtape("doctor", REGTAPE_EMBEDDER="hashing")
    with sqlite3.connect(tmp_path / "home" / "tape.db") as tape:
        for (trigger,) in tape.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            tape.execute(f"DROP TRIGGER {trigger}")
        tape.execute("UPDATE items SET headline='Acme falls'")
    forged = regtape("doctor", REGTAPE_EMBEDDER="hashing")

    assert [sound.returncode, forged.returncode] == [0, 1], forged.stdout
    assert "offset 1" in forged.stdout


def test_a_model_that_is_on_no_hub_cannot_be_pulled(regtape: Regtape) -> None:
    wrong = regtape("models", "pull", "minilm")

    assert wrong.returncode == 2
    assert "hf:NAME" in wrong.stderr


def test_models_say_what_is_missing_before_they_can_be_used(regtape: Regtape) -> None:
    rows = json.loads(regtape("models", "list", "--json").stdout)["models"]

    missing = {row["name"]: row["missing"] for row in rows}
    assert missing["hashing"] == ""
    assert missing["openai"]


@pytest.mark.slow
@pytest.mark.model
def test_the_demo_answers_and_refuses(regtape: Regtape) -> None:
    done = regtape("demo", "--json")
    shown = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert shown["ingest"]["added"] >= 12
    refused = [a["refusal"] is not None for a in shown["answers"]]
    assert {True, False} == set(refused)
    walmart = shown["features"][0]
    assert walmart["symbol"] == "WMT"
    assert walmart["values"]["volume_1d"] > 1
    assert walmart["values"]["sentiment_mean_1d"] > 0


def test_asking_imports_neither_torch_nor_chroma(sample: Path) -> None:
    heavy = "torch transformers sentence_transformers chromadb pandas sklearn fastapi"
    program = (
        f"import sys; from api.cli import run; code = run(['ask', {QUESTION!r}, '--json']);"
        f"print([m for m in {heavy.split()!r} if m in sys.modules], code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )

    assert done.stderr.strip() == "[] 0"
