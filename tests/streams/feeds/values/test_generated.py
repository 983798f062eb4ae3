"""Texts put together from parts with a known meaning, in eight languages: the reader gives it, or nothing.

The meaning comes from the generator, not from the readers' tables.
"""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.schemas.common import Period
from rolecall.streams.feeds.values import dates, languages, pay, places, words

often = settings(max_examples=150, deadline=None)

LANGUAGES = {  # en, de, fr, es, it, nl, pl, pt
    "en": ["English", "Englisch", "anglais", "inglés", "inglese", "Engels", "angielski", "inglês"],
    "de": ["German", "Deutsch", "allemand", "alemán", "tedesco", "Duits", "niemiecki", "alemão"],
    "fr": ["French", "Französisch", "français", "francés", "francese", "Frans", "francuski", "francês"],
    "pl": ["Polish", "Polnisch", "polonais", "polaco", "polacco", "Pools", "polski", "polonês"],
    "nl": [
        "Dutch",
        "Niederländisch",
        "néerlandais",
        "neerlandés",
        "olandese",
        "Nederlands",
        "niderlandzki",
        "holandês",
    ],
}
LEVELS = {
    "A1": ["A1"],
    "B1": ["B1", "intermediate"],
    "B2": ["B2", "upper intermediate"],
    "C1": ["C1", "fluent", "fließend", "courant", "fluente", "vloeiend", "biegle"],
    "C2": [
        "C2",
        "native",
        "Muttersprache",
        "langue maternelle",
        "nativo",
        "madrelingua",
        "moedertaal",
        "ojczysty",
    ],
}
UNCERTAIN = [  # after a list
    " or {}", " oder {}", " ou {}", " o {}", " of {}", " lub {}", " ({} is a plus)", "; {} von Vorteil",
        "; {} opcional",
]  # fmt: skip
NEGATED = ["no {}", "not {}", "kein {}", "pas de {}", "sin {}", "senza {}", "geen {}", "bez {}", "sem {}"]

spoken = st.dictionaries(
    st.sampled_from(sorted(LANGUAGES)), st.none() | st.sampled_from(sorted(LEVELS)), min_size=1, max_size=4
)


@st.composite
def lists_of_languages(draw: st.DrawFn) -> tuple[str, dict[str, str | None]]:
    meaning = draw(spoken)
    shape = draw(st.sampled_from(["{}: {}", "{} ({})", "{} {}", "{} - {}"]))
    parts = []
    for code, level in meaning.items():
        name = draw(st.sampled_from(LANGUAGES[code]))
        parts.append(shape.format(name, draw(st.sampled_from(LEVELS[level]))) if level else name)
    return draw(st.sampled_from(["; ", " | ", "\n", ", "])).join(parts), meaning


def meaning_of(text: str) -> dict[str, str | None] | None:
    found = languages.languages(text)
    return None if found is None else {each["code"]: each.get("level") for each in found}


@often
@given(lists_of_languages())
def test_a_list_of_languages_is_read_whole_or_not_at_all(made: tuple[str, dict[str, str | None]]) -> None:
    text, meaning = made
    assert meaning_of(text) in (None, meaning)


@often
@given(
    lists_of_languages(),
    st.sampled_from(UNCERTAIN),
    st.sampled_from(["Danish", "Dänisch", "danois", "danés", "danese"]),
)
def test_a_list_with_an_alternative_or_a_wish_is_not_read(
    made: tuple[str, dict[str, str | None]], more: str, name: str
) -> None:
    assert meaning_of(made[0] + more.format(name)) is None


