"""Places of the sample. The countries are here, their cities in places.csv."""

import csv
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class City:
    name: str
    country: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Country:
    language: str
    currency: str
    pay: float  # local currency for each dollar of `Job.pay`


COUNTRIES = {
    "US": Country("en", "USD", 1.0),
    "CA": Country("en", "CAD", 1.05),
    "GB": Country("en", "GBP", 0.6),
    "IE": Country("en", "EUR", 0.75),
    "DE": Country("de", "EUR", 0.75),
    "AT": Country("de", "EUR", 0.72),
    "CH": Country("de", "CHF", 1.1),
    "NL": Country("nl", "EUR", 0.75),
    "BE": Country("nl", "EUR", 0.72),
    "FR": Country("fr", "EUR", 0.62),
    "ES": Country("es", "EUR", 0.48),
    "PT": Country("pt", "EUR", 0.38),
    "IT": Country("it", "EUR", 0.5),
    "PL": Country("pl", "PLN", 1.9),
    "CZ": Country("cs", "CZK", 10.0),
    "SE": Country("sv", "SEK", 6.5),
    "DK": Country("da", "DKK", 6.0),
    "FI": Country("fi", "EUR", 0.68),
    "RO": Country("ro", "RON", 1.8),
    "GR": Country("el", "EUR", 0.36),
    "IN": Country("en", "INR", 18.0),
    "SG": Country("en", "SGD", 1.0),
    "JP": Country("ja", "JPY", 80.0),
    "AU": Country("en", "AUD", 1.2),
    "NZ": Country("en", "NZD", 1.2),
    "BR": Country("pt", "BRL", 1.9),
    "MX": Country("es", "MXN", 6.5),
    "ZA": Country("en", "ZAR", 8.0),
    "KE": Country("en", "KES", 25.0),
    "AE": Country("ar", "AED", 3.0),
}
# fmt: off
EUROPEAN_UNION = (
    "AT", "BE", "CZ", "DE", "DK", "ES", "FI", "FR", "GR", "IE", "IT", "NL", "PL", "PT", "RO", "SE",
)
# fmt: on

with (files(__package__) / "places.csv").open(encoding="utf-8") as _file:
    CITIES = tuple(
        City(row["name"], row["country"], float(row["lat"]), float(row["lon"]))
        for row in csv.DictReader(_file)
    )
