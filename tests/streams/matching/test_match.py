"""From hits to Match events."""

import json
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import numpy as np
import pytest

from rolecall.encoder.features import Features
from rolecall.schemas.match import NearestOccupation, Side
from rolecall.streams.events.records import match_record
from rolecall.streams.index.port import Hit
from rolecall.streams.matching.card import point
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook
from rolecall.streams.matching.match import matches
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import compatible_hits

ALL = Policy(top_k=100, min_confidence=0)


def hit(other, score=0.5):
    """The hit that the index returns for a stored entity."""
    stored = point(other)
    return Hit(stored.id, stored.revision, score, stored.payload)


def found(encoder, now, one, other):
    [match] = matches(encoder, one, compatible_hits(one.entity, [hit(other)], now), ALL, now)
    return match


class TestChoice:
    @pytest.fixture
    def listed(self, encoder, now, vacancy, candidate):
        """(rank, candidate, confidence) of hits with these scores."""

        def choose(scores, **policy):
            hits = [hit(candidate(f"c{number}"), score) for number, score in enumerate(scores)]
            found = compatible_hits(vacancy().entity, hits, now)
            chosen = matches(encoder, vacancy(), found, Policy(**policy), now)
            return [(each.rank, each.candidate_id, round(each.confidence, 3)) for each in chosen]

        return choose

    def test_ranks_count_from_one_in_the_order_of_the_hits(self, listed):
        assert listed([0.9, 0.8, 0.7], top_k=5, min_confidence=0) == [
            (1, "c0", 0.9),
            (2, "c1", 0.8),
            (3, "c2", 0.7),
        ]

    def test_no_more_than_top_k(self, listed):
        assert [id for _, id, _ in listed([0.9, 0.8, 0.7], top_k=2, min_confidence=0)] == ["c0", "c1"]

    def test_the_threshold_is_inclusive(self, listed):
        assert [id for _, id, _ in listed([0.9, 0.5, 0.49], top_k=5, min_confidence=0.5)] == ["c0", "c1"]

    def test_no_hits_no_matches(self, listed):
        assert listed([], top_k=5, min_confidence=0) == []

    def test_rounding_of_the_engine_does_not_leave_the_unit(self, encoder, now, vacancy, candidate):
        hits = [hit(candidate("c1"), 1.0000001), hit(candidate("c2"), -1e-8)]
        found = compatible_hits(vacancy().entity, hits, now)
        assert [each.score for each in matches(encoder, vacancy(), found, ALL, now)] == [1, 0]


class TestId:
    # python -c "from uuid import *; n = uuid5(NAMESPACE_URL, 'https://github.com/rolecall/rolecall');
    #            print(uuid5(n, 'v1\n1\nc1\n2\nfake'))"
    ID = "73a0aae7-7627-56c0-b7b8-8fad83307789"

    def test_it_is_made_of_ids_revisions_and_model_version(self, encoder, now, vacancy, candidate):
        assert found(encoder, now, vacancy("v1", 1), candidate("c1", 2)).id == self.ID

    def test_it_does_not_tell_which_side_found_the_pair(self, encoder, now, vacancy, candidate):
        assert found(encoder, now, candidate("c1", 2), vacancy("v1", 1)).id == self.ID

    def test_it_does_not_tell_when(self, encoder, now, vacancy, candidate):
        assert found(encoder, now + timedelta(days=1), vacancy("v1", 1), candidate("c1", 2)).id == self.ID

    @pytest.mark.parametrize(
        ("v", "c"), [(("v2", 1), ("c1", 2)), (("v1", 2), ("c1", 2)), (("v1", 1), ("c1", 1))]
    )
    def test_other_ids_or_revisions_make_another(self, encoder, now, vacancy, candidate, v, c):
        assert found(encoder, now, vacancy(*v), candidate(*c)).id != self.ID

    def test_another_model_makes_another(self, encoder, now, vacancy, candidate):
        encoder.version = "newer"
        assert found(encoder, now, vacancy("v1", 1), candidate("c1", 2)).id != self.ID


