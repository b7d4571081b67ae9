"""Symbols and instants in, feature values as they were or would have been served out: THE FLOW of a feature read.

    symbol → company (as of the day) → what is known of it (store, or tape) → values → status → receipt

The online store and the tape hold the same contributions, so where a read is answered from changes no bit of it.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np

from ingest import moment
from ingest.errors import BadRequest
from ingest.moment import NEW_YORK, Clock, end_of_day, from_micros, to_micros
from sentiment import history
from sentiment.compute import Kept, in_force, sum_up
from sentiment.entities import UNKNOWN, Resolver
from sentiment.features import (
    DEPTH,
    MINUTE,
    SECOND,
    Feature,
    NoRegulation,
    Regulation,
    Rulebook,
    fingerprint,
)
from sentiment.held import (
    Feed,
    Held,
    any_in_force,
    feed_of,
    from_tape,
    newest_in_force,
    values,
    with_panel,
)
from sentiment.history import Snapshot
from sentiment.lives import View
from sentiment.log import Tape
from sentiment.question import (
    MOST_CELLS,
    Moment,
    Question,
    checked_head,
    checked_instant,
    checked_instants,
    checked_names,
    checked_symbols,
    question,
)
from sentiment.receipt import Receipt, digest
from sentiment.rolling import FOREVER, NEVER, Bools, Floats, Ints, Panel
from sentiment.scorer import MODELS
from sentiment.sources import Weights
from sentiment.store import Store
from sentiment.vector import STATUSES, Freshness, Matrix, Status, Vector

__all__ = ["NEVER", "STATUSES", "Freshness", "Matrix", "Reader", "Status", "Vector"]

STALE_AFTER = timedelta(seconds=60)
MOST_STREAMED = 10_000_000  # symbols × instants of `pieces`, which holds one piece at a time

# So long before a minute begins, the panel is made of each new state, so that it holds when the minute has begun.
AHEAD_SECONDS = 0.1
_SUMMED_UP = 8  # questions of all companies that are summed up ahead: those asked last

_MICROSECOND = timedelta(microseconds=1)
_HOUR = 60 * MINUTE
_NO_RULES = NoRegulation()


class Asked(TypedDict, total=False):
    """What every read takes.

    names, or the feature_set of that name; neither: core50. view: known, latest or as_if; as_if wants a model, and takes it
    that each score was there `latency` µs after its item. model: the name of a model, or an exact version: scores of others
    do not exist then. head: read the tape as it was when it ended at that offset. rules: read the rulebook in the state of that
    name, as a receipt states it; None: as it stands.
    """

    names: Sequence[str] | None
    feature_set: str | None
    view: str
    model: str | None
    latency: int
    head: int | None
    rules: str | None


class Reader:
    """Reads features of one tape; `store`: what follows it online. Safe to share between threads.

    weights: of sources, those that the store was filled with. stale_after: how long an item may wait for its score before
    values are STALE. Reads raise BadRequest, whose message begins with the argument that is wrong, and NotKnown where the
    tape ends before a head.
    """

    def __init__(
        self,
        tape: Tape,
        resolver: Resolver,
        store: Store | None = None,
        *,
        regulation: Rulebook | None = None,
        weights: Weights | None = None,
        clock: Clock = moment.now,
        stale_after: timedelta = STALE_AFTER,
    ) -> None:
        self.tape, self.weights, self.feature_version = tape, weights, fingerprint(weights)
        self.regulation = regulation or NoRegulation()
        self._resolver, self._store, self._clock = resolver, store, clock
        self._stale_after = stale_after // _MICROSECOND
        self._company = lru_cache(1 << 16)(self._find_company)
        self._scored_from = lru_cache(1 << 12)(self._find_first_score)
        self._models: Mapping[str, str] = {}  # version -> model
        self._kept = lru_cache(1 << 12)(_kept_of)
        self._now: Held | None = None  # what reads of now see, where `advance` says when
        self._summed: Held | None = None  # with the panel that was made last, where nothing does
        self._summing = threading.Lock()
        self._asked_of_all: dict[Question, None] = {}
        self._summed_up: tuple[Panel, int] | None = (
            None  # a panel, and a minute that it has at hand
        )

    def entity(self, symbol: str, as_of: Moment) -> str:
        """The company that a symbol means on the day of an instant."""
        at = checked_instant(as_of, self.now())
        return self._company(checked_symbols((symbol,))[0], _day_of(at))

    def features(
        self, names: Sequence[str] | None = None, feature_set: str | None = None
    ) -> tuple[Feature, ...]:
        """What a read with these would give."""
        return question(checked_names(names), feature_set).features

    def with_store(self, store: Store | None) -> "Reader":
        """One that reads the same tape in the same way, from another store."""
        return Reader(
            self.tape, self._resolver, store, regulation=self.regulation, weights=self.weights, clock=self._clock,
            stale_after=timedelta(microseconds=self._stale_after),
        )  # fmt: skip

    def advance(self) -> None:
        """Reads of now see from here on what the store holds now; before the first call each asks the store itself.

        What they need of all companies is summed up before they see it, by who calls this; it has to be called after each
        change of the store, and AHEAD_SECONDS before a minute begins.
        """
        assert self._store is not None
        minute = (self.now() + int(AHEAD_SECONDS * SECOND)) // MINUTE * MINUTE
        held = Held(self._store.snapshot(None), live=True)
        if self._now is not None and _holds(self._now.summed, held.snapshot, minute):
            held = replace(held, panel=self._now.panel, summed=self._now.summed)
        else:
            held = with_panel(self._store.snapshot(None, panel=True), live=True)
        if held.panel is not None and self._summed_up != (held.panel, minute):
            for wanted in list(self._asked_of_all):
                sum_up(wanted.features, minute, held.panel, held.snapshot.first_known)
            self._summed_up = held.panel, minute
        self._now = held

    def now(self) -> int:
        """µs since 1970 UTC, by the clock that as_of must not be after."""
        return to_micros(self._clock())

    def freshness(self) -> Freshness:
        """How up to date a read of now would be."""
        at = self.now()
        held = self.held(question(None, None), (), at, at, None)
        return _freshness(feed_of(self.tape, held, np.array([at])))

    # ---- one instant

    def vector(self, symbol: str, *, as_of: Moment | None = None, **asked: Unpack[Asked]) -> Vector:
        """The features of a symbol as of an instant: an aware datetime or µs since 1970 UTC; None: now."""
        return self.vectors((symbol,), as_of=as_of, **asked)[0]

    def vectors(
        self, symbols: Sequence[str], *, as_of: Moment | None = None, **asked: Unpack[Asked]
    ) -> list[Vector]:
        """The features of several symbols as of one instant, of one state of the log."""
        wanted, head = self._question(asked), checked_head(asked.get("head"))
        symbols = checked_symbols(symbols)
        now = self.now()
        at = now if as_of is None else checked_instant(as_of, now)
        companies = [self._company(symbol, _day_of(at)) for symbol in symbols]
        held = self.held(wanted, companies, at, at, head)
        feed = feed_of(self.tape, held, np.array([at]))
        fresh = _freshness(feed)
        rules = self._rules(wanted, asked)
        return [
            self._vector(wanted, symbol, company, held, feed, fresh, rules)
            for symbol, company in zip(symbols, companies, strict=True)
        ]

    def _vector(
        self,
        wanted: Question,
        symbol: str,
        company: str,
        held: Held,
        feed: Feed,
        fresh: Freshness,
        rules: Regulation,
    ) -> Vector:
        at = int(feed.at[0])
        own = held.own(company)
        kept = self._kept(company) if held.live else None
        standing = kept.in_force(own, at) if kept else in_force(own, at)
        versions = held.versions(standing.versions)
        known = at >= self.first_known(wanted, company, held, at)
        row = values(wanted, symbol, company, feed.at, held, feed, rules, kept)[0]
        if not known:
            row[:] = np.nan
        plain = [None if value != value else value for value in row.tolist()]
        trained = _trained_through(tuple(map(self.model_of, versions)))
        return Vector(
            symbol=symbol,
            entity=company,
            as_of=from_micros(at),
            values=dict(zip(wanted.names, plain, strict=True)),
            status=wanted.status(plain, known=known, stale=int(feed.lag[0]) > self._stale_after),
            known_at=None if standing.newest == NEVER else from_micros(standing.newest),
            model_versions=versions,
            feature_version=self.feature_version,
            freshness=fresh,
            backfilled=standing.backfilled,
            model_lookahead=None if trained is None else at <= trained,
            receipt=self._receipt(wanted, symbol, company, at, held, row, rules),
        )

    def _receipt(
        self,
        wanted: Question,
        symbol: str,
        company: str,
        at: int,
        held: Held,
        row: Floats,
        rules: Regulation,
    ) -> Receipt:
        head = held.snapshot.head
        return Receipt(
            offset=head.offset,
            hash=head.hash,
            symbol=symbol,
            entity=company,
            as_of=at,
            view=wanted.view,
            model=wanted.model,
            latency=wanted.latency,
            features=wanted.asked,
            feature_version=self.feature_version,
            values=digest(wanted.names, row),
            rules=rules.state,
        )

    # ---- many instants

    def matrix(
        self, symbols: Sequence[str], instants: Sequence[Moment] | Ints, **asked: Unpack[Asked]
    ) -> Matrix:
        """The features of each symbol at each instant: the values that `vector` has, read in bulk.

        instants: aware datetimes, or µs since 1970 UTC, in any order; symbols × instants at most MOST_CELLS.
        """
        bulk = self._bulk(symbols, instants, asked, MOST_CELLS)
        return self._matrix(bulk, bulk.symbols, slice(None))

    def pieces(
        self,
        symbols: Sequence[str],
        instants: Sequence[Moment] | Ints,
        *,
        rows: int = 16_384,
        **asked: Unpack[Asked],
    ) -> Iterator[Matrix]:
        """As `matrix`, in pieces of one symbol and at most `rows` instants, of one state of the log; symbol after symbol.

        All is checked before the first piece is asked for; symbols × instants at most MOST_STREAMED.
        """
        bulk = self._bulk(symbols, instants, asked, MOST_STREAMED)
        return (
            self._matrix(bulk, (symbol,), slice(first, first + rows))
            for symbol in bulk.symbols
            for first in range(0, len(bulk.at), rows)
        )

    def _bulk(self, symbols: Sequence[str], instants: Any, asked: Asked, most: int) -> "_Bulk":
        wanted, head = self._question(asked), checked_head(asked.get("head"))
        symbols = checked_symbols(symbols)
        at = checked_instants(instants, self.now(), most)
        if len(symbols) * len(at) > most:
            raise BadRequest(
                f"symbols × instants is {len(symbols)} × {len(at)}; one call may have {most} of both together"
            )
        days = _days_of(at)
        each_day = np.unique(days).tolist()
        companies = {self._company(symbol, day) for symbol in symbols for day in each_day}
        held = self.held(wanted, sorted(companies), int(at.min()), int(at.max()), head)
        codes = np.concatenate([held.own(company).version for company in companies])
        used = held.versions(np.unique(codes).tolist())
        return _Bulk(wanted, symbols, at, days, held, used, self._rules(wanted, asked))

    def _matrix(self, bulk: "_Bulk", symbols: tuple[str, ...], part: slice) -> Matrix:
        wanted, held, at, days = bulk.wanted, bulk.held, bulk.at[part], bulk.days[part]
        feed = feed_of(self.tape, held, at)
        shape = len(symbols), len(at)
        found = np.empty((*shape, len(wanted.names)))
        known_at, unknown = np.empty(shape, np.int64), np.empty(shape, np.bool_)
        backfilled = np.empty(shape, np.bool_)
        for row, symbol in enumerate(symbols):
            for company, those in self._companies(symbol, days):
                there, own = at[those], held.own(company)
                found[row, those] = values(
                    wanted, symbol, company, there, held, feed.take(those), bulk.rules
                )
                unknown[row, those] = there < self.first_known(
                    wanted, company, held, int(there.min())
                )
                known_at[row, those] = newest_in_force(own, there)
                backfilled[row, those] = any_in_force(own.take(own.backfilled), there)
        if unknown.any():
            found[unknown] = np.nan
        trained = _trained_through(tuple(map(self.model_of, bulk.used)))
        return Matrix(
            symbols=symbols,
            instants=at,
            features=wanted.features,
            values=found,
            known_at=known_at,
            stale=feed.lag > self._stale_after,
            unknown=unknown,
            backfilled=backfilled,
            model_versions=bulk.used,
            model_lookahead=None if trained is None else at <= trained,
            feature_version=self.feature_version,
            offset=held.snapshot.head.offset,
            hash=held.snapshot.head.hash,
            rules=bulk.rules.state,
        )

    def _companies(self, symbol: str, days: Ints) -> Iterator[tuple[str, "_Places"]]:
        """Each company that a symbol meant, and where in these days in New York it did."""
        found: dict[str, list[int]] = {}
        for day in np.unique(days).tolist():
            found.setdefault(self._company(symbol, day), []).append(day)
        for company, its_days in found.items():
            yield company, slice(None) if len(found) == 1 else np.isin(days, its_days)

    # ---- what is asked

    def _question(self, asked: Asked) -> Question:
        wanted = question(
            checked_names(asked.get("names")), asked.get("feature_set"), asked.get("view", "known"),
            asked.get("model"), asked.get("latency", 0),
        )  # fmt: skip
        if wanted.model is not None and not self.has_scores_of(wanted.model):
            held = ", ".join(f"{name} {version}" for version, name in self._models.items())
            raise BadRequest(
                f"model {wanted.model!r} has no score on this tape; there are {held or 'no scores yet'}"
            )
        return wanted

    def _rules(self, wanted: Question, asked: Asked) -> Regulation:
        """The rulebook that a read sees; none where it asks for nothing of it."""
        if not wanted.regulation:
            return _NO_RULES
        state = asked.get("rules")
        return self.regulation.now() if state is None else self.regulation.at(state)

    def has_scores_of(self, model: str) -> bool:
        """Whether the tape has a score of a model of that name, or of that version."""
        if model not in self._models and model not in self._models.values():
            self._models = history.versions(self.tape)
        return model in self._models or model in self._models.values()

    def model_of(self, version: str) -> str:
        """The name of the model of a version that is on the tape."""
        if version not in self._models:
            self._models = history.versions(self.tape)
        return self._models[version]

    def _find_company(self, symbol: str, day: int) -> str:
        noon = datetime.combine(date.fromordinal(day), time(12), NEW_YORK)
        return self._resolver.find("", "", (symbol,), noon)[0].entity

    # ---- what is held

    def held(
        self, wanted: Question, companies: Sequence[str], first: int, last: int, head: int | None
    ) -> Held:
        """What a read of these companies in [first, last] needs: from the store where that has it, else from the tape."""
        if self._store is not None and wanted.view == "known":
            held = self._now or Held(self._store.snapshot(companies), live=True)
            if held.snapshot.since <= first - DEPTH and self._takes_all(wanted.model, held):
                if wanted.needs_panel:
                    held = self._with_panel(wanted, held, companies, last)
                if head is None or head == held.offset:
                    return held
                if head < held.offset and self._is_as_it_was(held, head, last):
                    earlier = replace(held.snapshot, head=self.tape.receipt(head))
                    return replace(held, snapshot=earlier, _newest_item=[])
        return from_tape(
            self.tape, wanted, companies, first, last, head,
            panel=wanted.needs_panel, weights=self.weights,
        )  # fmt: skip

    def _takes_all(self, model: str | None, held: Held) -> bool:
        """Whether a pin leaves out nothing of what is held."""
        return model is None or all(
            model in (version, self.model_of(version)) for version in held.snapshot.versions
        )

    def _is_as_it_was(self, held: Held, head: int, last: int) -> bool:
        """Whether, up to an instant, a store tells what the tape told at an earlier head: what came since is all known later."""
        if held.snapshot.rewound > head:
            return False
        with self.tape.reading() as database:
            row = database.execute(
                "SELECT recorded_at FROM records WHERE offset = ?", (head,)
            ).fetchone()
        return row is not None and last <= row[0]

    def _with_panel(
        self, wanted: Question, held: Held, companies: Sequence[str], last: int
    ) -> Held:
        """With the panel of all, which is made anew only where its whole minutes can have changed."""
        assert self._store is not None
        self._asked_of_all[wanted] = None
        if len(self._asked_of_all) > _SUMMED_UP:
            self._asked_of_all.pop(next(iter(self._asked_of_all)), None)
        minute = last // MINUTE * MINUTE
        if _holds(held.summed, held.snapshot, minute):
            return held
        with self._summing:
            made = self._summed
            if made is None or not _holds(made.summed, held.snapshot, minute):
                made = with_panel(self._store.snapshot(companies, panel=True), live=True)
                self._summed = made
                return made
            return replace(held, panel=made.panel, summed=made.summed)

    def first_known(self, wanted: Question, company: str, held: Held, at: int) -> int:
        """µs from which a company is known: always where the table of aliases has it, else from the first score that names it.

        Any such moment up to `at` serves, so that as a rule what is in hand is enough.
        """
        if not company.startswith(UNKNOWN):
            return NEVER
        starts = held.own(company).start
        if starts.size and (first := int(starts.min())) <= at:
            return first
        return self._scored_from(company, held.offset, wanted.view, wanted.model, wanted.latency)

    def _find_first_score(
        self, company: str, head: int, view: View, model: str | None, latency: int
    ) -> int:
        rows = history.snapshot(
            self.tape, entities=(company,), head=head, view=view, model=model, latency=latency
        ).own.get(company)
        return FOREVER if rows is None else int(rows.start.min())


class _Bulk(NamedTuple):
    """A read of many instants, and what it needs. days: int64[m], in New York; used: model versions."""

    wanted: Question
    symbols: tuple[str, ...]
    at: Ints
    days: Ints
    held: Held
    used: tuple[str, ...]
    rules: Regulation


_Places = slice | Bools


def _holds(summed: Snapshot | None, now: Snapshot, minute: int) -> bool:
    """Whether a panel made of one state of a store is, at a minute, what one made of another would be."""
    if summed is None or summed.rewound != now.rewound:
        return False
    if summed.head.offset == now.head.offset:
        return True
    earlier = summed if summed.head.offset < now.head.offset else now
    return earlier.newest is not None and minute <= earlier.newest


def _kept_of(_company: str) -> Kept:
    return Kept()


def _freshness(feed: Feed) -> Freshness:
    """Of a feed at one instant."""
    at, newest, oldest = (int(each[0]) for each in (feed.at, feed.newest, feed.oldest))
    return Freshness(
        newest_known_at=None if newest == NEVER else from_micros(newest),
        scoring_lag_seconds=int(feed.lag[0]) / SECOND,
        watermark=from_micros(at if oldest == NEVER else oldest - 1),
    )


# ---- days and models


def _day_of(at: int) -> int:
    """The day in New York of an instant, as a proleptic ordinal."""
    return from_micros(at).astimezone(NEW_YORK).toordinal()


def _days_of(at: Ints) -> Ints:
    """int64[m]: the day in New York of each instant; its midnights are on whole hours."""
    hours, place = np.unique(at // _HOUR, return_inverse=True)
    days = np.array([_day_of(hour * _HOUR) for hour in hours.tolist()], np.int64)
    return days[place]


@cache
def _trained_until() -> Mapping[str, int]:
    """µs of the end of the day through which each packaged model was trained."""
    found = {}
    for config in MODELS.glob("*/config.json"):
        through = json.loads(config.read_text("utf-8"))["regtape"]["trained_through"]
        if through is not None:
            found[config.parent.name] = to_micros(end_of_day(date.fromisoformat(through)))
    return found


@lru_cache
def _trained_through(models: tuple[str, ...]) -> int | None:
    """µs of the last instant that any of these had seen something of; None where there are none or one does not say."""
    ends = [_trained_until().get(model) for model in models]
    stated = [end for end in ends if end is not None]
    return max(stated) if stated and len(stated) == len(ends) else None
