"""Pay in words: amounts, ranges, currencies. One reading or none."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from unicodedata import category

from babel import Locale

from rolecall.schemas.common import Period
from rolecall.schemas.currency import Currency
from rolecall.streams.feeds.values.phrases import EIGHT
from rolecall.streams.feeds.values.words import period

_SIGNS = {
    "€": "EUR", "£": "GBP", "₹": "INR", "zł": "PLN", "zl": "PLN", "kč": "CZK", "us$": "USD", "usd$": "USD",
    "euro": "EUR", "euros": "EUR", "eur": "EUR", "ca$": "CAD", "c$": "CAD", "a$": "AUD", "au$": "AUD",
    "r$": "BRL", "nz$": "NZD", "hk$": "HKD", "s$": "SGD", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₪": "ILS",
    "₩": "KRW", "₫": "VND", "₦": "NGN", "₱": "PHP", "฿": "THB", "sfr": "CHF", "sfr.": "CHF", "rs": "INR",
    "rs.": "INR", "inr": "INR", "лв": "BGN", "ft": "HUF",
}  # fmt: skip
# Signs that several currencies share mean the one of the country, where that is known.
_SHARED = {
    "$": {"US": "USD", "CA": "CAD", "AU": "AUD", "NZ": "NZD", "SG": "SGD", "MX": "MXN", "HK": "HKD"},
    "kr": {"SE": "SEK", "NO": "NOK", "DK": "DKK", "IS": "ISK"},
    "¥": {"JP": "JPY", "CN": "CNY"},
    "fr": {"CH": "CHF"},
    "lei": {"RO": "RON", "MD": "MDL"},
    "rs": {"IN": "INR", "PK": "PKR", "LK": "LKR"},
}
_BLANKS = re.compile(r"[\s\u00a0\u2007\u2009\u202f]")
_APOSTROPHES = re.compile(r"[’ʼ´`‘]")
_PLAIN = re.compile(r"\d+(?:\.\d{1,2}|\.\d{4,}|,\d{1,2})?")
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:([.,' ])\d{3})(?:\1\d{3})*(?:(?!\1)[.,]\d{1,2})?")
_INDIAN = re.compile(r"[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d{1,2})?")
_TIMES = {
    "k": 1e3,
    "tsd": 1e3,
    "tys": 1e3,
    "tis": 1e3,
    "mil": 1e3,
    "lakh": 1e5,
    "lakhs": 1e5,
    "lac": 1e5,
    "lpa": 1e5,
}
_RANGE = re.compile(r"\s*(?:–|—|-|\bto\b|\bbis\b|\bà\b|\ba\b|\btot\b|\bdo\b|\baté\b|\bhasta\b)\s*", re.I)
_OPENED_RANGE = re.compile(
    r"^(?:from|von|de|desde|da|van|od)\s+(?=\D{0,4}\d.*?(?:\bto\b|\bbis\b|\bà\b|\ba\b|\btot\b|\bdo\b|\baté\b|\bhasta\b))",
    re.I,
)
_BETWEEN = re.compile(
    r"^(?:between|zwischen|entre|tra|fra|tussen|między|pomiędzy)\s+(.+?)\s+(?:and|und|et|y|e|en|i|a)\s+(.+)$",
    re.I,
)
_FROM = re.compile(
    r"^(?:from|ab|von|à partir de|a partir de|desde|da|vanaf|od|min\.?|at least|mindestens)\s+(?=\D{0,4}\d)",
    re.I,
)
_TO = re.compile(
    r"^(?:up to|bis zu|bis|jusqu'à|hasta|fino a|tot|do|até|max\.?|at most)\s+(?=\D{0,4}\d)", re.I
)
_PAYMENTS = re.compile(r"^(1[2-6])\s*[x×]\s*(.+)$|^(.+?)\s*[x×]\s*(1[2-6])$", re.I)
_AMOUNT = re.compile(r"(?P<before>[^\d]*?)(?P<digits>\d(?:[\d.,' ]*\d)?)(?P<after>[^\d]*)")
_HARD = frozenset(["EUR", "USD", "GBP", "CHF", "CAD", "AUD"])
# What may be paid in one of these; outside it, the amount, the currency or the period is something else.
_LIKELY = {
    Period.HOUR: (1, 1_000),
    Period.DAY: (5, 8_000),
    Period.WEEK: (20, 20_000),
    Period.MONTH: (50, 30_000),
    Period.YEAR: (4_000, 5_000_000),
}
LEAST_A_YEAR = 15_000  # in one of these, where the feed has no period: less may be a month's pay
MOST_TIMES_LEAST = 20  # a range such as 150-190000 is an error of writing
# After a number alone these are a length of time, not what is paid for it.
_NOUNS = frozenset(
    re.findall(
        r"\w+",
        "hour hours hr hrs h day days week weeks wk month months mo year "
        "years yr stunde stunden std tag tage woche wochen monat monate jahr jahre heure "
        "heures jour jours semaine mois an ans hora horas día días semana mes año "
        "ora ore giorno giorni settimana mese anno uur uren dag dagen week maand jaar "
        "godz godzina dzień tydzień miesiąc rok dia mês ano ",
    )
)
_THOUSANDS_OF = frozenset(["BRL", "MXN", "COP", "CLP", "ARS", "PEN"])  # `mil` elsewhere may be a million
_DOLLARS = frozenset(["USD", "CAD", "AUD", "NZD", "SGD", "MXN", "HKD", "TWD", "ARS", "CLP", "COP"])


@dataclass(frozen=True, slots=True)
class Pay:
    least: float | None
    most: float | None
    currency: str | None = None
    period: Period | None = None


@lru_cache(16_384)
def amount(text: str) -> float | None:
    """`52000`, `52,000.00`, `45.000,00`, `95'000`, `82,5k`, `60 TEUR`, `12,00,000`. `45.000` is 45000.

    None for words and for what has two readings. A currency in the text is allowed.
    """
    found = _amount(text)
    return found[0] if found and found[2] is None else None


def _amount(text: str) -> tuple[float, str | None, Period | None, float] | None:
    """Number, the currency's text, the period, and by what the digits were multiplied."""
    text = _APOSTROPHES.sub("'", _BLANKS.sub(" ", text)).strip()
    found = _AMOUNT.fullmatch(text)
    value = found and _digits(found["digits"])
    if not found or value is None:
        return None
    before, after = found["before"].strip(), found["after"].strip()
    if "-" in before:
        return None
    times, currency, per = 1.0, None, None
    for part in filter(None, (before, *re.split(r"\s+|(?<=[€£$])|(?=/)", after))):
        name = part.casefold().strip(".,-")
        if part in ("-", "–", "—"):
            return None  # a range without its end
        if part is not before and times == 1 and name in _TIMES:
            times = _TIMES[name]
            if name == "lpa":
                currency, per = "INR", Period.YEAR
        elif part is not before and name in ("teur", "t€", "keur", "k€"):
            times, currency = 1e3, "EUR"
        elif currency is None and (name in _SHARED or currency_code(part)):
            currency = part
        elif per is None and period(part) and not any(category(sign) == "Sc" for sign in part):
            if currency is None and name in _NOUNS and not before:
                return None  # 40 hours
            per = period(part)
        elif name not in ("per", "pro", "par", "por", "al", "brutto", "gross", "/", "", "ca"):
            whole = period(after.removeprefix(currency or ""))
            if whole is None:
                return None
            per = whole
            break
    if times > 1 and re.fullmatch(r"\d+\.\d{3}", found["digits"]):
        return None  # 1.500k
    if re.search(r"\bmil\b", after, re.I) and _code(currency) not in _THOUSANDS_OF:
        return None
    return value * times, currency, per, times


