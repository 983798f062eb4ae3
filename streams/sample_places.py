"""Places that the sample is made of, from general knowledge: countries, and cities in them."""

from dataclasses import dataclass


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
EUROPEAN_UNION = (
    "AT",
    "BE",
    "CZ",
    "DE",
    "DK",
    "ES",
    "FI",
    "FR",
    "GR",
    "IE",
    "IT",
    "NL",
    "PL",
    "PT",
    "RO",
    "SE",
)

CITIES = tuple(
    City(name, country, float(lat), float(lon))
    for name, country, lat, lon in (
        line.rsplit(maxsplit=3)
        for line in """
New York US 40.71 -74.01
Newark US 40.74 -74.17
San Francisco US 37.77 -122.42
Oakland US 37.80 -122.27
Chicago US 41.88 -87.63
Austin US 30.27 -97.74
Seattle US 47.61 -122.33
Boston US 42.36 -71.06
Denver US 39.74 -104.99
Toronto CA 43.65 -79.38
Vancouver CA 49.28 -123.12
London GB 51.51 -0.13
Manchester GB 53.48 -2.24
Leeds GB 53.80 -1.55
Edinburgh GB 55.95 -3.19
Dublin IE 53.35 -6.26
Cork IE 51.90 -8.47
Berlin DE 52.52 13.40
Potsdam DE 52.39 13.06
Hamburg DE 53.55 9.99
Munich DE 48.14 11.58
Augsburg DE 48.37 10.90
Cologne DE 50.94 6.96
Düsseldorf DE 51.23 6.78
Frankfurt DE 50.11 8.68
Leipzig DE 51.34 12.37
Vienna AT 48.21 16.37
Graz AT 47.07 15.44
Zurich CH 47.37 8.54
Basel CH 47.56 7.59
Amsterdam NL 52.37 4.90
Utrecht NL 52.09 5.12
Rotterdam NL 51.92 4.48
Antwerp BE 51.22 4.40
Paris FR 48.86 2.35
Lyon FR 45.76 4.84
Toulouse FR 43.60 1.44
Madrid ES 40.42 -3.70
Barcelona ES 41.39 2.17
Valencia ES 39.47 -0.38
Lisbon PT 38.72 -9.14
Porto PT 41.15 -8.61
Milan IT 45.46 9.19
Rome IT 41.90 12.50
Turin IT 45.07 7.69
Warsaw PL 52.23 21.01
Kraków PL 50.06 19.94
Prague CZ 50.08 14.44
Stockholm SE 59.33 18.07
Gothenburg SE 57.71 11.97
Copenhagen DK 55.68 12.57
Helsinki FI 60.17 24.94
Bucharest RO 44.43 26.10
Athens GR 37.98 23.73
Bengaluru IN 12.97 77.59
Mumbai IN 19.08 72.88
Pune IN 18.52 73.86
Singapore SG 1.35 103.82
Tokyo JP 35.68 139.69
Osaka JP 34.69 135.50
Sydney AU -33.87 151.21
Melbourne AU -37.81 144.96
Auckland NZ -36.85 174.76
São Paulo BR -23.55 -46.63
Rio de Janeiro BR -22.91 -43.17
Mexico City MX 19.43 -99.13
Cape Town ZA -33.92 18.42
Johannesburg ZA -26.20 28.05
Nairobi KE -1.29 36.82
Dubai AE 25.20 55.27
""".strip().splitlines()
    )
)