PERIODS = {
    Period.HOUR: [
        "per hour",
        "pro Stunde",
        "par heure",
        "por hora",
        "all'ora",
        "per uur",
        "za godzinę",
        "/h",
    ],
    Period.MONTH: [
        "per month",
        "pro Monat",
        "par mois",
        "al mes",
        "al mese",
        "per maand",
        "miesięcznie",
        "por mês",
    ],
    Period.YEAR: ["per year", "pro Jahr", "par an", "al año", "all'anno", "per jaar", "rocznie", "por ano"],
    None: [
        "biweekly",
        "per quarter",
        "halbjährlich",
        "quincenal",
        "bimensuel",
        "per shift",
        "kwartalnie",
        "net",
        "netto",
    ],
}
GROUPS = {"45,000": ",", "45.000": ".", "45 000": " ", "45'000": "'", "45\u202f000": "\u202f"}
RANGES = ["{} - {}", "{}–{}", "{} to {}", "von {} bis {}", "de {} à {}", "desde {} hasta {}", "da {} a {}",
    "van {} tot {}", "od {} do {}"]  # fmt: skip
CURRENCIES = {"EUR": ["€", "EUR", "euro"], "GBP": ["£", "GBP"], "PLN": ["zł", "PLN"], "CHF": ["CHF"]}


@st.composite
def amounts_of_pay(draw: st.DrawFn) -> tuple[str, pay.Pay]:
    low = draw(st.integers(1, 90)) * 1000
    high = draw(st.none() | st.integers(1, 9).map(lambda more: low + more * 1000))
    separator = draw(st.sampled_from(sorted(GROUPS.values())))
    told = [f"{end:,}".replace(",", separator) for end in (low, high) if end]
    text = told[0] if high is None else draw(st.sampled_from(RANGES)).format(*told)
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    period = draw(st.sampled_from([*PERIODS]))
    text += " " + draw(st.sampled_from(CURRENCIES[currency])) + " " + draw(st.sampled_from(PERIODS[period]))
    return text, pay.Pay(low, high or low, currency, period)


@often
@given(amounts_of_pay())
def test_pay_is_what_was_written_or_nothing(made: tuple[str, pay.Pay]) -> None:
    text, meaning = made
    assert pay.pay(text) in ((None,) if meaning.period is None else (None, meaning))


MONTHS = [
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    [
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
    [
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ],
    [
        "stycznia",
        "lutego",
        "marca",
        "kwietnia",
        "maja",
        "czerwca",
        "lipca",
        "sierpnia",
        "września",
        "października",
        "listopada",
        "grudnia",
    ],
    [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
]
days = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@often
@given(
    days,
    st.sampled_from(MONTHS),
    st.sampled_from(["{d} {m} {y}", "{d}. {m} {y}", "{m} {d}, {y}", "{d} de {m} de {y}"]),
)
def test_a_date_in_words_is_that_day_or_nothing(day: date, months: list[str], shape: str) -> None:
    found = dates.moment(shape.format(d=day.day, m=months[day.month - 1], y=day.year))
    assert found is None or found.at.date() == day


@often
@given(
    days,
    st.sampled_from(
        ["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%y", "%Y/%m/%d"]
    ),
)
def test_a_date_in_numbers_is_that_day_or_nothing(day: date, shape: str) -> None:
    found = dates.moment(day.strftime(shape))
    assert found is None or found.at.date() == day


KINDS_OF_WORK = {
    "full_time": ["full-time", "Vollzeit", "temps plein", "jornada completa", "tempo pieno", "voltijd",
        "pełny etat", "tempo integral"],
    "part_time": ["part-time", "Teilzeit", "temps partiel", "media jornada", "tempo parziale", "deeltijd",
        "część etatu", "meio período"],
    "internship": ["internship", "Praktikum", "stage", "prácticas", "tirocinio", "staż", "estágio"],
}  # fmt: skip
WORKPLACES = {
    "remote": ["remote", "Homeoffice", "télétravail", "teletrabajo", "da remoto", "thuiswerk",
        "praca zdalna", "teletrabalho"],
    "hybrid": ["hybrid", "hybride", "híbrido", "ibrido", "praca hybrydowa"],
    "onsite": ["on-site", "vor Ort", "sur site", "presencial", "in sede", "op locatie", "praca stacjonarna"],
}  # fmt: skip


@often
@given(st.sampled_from(NEGATED), st.data())
def test_a_negation_is_never_what_it_denies(negated: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS_OF_WORK)))
    where = data.draw(st.sampled_from(sorted(WORKPLACES)))
    assert words.employment_types(negated.format(data.draw(st.sampled_from(KINDS_OF_WORK[kind])))) is None
    text = negated.format(data.draw(st.sampled_from(WORKPLACES[where])))
    assert (words.workplace(text), places.read_place(text).workplace) == (None, None)


