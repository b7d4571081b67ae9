"""Nothing in, a working system on the bundled sample out: ingested, asked, answered, and one question refused."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from api.console import (
    DONE,
    FAILED,
    console,
    note,
    print_json,
    progress,
    regtape_command,
    settings,
    wants_json,
)

if TYPE_CHECKING:
    from agent.reply import Answer
    from api.settings import Settings
    from ingest.pipeline import Report


@regtape_command(
    "demo",
    short_help="A working system on the bundled sample.",
    examples=("regtape demo", "regtape demo --json"),
)
def command() -> int:
    """Ingest the bundled sample, then ask it questions: one of them cannot be answered.

    The sample is written for this program: the facts and the citations are real, the words are our own. It goes to
    a home of its own, REGTAPE_HOME/demo, and never among your documents.
    """
    chosen = settings()
    chosen = chosen.model_copy(update={"home": chosen.home / "demo"})
    report = _ingest(chosen)
    answers = _ask(chosen)
    if wants_json():
        _print(report, answers)
    else:
        note(f'\nAsk on: regtape ask "…" --home {chosen.home}')
    return FAILED if report.rejected else DONE


def _ingest(chosen: "Settings") -> "Report":
    from api.commands.ingest import bring_in
    from ingest.manifest import read_manifest
    from ingest.pipeline import sources

    with as_file(files("api.sample")) as sample, progress("ingest", "documents") as tell:
        folder, manifest = Path(sample) / "documents", Path(sample) / "manifest.jsonl"
        rows = read_manifest(manifest) if manifest.is_file() else {}
        report = bring_in(sources([folder], rows), chosen, tell)
    if not wants_json():
        from api.render import show_rejects, show_report

        show_report(report, console())
        if report.rejected:
            from api.schemas import Reject

            show_rejects([Reject.of(row) for row in report.rejected], console())
    return report


def _ask(chosen: "Settings") -> list["Answer"]:
    """Each question is shown as soon as it is answered."""
    from api.render import show_answer, show_question
    from api.sample import QUESTIONS
    from api.schemas import Answer
    from api.services import open_services
    from ingest.moment import parse_moment

    answers: list[Answer] = []
    with open_services(chosen) as services:
        for question, as_of in QUESTIONS:
            moment = parse_moment(as_of) if as_of else None
            answers.append(services.agent.ask(question, as_of=moment))
            if not wants_json():
                show_question(question, as_of, console())
                show_answer(Answer.of(answers[-1]), console())
    return answers
