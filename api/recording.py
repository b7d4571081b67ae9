"""Feature reads in, files from which `features replay` rebuilds every served vector out: one JSON object a line."""

from pathlib import Path
from typing import IO

import orjson

from ingest.moment import now
from sentiment.read import Vector

_FILE_BYTES = 64 * 1024 * 1024
_BUFFER_BYTES = 64 * 1024


class Recording:
    """Appends {"receipt", "values"} of each read to files of a folder, a new one when one is full; from one thread.

    A line is on disk when `flush` was called after it.
    """

    def __init__(self, folder: Path, *, file_bytes: int = _FILE_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._most = folder, file_bytes
        self._file: IO[bytes] | None = None
        self._written = 0

    def keep(self, vector: Vector) -> None:
        """Write one read."""
        line = orjson.dumps(
            {"receipt": vector.receipt.fields(), "values": vector.values},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        if self._file is None or self._written + len(line) > self._most:
            self.close()
            name = f"reads-{now():%Y%m%dT%H%M%S.%f}Z.jsonl"
            self._file, self._written = (self._folder / name).open("xb", _BUFFER_BYTES), 0
        self._file.write(line)
        self._written += len(line)

    def flush(self) -> None:
        """Hand what was written to the system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file; another read opens a new one."""
        if self._file is not None:
            self._file.close()
            self._file = None
