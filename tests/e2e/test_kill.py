"""kill -9 anywhere during ingest, then the same command again: same catalog, same index, nothing
twice.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.embed import open_embedder
from ingest.vectors import ChromaVectors

DOCUMENTS = 60


def write_documents(folder: Path) -> None:
    """Notes in our own words, long enough that several groups are committed, each different."""
    rng = random.Random(7)
    words = (
        "tick cap fee rule quote depth spread venue broker order price share market close".split()
    )
    for n in range(DOCUMENTS):
        paragraphs = [
            " ".join(rng.choice(words) for _ in range(60)).capitalize() + f", as note {n} says."
            for _ in range(rng.randint(40, 400))
        ]
        path = folder / f"{n % 7}" / f"note-{n}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Note {n}\n\n" + "\n\n".join(paragraphs))
    (folder / "empty.txt").write_text("")


def ingest(home: Path, folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "ingest", str(folder), "--json"],
        env=os.environ | {"REGTAPE_HOME": str(home), "REGTAPE_EMBEDDER": "hashing"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def contents(home: Path) -> dict[str, set[tuple[object, ...]]]:
    """What is held, without the moments and offsets, which are those of the run."""
    catalog = sqlite3.connect(home / "catalog.db")
    (index_file,) = home.glob("index-*.db")
    index = sqlite3.connect(index_file)
    fingerprint = index_file.stem.removeprefix("index-")
    embedder = open_embedder("hashing")
    ids = ChromaVectors(home / "chroma", f"regtape-{fingerprint}", embedder.dimensions).ids()
    documents = catalog.execute(
        "SELECT id, work_id, version, sha256, path, text_sha256, metadata FROM documents"
    )
    chunks = index.execute(
        "SELECT id, ordinal, start, end, context, kind, length, text_hash, vector FROM chunks"
    )
    ledger = catalog.execute("SELECT path, sha256, status, reason FROM ledger")
    terms = index.execute("SELECT term, count(*) FROM vocabulary GROUP BY term")
    return {
        "documents": set(documents),
        "chunks": set(chunks),
        "ledger": set(ledger),
        "terms": set(terms),
        "vectors": {(id,) for id in ids},
        "counts": {
            (name, *db.execute(f"SELECT count(*) FROM {name}").fetchone())
            for db, name in ((catalog, "documents"), (index, "chunks"), (index, "cuts"))
        },
    }


def recorded(home: Path) -> int:
    """Documents in the catalog; -1 while there is none."""
    if not (home / "catalog.db").exists():
        return -1
    catalog = sqlite3.connect(f"file:{home / 'catalog.db'}?mode=ro", uri=True)
    try:
        return int(catalog.execute("SELECT count(*) FROM documents").fetchone()[0])
    except sqlite3.OperationalError:  # it is being made
        return -1
    finally:
        catalog.close()


@pytest.mark.slow
def test_an_ingest_killed_again_and_again_ends_where_an_undisturbed_one_does(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "documents"
    write_documents(folder)
    undisturbed = ingest(tmp_path / "undisturbed", folder)
    assert undisturbed.wait(timeout=300) == 1  # one reject: the empty file

    # By what is on disk, not by seconds: how fast the machine is changes from minute to minute.
    rng, home, kills = random.Random(), tmp_path / "killed", 0
    for target in sorted(rng.choices(range(DOCUMENTS // 2), k=10)):
        process = ingest(home, folder)
        while process.poll() is None and recorded(home) < target:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.3))
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    last = ingest(home, folder)
    assert last.wait(timeout=300) == 1

    assert kills > 0
    expected, got = contents(tmp_path / "undisturbed"), contents(home)
    for what in expected:
        assert got[what] == expected[what], f"{what} differ after {kills} kills"
    assert len(expected["documents"]) == DOCUMENTS
