"""The manifest's rows, and the line a mistake stands on."""

from pathlib import Path

import pytest

from ingest.errors import BadRequest
from ingest.manifest import read_manifest


def written(folder: Path, *lines: str) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_rows_are_keyed_by_file_and_hold_text(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '{"file": "a/b.txt", "url": "https://sec.gov/x", "retrieved_at": "2031-01-02",'
        ' "truncated": true, "rin": ["3235-AA01", "3235-AA02"]}',
        "",
        '{"file": "./c.md", "published_on": "2030-05-06", "note": null}',
    )

    assert read_manifest(path) == {
        "a/b.txt": {
            "file": "a/b.txt",
            "url": "https://sec.gov/x",
            "retrieved_at": "2031-01-02",
            "truncated": "true",
            "rin": "3235-AA01; 3235-AA02",
        },
        "c.md": {"file": "c.md", "published_on": "2030-05-06"},
    }


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"file": "x"', "is not JSON"),
        ("[1]", "is not an object"),
        ('{"url": "https://sec.gov"}', "names no file"),
        ('{"file": "/etc/passwd"}', "names no file below"),
        ('{"file": "../x"}', "names no file below"),
        ('{"file": "x", "published_on": "June 9"}', "published_on cannot be 'June 9'"),
        ('{"file": "x", "authority": "the boss"}', "authority cannot be"),
        ('{"file": "x", "retrieved_at": "2031-01-02T10:00"}', "retrieved_at cannot be"),
        ('{"file": "x", "url": {"a": 1}}', "url is neither text"),
        ('{"file": "a.txt"}', "already described"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    path = written(tmp_path, '{"file": "a.txt"}', line)

    with pytest.raises(BadRequest, match="line 2") as refused:
        read_manifest(path)

    assert complaint in str(refused.value)


def test_a_manifest_in_another_encoding_says_so(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes('{"file": "ö"}'.encode("cp1252"))

    with pytest.raises(BadRequest, match="UTF-8"):
        read_manifest(path)
