"""The size of what the index stores of an entity, and of what is kept of it in memory."""

import json

import pytest
from pydantic import ValidationError

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.matching import card
from rolecall.streams.matching.card import Embedded, point


def test_a_fat_card_is_read_and_not_kept():
    before = card._kept_vacancy_card.cache_info().currsize
    skills = ", ".join(f'"{"x" * 200}{number}"' for number in range(50))
    text = f'{{"terms": {{}}, "skills": [{skills}], "certainty": 0.5, "told": 0, "peaks": []}}'
    assert len(card.vacancy_card(text).skills) == 50
    assert card._kept_vacancy_card.cache_info().currsize == before


class TestSizeOfACard:
    """A hit brings its card, and a deep search brings thousands of hits."""

    def stored(self, encoder, skills):
        vacancy = Vacancy(id="v1", occurred_at="2026-01-01T00:00:00Z", title="nurse", skills=skills)
        made = point(Embedded(vacancy, encoder.vector("nurse"), 0.5))
        return card.vacancy_card(str(made.payload["card"])), len(str(made.payload["card"]).encode())

    def test_usual_skills_are_all_kept(self, encoder):
        skills = [f"skill {number}" for number in range(100)]
        assert list(self.stored(encoder, skills)[0].skills) == skills

    def test_of_very_many_skills_the_first_16_kib_are_kept(self, encoder):
        skills = [f"{number:03}" + "介" * 197 for number in range(500)]  # 3 + 3 * 197 = 594 bytes each
        kept, size = self.stored(encoder, skills)
        assert list(kept.skills) == skills[:27]  # 16,384 / 594 = 27.6
        assert size < 20_000

    @pytest.mark.parametrize(
        "fat",
        [
            {"employment_types": ["contract"] * 51},
            {"workplaces": ["remote"] * 51},
            {"work_countries": ["NL"] * 301},
        ],
    )
    def test_no_list_of_terms_is_without_a_limit(self, fat):
        person = {"id": "c1", "occurred_at": "2026-01-01T00:00:00Z", "titles": ["nurse"]}
        with pytest.raises(ValidationError, match="at most"):
            Candidate.model_validate_json(json.dumps(person | fat))
