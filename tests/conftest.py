"""What every test gets: no way out of this machine, a home directory of its own, and on request the sample, ingested."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

_OFFLINE = Path(__file__).parent / "offline"

# Before anything else is imported, and for every process that a test starts.
os.environ["REGTAPE_TESTS_OFFLINE"] = "1"
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(_OFFLINE), os.environ.get("PYTHONPATH")])
)
# A process of pytest-xdist was itself started with it: then it is there already, and its list is the one.
_gate: Any = sys.modules.get("sitecustomize")
if not hasattr(_gate, "ATTEMPTS"):
    _gate = importlib.import_module("tests.offline.sitecustomize")
sys.modules["tests.offline.sitecustomize"] = _gate


@pytest.fixture(autouse=True)
def no_way_out() -> Iterator[None]:
    """Tests cannot reach the world by accident, and a library that swallows the refusal is found out."""
    before = len(_gate.ATTEMPTS)
    yield
    assert _gate.ATTEMPTS[before:] == []


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from, or left in, the home of who runs the tests."""
    for name in [n for n in os.environ if n.startswith("REGTAPE_")]:
        if name not in ("REGTAPE_DATA", "REGTAPE_TESTS_OFFLINE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REGTAPE_HOME", str(tmp_path / "home"))


Regtape = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(name="regtape", scope="session")
def _regtape() -> Regtape:
    """Run the installed `regtape` with these words; its home is what REGTAPE_HOME says then."""
    command = shutil.which("regtape", path=str(Path(sys.executable).parent))
    assert command, "regtape is not installed beside this Python; run `make test`"

    def run(
        *words: str, stdin: str | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [command, *words],
            env=os.environ | environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(name="sample_home", scope="session")
def _sample_home(tmp_path_factory: pytest.TempPathFactory, regtape: Regtape) -> Path:
    """A home with the bundled sample, ingested once by the installed command; read it, do not write to it."""
    home = tmp_path_factory.mktemp("sample")
    sample = Path(importlib.import_module("api.sample").__file__ or "").parent
    done = regtape(
        "ingest", str(sample / "documents"), "--manifest", str(sample / "manifest.jsonl"),
        REGTAPE_HOME=str(home), REGTAPE_EMBEDDER="hashing",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return home
