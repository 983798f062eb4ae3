"""Amounts, ranges and currencies. Expected values are by hand."""

import pytest

from rolecall.schemas.common import Period
from rolecall.streams.feeds.values import pay


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
        ("zwischen 41.000 und 52.000 €", pay.Pay(41_000, 52_000, "EUR")),
        ("desde 21.000€ hasta 26.000€", pay.Pay(21_000, 26_000, "EUR")),
        ("de 31 000 à 36 000 €", pay.Pay(31_000, 36_000, "EUR")),
        ("da 24.000 a 29.000 €", pay.Pay(24_000, 29_000, "EUR")),
        ("van € 2.600 tot € 3.100 per maand", pay.Pay(2_600, 3_100, "EUR", Period.MONTH)),
        ("od 9 tys. do 11 tys. zł", pay.Pay(9_000, 11_000, "PLN")),
        ("entre R$ 3.000 e R$ 4.500", pay.Pay(3_000, 4_500, "BRL")),
        ("1.700 € mensili", pay.Pay(1_700, 1_700, "EUR", Period.MONTH)),
        ("28.000€ - 31.000€ brutos/año", pay.Pay(28_000, 31_000, "EUR", Period.YEAR)),
        ("65k+", pay.Pay(65_000, None)),
        ("R$ 3 mil", pay.Pay(3_000, 3_000, "BRL")),
        ("3 mil €", None),  # thousand or million
        ("40 hours", None),
        ("30 Tage", None),
        ("2.800 € netto", None),
        ("£900 biweekly", None),
        ("45.000 USD or 41.000 EUR", None),
        ("32k RAL", None),
        ("1.400 €/mes en 14 pagas", None),
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


@pytest.mark.parametrize(
    ("amount", "currency", "per", "is_pay"),
    [
        (3_400, "EUR", None, False),  # a month's pay, or a year's
        (41_000, "EUR", None, True),
        (12_500, "PLN", None, False),  # Poland tells pay by the month
        (12_500, "PLN", Period.MONTH, True),
        (45, "EUR", Period.YEAR, False),
        (52_000, "GBP", Period.HOUR, False),
        (3, "CHF", Period.MONTH, False),
    ],
)
def test_an_amount_that_does_not_fit_its_period_is_no_pay(
    amount: float, currency: str, per: Period | None, is_pay: bool
) -> None:
    assert (pay.salary(amount, amount, currency, per) is not None) == is_pay


@pytest.mark.parametrize("text", ["45.000 -", "45000?", "– 45.000", "45.000 € –"])
def test_a_range_without_its_end_and_a_doubt_are_no_pay(text: str) -> None:
    assert pay.pay(text) is None