@pytest.mark.parametrize("finder", Side)
def test_whoever_found_it_the_match_names_both_sides_in_their_places(
    encoder, now, vacancy, candidate, finder
):
    pair = {Side.VACANCY: vacancy("v1", 11), Side.CANDIDATE: candidate("c1", 22)}
    match = found(encoder, now, pair[finder], pair[finder.other])
    assert (match.vacancy_id, match.vacancy_revision) == ("v1", 11)
    assert (match.candidate_id, match.candidate_revision) == ("c1", 22)
    assert match.found_by is finder


class TestSkills:
    @pytest.fixture
    def reasons(self, encoder, now, vacancy, candidate):
        def compare(asked, offered):
            return found(encoder, now, vacancy(skills=asked), candidate(skills=offered)).reasons

        return compare

    def test_shared_ones_are_told_in_the_spelling_of_the_vacancy(self, reasons):
        assert reasons(("SQL", "Python"), ("sql", "Java")).shared_skills == ("SQL",)

    def test_missing_ones_are_those_asked_for_and_not_offered(self, reasons):
        assert reasons(("SQL", "Python"), ("sql", "Java")).missing_skills == ("Python",)

    def test_of_a_profile_without_skills_none_is_missing(self, reasons):
        assert reasons(("SQL",), ()).missing_skills == ()

    def test_other_names_of_a_skill_count(self, reasons):
        told = reasons(("k8s", "Node.js", "Go"), ("Kubernetes", "NodeJS"))
        assert (told.shared_skills, told.missing_skills) == (("k8s", "Node.js"), ("Go",))

    def test_a_skill_asked_for_twice_is_told_once(self, reasons):
        told = reasons(("SQL", "Python", "sql", "python"), ("SQL",))
        assert (told.shared_skills, told.missing_skills) == (("SQL",), ("Python",))

    def test_the_same_found_from_the_other_side(self, encoder, now, vacancy, candidate, reasons):
        asked, offered = ("SQL", "Python"), ("sql", "Java")
        other_way = found(encoder, now, candidate(skills=offered), vacancy(skills=asked))
        assert other_way.reasons == reasons(asked, offered)


class TestPrivacy:
    PROFILE = MappingProxyType(
        {
            "titles": ("midwife at Jane's",),
            "summary": "jane.doe@example.org, +31 6 1234",
            "skills": ("Janeology", "SQL"),
        }
    )

    def test_a_match_repeats_nothing_of_the_profile(self, encoder, now, vacancy, candidate):
        pair = vacancy(skills=("SQL",)), candidate(**self.PROFILE)
        for one, other in (pair, pair[::-1]):
            assert "jane" not in found(encoder, now, one, other).model_dump_json().lower()

    def test_the_index_gets_neither_titles_nor_summary(self, candidate):
        payload = str(point(candidate(**self.PROFILE)).payload)
        assert "midwife" not in payload
        assert "jane.doe" not in payload

    def test_the_index_gets_neither_title_nor_description(self, vacancy):
        payload = str(point(vacancy(title="midwife", description="mind the cat")).payload)
        assert "midwife" not in payload
        assert "cat" not in payload


