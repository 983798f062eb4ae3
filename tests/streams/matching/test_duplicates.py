"""Which vacancies are duplicates, and how these share a place."""

from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.schemas.vacancy import Vacancy, VacancyTerms
from rolecall.streams.index.port import Hit
from rolecall.streams.matching import ranking
from rolecall.streams.matching.card import VacancyCard
from rolecall.streams.matching.duplicates import duplicate_key
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import Found, ranked

WORDS = [f"{a}{b}" for a in ascii_lowercase for b in ascii_lowercase]
TEXT = " ".join(WORDS[:300])
MUNICH = {"country": "DE", "city": "Munich"}


@pytest.fixture
def key(now):
    def of(**fields):
        said = {"title": "Nurse", "description": TEXT, "location": MUNICH} | fields
        return duplicate_key(Vacancy(id="v", occurred_at=now, **said))

    return of


class TestKey:
    @pytest.mark.parametrize(
        "title",
        [
            "NURSE",
            "Nurse (m/w/d)",
            "Nurse f/m/x",
            "Nurse (all genders)",
            "Nurse, Ref. 4711-00815",
            "Nurse (Job ID: R-123456)",
        ],
    )
    def test_titles_that_say_the_same(self, key, title):
        assert key(title=title) == key()

    @pytest.mark.parametrize(
        ("one", "other"), [("C++ developer", "C# developer"), ("Engineer 3", "Engineer 4"), ("Nurse", "Cook")]
    )
    def test_titles_of_different_jobs(self, key, one, other):
        assert key(title=one) != key(title=other)

    def test_names_of_one_city(self, key):
        assert key(location={"country": "DE", "city": "münchen", "lat": 48.1, "lon": 11.6}) == key()

    @pytest.mark.parametrize("location", [None, {"country": "DE"}, {"country": "DE", "city": "Hamburg"}])
    def test_another_place(self, key, location):
        assert key(location=location) != key()

    def test_without_a_city_the_coordinates_count(self, key):
        points = [{"lat": lat, "lon": 9.0} for lat in (48.11, 48.12, 48.4)]
        here, near, far = (key(location=each) for each in points)
        assert here == near != far

    def test_texts_that_differ_in_a_few_words(self, key):
        assert key(description=f"Apply now!\n{TEXT.upper().replace(' ', ' – ')}") == key()

    def test_texts_that_have_half_in_common(self, key):
        assert key(description=" ".join(WORDS[150:450])) != key()

    def test_agencies_and_terms_do_not_count_where_the_text_tells(self, key):
        assert key(employer="agency", skills=["care"], seniority="mid") == key()


class TestKeyWithoutText:
    @pytest.fixture
    def key(self, key):
        return lambda **fields: key(**{"description": "Join us!", "employer": "Acme"} | fields)

    def test_all_that_is_said_counts(self, key):
        said = [{}, {"employer": "Globex"}, {"skills": ["care"]}, {"workplace": "remote"}]
        said += [{"description": "Join them!"}, {"salary": {"min": 1, "currency": "EUR"}}]
        assert len({key(**each) for each in said}) == len(said)
        assert key(title="Nurse (m/f/d)") == key()

    @pytest.mark.parametrize(
        "unknown", [{"employer": None}, {"location": None}, {"location": {"country": "DE"}}]
    )
    def test_who_and_where_must_be_known(self, key, unknown):
        assert key(**unknown) is None


def choice(id, score, employer=None, duplicate_key=None):
    card = VacancyCard(
        terms=VacancyTerms(),
        skills=(),
        certainty=0.5,
        told=0,
        peaks=(),
        employer=employer,
        duplicate_key=duplicate_key,
    )
    return Found(Hit(id, 1, score, {}), card, (), score), score


def named(choices):
    return {found.hit.id: tuple(each.hit.id for each, _ in found.duplicates) for found, _ in choices}


