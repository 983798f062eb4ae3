"""Places as job boards write them. Misread, a place excludes candidates: rather nothing than a guess."""

import re
from pathlib import Path

import pytest

from rolecall.schemas.common import Location
from rolecall.streams.feeds.values.countries import country_code
from rolecall.streams.feeds.values.places import is_one_name, locality, place, read_place

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
        ("Colombia, SC", NOTHING),
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
        ("BW", NOTHING),  # Baden-Württemberg, or Botswana
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


@pytest.mark.parametrize(
    ("text", "country", "city", "workplace"),
    [
        ("Recife, PE", "BR", "Recife", None),
        ("Londrina, PR", "BR", "Londrina", None),
        ("Joinville, SC", "BR", "Joinville", None),
        ("Napoli, NA", "IT", "Napoli", None),
        ("Genève, GE", "CH", "Genève", None),
        ("Köln, NW, DE", "DE", "Köln", None),
        ("Pune, MH, IN", "IN", "Pune", None),
        ("Mexico, MO", "US", "Mexico", None),
        ("Lebanon, TN", "US", "Lebanon", None),
        ("San Francisco, California, United States", "US", "San Francisco", None),
        ("Rochester, New York, US", "US", "Rochester", None),
        ("California, USA - Remote", "US", None, "remote"),
        ("USA-TX-Austin", "US", "Austin", None),
        ("69003 Lyon", None, "Lyon", None),
        ("Milan, MI", None, "Milan", None),  # Milano, or a town in Michigan
        ("Georgia", None, None, None),
        ("bundesweit", None, None, None),
        ("Raum Stuttgart", None, None, None),
        ("Berlin und Hamburg", None, None, None),
        ("Greater Boston", None, None, None),
        ("not remote", None, None, None),
        ("Austria, Germany", None, None, None),
        ("Ireland, Spain, United Kingdom", None, None, None),
        ("Leipzig, Hamburg", "DE", None, None),
        ("Bergamo, Milano", "IT", None, None),
        ("Cartagena, Murcia", "ES", "Cartagena", None),
        ("Winterthur, Zürich", "CH", "Winterthur", None),
        ("Potsdam, Berlin", "DE", None, None),
        ("Berlin, Mitte", "DE", "Berlin", None),
        ("Paris - La Défense", "FR", "Paris", None),
        ("Marseille 13", None, "Marseille", None),
        ("OH - Cleveland Heights", "US", "Cleveland Heights", None),
        ("Jordan, MN", "US", "Jordan", None),
        ("TX - Palestine", "US", "Palestine", None),
        ("SC - Columbia", "US", "Columbia", None),
        ("Toledo, OR", None, None, None),  # Oregon, or Ourense, where Toledo is not
        ("Palermo, ME", None, None, None),  # Maine, or Messina
        ("Granada", None, None, None),  # Spain's name of Grenada
        ("Congo", None, None, None),
        ("Victoria", None, None, None),
        ("Limburg", None, None, None),
        ("Hong Kong, China", "HK", "Hong Kong", None),
        ("Chicago, ATL, US", "US", None, None),
        ("SF, SEA, NY, Remote-US", "US", None, None),
        ("Frankfurt (Oder)", None, "Frankfurt Oder", None),
        ("Firenze (FI)", "IT", "Firenze", None),
        ("Montréal (Québec)", "CA", "Montréal", None),
        ("Dresden (oder Leipzig)", None, None, None),
        ("Lyon (télétravail possible)", None, None, None),
        ("Madrid (híbrido)", None, "Madrid", "hybrid"),
        ("Milano, MI (sede)", "IT", "Milano", None),
        ("Gdynia & remote", None, None, None),
        ("Lyon ou télétravail", None, None, None),
        ("Sevilla y remoto", None, None, None),
        ("Polska / zdalnie", None, None, None),
        ("Zdalnie, Polska", "PL", None, "remote"),
        ("Remote in Portugal", "PT", None, "remote"),
        ("Remote - USA only", "US", None, "remote"),
        ("Remote - United Kingdom, Germany", None, None, None),
        ("Remote - TX", "US", None, "remote"),
        ("Germany except Bavaria", None, None, None),
        ("tutta Italia", None, None, None),
        ("Utrecht en omgeving", None, None, None),
        ("Kraków lub Warszawa", None, None, None),
        ("Lisboa ou Porto", None, None, None),
        ("Mobile", None, None, None),
        ("Berlin or Remote", None, None, None),
    ],
)
def test_kinds_that_were_misread(
    text: str, country: str | None, city: str | None, workplace: str | None
) -> None:
    found = read_place(text)
    location = (found.location.country, found.location.city) if found.location else (None, None)
    assert (*location, found.workplace) == (country, city, workplace)


