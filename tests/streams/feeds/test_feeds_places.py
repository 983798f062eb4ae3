"""Places as job boards write them. Misread, a place excludes candidates: rather nothing than a guess."""

import re
from pathlib import Path

import pytest

from rolecall.streams.feeds.places import place

NOTHING = (None, None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("San Francisco, CA", ("US", "San Francisco", None)),
        ("San Francisco, CA, US", ("US", "San Francisco", None)),
        ("San Francisco, CA - US", ("US", "San Francisco", None)),
        ("Chicago, Illinois", ("US", "Chicago", None)),
        ("New York, NY (HQ)", ("US", "New York", None)),
        ("New York - New York City", ("US", "New York", None)),
        ("Washington, DC", ("US", "Washington", None)),
        ("Washington, D.C.", ("US", "Washington", None)),
        ("US, Arizona, Phoenix", ("US", "Phoenix", None)),
        ("NV - Las Vegas", ("US", "Las Vegas", None)),
        ("IN - Seymour", ("US", "Seymour", None)),
        ("Vancouver, BC", ("CA", "Vancouver", None)),
        ("Toronto, Ontario, Canada", ("CA", "Toronto", None)),
        ("Berlin, DE", ("DE", "Berlin", None)),
        ("Dublin, County Dublin, Ireland", ("IE", "Dublin", None)),
        ("Bengaluru, KA, India", ("IN", "Bengaluru", None)),
        ("bangalore, , India", ("IN", "bangalore", None)),
        ("United Kingdom - London", ("GB", "London", None)),
        ("Mexico - Mexico City", ("MX", "Mexico City", None)),
        ("Singapore, Singapore", ("SG", "Singapore", None)),
        ("Tokyo, JPN", ("JP", "Tokyo", None)),
        ("London", (None, "London", None)),
        ("Atlanta, Georgia", ("US", "Atlanta", None)),
        ("Atlanta, Georgia, USA", ("US", "Atlanta", None)),
    ],
)
def test_one_place(text: str, expected: tuple[str | None, str | None, str | None]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Remote", (None, None, "remote")),
        ("Remote - US", ("US", None, "remote")),
        ("Remote U.S.", ("US", None, "remote")),
        ("Remote (Sweden)", ("SE", None, "remote")),
        ("Canada - Remote (ON, AB, BC, or NS Only)", ("CA", None, "remote")),
        ("Pennsylvania, USA - Remote", ("US", None, "remote")),
        ("Hybrid - London, UK", ("GB", "London", "hybrid")),
        ("San Francisco (Hybrid)", (None, "San Francisco", "hybrid")),
        ("In-Office", (None, None, "onsite")),
        ("Virtual US", ("US", None, "remote")),
        ("United Kingdom - England - Remote", ("GB", None, "remote")),
    ],
)
def test_workplaces(text: str, expected: tuple[str | None, str | None, str | None]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SF, NYC, SEA, CHI", NOTHING),
        ("NYC, SF, SEA, CHI, Remote", NOTHING),
        ("San Francisco; New York", NOTHING),
        ("Dublin OR London", NOTHING),
        ("San Francisco, Seattle, New York, Toronto", NOTHING),
        ("San Francisco, CA; New York, NY", ("US", None, None)),
        ("San Francisco, CA, US; Remote, US", ("US", None, None)),
        ("US-NYC; US-San Francisco", ("US", None, None)),
        ("London, Birmingham, Manchester, , United Kingdom", ("GB", None, None)),
    ],
)
def test_of_several_places_only_what_they_share(
    text: str, expected: tuple[str | None, str | None, str | None]
) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2 Locations",
        "Europe",
        "EMEA",
        "San Francisco Bay Area",
        "Georgia",
        "CHI",
        "HQ",
    ],
)
def test_what_is_not_clear_is_left_out(text: str) -> None:
    assert read(text) == NOTHING


@pytest.mark.parametrize(
    ("text", "country"), [("United States", "US"), ("Virginia", "US"), ("Singapore", "SG")]
)
def test_a_country_or_state_is_no_city(text: str, country: str) -> None:
    assert read(text) == (country, None, None)


def read(text: str) -> tuple[str | None, str | None, str | None]:
    found, workplace = place(text)
    return (found.country, found.city, workplace) if found else (None, None, workplace)


DOCUMENTED = Path(__file__).parents[3] / "docs" / "feeds.md"
TABLE = re.search(r"\| cell .*\n\|.*\n((?:\|.*\n)+)", DOCUMENTED.read_text())


@pytest.mark.parametrize("row", TABLE[1].splitlines() if TABLE else [])
def test_the_documented_places(row: str) -> None:
    text, *expected = (cell.strip() or None for cell in row.strip("|").split("|"))
    assert text is not None
    assert read(text.strip("`")) == tuple(expected)