def _digits(text: str) -> float | None:
    if _GROUPED.fullmatch(text):
        separator = re.search(r"\D", text)
        head = text.replace(separator[0], "") if separator else text
        return float(head.replace(",", "."))
    if _INDIAN.fullmatch(text):
        return float(text.replace(",", ""))
    return float(text.replace(",", ".")) if _PLAIN.fullmatch(text) else None


@lru_cache(4096)
def pay(text: str) -> Pay | None:
    """`50.000 - 60.000 € p.a.`, `£40-45k`, `ab 3.500 € / Monat`, `14 x 2.500 €`."""
    text = _BLANKS.sub(" ", text).strip()
    if payments := _PAYMENTS.match(text):
        count, rest = int(payments[1] or payments[4]), payments[2] or payments[3]
        once = pay(rest)
        if (
            once is None
            or once.period not in (None, Period.MONTH)
            or once.least != once.most
            or not once.least
        ):
            return None
        return Pay(count * once.least, count * once.least, once.currency, Period.YEAR)
    if between := _BETWEEN.match(text):
        return _range(f"{between[1]} - {between[2]}")
    if opened := _OPENED_RANGE.match(text):
        return _range(text[opened.end() :])
    if open_end := re.fullmatch(r"(.*[\dkK])\s*\+\s*(.*)", text):
        found = _amount(f"{open_end[1]} {open_end[2]}".strip())
        return Pay(found[0], None, _code(found[1]), found[2]) if found else None
    for pattern, end in ((_FROM, "least"), (_TO, "most")):
        if (opening := pattern.match(text)) and (found := _amount(text[opening.end() :])):
            least, most = (found[0], None) if end == "least" else (None, found[0])
            return Pay(least, most, _code(found[1]), found[2])
    if found := _amount(text):
        return Pay(found[0], found[0], _code(found[1]), found[2])
    return _range(text)


