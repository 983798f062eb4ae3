"""Raw values of a feed to the fields of a record."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rolecall.streams.feeds.fields import record, wrong_point

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("location", "lat", "lon", "is_wrong"),
    [
        ({"city": "Poznań", "country": "PL"}, 52.4, 16.9, False),
        ({"city": "Poznań", "country": "PL"}, 16.9, 52.4, True),  # swapped
        ({"city": "Poznań"}, 16.9, 52.4, True),
        ({"country": "PL"}, 40.4, -3.7, True),  # Madrid
        ({"country": "PL"}, 54.3, 18.6, False),
        ({}, 0.0, 0.0, True),
        ({}, 0.003, -0.002, True),
        ({}, 16.9, 52.4, False),  # nothing to compare with
        ({}, 91.0, 5.0, True),
    ],
)
def test_coordinates_that_are_elsewhere(
    location: dict[str, str], lat: float, lon: float, is_wrong: bool
) -> None:
    assert (wrong_point(location, lat, lon) is not None) == is_wrong


@pytest.mark.parametrize(
    ("raw", "location"),
    [
        (
            {"location": "Firenze, IT"},
            {"country": "IT", "city": "Firenze", "lat": 43.77925, "lon": 11.24626, "point_from": "city"},
        ),
        ({"location": "Springfield, US"}, {"country": "US", "city": "Springfield"}),  # which one?
        (
            {"location": "Firenze, IT", "location.lat": 43.7, "location.lon": 11.2},
            {"country": "IT", "city": "Firenze", "lat": 43.7, "lon": 11.2},
        ),
        (
            {"location": "Leeds, West Yorkshire", "location.country": "UK"},
            {"country": "GB", "city": "Leeds"},
        ),
        # GeoNames knows the one in Michoacán alone, and this one is in Querétaro
        ({"location": "La Piedad, Qro., Mexico"}, {"country": "MX", "city": "La Piedad"}),
        ({"location": "Vienna, Austria", "location.country": "US"}, None),
        ({"location": "Gdynia", "location.lat": "18,5", "location.lon": "54,5"}, {"city": "Gdynia"}),
    ],
)
def test_parts_of_a_place_that_agree_or_not(raw: dict[str, Any], location: dict[str, Any] | None) -> None:
    found, _ = record({"id": "1", "title": "Miller", **raw}, NOW)
    assert found.get("location") == location


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("work_countries", "no", None),
        ("work_countries", "No; Se", ["NO", "SE"]),
        ("work_countries", "USA / Georgia", None),  # the state
        ("work_countries", "Armenia, Georgia", ["AM", "GE"]),
        ("radius_km", "2,000", None),
        ("radius_km", "7 years", None),
        ("radius_km", "12,5 km", 12.5),
        ("experience_years", "12 km", None),
        ("experience_years", "4 lat", 4.0),
    ],
)
def test_a_value_with_two_readings_is_left_out(field: str, text: str, expected: object) -> None:
    found, notes = record({"id": "c", "titles": "Miller", field: text}, NOW)
    assert found.get(field) == expected
    assert bool(notes) == (expected is None)


@pytest.mark.parametrize(
    ("sign", "country", "currency"),
    [("₹", "IN", "INR"), ("₴", "UA", "UAH"), ("¥", "JP", "JPY"), ("¥", "DE", None), ("lei", "MD", "MDL")],
)
def test_the_sign_of_a_currency_alone(sign: str, country: str, currency: str | None) -> None:
    raw = {"salary": "91000", "salary.currency": sign, "salary.period": "month", "location.country": country}
    found, _ = record({"id": "v", "title": "Miller"} | raw, NOW)
    assert found.get("salary", {}).get("currency") == currency


def test_a_list_with_an_object_is_not_read_in_part() -> None:
    """A candidate who speaks English and German must not become one who speaks English only."""
    found, notes = record({"id": "1", "languages": ["English", {"name": "German"}]}, NOW)
    assert "languages" not in found
    assert [note.field for note in notes] == ["languages"]


@pytest.mark.parametrize(
    "written", ["['Go', 'SQL']", '["Go", "SQL"]', "{Go,SQL}", '{"Go", SQL}', "<li>Go</li><li>SQL</li>"]
)
def test_a_list_that_an_export_wrote_into_a_cell(written: str) -> None:
    found, notes = record({"id": "1", "skills": written}, NOW)
    assert (found["skills"], notes) == (["Go", "SQL"], [])


def test_countries_in_a_written_list_are_read_as_a_whole() -> None:
    found, _ = record({"id": "1", "work_countries": "['DE', 'AT']", "languages": "{de,en}"}, NOW)
    assert found["work_countries"] == ["DE", "AT"]
    assert found["languages"] == [{"code": "de"}, {"code": "en"}]
    assert record({"id": "1", "languages": "[]"}, NOW)[1] == []


@pytest.mark.parametrize("nothing", ["N/A", "\\N", "#REF!", "#N/A", "-", "nan"])
def test_what_says_nothing_is_no_value_and_no_id(nothing: str) -> None:
    """Records with the id `N/A` would replace each other."""
    fields = ["employer", "description", "skills", "location", "salary", "employment_types"]
    found, notes = record(dict.fromkeys(fields, nothing) | {"id": "1"}, NOW)
    assert not found.keys() & set(fields)
    assert notes == []
    with pytest.raises(ValueError, match="is no id of its own"):
        record({"id": nothing}, NOW)


@pytest.mark.parametrize("rounded", ["1.23E+11", "1,23E+11", "1.2345678901234568e+17"])
def test_an_id_that_a_spreadsheet_has_rounded_is_no_id(rounded: str) -> None:
    with pytest.raises(ValueError, match="is no id of its own"):
        record({"id": rounded}, NOW)


@pytest.mark.parametrize(
    ("amount", "period"),
    [(45_000, "month"), (3_200, "YEAR"), (52_000, "hour"), (48_000, "week"), (30_000, "day")],
)
def test_an_amount_that_does_not_fit_its_period_is_no_salary(amount: int, period: str) -> None:
    raw = {"id": "1", "salary": amount, "salary.currency": "EUR", "salary.period": period}
    found, notes = record(raw, NOW)
    assert "salary" not in found
    assert [note.field for note in notes] == ["salary"]


def test_a_sign_inside_the_words_of_a_period_is_not_passed_over() -> None:
    found, _ = record({"id": "1", "salary": "per week $900", "salary.currency": "EUR"}, NOW)
    assert "salary" not in found