class TestRanked:
    def test_the_best_has_the_place_and_names_those_before_the_last_place(self):
        choices = [
            choice("v1", 0.9, duplicate_key="k"),
            choice("v2", 0.7, duplicate_key="k"),
            choice("v3", 0.8, duplicate_key="k"),
            choice("v4", 0.6, duplicate_key="other"),
            choice("v5", 0.5, duplicate_key="k"),
            choice("v6", 0.4, duplicate_key="other"),
            choice("v7", 0.3),
        ]
        assert named(ranked(choices, Policy(2, 0))) == {"v1": ("v3", "v2"), "v4": (), "v7": ()}
        assert named(ranked(choices, Policy(9, 0))) == {"v1": ("v3", "v2", "v5"), "v4": ("v6",), "v7": ()}

    def test_only_so_many_are_named(self, monkeypatch):
        monkeypatch.setattr(ranking, "MAX_DUPLICATES", 2)
        choices = [choice(f"v{number}", 0.5, duplicate_key="k") for number in range(5)]
        assert named(ranked(choices, Policy(9, 0))) == {"v0": ("v1", "v2")}

    def test_they_take_no_place_of_their_employer(self):
        choices = [choice(f"v{number}", 0.5, "Acme", "k") for number in range(3)] + [choice("w", 0.4, "Acme")]
        assert list(named(ranked(choices, Policy(9, 0, max_per_employer=2)))) == ["v0", "w"]

    def test_one_that_its_employer_has_no_place_for_leaves_it_to_a_duplicate(self):
        choices = [
            choice("v1", 0.9, "Acme"),
            choice("v2", 0.8, "Acme", "k"),
            choice("v3", 0.7, "Agency", "k"),
        ]
        assert list(named(ranked(choices, Policy(9, 0, max_per_employer=1)))) == ["v1", "v3"]

    @given(
        st.lists(st.tuples(st.integers(0, 4), st.sampled_from((None, "a", "b", "c"))), max_size=12),
        st.integers(1, 6),
    )
    def test_it_is_the_best_of_each_group(self, drawn, top_k):
        rows = [(score / 4, f"v{number:02}", key) for number, (score, key) in enumerate(drawn)]
        found = ranked([choice(id, score, duplicate_key=key) for score, id, key in rows], Policy(top_k, 0))
        groups: dict[str, list[str]] = {}
        order = [(id, key or id) for _, id, key in sorted(rows, key=lambda row: (-row[0], row[1]))]
        for id, key in order:
            groups.setdefault(key, []).append(id)
        firsts = [first for first, *_ in groups.values()]
        assert list(named(found)) == firsts
        ids = [id for id, _ in order]
        before_the_last = ids[: ids.index(firsts[top_k - 1])] if len(firsts) >= top_k else ids
        for first, *others in groups.values():
            assert named(found)[first] == tuple(id for id in others if id in before_the_last)


class TestMatches:
    @pytest.fixture
    def world(self, new_world):
        return new_world(policy=Policy(2, 0, duplicates_share_a_place=True))

    @pytest.fixture
    def nurse(self, make):
        """`Nurse` and `nurse` are the same job."""
        return lambda id, title="nurse": make.vacancy(id, title=title, description=TEXT)

    async def test_they_share_a_place_of_a_candidates_list_which_names_them(self, world, make, nurse):
        await world.vacancies(nurse("v3"), nurse("v1"), nurse("v2"), make.vacancy("v4", title="cook"))
        await world.candidates(make.candidate())
        listed = [(match.rank, match.vacancy_id, match.duplicates) for match in world.own_list(2)]
        assert listed == [(1, "v1", ("v2", "v3")), (2, "v4", ())]

    async def test_all_of_them_have_the_key(self, world, make, nurse):
        await world.candidates(make.candidate())
        await world.vacancies(nurse("v1", "Nurse"), nurse("v2"), make.vacancy("v3"))
        keys = {match.vacancy_id: match.duplicate_key for match in world.matches}
        assert keys["v1"] == keys["v2"] is not None
        assert keys["v3"] is None

    async def test_each_has_its_own_list(self, world, make, nurse):
        await world.candidates(make.candidate("c1"), make.candidate("c2", title="cook"))
        await world.vacancies(nurse("v1"), nurse("v2"))
        assert world.pairs == {(v, c) for v in ("v1", "v2") for c in ("c1", "c2")}

    async def test_without_the_setting_each_takes_a_place(self, new_world, make, nurse):
        world = new_world(top_k=2)
        await world.vacancies(nurse("v1"), nurse("v2"), make.vacancy("v3", title="cook"))
        await world.candidates(make.candidate())
        found = [(match.vacancy_id, match.duplicate_key, match.duplicates) for match in world.own_list(2)]
        assert found == [("v1", None, ()), ("v2", None, ())]
