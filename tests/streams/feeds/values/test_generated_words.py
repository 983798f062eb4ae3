"""Levels, currencies, yes and no, in eight languages: the reader gives what the generator meant, or nothing.

The meaning comes from the tables here, not from the readers' tables.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.streams.feeds.values import pay, words

often = settings(max_examples=150, deadline=None)

# en, de, fr, es, it, nl, pl, pt
LEVELS = {
    "intern": [
        "intern",
        "Praktikant",
        "stagiaire",
        "becario",
        "stagista",
        "stagiair",
        "stażysta",
        "estagiário",
    ],
    "junior": ["junior", "Berufseinsteiger", "débutant", "principiante", "starter", "młodszy", "iniciante"],
    "mid": ["mid level", "confirmé", "intermedio", "medior", "pleno"],
    "senior": ["senior", "Sr.", "sénior", "starszy", "sênior"],
    "lead": ["lead", "Teamleiter", "chef d'équipe", "jefe de equipo", "kierownik", "gerente"],
    "executive": ["director", "Geschäftsführer", "directeur", "direttore", "dyrektor", "diretor"],
}
AROUND = ["{}", " {} ", "{}.", "({})", "{} level", "level: {}", "Niveau {}", "niveau {}", "nivel {}",
          "livello {}", "poziom {}"]  # fmt: skip
DENIED = ["no {}", "not {}", "non-{}", "kein {}", "nicht {}", "pas {}", "sin {}", "senza {}", "geen {}",
          "nie {}", "bez {}", "não {}", "{}?", "below {}", "unter {}"]  # fmt: skip
BETWEEN = [" to ", " bis ", " à ", " a ", " tot ", " do ", " até ", " or ", " oder ", " ou ", " o ", " lub ",
           "/", "-", " and ", ", "]  # fmt: skip
levels = st.sampled_from([(meaning, name) for meaning, names in LEVELS.items() for name in names])


@often
@given(levels, st.sampled_from(AROUND), st.sampled_from([str, str.upper, str.casefold]))
def test_a_level_is_the_one_that_was_written_or_nothing(
    level: tuple[str, str], shape: str, case: Any
) -> None:
    assert words.seniority(case(shape.format(level[1]))) in (None, level[0])


@often
@given(levels, st.sampled_from(DENIED))
def test_a_level_that_is_denied_is_not_read(level: tuple[str, str], shape: str) -> None:
    assert words.seniority(shape.format(level[1])) is None


@often
@given(levels, levels, st.sampled_from(BETWEEN))
def test_two_levels_are_none(a: tuple[str, str], b: tuple[str, str], between: str) -> None:
    if a[0] != b[0]:
        assert words.seniority(a[1] + between + b[1]) is None


YES = ["yes", "ja", "oui", "sí", "sì", "tak", "sim", "true", "1", "Y"]
NO = ["no", "nein", "non", "nee", "nie", "não", "false", "0", "N"]
MAYBE = ["{}, maybe", "{} / {}", "{}?", "{}, within Germany", "eher {}", "plutôt {}", "quizás {}", "forse {}",
         "misschien {}", "może {}", "talvez {}", "not {}", "{} or {}"]  # fmt: skip


@often
@given(st.sampled_from(YES), st.sampled_from(NO), st.sampled_from(["{}", " {} ", "{}.", "{}!"]))
def test_yes_is_yes_and_no_is_no(yes: str, no: str, shape: str) -> None:
    for case in (str, str.upper, str.title):
        assert words.yes(case(shape.format(yes))) is True
        assert words.yes(case(shape.format(no))) is False


@often
@given(st.sampled_from(YES), st.sampled_from(NO), st.sampled_from(MAYBE))
def test_a_condition_or_a_doubt_is_neither(yes: str, no: str, shape: str) -> None:
    assert words.yes(shape.format(yes, no)) is None
    assert words.yes(shape.format(no, yes)) is None


CURRENCIES = {
    "EUR": ["EUR", "€", "euro", "Euro", "euros"],
    "GBP": ["GBP", "£", "British Pound", "Britisches Pfund", "livre sterling", "libra esterlina",
            "sterlina britannica", "Brits pond", "funt szterling", "libra esterlina"],
    "USD": ["USD", "US$", "US Dollar", "US-Dollar", "dollar des États-Unis", "dólar estadounidense",
            "dollaro statunitense", "Amerikaanse dollar", "dolar amerykański", "dólar americano"],
    "PLN": ["PLN", "zł", "Polish Zloty", "złoty polski"],
    "CHF": ["CHF", "Swiss Franc", "Schweizer Franken", "franc suisse", "franco suizo", "franco svizzero",
            "Zwitserse frank", "frank szwajcarski", "franco suíço"],
    "BGN": ["BGN"],
    "DEM": ["DEM", "Deutsche Mark"],
}  # fmt: skip
NO_CURRENCIES = [
    "EURO/USD",
    "EUR or USD",
    "Dollar",
    "$",
    "kr",
    "Franken",
    "XXX",
    "bitcoin",
    "Punkte",
    "EURX",
    "U",
]
currencies = st.sampled_from([(code, name) for code, names in CURRENCIES.items() for name in names])


@often
@given(currencies, st.sampled_from([str, str.upper, str.casefold]), st.sampled_from([None, "DE", "US", "SE"]))
def test_a_currency_is_the_one_that_was_written_or_nothing(
    currency: tuple[str, str], case: Any, country: str | None
) -> None:
    code, name = currency
    found = pay.currency_code(f" {case(name)} ", country)
    assert found in (None, code)
    assert found == code or name != code  # the code itself is always read


@often
@given(st.sampled_from(NO_CURRENCIES))
def test_what_names_no_currency_or_several_is_none(name: str) -> None:
    assert pay.currency_code(name) is None


@often
@given(currencies, currencies)
def test_two_currencies_of_one_pay_are_none(a: tuple[str, str], b: tuple[str, str]) -> None:
    assert pay.one_currency({a[1], b[1]}, None) in ((None, a[0]) if a[0] == b[0] else (None,))
