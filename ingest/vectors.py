"""Vectors in, nearest chunk ids out: the port to the vector store, and Chroma behind it (embedded,
or a server by URL).
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

_BATCH = 4000  # embedded Chroma refuses more than about 5,400 records in one call
_PAGE = 10_000


class Vectors(Protocol):
    """One collection of vectors by chunk id. Adding an id again replaces it; removing one that is
    not there is no error.
    """

    def add(
        self,
        ids: Sequence[str],
        vectors: NDArray[np.float32],
        known_at: Sequence[int],
        offsets: Sequence[int],
    ) -> None: ...

    def remove(self, ids: Sequence[str]) -> None: ...

    def ids(self) -> set[str]: ...

    def nearest(self, vector: NDArray[np.float32], k: int) -> list[tuple[str, float]]:
        """(chunk id, cosine) of the k nearest by approximate search, best first; as of now only."""


class ChromaVectors:
    """A Chroma collection with cosine space. `where` is a folder (embedded) or http(s)://host:port
    (a server).

    Chroma is imported on first use: it costs about a second, and exact as-of ranking does not need
    it.
    """

    def __init__(self, where: Path | str, collection: str, dimensions: int) -> None:
        os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
        import chromadb
        from chromadb.config import Settings

        settings = Settings(anonymized_telemetry=False, allow_reset=False)
        if str(where).startswith(("http://", "https://")):
            url = urlsplit(str(where))
            client = chromadb.HttpClient(
                host=url.hostname or "localhost", port=url.port or (443 if url.scheme == "https" else 8000),
                ssl=url.scheme == "https", settings=settings,
            )  # fmt: skip
        else:
            client = chromadb.PersistentClient(path=str(where), settings=settings)
        self._collection = client.get_or_create_collection(
            collection,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine"}},
            metadata={"dimensions": dimensions},
        )

    def add(
        self,
        ids: Sequence[str],
        vectors: NDArray[np.float32],
        known_at: Sequence[int],
        offsets: Sequence[int],
    ) -> None:
        for at in range(0, len(ids), _BATCH):
            part = slice(at, at + _BATCH)
            self._collection.upsert(
                ids=list(ids[part]),
                embeddings=vectors[part],
                metadatas=[
                    {"known_at": k, "offset": o}
                    for k, o in zip(known_at[part], offsets[part], strict=True)
                ],
            )

    def remove(self, ids: Sequence[str]) -> None:
        for at in range(0, len(ids), _BATCH):
            self._collection.delete(ids=list(ids[at : at + _BATCH]))

    def ids(self) -> set[str]:
        return set(self._pages())

    def _pages(self) -> Iterable[str]:
        at = 0
        while page := self._collection.get(include=[], limit=_PAGE, offset=at)["ids"]:
            yield from page
            at += len(page)

    def nearest(self, vector: NDArray[np.float32], k: int) -> list[tuple[str, float]]:
        found = self._collection.query(
            query_embeddings=vector[np.newaxis, :], n_results=k, include=["distances"]
        )
        distances = found["distances"] or [[]]
        return [(id, 1.0 - float(d)) for id, d in zip(found["ids"][0], distances[0], strict=True)]
