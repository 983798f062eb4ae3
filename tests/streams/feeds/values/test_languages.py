"""Languages with levels: the whole text is understood, or nothing is read. Expected values are by hand."""

import pytest

from rolecall.schemas.common import Cefr
from rolecall.streams.feeds.values.languages import fluency, languages


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
        ("PL, EN", {"pl": None, "en": None}),
        ("de en fr", None),  # three codes, of which one is a Dutch word
        ("Duits en Engels", {"de": None, "en": None}),
        ("sv; SE", None),  # Swedish or Northern Sami
        ("si", None),
        ("Inglese C1 e tedesco B1", {"en": Cefr.C1, "de": Cefr.B1}),
        ("Español (nativo), polaco (B2)", {"es": Cefr.C2, "pl": Cefr.B2}),
        ("hiszpański; portugalski: A2", {"es": None, "pt": Cefr.A2}),
        ("Francês fluente; Holandês", {"fr": Cefr.C1, "nl": None}),
        ("polski lub niemiecki", None),
        ("Italiano o francese", None),
        ("Englisch von Vorteil", None),
        ("inglés deseable", None),
        ("Nederlands is een pré", None),
        ("keine Deutschkenntnisse nötig", None),
        ("French; English (optional)", None),
        ("German Sign Language", None),
        ("German < B2", None),
    ],
)
def test_languages(text: str, expected: dict[str, str | None] | None) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pre-intermediate", Cefr.A2),
        ("upper intermediate", Cefr.B2),
        ("verhandlungssicher", None),
        ("not fluent", None),
        ("B1 (writing C1)", None),
        ("A2-B1", None),
    ],
)
def test_fluencies(text: str, expected: Cefr | None) -> None:
    assert fluency(text) == expected
