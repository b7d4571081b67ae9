"""Nothing in, a working system on the bundled sample out: ingested, asked, answered, and one question refused."""

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
    from api.schemas import Answer
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
    usual = settings()
    chosen = usual.model_copy(update={"home": usual.home / "demo", "models": usual.models_folder})
    report = _ingest(chosen)
    answers = _ask(chosen)
    if wants_json():
        _print(report, answers)
    else:
        note(f'\nAsk on: regtape ask "…" --home {chosen.home}')
    return FAILED if report.rejected else DONE


def _ingest(chosen: "Settings") -> "Report":
    from api import sample
    from api.commands.ingest import bring_in, show
    from ingest.manifest import read_manifest
    from ingest.pipeline import sources

    with progress("ingest", "documents") as tell:
        found = sources([sample.documents()], read_manifest(sample.manifest()))
        report = bring_in(found, chosen, tell)
    if not wants_json():
        show(report)
    return report


def _ask(chosen: "Settings") -> list["Answer"]:
    """Each question is shown as soon as it is answered."""
    from api import sample
    from api.render import show_answer, show_question
    from api.schemas import Answer
    from api.services import open_services
    from ingest.moment import parse_moment

    answers: list[Answer] = []
    with open_services(chosen) as services:
        for question, as_of in sample.demo_questions():
            moment = parse_moment(as_of) if as_of else None
            answers.append(Answer.of(services.agent.ask(question, as_of=moment)))
            if not wants_json():
                show_question(question, as_of, console())
                show_answer(answers[-1], console())
    return answers


def _print(report: "Report", answers: list["Answer"]) -> None:
    from api.commands.ingest import as_json

    shown = [answer.model_dump(mode="json") for answer in answers]
    print_json({"ingest": as_json(report), "answers": shown})
