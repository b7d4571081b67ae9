"""Hostile files and hostile parsers: each ends as a reason with a hint, and the file after it is parsed."""

import ctypes
import io
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import pypdf
import pytest
from fpdf import FPDF
from PIL import Image

from ingest.document import Document, Section
from ingest.errors import BadRequest, RegTapeError, Unreadable
from ingest.parse.worker import Failed, Job, Limits, Parsed, ParseWorkers

PDF = "ingest.parse.pdf:parse"
QUICK = Limits(seconds=4, memory_mb=300)  # filling the memory takes a second on a busy machine


# --- parsers for the workers; module level, so that a worker can import them ------------------------------------------


def as_text(data: bytes, name: str) -> Document:
    text = data.decode()
    return Document(text, "text", (Section(0, len(text)),))


def by_name(data: bytes, name: str) -> Document:
    """Does what the file's name says, to itself."""
    if name == "loop":
        while True:
            pass
    if name == "sleep":
        time.sleep(3600)
    if name == "swallow":
        kept = [b"x" * (1 << 20) for _ in range(100_000)]
        raise AssertionError(len(kept))
    if name == "segfault":
        ctypes.string_at(0)
    if name == "leave":
        os._exit(7)
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "recurse":
        return by_name(data, name)
    if name == "network":
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    if name == "raw-network":
        socket.socket().connect(("192.0.2.1", 80))
    if name == "broken-spans":
        return Document("words outside every section", "text", ())
    if name == "value-error":
        raise ValueError("something odd at offset 12")
    return as_text(data, name)


def by_bars(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    for number, piece in enumerate(data.split(b"|"), start=1):
        yield f"{name}#{number}", piece


def no_blanks(data: bytes, name: str) -> Document:
    if not data.strip():
        raise Unreadable("empty", f"{name} is empty", "fetch it again")
    return as_text(data, name)


def process_id(data: bytes, name: str) -> Document:
    return as_text(str(os.getpid()).encode(), name)


def manifest_title(data: bytes, name: str, given: dict[str, str] | None = None) -> Document:
    document = as_text(data, name)
    document.metadata.title = (given or {}).get("title")
    return document


def job(name: str, data: bytes = b"plain words") -> Job:
    return Job(None, name, data=data)


def outcomes(
    jobs: Iterable[Job],
    parse: str | Callable[..., Document] = by_name,
    limits: Limits = QUICK,
    workers: int = 1,
) -> dict[str, Parsed | Failed]:
    with ParseWorkers(workers, limits, parse=parse) as pool:
        return {outcome.job.name: outcome for outcome in pool.parse_all(jobs)}


# --- ordinary work ----------------------------------------------------------------------------------------------------


def test_a_file_comes_back_with_its_hash_its_size_and_its_job(tmp_path: Path) -> None:
    path = tmp_path / "rule.txt"
    path.write_text("The cap is 30 mils.")
    given = {"url": "https://example.org/rule"}
    with ParseWorkers(1, parse=as_text) as pool:
        [parsed] = pool.parse_all([Job(path, "rule.txt", given)])
    assert isinstance(parsed, Parsed)
    assert parsed.document.text == "The cap is 30 mils."
    assert (parsed.sha256, parsed.size) == (sha256(path.read_bytes()).hexdigest(), 19)
    assert parsed.job.given == given
    assert parsed.pages == 1


def test_a_file_of_several_documents_comes_back_in_parts_with_their_own_names_and_hashes() -> None:
    with ParseWorkers(1, QUICK, parse=no_blanks, split=by_bars) as pool:
        [parsed] = pool.parse_all([job("issue", b"one| |two")])
    assert isinstance(parsed, Parsed)
    assert [(part.name, part.document.text) for part in parsed.parts] == [
        ("issue#1", "one"),
        ("issue#3", "two"),
    ]
    assert [part.sha256 for part in parsed.parts] == [
        sha256(b"one").hexdigest(),
        sha256(b"two").hexdigest(),
    ]
    assert parsed.document.warnings == ("left out: issue#2 is empty",)


def test_a_file_whose_documents_are_all_unreadable_fails() -> None:
    with ParseWorkers(1, QUICK, parse=no_blanks, split=by_bars) as pool:
        [failed] = pool.parse_all([job("issue", b" | ")])
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.message) == ("empty", "issue#1 is empty")


def test_the_projects_own_parser_is_the_default() -> None:
    with ParseWorkers(1) as pool:
        [parsed] = pool.parse_all([Job(None, "good.pdf", {"title": "Half a Cent"}, good_pdf())])
    assert isinstance(parsed, Parsed)
    assert parsed.document.format == "pdf"
    assert parsed.document.metadata.title == "Half a Cent"