@often
@given(st.lists(st.sampled_from(sorted(KINDS_OF_WORK)), min_size=1, max_size=3, unique=True), st.data())
def test_kinds_of_work_are_read_whole_or_not_at_all(kinds: list[str], data: st.DataObject) -> None:
    named = [data.draw(st.sampled_from(KINDS_OF_WORK[kind])) for kind in kinds]
    found = words.employment_types(
        data.draw(st.sampled_from([", ", " / ", " or ", " und ", " e "])).join(named)
    )
    assert found is None or sorted(found) == sorted(kinds)


CITIES = {
    ("DE", "Munich"): ["Munich", "München", "Monaco di Baviera"],
    ("PL", "Warsaw"): ["Warsaw", "Warschau", "Varsovie", "Varsovia", "Warszawa"],
    ("IT", "Florence"): ["Florence", "Florenz", "Firenze", "Florencia"],
    ("NL", "Rotterdam"): ["Rotterdam"],
    ("PT", "Lisbon"): ["Lisbon", "Lissabon", "Lisbonne", "Lisboa", "Lizbona"],
    ("ES", "Seville"): ["Seville", "Sevilla", "Séville", "Siviglia", "Sewilla"],
}
COUNTRIES = {
    "DE": [
        "Germany",
        "Deutschland",
        "Allemagne",
        "Alemania",
        "Germania",
        "Duitsland",
        "Niemcy",
        "Alemanha",
        "DE",
    ],
    "PL": ["Poland", "Polen", "Pologne", "Polonia", "Polska", "Polônia", "PL"],
    "IT": ["Italy", "Italien", "Italie", "Italia", "Włochy", "Itália", "IT"],
    "NL": ["Netherlands", "Niederlande", "Nederland", "Holandia", "NL"],
    "PT": ["Portugal", "Portogallo", "Portugalia", "PT"],
    "ES": ["Spain", "Spanien", "Espagne", "España", "Spagna", "Spanje", "Hiszpania", "Espanha", "ES"],
}
one_city = st.sampled_from(sorted(CITIES)).flatmap(
    lambda city: st.tuples(
        st.just(city[0]), st.sampled_from(CITIES[city]), st.sampled_from(COUNTRIES[city[0]])
    )
)


@often
@given(
    one_city,
    st.sampled_from(["{}, {}", "{} - {}", "{} ({})"]),
    st.sampled_from(["", " - Remote", " (hybrid)"]),
)
def test_a_place_is_the_one_that_was_written_or_nothing(
    city: tuple[str, str, str], shape: str, more: str
) -> None:
    country, name, named = city
    found = places.read_place(shape.format(name, named) + more)
    assert found.location is None or (found.location.country, found.location.city) in (
        (country, name), (country, None), (None, name),
    )  # fmt: skip
    assert found.workplace in (None, {"": None, " - Remote": "remote", " (hybrid)": "hybrid"}[more])


@often
@given(
    one_city,
    one_city,
    st.sampled_from([" or ", " oder ", " ou ", " und ", " y ", " e ", " lub ", " / ", "; ", " & ", ", "]),
)
def test_two_places_are_never_one_city(
    a: tuple[str, str, str], b: tuple[str, str, str], between: str
) -> None:
    if a[0] == b[0]:
        return
    found = places.read_place(between.join(f"{name}, {country}" for _, name, country in (a, b)))
    assert found.location is None
    assert places.read_place(between.join((a[1], b[1]))).location is None
