"""A worker writes matches without the model. Consumers read them with it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from rolecall.encoder.features import Features
from rolecall.schemas.match import Match, NearestOccupation
from rolecall.streams.events.records import match_record
from rolecall.streams.index.port import Hit
from rolecall.streams.matching.card import point
from rolecall.streams.matching.hard_rules import HardRule
from rolecall.streams.matching.match import listed
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import chosen, compatible_hits


@pytest.fixture
def written(encoder, now, vacancy, candidate):
    encoder.features = Features((tuple(f"feature {n}" for n in range(16)),))
    occupation = NearestOccupation(id="o1", label="Kranführer", score=1 / 3, unfamiliar=True)
    job = vacancy(skills=("C++", '"q"', "語", "SQL"))
    job = replace(job, occupation=occupation, duplicate_key="1f0e188c90f22833")
    other = point(candidate(skills=("SQL",)))
    [one] = compatible_hits(job.entity, [Hit(other.id, other.revision, 1e-7, other.payload)], now)
    one = replace(one, soft=tuple(HardRule), duplicates=((one, 0.5), (one, 0.4)))
    best = chosen(encoder, job.certainty, job.told, [one], Policy(100, 0))
    [fields] = listed(encoder, job, best, now + timedelta(microseconds=1))
    return match_record(fields)


def test_they_are_the_bytes_that_the_contract_writes(written):
    assert Match.model_validate_json(written.value).model_dump_json().encode() == written.value


def test_no_field_is_left_out(written):
    fields = json.loads(written.value)
    assert fields.keys() == Match.model_fields.keys()
    assert fields["reasons"].keys() == Match.model_fields["reasons"].annotation.model_fields.keys()
