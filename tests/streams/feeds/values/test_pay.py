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
