"""A sentence in, the groups of instruments that it names out; which there are is told in groups.toml."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

TOML = Path(__file__).parent / "groups.toml"


@cache
def groups() -> Mapping[str, str]:
    """id -> how a person reads it."""
    return {id: each["name"] for id, each in _told().items()}


def groups_in(sentence: str) -> frozenset[str]:
    """Ids of the groups that a sentence names."""
    words = " ".join(sentence.split())
    return frozenset(id for id, match in _patterns() if match.search(words))


@cache
def fingerprint() -> str:
    """Twelve hexadecimal digits of the file."""
    return sha256(TOML.read_bytes()).hexdigest()[:12]


def _told() -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = tomllib.loads(TOML.read_text("utf-8"))["groups"]
    return found


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((id, re.compile(each["match"], re.IGNORECASE)) for id, each in _told().items())