def _range(text: str) -> Pay | None:
    for separator in _RANGE.finditer(text):
        low, high = _amount(text[: separator.start()]), _amount(text[separator.end() :])
        if low and high:
            least = low[0] * high[3] if low[3] == 1 and low[0] < 1000 <= high[0] else low[0]
            if low[1] and high[1] and _code(low[1]) != _code(high[1]):
                return None
            if low[2] and high[2] and low[2] != high[2]:
                return None
            return Pay(least, high[0], _code(high[1] or low[1]), high[2] or low[2])
    return None


def _code(sign: str | None) -> str | None:
    return (currency_code(sign) or sign) if sign else None


@cache
def _currencies() -> dict[str, str]:
    names: dict[str, set[str]] = {}
    for code in Currency.allowed_currencies:
        names.setdefault(code.casefold(), set()).add(code)
        for tag in EIGHT:
            if name := Locale(tag).currencies.get(code):
                names.setdefault(name.casefold(), set()).add(code)
    return {name: codes.pop() for name, codes in names.items() if len(codes) == 1} | _SIGNS


@lru_cache(4096)
def currency_code(text: str, country: str | None = None) -> str | None:
    """ISO 4217 of `eur`, `€`, `Euro`, `US Dollar`, `DEM`. `$` and `kr` only where the country tells which."""
    name = text.strip().casefold()
    if shared := _SHARED.get(name.rstrip(".")):
        return shared.get(country or "")
    return _currencies().get(name)


def one_currency(signs: Iterable[str], country: str | None) -> str | None:
    """What several signs of one pay agree on: `$` agrees with `USD`, and `kr` with `SEK`."""
    codes = {sign: currency_code(sign, country) for sign in signs}
    found = {code for code in codes.values() if code}
    if len(found) != 1:
        return None
    (code,) = found
    for sign, read in codes.items():
        shared = _SHARED.get(sign.strip().casefold().rstrip("."), {})
        if read is None and code not in shared.values() and not (sign.strip() == "$" and code in _DOLLARS):
            return None
    return code


def salary(
    low: float | None, high: float | None, currency: str | None, per: Period | None
) -> dict[str, Any] | None:
    """A salary of our contracts; None unless an amount and the currency are there and the range is one.

    An end of 0 is unknown. No period means a year, if the amount is certainly one.
    """
    given = [end for end in (low, high) if end]
    low, high = low or None, high or None
    if currency is None or not given:
        return None
    if low and high and not low <= high <= low * MOST_TIMES_LEAST:
        return None
    if per is None and (currency not in _HARD or min(given) < LEAST_A_YEAR):
        return None  # pay in złoty, rupees or kronor is often told for a month
    least, most = _LIKELY[per or Period.YEAR]
    if currency in _HARD and not least <= min(given) <= max(given) <= most:
        return None
    ends = {"min": low, "max": high, "currency": currency, "period": per}
    return {name: value for name, value in ends.items() if value is not None}