@pytest.mark.parametrize(
    ("city", "region", "country", "expected"),
    [
        ("Remote", "", "US", ("US", None, "remote")),
        ("Nationwide", "", "US", ("US", None, None)),
        ("Atlanta", "Georgia", None, ("US", "Atlanta", None)),
        ("Aarhus", "", "DK", ("DK", "Aarhus", None)),
        ("Paris et Lyon", "", "FR", ("FR", None, None)),
        ("California", "", "US", ("US", None, None)),
        ("Indiana", "PA", "US", ("US", "Indiana", None)),
        ("Halle (Saale)", "", "DE", ("DE", "Halle Saale", None)),
        ("Köln, Bonn", "", "DE", ("DE", None, None)),
        ("Berlin und Umgebung", "", "DE", ("DE", None, None)),
    ],
)
def test_cities_of_an_address(
    city: str, region: str, country: str | None, expected: tuple[str | None, str | None, str | None]
) -> None:
    found = locality(city, region, country)
    assert found.location is not None
    assert (found.location.country, found.location.city, found.workplace) == expected


def test_a_country_has_its_name_in_every_language() -> None:
    assert {country_code(name) for name in ("Niemcy", "Allemagne", "Alemania", "Duitsland", "DEU")} == {"DE"}


def read(text: str) -> tuple[str | None, str | None, str | None]:
    found, workplace = place(text)
    return (found.country, found.city, workplace) if found else (None, None, workplace)


DOCUMENTED = Path(__file__).parents[4] / "docs" / "feeds.md"
TABLE = re.search(r"\| cell .*\n\|.*\n((?:\|.*\n)+)", DOCUMENTED.read_text())


@pytest.mark.parametrize("row", TABLE[1].splitlines() if TABLE else [])
def test_the_documented_places(row: str) -> None:
    text, *expected = (cell.strip() or None for cell in row.strip("|").split("|"))
    assert text is not None
    assert read(text.strip("`")) == tuple(expected)


@pytest.mark.parametrize(
    ("text", "country"), [("Panama", "PA"), ("Kuwait - Remote", "KW"), ("Guatemala", "GT"), ("Mexico", "MX")]
)
def test_a_country_is_not_its_capital_of_the_same_name(text: str, country: str) -> None:
    found = locality(text, "", country).location
    assert found is not None
    assert (found.country, found.city) == (country, None)


@pytest.mark.parametrize("text", ["Remote Friendly", "Remote Sales", "Remote - Union", "Remote, Pacific"])
def test_a_word_beside_a_workplace_is_no_small_town(text: str) -> None:
    assert read_place(text) == (None, None, False)


def test_a_large_city_beside_a_workplace_is_one() -> None:
    assert place("Remote - Graz")[1] == "remote"
    assert place("Hybrid, Graz")[0] == place("Graz")[0]


def test_what_is_friendly_to_remote_work_is_not_remote() -> None:
    found = locality("Remote-friendly", "", "US")
    assert (found.workplace, found.whole) == (None, False)
    assert found.location is not None
    assert found.location.city is None


@pytest.mark.parametrize(
    "part", ["Centro", "Centre", "Downtown", "Zentrum", "Innenstadt", "Centrum", "Mitte"]
)
@pytest.mark.parametrize("country", ["ES", "US", "DE", "PL", None])
def test_a_part_that_many_cities_have_is_no_city(part: str, country: str | None) -> None:
    assert locality(part, "", country) == (Location(country=country) if country else None, None, False)
    written = read_place(f"{part}, {country}" if country else part)
    assert not written.whole
    assert written.location in (None, Location(country=country))
    assert not is_one_name(part)


@pytest.mark.parametrize(
    ("text", "city", "country"),
    [
        ("Centro, Madrid", "Madrid", None),
        ("Zentrum, Wien, AT", "Wien", "AT"),
        ("Downtown - Toronto, Canada", "Toronto", "CA"),
    ],
)
def test_a_part_of_a_city_that_is_named_is_that_city(text: str, city: str, country: str | None) -> None:
    assert read_place(text).location == Location(country=country, city=city)