class TestSize:
    @pytest.mark.parametrize("char", ["x", "語", '"'])
    def test_with_occupations_features_and_every_soft_rule_too(self, encoder, now, vacancy, candidate, char):
        encoder.features = Features((tuple(f"{n:02}" + "x" * 98 for n in range(16)),))
        occupation = NearestOccupation(id="o" * 36, label=char * (100 // len(char.encode())), score=1 / 3)
        skills = tuple(f"{number:03}" + char * 100 for number in range(100))
        job = replace(vacancy("v" * 36, 2**42, skills=skills), occupation=occupation)
        person = replace(candidate("c" * 36, 2**42, skills=skills[::2]), occupation=occupation)
        [one] = compatible_hits(job.entity, [hit(person, 1 / 3)], now)
        [match] = matches(encoder, job, [replace(one, soft=tuple(HardRule))], ALL, now)
        assert match.reasons.features
        assert len(match_record(match.model_dump()).value) < 2048

    def test_a_match_with_many_skills_stays_under_2_kb(self, encoder, now, vacancy, candidate):
        skills = tuple(f"a rather long name of a skill, number {number}" for number in range(100))
        pair = vacancy("v" * 36, 2**42, skills=skills), candidate("c" * 36, 2**42, skills=skills[::2])
        assert len(match_record(found(encoder, now, *pair).model_dump()).value) < 2048

    def test_even_of_the_longest_skills(self, encoder, now, vacancy, candidate):
        skills = tuple(f"{number:03}" + "語" * 197 for number in range(100))
        pair = vacancy("v" * 36, 2**42, skills=skills), candidate("c" * 36, 2**42, skills=skills[::2])
        assert len(match_record(found(encoder, now, *pair).model_dump()).value) < 2048

    def test_even_of_skills_that_json_has_to_escape(self, encoder, now, vacancy, candidate):
        skills = tuple(f"{number:03}" + "\x01" * 100 for number in range(100))
        pair = vacancy("v" * 36, 2**42, skills=skills), candidate("c" * 36, 2**42, skills=skills[::2])
        assert len(match_record(found(encoder, now, *pair).model_dump()).value) < 2048

    def test_no_more_than_ten_skills_are_named(self, encoder, now, vacancy, candidate):
        asked = tuple(f"skill {number:02}" for number in range(30))
        reasons = found(encoder, now, vacancy(skills=asked), candidate(skills=asked[:15])).reasons
        assert (reasons.shared_skills, reasons.missing_skills) == (asked[:10], asked[15:25])


class TestSoftRules:
    BOOK = RuleBook({HardRule.SALARY: Mode.SOFT, HardRule.PERMIT: Mode.SOFT, HardRule.SENIORITY: Mode.OFF})
    POLICY = Policy(top_k=3, min_confidence=0.3, book=BOOK, soft_penalty=0.5)
    JOB = MappingProxyType(
        {
            "location": {"country": "DE"},
            "seniority": "senior",
            "salary": {"max": 50_000, "currency": "EUR"},
        }
    )
    ABROAD = MappingProxyType({"work_countries": ("US",)})
    DEAR = MappingProxyType({"salary": {"min": 60_000, "currency": "EUR"}})

    @pytest.fixture
    def listed(self, encoder, now, vacancy, candidate):
        """(candidate, rank, confidence, soft rules) of hits given as (score, terms)."""

        def choose(*people):
            hits = [hit(candidate(f"c{n}", **terms), score) for n, (score, terms) in enumerate(people)]
            job = vacancy(**self.JOB)
            found = compatible_hits(job.entity, hits, now, self.BOOK)
            return [
                (each.candidate_id, each.rank, round(each.confidence, 3), each.reasons.soft_rules)
                for each in matches(encoder, job, found, self.POLICY, now)
            ]

        return choose

    def test_a_broken_one_is_named_and_lowers_the_confidence(self, listed):
        assert listed((0.8, self.DEAR)) == [("c0", 1, 0.4, ("salary",))]

    def test_each_broken_one_lowers_it_again(self, encoder, now, vacancy, candidate):
        job, person = vacancy(**self.JOB), hit(candidate(**self.DEAR | self.ABROAD), 0.8)
        found = compatible_hits(job.entity, [person], now, self.BOOK)
        [match] = matches(encoder, job, found, replace(self.POLICY, min_confidence=0), now)
        assert match.confidence == pytest.approx(0.8 * 0.5 * 0.5)

    def test_the_threshold_is_that_of_the_lowered_confidence(self, listed):
        assert listed((0.59, self.DEAR)) == []

    def test_a_broken_one_costs_a_place(self, listed):
        assert [row[:2] for row in listed((0.9, self.DEAR), (0.5, {}))] == [("c1", 1), ("c0", 2)]

    def test_one_that_is_off_costs_nothing(self, listed):
        assert listed((0.8, {"seniority": "intern"})) == [("c0", 1, 0.8, ())]

    def test_a_hard_one_still_excludes(self, listed):
        assert listed((0.9, {"radius_km": 10, "location": {"country": "FR"}})) == []

    async def test_the_list_is_the_best_of_all_hits_and_not_of_the_first(self, new_world, make, encoder):
        """The two that fit rank after fifty that are nearer but want too much pay."""
        policy = Policy(2, 0, RuleBook({HardRule.SALARY: Mode.SOFT}), soft_penalty=0.1)
        world = new_world(policy=policy)
        nearness = {
            title: float(encoder.vector(title) @ encoder.vector("nurse")) for title in map(str, range(52))
        }
        *dear, fit, fitter = sorted(nearness, key=lambda title: -nearness[title])
        await world.candidates(
            *(make.candidate(title, title=title, **self.DEAR) for title in dear),
            make.candidate("fit", title=fit),
            make.candidate("fitter", title=fitter),
        )
        await world.vacancies(make.vacancy(salary={"max": 50_000, "currency": "EUR"}))
        assert [match.candidate_id for match in world.own_list(2)] == ["fit", "fitter"]


class TestOwnList:
    """An event can set the terms of its own list."""

    @pytest.mark.parametrize("side", Side)
    async def test_it_may_be_longer_than_others(self, new_world, make, side):
        world = new_world(top_k=2)
        asked = {"matching": {"top_k": 40}}
        if side is Side.VACANCY:
            await world.candidates(*(make.candidate(f"c{n}") for n in range(60)))
            await world.vacancies(make.vacancy(**asked))
        else:
            await world.vacancies(*(make.vacancy(f"v{n}") for n in range(60)))
            await world.candidates(make.candidate(**asked))
        assert len(world.own_list(40)) == 40
        assert len(world.matches) == 60

    async def test_it_may_be_shorter_than_others(self, new_world, make):
        """A candidate who matches worse enters the list of five, which has room, and not the list of one."""
        world = new_world(top_k=5)
        await world.candidates(make.candidate("c0"))
        await world.vacancies(make.vacancy("v1", matching={"top_k": 1}), make.vacancy("v2"))
        await world.vacancies(*(make.vacancy(f"near{n}", title="baker") for n in range(5)))
        await world.candidates(make.candidate("c1", title="baker"))
        entered = {
            match.vacancy_id for match in world.matches if match.candidate_id == "c1" and match.rank > 5
        }
        assert entered == {"v2"}

    async def test_it_may_have_another_threshold(self, new_world, make, encoder):
        world = new_world(min_confidence=0.99)
        await world.candidates(make.candidate("same", title="nurse"), make.candidate("other", title="baker"))
        await world.vacancies(make.vacancy("v1", matching={"min_confidence": 0.1}), make.vacancy("v2"))
        assert world.pairs == {("v1", "same"), ("v1", "other"), ("v2", "same")}

    async def test_a_threshold_alone_leaves_the_length(self, new_world, make):
        world = new_world(top_k=3)
        await world.candidates(*(make.candidate(f"c{n}") for n in range(9)))
        await world.vacancies(make.vacancy(matching={"min_confidence": 0.1}))
        [stored] = world.index.points[Side.VACANCY].values()
        assert len(world.own_list(3)) == 3
        assert stored.payload["floor"] == 100_000


class TestEmployers:
    @pytest.fixture
    def world(self, new_world):
        return new_world(policy=Policy(3, 0, max_per_employer=2))

    @pytest.fixture
    def nearest_first(self, encoder):
        """Titles, the nearest to `nurse` first."""
        titles = [str(number) for number in range(60)]
        return sorted(titles, key=lambda title: -float(encoder.vector(title) @ encoder.vector("nurse")))

    async def test_one_has_only_its_best_vacancies_in_the_list(self, world, make, nearest_first):
        titles = nearest_first[:5]
        await world.vacancies(*(make.vacancy(title, title=title, employer="Acme") for title in titles))
        await world.candidates(make.candidate())
        assert [match.vacancy_id for match in world.own_list(2)] == titles[:2]

    async def test_others_fill_the_list_however_deep_they_are(self, world, make, nearest_first):
        *acme, other = nearest_first
        await world.vacancies(
            *(make.vacancy(title, title=title, employer="Acme") for title in acme),
            make.vacancy("other", title=other, employer="Globex"),
        )
        await world.candidates(make.candidate())
        listed = [(match.rank, match.vacancy_id) for match in world.own_list(3)]
        assert listed == [(1, acme[0]), (2, acme[1]), (3, "other")]

    async def test_vacancies_of_nobody_known_are_not_counted(self, world, make):
        await world.vacancies(*(make.vacancy(f"v{n}") for n in range(9)))
        await world.candidates(make.candidate())
        assert [match.vacancy_id for match in world.own_list(3)] == ["v0", "v1", "v2"]

    async def test_without_a_limit_one_may_have_all(self, new_world, make):
        world = new_world(top_k=3)
        await world.vacancies(*(make.vacancy(f"v{n}", employer="Acme") for n in range(9)))
        await world.candidates(make.candidate())
        assert [match.vacancy_id for match in world.own_list(3)] == ["v0", "v1", "v2"]

    async def test_what_is_below_the_threshold_takes_no_place(self, encoder, now, vacancy, candidate):
        """It has the highest score, but its confidence is below the minimum."""
        encoder.confidence = lambda scores, *_: np.where(scores > 0.8, 0.1, scores)
        hits = [hit(vacancy(id, employer="Acme"), score) for id, score in (("v1", 0.9), ("v2", 0.7))]
        found = compatible_hits(candidate().entity, hits, now)
        chosen = matches(encoder, candidate(), found, Policy(5, 0.5, max_per_employer=1), now)
        assert [(each.rank, each.vacancy_id) for each in chosen] == [(1, "v2")]


class TestRates:
    async def test_they_reach_fields_filter_and_predicate(self, new_world, make):
        world = new_world(policy=Policy(9, 0, RuleBook(rates={"EUR": 1.0, "USD": 0.5})))
        await world.vacancies(
            make.vacancy("poor", salary={"max": 100_000, "currency": "USD"}),
            make.vacancy("rich", salary={"max": 130_000, "currency": "USD"}),
        )
        await world.candidates(make.candidate(salary={"min": 60_000, "currency": "EUR"}))
        assert world.pairs == {("rich", "c1")}


class TestRecheck:
    """The index may return too many hits. The predicate decides."""

    def test_a_vacancy_drops_who_may_not_work_there(self, now, vacancy, candidate):
        here = vacancy(location={"country": "NL"})
        hits = [hit(candidate("dutch", work_countries=("NL",))), hit(candidate("us", work_countries=("US",)))]
        assert [each.hit.id for each in compatible_hits(here.entity, hits, now)] == ["dutch"]

    def test_a_candidate_drops_what_has_expired(self, now, vacancy, candidate):
        hits = [hit(vacancy("past", expires_at=now)), hit(vacancy("open"))]
        assert [each.hit.id for each in compatible_hits(candidate().entity, hits, now)] == ["open"]


def test_the_peaks_of_a_point_are_its_largest_components(vacancy, encoder):
    embedded = vacancy()
    peaks = json.loads(point(embedded).payload["card"])["peaks"]
    assert set(peaks) == set(np.argsort(embedded.vector)[-len(peaks) :].tolist())
