"""Dates and times. Expected values are by hand."""

import pytest

from rolecall.streams.feeds.values import dates


def end(text: str) -> str | None:
    found = dates.moment(text, last_of_day=True)
    return found.at.isoformat() if found else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-03-31+02:00", "2027-03-31T23:59:59+02:00"),
        ("20270331", "2027-03-31T23:59:59+00:00"),
        ("2027", "2027-12-31T23:59:59+00:00"),
        ("2027-02", "2027-02-28T23:59:59+00:00"),
        ("2026-W53", "2027-01-03T23:59:59+00:00"),
        ("2027-03-31T24:00:00Z", "2027-04-01T00:00:00+00:00"),
        ("2027-03-31T24:00:00", "2027-04-01T00:00:00+00:00"),
        ("31 marca 2027", "2027-03-31T23:59:59+00:00"),
        ("31 maart 2027", "2027-03-31T23:59:59+00:00"),
        ("31 de março de 2027", "2027-03-31T23:59:59+00:00"),
        ("31 marzo 2027", "2027-03-31T23:59:59+00:00"),
        ("1er mars 2027", "2027-03-01T23:59:59+00:00"),
        ("ab sofort", None),
        ("until filled", None),
        ("Ende März 2027", None),
        ("31.12.26", None),
        ("Q1 2027", None),
        ("2027-03-31T00:00:00", "2027-03-31T23:59:59+00:00"),
        ("31.03.2027", "2027-03-31T23:59:59+00:00"),
        ("31/03/2027", "2027-03-31T23:59:59+00:00"),
        ("03/31/2027", "2027-03-31T23:59:59+00:00"),
        ("31. März 2027", "2027-03-31T23:59:59+00:00"),
        ("31 de marzo de 2027", "2027-03-31T23:59:59+00:00"),
        ("Mar 31, 2027", "2027-03-31T23:59:59+00:00"),
        ("Wed, 31 Mar 2027 10:00:00 GMT", "2027-03-31T10:00:00+00:00"),
        ("1806451200000.0", "2027-03-31T00:00:00+00:00"),
        ("20270331093000", "2027-03-31T09:30:00+00:00"),
        ("202703310930", "2027-03-31T09:30:00+00:00"),
        ("04/05/2027", None),
        ("202703", None),
        ("0001-01-01T00:00:00Z", None),
        ("2027-02-30", None),
        ("in 3 days", None),
        ("2027-03-31T10:00:00 IST", None),
        ("46387", None),
    ],
)
def test_times_that_end_something(text: str, expected: str | None) -> None:
    assert end(text) == expected


def test_a_range_of_a_resume_has_two_ends() -> None:
    first, last = dates.span("06.2019") or (None, None)
    assert (str(first), str(last)) == ("2019-06-01", "2019-06-30")


def test_ten_digits_that_may_be_an_hour_are_no_time() -> None:
    assert dates.moment("2027033118") is None
    assert dates.moment("1806512400") is not None
