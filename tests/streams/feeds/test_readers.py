"""Each reader says what a whole text means, or nothing. Expected values are by hand."""

import pytest

from rolecall.schemas.common import Cefr, Period
from rolecall.streams.feeds import dates, pay, words
from rolecall.streams.feeds.countries import country_code
from rolecall.streams.feeds.languages import fluency, languages
from rolecall.streams.feeds.places import locality, read_place
from rolecall.streams.feeds.text import mended, plain_text, title


def codes(text: str) -> dict[str, str | None] | None:
    found = languages(text)
    return found and {each["code"]: each.get("level") for each in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Deutsch; Englisch", {"de": None, "en": None}),
        ("fra; ger", {"fr": None, "de": None}),
        ("Spanish; Swahili", {"es": None, "sw": None}),
        ("Castellano (nativo), inglés avanzado", {"es": Cefr.C2, "en": Cefr.B2}),
        ("niemiecki: B1 | polski", {"de": Cefr.B1, "pl": None}),
        ("Italian and Dutch", {"it": None, "nl": None}),
        ("Tedesco e francese", {"de": None, "fr": None}),
        ("Portuguese (Brazil)", {"pt": None}),
        ("Mandarin", {"zh": None}),
        ("pt-BR", {"pt": None}),
        ("de, no, en", {"de": None, "no": None, "en": None}),
        ("Dutch or German", None),
        ("Dutch is a plus", None),
        ("No Dutch; German", None),
        ("no", None),
        ("Dutch; telepathy", None),
        ("not fluent Dutch", None),
        ("Java", None),
        ("Dutch B1, Dutch C1", None),
    ],
)
def test_languages(text: str, expected: dict[str, str | None] | None) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pre-intermediate", Cefr.A2),
        ("upper intermediate", Cefr.B2),
        ("verhandlungssicher", Cefr.B2),
        ("not fluent", None),
        ("B1 (writing C1)", None),
        ("A2-B1", None),
    ],
)
def test_fluencies(text: str, expected: Cefr | None) -> None:
    assert fluency(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bi-weekly", None),
        ("semi-monthly", None),
        ("fortnightly", None),
        ("planned", None),
        ("pro Monat", Period.MONTH),
        ("à l'heure", Period.HOUR),
        ("per annum", Period.YEAR),
        ("tygodniowo", Period.WEEK),
    ],
)
def test_periods(text: str, expected: Period | None) -> None:
    assert words.period(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Associate Director", None),
        ("non-manager", None),
        ("Mid-Senior level", None),
        ("Senior level", "senior"),
        ("Jr.", "junior"),
        ("Geschäftsführer", "executive"),
    ],
)
def test_levels_of_work(text: str, expected: str | None) -> None:
    assert words.seniority(text) == expected


@pytest.mark.parametrize(
    ("text", "one", "several"),
    [
        ("Remote or hybrid", None, ("remote", "hybrid")),
        ("remote not possible", None, None),
        ("kein Homeoffice", None, None),
        ("Vor Ort", "onsite", ("onsite",)),
        ("praca zdalna", "remote", ("remote",)),
    ],
)
def test_workplaces(text: str, one: str | None, several: tuple[str, ...] | None) -> None:
    assert (words.workplace(text), words.workplaces(text)) == (one, several)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("38.500", 38_500),
        ("38.500,00", 38_500),
        ("1.234.567,89", 1_234_567.89),
        ("17,25", 17.25),
        ("61,5k", 61_500),
        ("72'000", 72_000),
        ("72’000", 72_000),
        ("15,00,000", 1_500_000),
        ("48 TEUR", 48_000),
        ("0.500", None),
        ("1.500k", None),
        ("45.000.00", None),
        ("-5", None),
        ("attractive", None),
    ],
)
def test_amounts(text: str, expected: float | None) -> None:
    assert pay.amount(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("£38-42k", pay.Pay(38_000, 42_000, "GBP")),
        ("41.000 - 52.000 € p.a.", pay.Pay(41_000, 52_000, "EUR", Period.YEAR)),
        ("ab 2.900 € / Monat", pay.Pay(2_900, None, "EUR", Period.MONTH)),
        ("up to 70k", pay.Pay(None, 70_000)),
        ("13 x 3.000 €", pay.Pay(39_000, 39_000, "EUR", Period.YEAR)),
        ("18 LPA", pay.Pay(1_800_000, 1_800_000, "INR", Period.YEAR)),
        ("50k plus bonus", None),
        ("£30k - €40k", None),
    ],
)
def test_pay(text: str, expected: pay.Pay | None) -> None:
    assert pay.pay(text) == expected


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("EURO", None, "EUR"),
        ("zł", None, "PLN"),
        ("Kč", None, "CZK"),
        ("US Dollar", None, "USD"),
        ("Schweizer Franken", None, "CHF"),
        ("BGN", None, "BGN"),
        ("FRF", None, "FRF"),
        ("kr", None, None),
        ("kr", "DK", "DKK"),
        ("$", None, None),
        ("$", "CA", "CAD"),
        ("XAU", None, None),
    ],
)
def test_currencies(text: str, country: str | None, expected: str | None) -> None:
    assert pay.currency_code(text, country) == expected


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


@pytest.mark.parametrize(
    ("text", "country", "city", "workplace"),
    [
        ("Recife, PE", "BR", "Recife", None),
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
        ("Berlin or Remote", None, None, None),
    ],
)
def test_places(text: str, country: str | None, city: str | None, workplace: str | None) -> None:
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


def test_markup_that_is_escaped_twice_is_markup() -> None:
    assert plain_text("&lt;p&gt;Bread &amp;amp;amp; cake&lt;/p&gt;") == "Bread & cake"


def test_text_that_was_decoded_wrongly_is_mended() -> None:
    assert mended("KÃ¶chin") == "Köchin"


@pytest.mark.parametrize(
    "text", ["N/A", "Unknown", "Untitled", "See resume", "-", "keine Angabe", "null", "Job"]
)
def test_a_title_that_says_nothing_is_none(text: str) -> None:
    assert title(text) == ""
