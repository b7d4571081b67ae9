"""Who stands when: the rule for threads against replays by hand, and the three views against their definitions."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.lives import VIEWS, Life, Record, View, lives, standing
from sentiment.rolling import FOREVER


def item(offset: int, known_at: int, id: str, *, original: bool = True) -> Record:
    return Record(offset, known_at, id, None, original, False)


def correction(offset: int, known_at: int, id: str, of: str) -> Record:
    return Record(offset, known_at, id, of, True, False)


def retraction(offset: int, known_at: int, id: str, of: str) -> Record:
    return Record(offset, known_at, id, of, True, True)


def ends(*records: Record) -> dict[int, int]:
    return {offset: life.end for offset, life in lives(records).items()}


# ---- the rule, by example


def test_an_item_alone_stands_for_ever() -> None:
    assert lives([item(1, 10, "a")]) == {1: Life(10, FOREVER)}


def test_a_revision_ends_what_stood_under_its_id() -> None:
    assert ends(item(1, 10, "a"), item(2, 20, "a", original=False)) == {1: 20, 2: FOREVER}


def test_a_correction_ends_what_it_refers_to_and_a_retraction_ends_it_in_turn() -> None:
    told = [item(1, 10, "a"), correction(2, 20, "b", "a"), retraction(3, 30, "c", "a")]
    assert ends(*told) == {1: 20, 2: 30, 3: 30}


def test_a_correction_after_a_retraction_stands() -> None:
    told = [item(1, 10, "a"), retraction(2, 20, "b", "a"), correction(3, 30, "c", "a")]
    assert ends(*told) == {1: 20, 2: 20, 3: FOREVER}


def test_a_correction_that_comes_first_stands_and_its_original_never_does() -> None:
    assert ends(correction(1, 10, "b", "a"), item(2, 20, "a")) == {1: FOREVER, 2: 20}


def test_what_was_retracted_before_it_came_never_stands() -> None:
    assert ends(retraction(1, 10, "b", "a"), item(2, 20, "a")) == {1: 10, 2: 20}


def test_a_revision_after_a_correction_is_news_and_stands() -> None:
    told = [item(1, 10, "a"), correction(2, 20, "b", "a"), item(3, 30, "a", original=False)]
    assert ends(*told) == {1: 20, 2: 30, 3: FOREVER}


def test_a_late_link_of_a_chain_ends_what_it_refers_to_but_not_what_refers_to_it() -> None:
    told = [item(1, 10, "a"), correction(2, 20, "c", "b"), correction(3, 30, "b", "a")]
    assert ends(*told) == {1: 30, 2: FOREVER, 3: 30}


def test_what_is_filled_in_takes_its_place_in_time() -> None:
    told = [item(1, 10, "a"), item(3, 5, "a", original=False), correction(2, 20, "b", "a")]
    assert ends(*told) == {3: 10, 1: 20, 2: FOREVER}


def test_records_of_one_instant_are_taken_as_they_came() -> None:
    assert ends(item(2, 10, "a", original=False), item(1, 10, "a")) == {1: 10, 2: FOREVER}


def test_a_thread_begins_with_its_first_record_whoever_links_it() -> None:
    told = [item(1, 10, "a"), item(2, 15, "b"), correction(3, 20, "b", "a"), item(4, 25, "z")]
    assert {o: life.began for o, life in lives(told).items()} == {1: 10, 2: 10, 3: 10, 4: 25}


# ---- the rule, replayed by hand at every instant


@st.composite
def threads(draw: st.DrawFn) -> list[Record]:
    """Records of a few ids in the order of the tape; known_at need not follow offset."""
    records: list[Record] = []
    told: set[str] = set()
    for offset in range(1, draw(st.integers(1, 12)) + 1):
        id = draw(st.sampled_from("abcde"))
        of = draw(st.one_of(st.none(), st.sampled_from("abcde")))
        retracts = of is not None and draw(st.booleans())
        known_at = draw(st.integers(0, 8))
        records.append(Record(offset, known_at, id, of, id not in told, retracts))
        told.add(id)
    return records


def replayed(records: Iterable[Record]) -> set[int]:
    """What stands when all of these are known: one group of ids after the other, no cleverness."""
    groups: list[
        tuple[set[object], list[int]]
    ] = []  # ids that belong together, what stands of them
    seen: list[Record] = []

    def group(id: object) -> tuple[set[object], list[int]]:
        for ids, stands in groups:
            if id in ids:
                return ids, stands
        groups.append(({id}, []))
        return groups[-1]

    for record in sorted(records, key=lambda r: (r.known_at, r.offset)):
        late = record.original and any(record.id == other.refers_to for other in seen)
        own = group(record.id)
        other = own if record.refers_to is None else group(record.refers_to)
        stands = list(own[1]) if late else [] if record.retracts else [record.offset]
        groups[:] = [g for g in groups if g[0] is not own[0] and g[0] is not other[0]]
        groups.append((own[0] | other[0], stands))
        seen.append(record)
    return {offset for _, stands in groups for offset in stands}


@settings(max_examples=200, deadline=None)
@given(threads())
def test_at_every_instant_those_stand_that_a_replay_of_what_was_known_finds(
    records: list[Record],
) -> None:
    found = lives(records)
    for now in range(10):
        known = [r for r in records if r.known_at <= now]
        stand = {r.offset for r in known if now < found[r.offset].end}
        assert stand == replayed(known)
        # Nothing that is known later changes what stood before.
        assert stand == {o for o, life in lives(known).items() if life.end == FOREVER}


@settings(max_examples=200, deadline=None)
@given(threads(), st.randoms())
def test_the_order_in_which_records_come_in_changes_nothing(
    records: list[Record], random: object
) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert lives(shuffled) == lives(records)


# ---- scores


class Scored(NamedTuple):
    offset: int
    item: int
    known_at: int


class Row(NamedTuple):
    """A row that stands."""

    offset: int
    moment: int
    start: int
    end: int


@st.composite
def scored_threads(draw: st.DrawFn) -> tuple[list[Record], list[Scored]]:
    records = draw(threads())
    scores = [
        Scored(offset, record.offset, record.known_at + draw(st.integers(0, 4)))
        for offset, record in enumerate(
            draw(st.lists(st.sampled_from(records), max_size=15)), start=100
        )
        if not record.retracts
    ]
    return records, scores


def rows(view: View, records: list[Record], scores: list[Scored], latency: int = 0) -> list[Row]:
    known = lives(records)
    items = {r.offset: r for r in records}

    def column(values: Iterable[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return np.array(list(values), np.int64)

    stands = standing(
        view, latency,
        item=column(s.item for s in scores), known_at=column(s.known_at for s in scores),
        moment=column(items[s.item].known_at for s in scores),
        began=column(known[s.item].began for s in scores), end=column(known[s.item].end for s in scores),
        offset=column(s.offset for s in scores),
    )  # fmt: skip
    columns = (stands.moment, stands.start, stands.end)
    return sorted(
        Row(scores[at].offset, *times)
        for at, *times in zip(stands.rows.tolist(), *(c.tolist() for c in columns), strict=True)
    )


def newest(scores: Iterable[Scored]) -> Scored:
    return max(scores, key=lambda s: (s.known_at, s.offset))


@settings(max_examples=100, deadline=None)
@given(scored_threads())
def test_view_known_shows_at_every_instant_what_a_replay_would_have_read(
    told: tuple[list[Record], list[Scored]],
) -> None:
    records, scores = told
    found = rows("known", records, scores)
    for now in range(15):
        stand = replayed([r for r in records if r.known_at <= now])
        read = {
            newest(own).offset
            for item in stand
            if (own := [s for s in scores if s.item == item and s.known_at <= now])
        }
        assert {row.offset for row in found if row.start <= now < row.end} == read
    assert all(row.moment <= row.start < row.end for row in found)


@settings(max_examples=100, deadline=None)
@given(scored_threads(), st.integers(0, 3))
def test_view_as_if_shows_what_a_replay_would_have_read_had_every_score_come_at_once(
    told: tuple[list[Record], list[Scored]], latency: int
) -> None:
    records, scores = told
    found = rows("as_if", records, scores, latency)
    known_at = {r.offset: r.known_at for r in records}
    for now in range(15):
        stand = replayed([r for r in records if r.known_at <= now])
        read = {
            newest(own).offset
            for item in stand
            if known_at[item] + latency <= now and (own := [s for s in scores if s.item == item])
        }
        assert {row.offset for row in found if row.start <= now < row.end} == read


@settings(max_examples=100, deadline=None)
@given(scored_threads())
def test_view_latest_shows_the_newest_score_of_what_stands_last_since_its_thread_began(
    told: tuple[list[Record], list[Scored]],
) -> None:
    records, scores = told
    began = {offset: life.began for offset, life in lives(records).items()}
    expected = [
        Row(newest(own).offset, began[item], began[item], FOREVER)
        for item in replayed(records)
        if (own := [s for s in scores if s.item == item])
    ]
    assert rows("latest", records, scores) == sorted(expected)


def test_a_second_score_of_an_item_that_was_filled_in_takes_the_place_of_the_first() -> None:
    records = [item(1, 10, "a")]
    scores = [Scored(2, 1, 10), Scored(3, 1, 10)]
    assert rows("known", records, scores) == [Row(3, 10, 10, FOREVER)]


@pytest.mark.parametrize("view", VIEWS)
def test_no_scores_are_no_rows(view: View) -> None:
    assert rows(view, [item(1, 10, "a")], []) == []
