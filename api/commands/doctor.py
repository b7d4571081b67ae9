"""A home directory in, what is wrong with it out; --repair rebuilds what is derived."""

from typing import TYPE_CHECKING

import click

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
    from api.services import Services
    from api.settings import Settings


_RECORDS = ("catalog", "news tape")  # what is written once and never repaired


@regtape_command(
    "doctor",
    short_help="Check catalog against index; repair.",
    examples=("regtape doctor", "regtape doctor --repair"),
)
@click.option("--repair", is_flag=True, help="Rebuild index and vectors from the catalog.")
def command(repair: bool) -> int:
    """Check the catalog, the index, the vectors and the embedder against each other, and the news tape against its
    chain of hashes. Exit code 1 on a fault.

    Catalog and tape are the record and are never changed here; everything else is derived and can be rebuilt.
    """
    chosen = settings()
    from api.services import open_services

    with open_services(chosen, writing=True) as services:
        checks = _checks(services) + _tape_checks(chosen)
        # A damaged catalog is not repaired by reading it again; a damaged index is.
        if repair and any(fault for name, fault in checks if name not in _RECORDS):
            _rebuild(services)
            checks = _checks(services) + _tape_checks(chosen)
        held = services.catalog.head()
    sound = not any(fault for _, fault in checks)
    if wants_json():
        found = [{"name": name, "fault": fault} for name, fault in checks]
        print_json({"home": str(chosen.home), "documents": held, "sound": sound, "checks": found})
    else:
        from api.render import show_checks

        show_checks(checks, console())
        if not sound and not repair:
            note("regtape: `regtape doctor --repair` rebuilds what is derived from the catalog")
    return DONE if sound else FAILED


def _checks(services: "Services") -> list[tuple[str, str]]:
    """(what, what is wrong) of each part; "" when it is sound."""
    return [
        ("catalog", "; ".join(services.catalog.check())),
        ("index and vectors", "; ".join(services.index.check())),
        ("embedder", _embedder_fault(services)),
    ]


def _tape_checks(chosen: "Settings") -> list[tuple[str, str]]:
    """The tape's own check, where there is a tape."""
    if not (chosen.home / "tape.db").is_file():
        return []
    from api.services import open_tape

    with open_tape(chosen) as tape:
        fault = tape.verify()
    return [("news tape", f"offset {fault.offset}: {fault.message}" if fault else "")]


def _embedder_fault(services: "Services") -> str:
    """Whether it gives unit vectors of the size that the index was made for."""
    import numpy as np

    vector = services.embedder.embed(["minimum pricing increment"])[0]
    if len(vector) != services.embedder.dimensions:
        return f"gives {len(vector)} dimensions, not {services.embedder.dimensions}"
    length = float(np.linalg.norm(vector))
    return "" if abs(length - 1) < 1e-3 else f"gives vectors of length {length:.3f}, not 1"


def _rebuild(services: "Services") -> None:
    from ingest.pipeline import complete

    services.index.clear()
    with progress("repair", "documents") as tell:
        complete(
            services.catalog,
            services.index,
            services.embedder,
            services.settings.chunk,
            lambda done, total: tell(done, total, ""),
        )
