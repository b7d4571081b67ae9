"""A manifest.jsonl in, its rows by file out: what a crawler knew of files that cannot tell it
themselves.

One JSON object a line: "file" (path relative to the manifest's folder, "/" between parts), and any
of "url", "retrieved_at" (a day or an instant with zone), "truncated", or the name of a Metadata
field ("published_on", "doc_type", "authority", ...; several values divided by ";"). Keys of no
meaning here are kept and do no harm.
"""

import json
from dataclasses import fields
from pathlib import Path, PurePosixPath

from ingest.document import Metadata
from ingest.errors import BadRequest
from ingest.metadata import given_value
from ingest.moment import parse_moment

_FIELDS = {field.name for field in fields(Metadata)} - {"where"}


def read_manifest(path: Path) -> dict[str, dict[str, str]]:
    """Rows by file path, values as text. Raises BadRequest naming the line of what cannot be
    meant.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as exc:
        raise BadRequest(f"{path} is not UTF-8; save it as UTF-8") from exc
    rows: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _row(line, f"{path.name} line {number}")
        if row["file"] in rows:
            raise BadRequest(
                f"{path.name} line {number}: {row['file']} was already described above"
            )
        rows[row["file"]] = row
    return rows


def _row(line: str, place: str) -> dict[str, str]:
    try:
        read = json.loads(line)
    except json.JSONDecodeError as exc:
        raise BadRequest(f"{place} is not JSON: {exc.msg} at column {exc.colno}") from exc
    if not isinstance(read, dict):
        raise BadRequest(f"{place} is not an object with a file")
    row = {key: _text(value, key, place) for key, value in read.items() if value is not None}
    row["file"] = _file(row.get("file", ""), place)
    for key, value in row.items():
        _check(key, value, place)
    return row


def _text(value: object, key: str, place: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "; ".join(value)
    if isinstance(value, str | int | float):
        return str(value)
    raise BadRequest(f"{place}: {key} is neither text nor a list of texts")


def _file(name: str, place: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if not name or path.is_absolute() or ".." in path.parts:
        raise BadRequest(f"{place} names no file below the manifest's folder (file: {name!r})")
    return path.as_posix()


def _check(key: str, value: str, place: str) -> None:
    try:
        if key == "retrieved_at":
            parse_moment(value)
        elif key in _FIELDS:
            given_value(key, value)
    except ValueError as exc:
        raise BadRequest(f"{place}: {key} cannot be {value!r}") from exc
