"""Markup, damaged characters, and titles that say nothing."""

import pytest

from rolecall.streams.feeds.values.text import mended, plain_text, title


def test_markup_that_is_escaped_twice_is_markup() -> None:
    assert plain_text("&lt;p&gt;Bread &amp;amp;amp; cake&lt;/p&gt;") == "Bread & cake"


def test_text_that_was_decoded_wrongly_is_mended() -> None:
    assert mended("KÃ¶chin") == "Köchin"


@pytest.mark.parametrize(
    "text", ["N/A", "Unknown", "Untitled", "See resume", "-", "keine Angabe", "null", "Job"]
)
def test_a_title_that_says_nothing_is_none(text: str) -> None:
    assert title(text) == ""


@pytest.mark.parametrize(
    "said",
    ["Open positions", "See below", "My CV", "Multiple vacancies", "sem titulo", "Arbeitslos", "Job seeker",
     "4711", "x", "None of the above", "Stellenangebot", "Offre d'emploi", "Oferta de empleo"],
)  # fmt: skip
def test_a_title_of_words_that_say_nothing_is_empty(said: str) -> None:
    assert title(said) == ""


@pytest.mark.parametrize("said", ["Test engineer", "Open source developer", "Job coach", "Title clerk", "医"])
def test_such_words_may_stand_in_a_title(said: str) -> None:
    assert title(said) == said


def test_characters_that_nobody_sees_go() -> None:
    assert mended("\ufeffSach\u00adbe\u00adarbeiter\u200b") == "Sachbearbeiter"


@pytest.mark.parametrize(
    "text", ["Initiativbewerbung", "Candidature spontanée", "General application", "geen titel", "#REF!"]
)
def test_a_title_of_any_job_is_none(text: str) -> None:
    assert title(text) == ""
