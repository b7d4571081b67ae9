"""Nothing in, a working system on the bundled sample out: documents asked, one question refused; news scored and summed up."""

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
    from sentiment.vector import Vector

# Of three companies, as of the close of the sample's first day.
_SYMBOLS, _CLOSE = ("WMT", "SHEL.L", "BP.L"), "2026-02-24T16:00:00-05:00"
_FEATURES = (
    "sentiment_mean_1d", "sentiment_mean_5d", "sentiment_novelty_weighted_5d", "sentiment_change_1d", "positive_share_5d",
    "novelty_mean_5d", "volume_1d", "volume_5d", "market_sentiment_mean_1d", "market_volume_1d",
)  # fmt: skip


@regtape_command(
    "demo",
    short_help="A working system on the bundled sample.",
    examples=("regtape demo", "regtape demo --json"),
)
def command() -> int:
    """Ingest the bundled sample and ask it questions, one of which cannot be answered; score its news and show features of it.

    The sample is written for this program: the facts and the citations are real, the words are our own. It goes to
    a home of its own, REGTAPE_HOME/demo, and never among your documents.
    """
    usual = settings()
    chosen = usual.model_copy(update={"home": usual.home / "demo", "models": usual.models_folder})
    report = _ingest(chosen)
    answers = _ask(chosen)
    vectors = _feel(chosen)
    if wants_json():
        _print(report, answers, vectors)
    else:
        note(
            f"\nAsk on: regtape ask … --home {chosen.home}; regtape rule 612, news tail and features get take it too."
        )
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


def _feel(chosen: "Settings") -> list["Vector"]:
    """Log the sample's news as history, score it, and read features of some companies."""
    from api import sample
    from api.feature_tables import show_vectors
    from api.services import open_reader, open_scoring, open_tape
    from ingest.moment import parse_moment
    from ingest.news import open_news, read_news
    from sentiment.stream import StoriesOfTape, add_news, score_backlog

    scoring = open_scoring(chosen)
    with open_tape(chosen) as tape, open_news(sample.news()) as (lines, format_):
        added = add_news(read_news(lines, format_), tape, backfill=True)
        stories = StoriesOfTape(tape, scoring.resolver)
        scored = score_backlog(tape, scoring.resolver, stories, scoring.scorer)
        vectors = open_reader(chosen, tape).vectors(
            _SYMBOLS, as_of=parse_moment(_CLOSE), names=_FEATURES
        )
    if not wants_json():
        note(
            f"\n{added.taken} items of invented news logged, {scored.items} scored now by {scoring.scorer.version}\n"
        )
        show_vectors(vectors, console())
    return vectors


def _print(report: "Report", answers: list["Answer"], vectors: list["Vector"]) -> None:
    import orjson

    from api.commands.ingest import as_json
    from api.feature_forms import vectors_json

    shown = [answer.model_dump(mode="json") for answer in answers]
    features = orjson.loads(vectors_json(vectors))["vectors"]
    print_json({"ingest": as_json(report), "answers": shown, "features": features})
