"""The explanation of one pair."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from tempfile import TemporaryDirectory

import click
import pytest
from click.testing import CliRunner

from rolecall.encoder.features import Features
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import NearestOccupation, Side
from rolecall.streams.cli.explain import as_json_object, lines
from rolecall.streams.cli.main import group as main
from rolecall.streams.diagnose.explain import explain
from rolecall.streams.errors import Unexplainable
from rolecall.streams.index import verdicts
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.edge.process import start_edge
from rolecall.streams.index.port import Lookup, Point
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook
from rolecall.streams.matching.policy import Policy

POLICY = Policy(top_k=10, min_confidence=0.5)
EUR_50, EUR_60 = (
    {"salary": {end: pay, "currency": "EUR"}} for end, pay in (("max", 50_000), ("min", 60_000))
)


@pytest.fixture
def told(world, now):
    """The explanation of v1 and c1."""

    async def tell(policy=POLICY, vacancy="v1", candidate="c1"):
        return await explain(world.encoder, world.index, vacancy, candidate, policy, now)

    return tell


@pytest.fixture
def pair(world, make):
    async def publish(vacancy=None, candidate=None):
        await world.vacancies(make.vacancy(**vacancy or {}))
        await world.candidates(make.candidate(**candidate or {}))

    return publish


@pytest.fixture
def turned_down(world):
    async def add(vacancy, candidate, time):
        names = verdicts.name(Side.VACANCY, vacancy), verdicts.name(Side.CANDIDATE, candidate)
        given = {(vacancy, candidate): time}
        await verdicts.add(world.index, world.encoder.dims, given, dict.fromkeys(names, 0))

    return add


class TestVerdict:
    async def test_a_match_has_nothing_in_its_way(self, told, pair):
        await pair()
        assert (await told()).stopped_by is None

    async def test_the_first_broken_hard_rule(self, told, pair):
        await pair({"location": {"country": "DE"}, **EUR_50}, {"work_countries": ["US"], **EUR_60})
        assert (await told()).stopped_by == "rule permit"

    async def test_a_soft_rule_does_not_stop_but_costs_confidence(self, told, pair):
        await pair(EUR_50, EUR_60)
        found = await told(replace(POLICY, book=RuleBook({HardRule.SALARY: Mode.SOFT}), soft_penalty=0.75))
        assert (found.stopped_by, found.confidence) == (None, pytest.approx(0.75))

    async def test_a_confidence_below_both_thresholds(self, told, pair, encoder):
        await pair({"title": "nurse"}, {"title": "baker"})
        score = float(encoder.vector("nurse") @ encoder.vector("baker"))
        found = await told(replace(POLICY, min_confidence=0.99))
        assert found.stopped_by == f"confidence {score:.3f} is below 0.99"

    async def test_the_lower_threshold_of_the_two_decides(self, told, pair):
        await pair({"title": "nurse"}, {"title": "baker", "matching": {"min_confidence": 0.1}})
        assert (await told(replace(POLICY, min_confidence=0.99))).stopped_by is None

    async def test_an_exclusion_rule(self, told, pair, world, encoder):
        await pair({"title": "nurse"}, {"title": "nurse"})
        areas = [encoder.vector("nurse") / 0.9] * 2
        await world.index.upsert(
            Lookup.ANCHOR, [Point(f"no#nurses#{n}", 1, area, {}) for n, area in enumerate(areas)]
        )
        assert (await told()).stopped_by == "exclusion rule no#nurses"

    async def test_two_areas_of_one_side_exclude_nothing(self, told, pair, world, encoder):
        await pair({"title": "nurse"}, {"title": "nurse"})
        await world.index.upsert(Lookup.ANCHOR, [Point("r#0", 1, encoder.vector("nurse") / 0.9, {})])
        assert (await told()).exclusion_rules == ()

    async def test_a_verdict_that_holds(self, told, pair, turned_down):
        await pair({"revision": 1_000}, {"revision": 2_000})
        await turned_down("v1", "c1", 1_780_000_000_000)  # date -u -d @1780000000: 28 May 2026
        found = await told()
        assert found.stopped_by == "turned down on 2026-05-28"
        assert [each.rank for each in found.lists] == [None, None]
        assert any("turned down      on 2026-05-28" in line for line in lines(found, {}))

    @pytest.mark.parametrize("time", [999, 1_999])
    async def test_a_verdict_from_before_a_change_stops_nothing(self, told, pair, turned_down, time):
        await pair({"revision": 1_000}, {"revision": 2_000})
        await turned_down("v1", "c1", time)
        found = await told()
        assert (found.stopped_by, found.turned_down_at) == (None, None)

    async def test_who_was_turned_down_takes_no_place(self, told, world, make, turned_down):
        await world.vacancies(make.vacancy("v1", title="nurse"))
        await world.candidates(make.candidate("c1", title="baker"), make.candidate("c2", title="nurse"))
        await turned_down("v1", "c2", 1)
        assert (await told()).lists[0].rank == 1
        assert (await told(replace(POLICY, drop_turned_down=False))).lists[0].rank == 2

    async def test_better_ones_in_both_lists(self, told, world, make):
        await world.vacancies(make.vacancy("v1", title="nurse"), make.vacancy("v2", title="baker"))
        await world.candidates(make.candidate("c1", title="baker"), make.candidate("c2", title="nurse"))
        found = await told(Policy(top_k=1, min_confidence=0))
        assert [each.rank for each in found.lists] == [2, 2]
        assert found.stopped_by == "both lists are full of better matches"

    async def test_a_place_in_one_list_is_enough(self, told, world, make):
        await world.vacancies(make.vacancy("v1", title="nurse"))
        await world.candidates(make.candidate("c1", title="baker"), make.candidate("c2", title="nurse"))
        found = await told(Policy(top_k=1, min_confidence=0))
        assert [each.rank for each in found.lists] == [2, 1]
        assert found.stopped_by is None


class TestDuplicates:
    @pytest.fixture
    async def explained(self, world, told, make):
        """v2 is a duplicate of v1, which the list of c1 has. The list of v2 has other candidates."""
        policy = Policy(2, 0, duplicates_share_a_place=True)
        world.use(policy=policy)
        text = " ".join(a + b for a, b in product(ascii_lowercase, repeat=2))
        vector = world.encoder.vector
        titles = sorted(("NURSE", "Nurse"), key=lambda title: -float(vector(title) @ vector("nurse")))
        await world.vacancies(
            *(make.vacancy(f"v{n}", title=title, description=text) for n, title in enumerate(titles, 1))
        )
        await world.candidates(
            make.candidate("c1"), *(make.candidate(f"c{n}", title=titles[1]) for n in (2, 3))
        )
        return await told(policy, vacancy="v2")

    async def test_the_one_that_has_the_place_is_named(self, explained):
        assert explained.stopped_by == "its duplicate v1 has the place in the candidate's list"
        assert [each.duplicate for each in explained.lists] == [None, "v1"]

    async def test_and_shown(self, explained):
        assert (
            "list        of the candidate: its duplicate v1 has the place (minimum confidence 0.00)"
            in lines(explained, {})
        )


class TestContent:
    async def test_it_agrees_with_the_match(self, told, pair, world):
        await pair({"title": "nurse", "skills": ["k8s", "Go"]}, {"title": "baker", "skills": ["Kubernetes"]})
        [match] = world.matches
        found = await told()
        assert (found.score, found.confidence) == (
            pytest.approx(match.score),
            pytest.approx(match.confidence),
        )
        assert (found.shared_skills, found.missing_skills) == (("k8s",), ("Go",))
        assert (found.vacancy_certainty, found.candidate_certainty) == (0.5, 0.5)
        assert (found.vacancy_revision, found.candidate_revision) == (1, 1)

    async def test_every_rule_is_told(self, told, pair):
        await pair()
        assert [check.rule for check in (await told()).rules] == list(HardRule)

    @pytest.mark.parametrize(
        ("rule", "vacancy", "candidate", "said"),
        [
            (HardRule.EXPIRY, {"expires_at": "2026-07-01T00:00:00Z"}, {},
             ("expires 2026-07-01 00:00 UTC", "-")),
            (HardRule.PERMIT, {"location": {"country": "DE"}}, {"work_countries": ["DE", "US"]},
             ("country DE", "may work in DE, US")),
            (HardRule.WORKPLACE, {"workplace": "hybrid"}, {"workplaces": ["remote", "hybrid"]},
             ("hybrid", "remote, hybrid")),
            (HardRule.PLACE, {"location": {"city": "Ulm", "lat": 0, "lon": 1}},
             {"location": {"lat": 0, "lon": 0}, "radius_km": 200, "relocate": True},
             ("city Ulm", "radius 200 km; 111.2 km away; relocates")),
            (HardRule.LANGUAGES, {"languages": [{"code": "de", "level": "B2"}]},
             {"languages": [{"code": "de"}]}, ("de B2", "de")),
            (HardRule.EMPLOYMENT_TYPE, {"employment_types": ["full_time"]}, {}, ("full_time", "-")),
            (HardRule.SENIORITY, {}, {"seniority": "lead"}, ("-", "lead")),
            (HardRule.SALARY, {"salary": {"max": 30, "currency": "EUR", "period": "hour"}},
             {"salary": {"max": 90_000, "currency": "EUR"}}, ("up to 62,400 EUR a year", "no limit")),
        ],
    )  # fmt: skip
    async def test_a_rule_shows_what_it_compares(self, told, pair, rule, vacancy, candidate, said):
        await pair(vacancy, candidate)
        [check] = [check for check in (await told()).rules if check.rule is rule]
        assert (check.vacancy, check.candidate) == said
        assert check.passes

    async def test_a_rule_that_is_off_still_shows_its_verdict(self, told, pair):
        await pair({"seniority": "senior"}, {"seniority": "intern"})
        found = await told(replace(POLICY, book=RuleBook({HardRule.SENIORITY: Mode.OFF})))
        [check] = [check for check in found.rules if check.rule is HardRule.SENIORITY]
        assert (check.mode, check.passes, found.stopped_by) == (Mode.OFF, False, None)

    async def test_features_that_agree_are_named(self, told, pair, world):
        await pair()
        world.encoder.features = Features((tuple(f"name {n}" for n in range(16)),))
        features = (await told()).features
        assert len(features) == 5
        assert features[0][1] == max(share for _, share in features)


class TestNothingToExplain:
    async def test_an_index_without_any(self, told):
        with pytest.raises(
            Unexplainable, match="the index holds no vacancy of model fake; set ROLECALL_MODEL"
        ):
            await told()

    async def test_an_unknown_id(self, told, pair):
        await pair()
        with pytest.raises(Unexplainable, match="candidate 'c9' is not in the index of model fake"):
            await told(candidate="c9")

    async def test_an_erased_one(self, told, pair, world, make):
        await pair()
        await world.candidates(make.erasure("c1", at=7))
        with pytest.raises(Unexplainable, match=r"candidate 'c1' was erased, closed or .*revision 7"):
            await told()


class TestTerminal:
    async def test_the_first_line_is_the_verdict(self, told, pair):
        await pair(EUR_50, EUR_60)
        first, *rest = [click.unstyle(line) for line in lines(await told(), {})]
        assert first == "no match: rule salary"
        assert "salary           hard  breaks   up to 50,000 EUR a year  from 60,000 EUR a year" in rest

    async def test_the_nearest_occupation_is_named(self, told, pair):
        await pair()
        occupation = NearestOccupation(id="o1", label="Nurses", score=0.75)
        told_lines = list(lines(replace(await told(), candidate_occupation=occupation), {}))
        assert "candidate   c1, certainty 0.50, nearest to Nurses (0.75)" in told_lines

    async def test_as_json_it_is_one_object(self, told, pair):
        await pair()
        occupation = NearestOccupation(id="o1", label="Nurses", score=0.75)
        found = json.loads(as_json_object(replace(await told(), vacancy_occupation=occupation)))
        assert found["vacancy_occupation"]["label"] == "Nurses"
        assert (found["stopped_by"], found["vacancy_id"], len(found["rules"])) == (None, "v1", len(HardRule))


@pytest.fixture
def edge_socket() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with (
        TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        start_edge(Path(folder, "data"), Path(folder, "socket")),
    ):
        yield Path(folder, "socket")


async def test_on_the_embedded_index(new_world, make, edge_socket, now):
    world = new_world()
    index = QdrantEdge(edge_socket, "fake", world.encoder.dims)
    world.use(index=index)
    await index.prepare()
    await world.vacancies(make.vacancy(**EUR_50))
    await world.candidates(make.candidate(**EUR_60))
    found = await explain(world.encoder, index, "v1", "c1", POLICY, now)
    assert (found.stopped_by, found.score) == ("rule salary", pytest.approx(1, abs=1e-5))
    with pytest.raises(Unexplainable, match="v2"):
        await explain(world.encoder, index, "v2", "c1", POLICY, now)
    await index.close()

    async def test_a_feature_that_adds_nothing_is_not_shown(self, told):
        found = replace(await told(), features=(("nursing", 0.3), ("welding", 0.004)))
        shown = [click.unstyle(line) for line in lines(found, {}) if line.startswith("feature")]
        assert shown == ["feature          nursing (30% of the score)"]


class TestCommand:
    @pytest.fixture
    def rolecall(self, tmp_path, monkeypatch, edge_socket):
        monkeypatch.chdir(tmp_path)
        return lambda *arguments, **settings: CliRunner().invoke(
            main,
            ["explain", *arguments],
            env={"ROLECALL_INDEX": "edge", "ROLECALL_EDGE_SOCKET": str(edge_socket), **settings},
        )

    def test_it_explains_by_this_machines_settings(self, rolecall, edge_socket, make, new_world):
        async def publish():
            world = new_world()
            model = Encoder.load()
            index = QdrantEdge(edge_socket, model.version, model.dims)
            world.use(encoder=model, index=index)
            await index.prepare()
            await world.vacancies(make.vacancy(**EUR_50))
            await world.candidates(make.candidate(**EUR_60))
            await index.close()

        asyncio.run(publish())
        assert rolecall("v1", "c1").stdout.splitlines()[0] == "no match: rule salary"
        soft = rolecall("v1", "c1", "--json", ROLECALL_HARD_RULES='{"salary":"soft"}')
        assert json.loads(soft.stdout)["stopped_by"] is None

    def test_without_an_index_it_names_both_ways_out_and_creates_nothing(self, rolecall, edge_socket):
        result = rolecall("v1", "c1")
        assert (result.exit_code, "`rolecall rebuild` makes it again" in result.output) == (2, True)
        assert list((edge_socket.parent / "data").glob("*/*")) == []

    def test_an_unknown_id_ends_with_1_and_says_so(self, rolecall, edge_socket):
        async def prepare():
            model = Encoder.load()
            index = QdrantEdge(edge_socket, model.version, model.dims)
            await index.prepare()
            await index.close()

        asyncio.run(prepare())
        result = rolecall("v1", "c1")
        assert (result.exit_code, "the index holds no vacancy of model" in result.output) == (1, True)