def test_a_parser_that_takes_the_manifest_row_gets_it() -> None:
    one = Job(None, "a", {"title": "Tick sizes"}, b"words")
    parsed = outcomes([one], manifest_title)["a"]
    assert isinstance(parsed, Parsed)
    assert parsed.document.metadata.title == "Tick sizes"


def test_a_worker_stays_alive_from_file_to_file() -> None:
    found = outcomes([job(str(n)) for n in range(6)], process_id)
    assert len({o.document.text for o in found.values() if isinstance(o, Parsed)}) == 1


def test_jobs_are_taken_only_a_little_ahead_of_the_caller() -> None:
    taken: list[int] = []

    def jobs() -> Iterable[Job]:
        for n in range(50):
            taken.append(n)
            yield job(str(n))

    with ParseWorkers(2, QUICK, parse=as_text) as pool:
        results = pool.parse_all(jobs())
        for _ in range(5):
            next(results)
            time.sleep(0.05)
        assert len(taken) <= 5 + 4 + 1
        assert len(list(results)) == 45


def test_a_pool_whose_caller_stopped_early_can_be_used_again() -> None:
    with ParseWorkers(2, QUICK, parse=by_name) as pool:
        for _ in pool.parse_all([job("1"), job("2"), job("3"), job("sleep")]):
            break
        assert {outcome.job.name for outcome in pool.parse_all([job("4"), job("5")])} == {"4", "5"}


def test_a_worker_that_cannot_start_is_no_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        ParseWorkers(1, QUICK, parse=as_text) as pool,
        pytest.raises(RegTapeError, match="could not be started"),
    ):
        list(pool.parse_all([job("innocent")]))


def test_no_workers_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match="at least one"):
        ParseWorkers(0)


def test_other_limits_have_another_fingerprint() -> None:
    assert Limits().fingerprint == Limits().fingerprint
    assert Limits().fingerprint != Limits(seconds=240).fingerprint


# --- hostile parsers --------------------------------------------------------------------------------------------------


DEADLY = [
    ("loop", "time", "longer than 4 s"),
    ("sleep", "time", "longer than 4 s"),
    ("swallow", "memory", "300 MiB"),
    ("segfault", "crashed", "SIGSEGV"),
    ("leave", "crashed", "exit code 7"),
    ("killed", "memory", "for want of memory"),
    ("recurse", "too-deep", "deeper"),
    ("network", "damaged", "never needs the network"),
    ("raw-network", "damaged", "never needs the network"),
    ("broken-spans", "damaged", "lies in no section"),
    ("value-error", "damaged", "something odd at offset 12"),
]


def test_a_parser_that_misbehaves_costs_only_its_own_file() -> None:
    started = time.monotonic()
    jobs = [one for name, *_ in DEADLY for one in (job(name), job(f"after {name}"))]
    found = outcomes(jobs)
    assert time.monotonic() - started < 60
    for name, reason, said in DEADLY:
        failed = found[name]
        assert isinstance(failed, Failed), name
        assert (failed.reason, bool(failed.hint)) == (reason, True), failed
        assert said in failed.message
        assert failed.sha256 == sha256(b"plain words").hexdigest()
        assert failed.seconds < 10
        assert isinstance(found[f"after {name}"], Parsed), name


def test_a_file_over_the_size_limit_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.bin"
    with path.open("wb") as file:
        file.truncate(10 << 30)  # a hole: takes no room on disk
    with ParseWorkers(1, parse=as_text) as pool:
        [failed] = pool.parse_all([Job(path, "huge.bin")])
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.sha256) == ("size", "")
    assert "raise the size limit" in failed.hint


def test_a_file_that_is_gone_is_missing(tmp_path: Path) -> None:
    with ParseWorkers(1, parse=as_text) as pool:
        [failed] = pool.parse_all([Job(tmp_path / "gone.pdf", "gone.pdf")])
    assert isinstance(failed, Failed)
    assert failed.reason == "missing"
    assert "No such file" in failed.message


def test_text_over_the_limit_is_refused() -> None:
    failed = outcomes([job("a", b"x" * 101)], as_text, Limits(text_chars=100))["a"]
    assert isinstance(failed, Failed)
    assert failed.reason == "size"


def test_workers_die_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent("""
        from ingest.parse.worker import Job, Limits, ParseWorkers
        from tests.ingest.test_worker import by_name, process_id

        with ParseWorkers(1, Limits(seconds=60), parse=process_id) as idle:
            [first] = idle.parse_all([Job(None, "pid", data=b"")])
            with ParseWorkers(1, Limits(seconds=60), parse=by_name) as busy:
                print(first.document.text, busy._children[0]._process.pid, flush=True)
                list(busy.parse_all([Job(None, "loop", data=b"")]))
        """)
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 2
        time.sleep(1.0)  # the busy one is in its loop by now
        assert all(map(_runs, children))
        parent.kill()
    deadline = time.monotonic() + 10
    while any(map(_runs, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, children))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except OSError:
        return False
    return state != "Z"


