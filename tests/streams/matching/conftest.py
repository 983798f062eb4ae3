"""Embedded entities."""

import pytest

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.matching.card import Embedded


@pytest.fixture
def embedded(encoder, now):
    def embed(contract, id, revision=1, **fields):
        entity = contract(id=id, revision=revision, occurred_at=now, **fields)
        return Embedded(entity, encoder.vector(str(fields)), 0.5)

    return embed


@pytest.fixture
def vacancy(embedded):
    return lambda id="v1", revision=1, **fields: embedded(
        Vacancy, id, revision, **{"title": "nurse"} | fields
    )


@pytest.fixture
def candidate(embedded):
    return lambda id="c1", revision=1, **fields: embedded(
        Candidate, id, revision, **{"titles": ("nurse",)} | fields
    )
