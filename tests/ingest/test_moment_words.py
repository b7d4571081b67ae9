"""Words for a time, at the ends of what can be told in every zone."""

import pytest

from ingest.errors import BadRequest
from ingest.moment import civil_day, parse_moment


@pytest.mark.parametrize(
    "words",
    ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1899-12-31"],
)  # fmt: skip
def test_a_time_that_no_zone_could_tell_is_refused_with_its_reason(words: str) -> None:
    with pytest.raises(BadRequest, match="before 1900 or after 9998"):
        parse_moment(words)


@pytest.mark.parametrize("words", ["1900-01-01", "9998-12-31", "9998-12-31T23:59:59-12:00"])
def test_the_last_that_can_be_told_has_a_day_in_new_york(words: str) -> None:
    assert civil_day(parse_moment(words)).year in (1900, 9998, 9999)


@pytest.mark.parametrize("words", ["2025-1-15", "2025-02-30", "yesterday", ""])
def test_what_is_no_time_is_told_as_that(words: str) -> None:
    with pytest.raises(BadRequest, match="is not a time"):
        parse_moment(words)
