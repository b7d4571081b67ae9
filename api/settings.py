"""REGTAPE_… variables in, one frozen object of choices out.

Imported only where something is opened: pydantic-settings costs 0.16 s, and `regtape --help` must not wait for it.
"""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ingest.chunk import ChunkSettings
from ingest.errors import BadRequest
from ingest.sources.web import AGENT


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _listed(given: object) -> object:
    """Words of a variable, with commas between."""
    return (
        tuple(filter(None, (w.strip() for w in given.split(","))))
        if isinstance(given, str)
        else given
    )


_Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """Choices of the running program. Each can be set by a variable: REGTAPE_HOME, REGTAPE_CHUNK__TOKENS, …"""

    model_config = SettingsConfigDict(
        env_prefix="REGTAPE_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    home: Path = Field(
        default_factory=lambda: user_data_path("regtape", appauthor=False),
        description="The folder that holds everything: catalog, index, vectors, caches.",
    )
    embedder: str = Field(
        default="minilm",
        description="Which embedder makes the vectors; another name is another index.",
    )
    chunk: ChunkSettings = Field(
        default=ChunkSettings(), description="How documents are cut; another cut is another index."
    )
    llm: str = Field(
        default="none",
        description="Which chat model drafts answers; 'none' answers in the evidence's own words.",
    )
    threads: int | None = Field(
        default=None, ge=1, description="Threads of one model session; unset: all cores."
    )
    models: Path | None = Field(
        default=None, description="Where built model files are kept; unset: in home."
    )
    vectors_url: str | None = Field(
        default=None, description="A Chroma server, http(s)://host:port; unset: embedded in home."
    )
    news_scorer: str = Field(
        default="finbert",
        description="Which model scores news, in `serve` as it arrives; 'none': it is logged and waits.",
    )
    aliases: Path | None = Field(
        default=None,
        description="A table of names and tickers of your own, laid over the one that is packaged.",
    )
    source_weights: Path | None = Field(
        default=None,
        description="How much each news source weighs, judged or learned (TSV or JSON); unset: the packaged table.",
    )
    redis_url: str | None = Field(
        default=None,
        description="Redis that holds online features, redis://host:port/0; unset: memory of `serve`.",
    )
    record_reads: Path | None = Field(
        default=None, description="A folder in which `serve` keeps every feature read; unset: none."
    )
    push_waiting: int = Field(
        default=256,
        ge=1,
        description="Pushed features that may wait for a reader before it is dropped.",
    )
    push_seconds: float = Field(
        default=10.0,
        gt=0,
        description="A pushed stream that is silent for so long says that it lives.",
    )
    parse_workers: int = Field(
        default_factory=_cores, ge=1, description="Processes that parse documents."
    )
    parse_seconds: float = Field(
        default=120.0, gt=0, description="A file that takes longer to parse is rejected."
    )
    parse_megabytes: int = Field(
        default=1500, ge=64, description="A file that takes more memory to parse is rejected."
    )
    job_workers: int = Field(
        default=1, ge=1, description="Processes that parse for a job beside `serve`."
    )
    upload_bytes: int = Field(
        default=200_000_000, ge=1024, description="A larger upload of documents is refused."
    )
    upload_files: int = Field(
        default=100, ge=1, description="An upload of more files or addresses is refused."
    )
    user_agent: str = Field(
        default=AGENT,
        description="Who fetches say that they are; some sites ask for an address of mail in it.",
    )
    ask_workers: int = Field(
        default=1,
        ge=0,
        description="Processes that answer for `regtape serve`; 0: threads of the server itself.",
    )
    ask_queue: int = Field(
        default=32,
        ge=1,
        description="Requests that may wait for an answer; more are told to retry.",
    )
    ask_seconds: float = Field(
        default=120.0, gt=0, description="An answer that takes longer is given up."
    )
    answer_seconds: float = Field(
        default=60.0,
        gt=0,
        description="When a model has taken so long over one answer, it is in the evidence's own words.",
    )
    answer_tokens: int = Field(
        default=2000, ge=1, description="As answer_seconds, for tokens that a model writes."
    )
    answer_steps: int = Field(
        default=12, ge=1, description="As answer_seconds, for calls of models and tools."
    )
    request_bytes: int = Field(
        default=1_000_000, ge=1024, description="A larger HTTP request body is refused."
    )
    instants_bytes: int = Field(
        default=32_000_000,
        ge=1024,
        description="As request_bytes, for instants of POST /v1/features.",
    )

    hosts: _Words = Field(
        default=(),
        description="Names besides localhost that `serve` answers to, with commas between; '*': any. Keys are needed then.",
    )
    cors_origins: _Words = Field(
        default=(),
        description="Pages elsewhere that may ask, e.g. https://desk.example, with commas between; unset: none.",
    )
    rate: float = Field(
        default=2000.0,
        ge=0,
        description="Requests a second of one key, or of one address where keys are not needed; an answer counts as 20. 0: any.",
    )
    log_requests: bool = Field(
        default=True, description="`serve` logs each request as a line of JSON on stderr."
    )
    log_questions: bool = Field(default=False, description="With the words of questions.")

    @property
    def models_folder(self) -> Path:
        """Where built model files are kept."""
        return self.models or self.home / "models"

    @property
    def fingerprint(self) -> str:
        """Names what shapes an answer (cutting, embedder, drafter), so that results made with it can be told apart."""
        shaping = {"embedder": self.embedder, "chunk": self.chunk.fingerprint, "llm": self.llm}
        return sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:12]


def load_settings(**chosen: Any) -> Settings:
    """Settings from the environment, with what is not None in `chosen` instead. Raises BadRequest, naming the variable."""
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as exc:
        first = exc.errors()[0]
        name = "REGTAPE_" + "__".join(str(part) for part in first["loc"]).upper()
        raise BadRequest(f"{name}={first['input']!r}: {first['msg']}") from exc