# --- hostile PDFs -----------------------------------------------------------------------------------------------------


def good_pdf() -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.multi_cell(0, text="A quote in this stock moves in steps of half a cent.")
    return bytes(pdf.output())


def encrypted_pdf() -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(good_pdf()))
    writer.encrypt("secret", algorithm="RC4-128")
    return _written(writer)


def scanned_pdf() -> bytes:
    pdf = FPDF()
    for shade in (40, 200):
        pdf.add_page()
        pdf.image(Image.new("L", (60, 80), shade), w=180)
    return bytes(pdf.output())


def bomb_pdf(size: int) -> bytes:
    """One page whose content is `size` zeros, deflated twice."""
    deflate = zlib.compressobj(9)
    block = bytes(1 << 20)
    packed = b"".join(deflate.compress(block) for _ in range(size >> 20)) + deflate.flush()
    content = zlib.compress(packed, 9)
    stream = b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>\nstream\n%s\nendstream"
    return _objects(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>",
        stream % (len(content), content),
    )


def many_pages_pdf(pages: int) -> bytes:
    """A tree of `pages` pages that all show the same few words."""
    kids = b" ".join(b"%d 0 R" % number for number in range(5, 5 + pages))
    content = b"BT /F1 12 Tf 72 700 Td (The same words on every page.) Tj ET"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
    return _objects(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        *[page] * pages,
    )


def _objects(*bodies: bytes) -> bytes:
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(bodies, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1))
    out.writelines(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(
        b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
    )
    return out.getvalue()


def _written(writer: pypdf.PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "reasons"),
    [
        (lambda: b"", {"empty"}),
        (lambda: b"\n \n", {"empty"}),
        (lambda: b"just a note, no PDF at all", {"unknown-format"}),
        (lambda: good_pdf()[:200], {"truncated"}),
        (encrypted_pdf, {"encrypted"}),
        (scanned_pdf, {"no-text"}),
        (lambda: bomb_pdf(64 << 20), {"no-text", "memory", "crashed"}),
    ],
    ids=["empty", "blank", "no-pdf", "truncated", "encrypted", "scanned", "bomb"],
)
def test_a_bad_pdf_fails_with_reason_and_hint_and_the_next_is_parsed(
    make: Callable[[], bytes], reasons: set[str]
) -> None:
    limits = Limits(seconds=20, memory_mb=400)
    found = outcomes([job("bad.pdf", make()), job("good.pdf", good_pdf())], PDF, limits)
    failed, good = found["bad.pdf"], found["good.pdf"]
    assert isinstance(failed, Failed)
    assert failed.reason in reasons
    assert failed.hint
    assert isinstance(good, Parsed)
    assert good.document.text == "A quote in this stock moves in steps of half a cent."


@pytest.mark.slow
def test_a_gigabyte_of_zeros_in_a_small_pdf_stays_within_the_budget() -> None:
    data = bomb_pdf(1 << 30)
    assert len(data) < 20_000
    limits = Limits(seconds=30, memory_mb=500)
    found = outcomes([job("bomb.pdf", data), job("good.pdf", good_pdf())], PDF, limits)
    failed = found["bomb.pdf"]
    assert isinstance(failed, Failed)
    assert failed.reason in {"no-text", "memory", "crashed", "time"}
    assert failed.hint
    assert failed.seconds < 32
    assert isinstance(found["good.pdf"], Parsed)


@pytest.mark.slow
def test_ten_thousand_pages_are_parsed_or_refused_by_the_page_limit() -> None:
    data = many_pages_pdf(10_000)
    limits = Limits(seconds=100)
    parsed = outcomes([job("long.pdf", data)], PDF, limits)["long.pdf"]
    assert isinstance(parsed, Parsed)
    assert parsed.pages == 10_000
    few = Limits(seconds=100, pages=5_000)
    found = outcomes([job("long.pdf", data), job("good.pdf", good_pdf())], PDF, few)
    failed = found["long.pdf"]
    assert isinstance(failed, Failed)
    assert (failed.reason, bool(failed.hint)) == ("pages", True)
    assert isinstance(found["good.pdf"], Parsed)


def test_an_unreadable_file_keeps_its_reason_over_the_process_boundary() -> None:
    failed = outcomes([job("x", b"")], refuse)["x"]
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.message, failed.hint) == ("too-deep", "nested too deep", "cut it")


def refuse(data: bytes, name: str) -> Document:
    raise Unreadable("too-deep", "nested too deep", "cut it")
