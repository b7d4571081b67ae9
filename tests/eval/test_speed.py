"""The benchmark: both sides on the same pages, by turns, and the shape of what it prints."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eval import speed
from eval.speed import Run, Work, command, ingest_speed
from ingest.errors import BadRequest, ModelMissing


@pytest.fixture(name="pdf")
def _pdf(tmp_path: Path) -> Path:
    fpdf = pytest.importorskip("fpdf")
    made = fpdf.FPDF()
    made.set_font("Helvetica", size=11)
    for number in range(3):
        made.add_page()
        made.multi_cell(
            0, 6, f"Page {number}. " + "Each venue must keep one lamp lit at night. " * 20
        )
    made.output(str(tmp_path / "lamps.pdf"))
    return tmp_path / "lamps.pdf"


@pytest.fixture(name="turns")
def _turns(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Sides that do nothing: the recipe takes 6 s, and we 2 s the first time and 1 s after that."""
    turns: list[tuple[str, int]] = []

    def run(side: str, home: Path, files: list[Path]) -> Run:
        from pypdf import PdfReader

        turns.append((side, sum(len(PdfReader(file).pages) for file in files)))
        first = side not in [seen for seen, _ in turns[:-1]]
        seconds = 6.0 if side == "recipe" else 2.0 if first else 1.0
        return Run(Work(seconds, 0.5, 7), 100.0 if side == "regtape" else 900.0)

    monkeypatch.setattr(speed, "_run", run)
    return turns


def test_sides_take_turns_on_the_same_pages(pdf: Path, turns: list[tuple[str, int]]) -> None:
    ingest_speed([pdf], pages=2, repeats=2)
    assert turns == [("recipe", 2), ("regtape", 2), ("regtape", 2), ("recipe", 2)]


@pytest.mark.usefixtures("turns")
def test_the_ratio_is_taken_run_by_run(pdf: Path) -> None:
    found = ingest_speed([pdf], repeats=2)
    assert found["task"] == "speed"
    assert found["n"] == 3
    assert found["metrics"]["times_recipe"] == {"value": 4.5, "low": 3.0, "high": 6.0, "n": 2}
    assert found["metrics"]["per_second"]["value"] == pytest.approx((3 / 2 + 3 / 1) / 2)
    assert found["groups"]["recipe"]["per_second"]["value"] == pytest.approx(0.5)
    assert found["groups"]["regtape"]["peak_mib"]["value"] == 100.0
    json.dumps(found)


def test_what_is_no_pdf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.pdf").write_bytes(b"not a PDF at all")
    with pytest.raises(BadRequest, match=r"no\.pdf cannot be read"):
        ingest_speed([tmp_path / "no.pdf"])
    with pytest.raises(BadRequest, match="at least one"):
        ingest_speed([])


@pytest.mark.slow
def test_a_side_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"(?s)regtape side failed.*missing\.pdf"):
        speed._run("regtape", tmp_path / "home", [tmp_path / "missing.pdf"])


@pytest.mark.usefixtures("turns")
def test_the_command_prints_a_table_or_one_object(pdf: Path) -> None:
    table = CliRunner().invoke(command, ["ingest", str(pdf)], obj={}, catch_exceptions=False)
    assert "times_recipe" in table.output
    plain = CliRunner().invoke(
        command, ["ingest", str(pdf), "--json"], obj={}, catch_exceptions=False
    )
    assert json.loads(plain.stdout)["n"] == 3


@pytest.mark.model
@pytest.mark.slow
def test_both_sides_run_for_real(pdf: Path) -> None:
    for package in ("langchain_chroma", "langchain_community", "langchain_huggingface", "torch"):
        pytest.importorskip(package)
    found = ingest_speed([pdf], pages=1, repeats=1)
    for side in ("regtape", "recipe"):
        assert found["groups"][side]["passages"]["value"] >= 1
        assert found["groups"][side]["peak_mib"]["value"] > 50
