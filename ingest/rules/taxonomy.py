"""variables.toml in; the variables, their terms and the lexicon of change, ready to be looked up, out."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

TOML = Path(__file__).parent / "variables.toml"

_VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A wording that states an effect without a term and a verb of its own."""

    match: re.Pattern[str]
    direction: str


@dataclass(frozen=True, slots=True)
class Variable:
    """One microstructure variable. better: the direction that "improve" means, "up" or "down"."""

    id: str
    name: str
    better: str
    signless: bool  # "better" and "worse" tell of a change, not of its direction
    set_by_hand: bool  # fees, increments: that somebody sets them is no effect
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A noun phrase that measures a variable. sign is -1 where more of it is less of the variable."""

    variable: str
    sign: int
    good: bool  # whether more of the term is better
    not_before: frozenset[str]
    not_after: frozenset[str]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """variables.toml, read once.

    terms    words of a term, lower case, plural included -> what it measures
    longest  first word of terms -> words of the longest that begins with it
    stems    every sentence about a variable has one of these somewhere, in lower case
    verbs    a form -> (kind, form: "base", "s", "ed" or "ing"); nouns, adjectives: a form -> kind
    kind     "up", "down", "stop" (down, of what is unwelcome), "better", "worse" or "touch" (a change without a sign)
    """

    variables: Mapping[str, Variable]
    terms: Mapping[tuple[str, ...], Term]
    longest: Mapping[str, int]
    stems: tuple[str, ...]
    verbs: Mapping[str, tuple[str, str]]
    nouns: Mapping[str, str]
    adjectives: Mapping[str, str]
    carriers: frozenset[str]
    tails: frozenset[str]
    effect_verbs: frozenset[str]
    study_verbs: frozenset[str]
    names: Mapping[str, str]
    fingerprint: str


def words_of(text: str) -> list[str]:
    """The words of a phrase as terms are looked up: lower case, hyphens and slashes kept inside."""
    return re.findall(r"[a-z0-9]+(?:[-/'’][a-z0-9]+)*", text.lower())


@cache
def taxonomy() -> Taxonomy:
    """The taxonomy shipped with the program."""
    raw = TOML.read_bytes()
    return read_taxonomy(tomllib.loads(raw.decode()), sha256(raw).hexdigest()[:12])


def read_taxonomy(table: Mapping[str, Any], fingerprint: str) -> Taxonomy:
    """A taxonomy from a parsed variables.toml; raises KeyError where a table lacks what it must have."""
    variables: dict[str, Variable] = {}
    terms: dict[tuple[str, ...], Term] = {}
    names: dict[str, str] = {}
    for id, given in table["variables"].items():
        variables[id] = Variable(
            id, given["name"], given.get("better", "up"), given.get("signless", False), given.get("set_by_hand", False),
            _patterns(given),
        )  # fmt: skip
        for name in (id, given["name"], *given.get("also_called", ())):
            names[_key(name)] = id
        good = given.get("better", "up") == "up"
        guards = _plurals(given.get("not_before", ())), frozenset(given.get("not_after", ()))
        for kind, sign, is_good in (
            ("terms", 1, good),
            ("good", 1, True),
            ("inverse", -1, not good),
        ):
            for term in given.get(kind, ()):
                entry = Term(id, sign, is_good, *guards)
                for form in _plurals([term]):
                    terms[tuple(words_of(form))] = entry
    change, words = table["change"], table["words"]
    return Taxonomy(
        variables=variables,
        terms=terms,
        longest={first: max(len(t) for t in terms if t[0] == first) for first, *_ in terms},
        stems=_stems(terms),
        verbs={
            form: (kind, tense)
            for kind in ("touch", "up", "down", "stop", "better", "worse")
            for base in change[kind]
            for form, tense in _forms(base)
        },
        nouns=_kinds(change, "noun_"),
        adjectives=_kinds(change, "adjective_"),
        carriers=_plurals(words["carriers"]),
        tails=_plurals(words["tails"]),
        effect_verbs=_all_forms(words["effect_verbs"]),
        study_verbs=_all_forms(words["study_verbs"]),
        names=names,
        fingerprint=fingerprint,
    )


def variable_id(name: str) -> str | None:
    """The id of a variable by its id, its name or what else it is called; None when there is none."""
    return taxonomy().names.get(_key(name))


def _key(name: str) -> str:
    return re.sub(r"[^a-z]+", "_", name.lower()).strip("_")


def _patterns(given: Mapping[str, Any]) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(re.compile(each["match"], re.IGNORECASE), each["direction"])
        for each in given.get("patterns", ())
    )


def _stems(terms: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The first words of terms, and those of idioms; none that holds another."""
    found = {"rout", "internaliz", "orders", "exchange", *(term[0] for term in terms)}
    return tuple(sorted(s for s in found if not any(o != s and o in s for o in found)))


def _kinds(change: Mapping[str, Sequence[str]], prefix: str) -> dict[str, str]:
    kinds = {name.removeprefix(prefix): words for name, words in change.items() if prefix in name}
    return {form: kind for kind, words in kinds.items() for form in _plurals(words)}


def _all_forms(bases: Iterable[str]) -> frozenset[str]:
    return frozenset(form for base in bases for form, _ in _forms(base)) | _IRREGULAR


_IRREGULAR = frozenset(
    "led meant brought saw seen found shown gave given made had has saw seen got brought drew drove driven paid".split()
)


def _plurals(words: Iterable[str]) -> frozenset[str]:
    return frozenset(form for word in words for form in (word, _plural(word)))


def _plural(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh")):
        return word if word.endswith("s") and not word.endswith("ss") else f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in _VOWELS else f"{word}s"


def _forms(base: str) -> tuple[tuple[str, str], ...]:
    """A regular verb in its four forms."""
    if base.endswith("e"):
        past, present = f"{base}d", f"{base[:-1]}ing"
    elif base.endswith("y") and base[-2] not in _VOWELS:
        past, present = f"{base[:-1]}ied", f"{base}ing"
    elif base in _DOUBLED:
        past, present = f"{base}{base[-1]}ed", f"{base}{base[-1]}ing"
    else:
        past, present = f"{base}ed", f"{base}ing"
    return ((past, "ed"), (present, "ing"), (_plural(base), "s"), (base, "base"))


_DOUBLED = {"drop", "deter", "cut", "spur", "permit"}
