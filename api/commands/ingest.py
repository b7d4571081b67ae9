"""Files, folders and URLs in, indexed documents out; what was rejected is listed with its reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.console import (
    DONE,
    FAILED,
    MOMENT,
    NOTHING,
    Tell,
    console,
    note,
    print_json,
    progress,
    regtape_command,
    settings,
    wants_json,
)
from ingest.errors import BadRequest

if TYPE_CHECKING:
    from api.settings import Settings
    from ingest.pipeline import Report, Source


@regtape_command(
    "ingest",
    short_help="Files, folders and URLs into the index.",
    examples=(
        "regtape ingest releases/",
        "regtape ingest rule.pdf notice.xml --workers 2",
        "regtape ingest corpus/ --manifest manifest.jsonl",
    ),
)
@click.argument("places", nargs=-1, required=True, metavar="PATH|URL...")
@click.option(
    "--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSONL with what files cannot tell of themselves (file, url, retrieved_at, …), paths relative to it. "
    "A folder's own manifest.jsonl is read anyway.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Processes that parse. Default: all cores.")
@click.option(
    "--known-at", type=MOMENT, metavar="T",
    help="Take this as the moment the documents became known, in place of each one's own public moment.",
)  # fmt: skip
@click.option(
    "--limit-seconds", type=click.FloatRange(1), help="Reject a file that takes longer to parse."
)
@click.option(
    "--limit-megabytes",
    type=click.IntRange(64),
    help="Reject a file that takes more memory to parse.",
)
@click.option("--retry", is_flag=True, help="Try files again that an earlier run rejected.")
def command(
    places: tuple[str, ...],
    manifest: Path | None,
    workers: int | None,
    known_at: datetime | None,
    limit_seconds: float | None,
    limit_megabytes: int | None,
    retry: bool,
) -> int:
    """Bring files into the index; the same command again does only what is left to do, also after a kill.

    Exit code 1 when a file was rejected (the rest is in), 3 when there was no file.
    """
    chosen = settings(
        parse_workers=workers, parse_seconds=limit_seconds, parse_megabytes=limit_megabytes
    )
    found = _sources(places, manifest, chosen)
    if not found:
        note(f"regtape: no documents in {', '.join(places)}")
        return NOTHING
    with progress("ingest", "files") as tell:
        report = bring_in(found, chosen, tell, known_at=known_at, retry=retry)
    show(report)
    return FAILED if report.rejected else DONE


def bring_in(
    found: list["Source"],
    chosen: "Settings",
    tell: Tell,
    *,
    known_at: datetime | None = None,
    retry: bool = False,
) -> "Report":
    """Run the pipeline over what was found."""
    from api.services import open_services, open_workers
    from ingest.pipeline import Progress, ingest

    def told(at: Progress) -> None:
        tell(at.done, at.total, f"{at.pages} pages, {at.name}")

    with open_services(chosen, writing=True) as services, open_workers(chosen) as parsers:
        return ingest(
            found,
            catalog=services.catalog,
            index=services.index,
            embedder=services.embedder,
            workers=parsers,
            settings=chosen.chunk,
            known_at=known_at,
            retry=retry,
            progress=told,
        )


def show(report: "Report") -> None:
    """What came in, and what did not."""
    if wants_json():
        print_json(as_json(report))
        return
    from api.render import show_rejects, show_report
    from api.schemas import Reject

    show_report(report, console())
    if report.rejected:
        show_rejects([Reject.of(row) for row in report.rejected], console())


def as_json(report: "Report") -> dict[str, Any]:
    """The report for programs."""
    from api.schemas import Reject

    names = ("files", "added", "unchanged", "duplicates", "pages", "chunks", "seconds")
    rejected = [Reject.of(row).model_dump(mode="json") for row in report.rejected]
    return {name: getattr(report, name) for name in names} | {"rejected": rejected}


def _sources(places: tuple[str, ...], manifest: Path | None, chosen: "Settings") -> list["Source"]:
    """Every file named or below a folder named, each with its manifest row; URLs are fetched first."""
    from ingest.pipeline import Source, sources
    from ingest.sources.web import is_url

    paths = [Path(place) for place in places if not is_url(place)]
    for path in paths:
        if not path.exists():
            raise BadRequest(f"no file or folder {path}")
    by_name, by_path = _rows(paths, manifest)
    found = [
        Source(s.path, s.name, by_path.get(s.path.resolve()) or s.given)
        for s in sources(paths, by_name)
    ]
    return found + list(_fetched([place for place in places if is_url(place)], chosen))


Rows = dict[str, str]


def _rows(paths: list[Path], manifest: Path | None) -> tuple[dict[str, Rows], dict[Path, Rows]]:
    """Manifest rows by name below a folder given, and by the file that lies there seen from the manifest itself."""
    from ingest.manifest import read_manifest

    own = [path / "manifest.jsonl" for path in paths if (path / "manifest.jsonl").is_file()]
    by_path = {
        (listed.parent / name).resolve(): row
        for listed in [*own, *([manifest] if manifest else [])]
        for name, row in read_manifest(listed).items()
    }
    return (read_manifest(manifest) if manifest else {}), by_path


def _fetched(urls: list[str], chosen: "Settings") -> Iterator["Source"]:
    from api.services import open_web
    from ingest.moment import now
    from ingest.pipeline import Source

    web = open_web(chosen)
    with _fetching(len(urls)) as tell:
        for at, url in enumerate(urls):
            tell(at, len(urls), url)
            path = web.download(url, chosen.home / "downloads")
            yield Source(path, url, {"url": url, "retrieved_at": now().isoformat()})


@contextmanager
def _fetching(count: int) -> Iterator[Tell]:
    if not count:
        yield lambda _done, _total, _detail: None
        return
    with progress("fetch", "addresses") as tell:
        yield tell
