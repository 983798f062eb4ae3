"""The matches that hold, rebuilt from events in any order."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.schemas.match import Match, MatchesWithdrawn, Reasons, Side, WithdrawalReason
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.rollout import steps as deployment

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def match(vacancy="v1", candidate="c1", revisions=(1, 1), found_by=Side.VACANCY, at=NOW, model="m") -> Match:
    return Match(
        id=f"{vacancy}/{candidate}/{revisions}/{model}",
        occurred_at=at,
        vacancy_id=vacancy,
        vacancy_revision=revisions[0],
        candidate_id=candidate,
        candidate_revision=revisions[1],
        model_version=model,
        score=0.5,
        confidence=0.5,
        found_by=found_by,
        rank=1,
        reasons=Reasons(vacancy_certainty=0.5, candidate_certainty=0.5),
    )


def withdrawn(side=Side.VACANCY, id="v1", revision=2) -> MatchesWithdrawn:
    return MatchesWithdrawn(
        side=side, entity_id=id, revision=revision, reason=WithdrawalReason.CLOSED, occurred_at=NOW
    )


@pytest.mark.parametrize("revisions", [(1, 1), (0, 0)])
def test_a_match_holds(revisions: tuple[int, int]):
    assert MatchState([match(revisions=revisions)]).matches() == [match(revisions=revisions)]


def test_matches_come_by_vacancy_then_the_most_confident_first_then_by_candidate():
    def found(vacancy: str, candidate: str, confidence: float) -> Match:
        return match(vacancy, candidate).model_copy(update={"confidence": confidence})

    ordered = [found("v1", "c9", 0.2), found("v2", "c3", 0.9), found("v2", "c1", 0.5), found("v2", "c2", 0.5)]
    for order in permutations(ordered):
        assert MatchState(order).matches() == ordered


@pytest.mark.parametrize(("side", "id"), [(Side.VACANCY, "v1"), (Side.CANDIDATE, "c1")])
def test_a_withdrawal_of_either_side_ends_it(side: Side, id: str):
    assert MatchState([match(), withdrawn(side, id)]).matches() == []


def test_a_withdrawal_that_came_first_ends_it():
    assert MatchState([withdrawn(), match()]).matches() == []


@pytest.mark.parametrize("revision", [0, 2])
def test_a_match_of_the_withdrawing_revision_holds(revision: int):
    found = match(revisions=(revision, 1))
    for order in permutations([withdrawn(revision=revision), found]):
        assert MatchState(order).matches() == [found]


def test_after_one_match_of_an_entity_has_ended_its_withdrawal_ends_the_others():
    state = MatchState([match("v1", "c1"), match("v1", "c2"), withdrawn(Side.CANDIDATE, "c1")])
    assert state.matches() == [match("v1", "c2")]
    state.apply(withdrawn(Side.VACANCY, "v1"))
    assert state.matches() == []


def test_a_late_older_withdrawal_changes_nothing():
    events = [withdrawn(revision=5), withdrawn(revision=2), match(revisions=(4, 1))]
    assert MatchState(events).matches() == []


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("first", ["match", "withdrawal"])
def test_an_exclusion_ends_the_pair_up_to_both_its_revisions(side: Side, first: str):
    pair = [("v1", 5), ("c1", 7)] if side is Side.VACANCY else [("c1", 7), ("v1", 5)]
    (id, revision), counterpart = pair
    excluded = MatchesWithdrawn(
        side=side,
        entity_id=id,
        revision=revision,
        reason=WithdrawalReason.EXCLUDED,
        occurred_at=NOW,
        counterparts=dict([counterpart]),
    )

    def left(found: Match) -> list[Match]:
        return MatchState([found, excluded] if first == "match" else [excluded, found]).matches()

    for revisions in ((5, 7), (4, 7), (5, 6)):
        assert left(match(revisions=revisions)) == []
    for other in (match(revisions=(6, 7)), match(revisions=(5, 8)), match("v2"), match(candidate="c2")):
        assert left(other) == [other]


def test_others_matches_stay():
    assert MatchState([match(), match("v2"), withdrawn()]).matches() == [match("v2")]


def test_ids_of_both_sides_may_be_the_same():
    assert MatchState([match("same", "same"), withdrawn(Side.CANDIDATE, "other")]).matches() != []


def test_a_newer_match_of_the_pair_replaces_the_older():
    newer, older = match(revisions=(2, 1)), match(revisions=(1, 1))
    assert MatchState([newer, older]).matches() == [newer]


def test_a_pair_that_both_sides_found_counts_once():
    again = match(found_by=Side.CANDIDATE, at=NOW + timedelta(seconds=1))
    assert MatchState([match(), again]).matches() == [again]


def test_a_match_of_another_model_replaces_the_one_before():
    newer = match(model="n", at=NOW + timedelta(seconds=1))
    assert MatchState([newer, match()]).matches() == [newer]


def test_a_match_outlives_a_newer_one_that_the_other_side_ends():
    """Each match has the newer revision of one side. The withdrawal decides, in any order of arrival."""
    one, other = match(revisions=(2, 1)), match(revisions=(1, 2))
    gone = withdrawn(Side.CANDIDATE, "c1", 2)
    assert MatchState([one, other, gone]).matches() == [other]
    assert MatchState([gone, one, other]).matches() == [other]


class TestDuplicates:
    """v1 to v3 are duplicates, v4 is none. All have c1, and v3 has c2 too."""

    @pytest.fixture
    def state(self):
        def found(vacancy: str, score: float, key: str | None = "k", candidate: str = "c1") -> Match:
            said = {"score": score, "duplicate_key": key, "duplicates": ("closed since",)}
            return match(vacancy, candidate).model_copy(update=said)

        matches = [found("v1", 0.7), found("v2", 0.9), found("v3", 0.8), found("v4", 0.6, None)]
        return MatchState([*matches, found("v3", 0.5, candidate="c2")])

    def test_they_share_a_place_of_a_candidates_list_which_names_those_that_hold(self, state):
        found = state.list_of(Side.CANDIDATE, "c1", top_k=2)
        assert [(each.vacancy_id, each.duplicates) for each in found] == [("v2", ("v3", "v1")), ("v4", ())]

    def test_the_next_one_has_the_place_of_one_that_is_closed(self, state):
        state.apply(withdrawn(id="v2"))
        found = state.list_of(Side.CANDIDATE, "c1", top_k=1)
        assert [(each.vacancy_id, each.duplicates) for each in found] == [("v3", ("v1",))]

    def test_a_vacancys_list_has_each_candidate(self, state):
        assert [each.candidate_id for each in state.list_of(Side.VACANCY, "v3", top_k=2)] == ["c1", "c2"]

    def test_nobody_has_a_list_who_has_no_matches(self, state):
        assert state.list_of(Side.CANDIDATE, "c9", top_k=2) == []

    def test_what_belongs_is_in_one_of_the_lists(self, state):
        others = [match(f"v{n}", "better").model_copy(update={"score": 1}) for n in (1, 2, 3, 4)]
        for each in others:
            state.apply(each)
        pairs = {(each.vacancy_id, each.candidate_id) for each in state.belonging(1)}
        assert pairs == {
            ("v1", "better"),
            ("v2", "better"),
            ("v3", "better"),
            ("v4", "better"),
            ("v2", "c1"),
            ("v3", "c2"),
        }


def test_nothing_is_kept_of_matches_that_ended():
    state = MatchState([match(), match("v2"), withdrawn(), withdrawn(id="v2")])
    assert (state._held, state._pairs) == ({}, {})


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ([match(revisions=(1, 1)), match(revisions=(2, 1)), match(revisions=(2, 2))], {2}),
        ([match(revisions=(2, 1)), match(revisions=(1, 2))], {0, 1}),
        ([match(), match(found_by=Side.CANDIDATE, at=NOW + SECOND)], {1}),
        ([match(revisions=(1, 1), at=NOW + SECOND), match(revisions=(1, 2))], {1}),
        ([match(revisions=(1, 1), at=NOW + SECOND), match(revisions=(2, 1))], {1}),
        ([match(), match(model="n")], {0, 1}),
        ([match(), match()], {0}),
        ([match(revisions=(2, 1), model="n"), match(revisions=(1, 1))], {0, 1}),
    ],
)
def test_of_a_pair_no_match_is_kept_that_ends_whenever_another_one_ends(found: list[Match], kept: set[int]):
    for order in permutations(found):
        [held] = MatchState(order)._held.values()
        assert {found.index(each) for each in held} == kept
        assert len(held) == len(kept)


def test_of_two_that_each_have_the_newer_revision_of_one_side_that_of_the_newer_vacancy_counts():
    """Every consumer has to choose the same one, in any order of arrival."""
    one, other = match(revisions=(2, 1)), match(revisions=(1, 2), at=NOW + SECOND)
    for order in permutations([one, other]):
        assert MatchState(order).matches() == [one]


def test_of_two_of_one_moment_the_same_one_counts_in_any_order():
    both = [match(found_by=Side.VACANCY), match(found_by=Side.CANDIDATE)]
    [first], [second] = MatchState(both).matches(), MatchState(both[::-1]).matches()
    assert first == second


revisions = st.integers(1, 4)
ids = st.integers(1, 3)
events = st.one_of(
    st.builds(
        match,
        ids.map("v{}".format),
        ids.map("c{}".format),
        st.tuples(revisions, revisions),
        st.sampled_from(Side),
        st.integers(0, 2).map(lambda seconds: NOW + timedelta(seconds=seconds)),
        st.sampled_from("mn"),
    ),
    st.builds(withdrawn, st.just(Side.VACANCY), ids.map("v{}".format), revisions),
    st.builds(withdrawn, st.just(Side.CANDIDATE), ids.map("c{}".format), revisions),
)


@given(st.lists(events, max_size=30), st.data())
def test_any_order_and_any_repetition_give_the_same(history, data):
    again = data.draw(st.lists(st.sampled_from(history), max_size=10)) if history else []
    shuffled = data.draw(st.permutations(history + again))
    assert MatchState(shuffled).matches() == MatchState(history).matches()


@given(st.lists(events, max_size=30))
def test_it_is_what_the_rule_says(holding, history):
    matches = [event for event in history if isinstance(event, Match)]
    held = holding(matches, [event for event in history if isinstance(event, MatchesWithdrawn)])
    state = MatchState(history).matches()
    assert {(m.vacancy_id, m.candidate_id) for m in state} == {(pair[0], pair[2]) for pair in held}
    assert {(m.vacancy_id, m.vacancy_revision, m.candidate_id, m.candidate_revision) for m in state} <= held


class TestOfTwoModels:
    FOUNDED = deployment.founded("m")
    SWITCHED = deployment.swapped(deployment.promoted(deployment.started(FOUNDED, "n")))
    BACK = deployment.rolled_back(SWITCHED)
    OLD, NEW = match(), match(model="n", at=NOW + timedelta(seconds=1))

    @pytest.mark.parametrize(
        ("rollouts", "counting"), [([FOUNDED], OLD), ([FOUNDED, SWITCHED], NEW), ([SWITCHED, BACK], OLD)]
    )
    def test_the_live_ones_matches_count_in_whatever_order_all_comes(self, rollouts, counting):
        for events in permutations([self.OLD, self.NEW, *rollouts]):
            assert MatchState(events).matches() == [counting]

    def test_a_withdrawal_is_of_every_model(self):
        for rollout in (self.FOUNDED, self.SWITCHED):
            assert MatchState([self.OLD, self.NEW, rollout, withdrawn()]).matches() == []

    def test_what_a_rule_forbids_by_one_models_vectors_stands_by_the_others(self):
        excluded = MatchesWithdrawn(
            side=Side.VACANCY,
            entity_id="v1",
            revision=1,
            reason=WithdrawalReason.EXCLUDED,
            occurred_at=NOW,
            counterparts={"c1": 1},
            model_version="m",
        )
        for events in permutations([self.OLD, self.NEW, excluded]):
            assert MatchState([*events, self.FOUNDED]).matches() == []
            assert MatchState([*events, self.SWITCHED]).matches() == [self.NEW]


class TestKnows:
    """What a rebuild need not publish again."""

    EXCLUDED = MatchesWithdrawn(
        side=Side.CANDIDATE,
        entity_id="c1",
        revision=3,
        reason=WithdrawalReason.EXCLUDED,
        occurred_at=NOW,
        counterparts={"v1": 2, "v2": 2},
        model_version="m",
    )

    @pytest.mark.parametrize("event", [match(), withdrawn(), EXCLUDED])
    def test_what_was_applied_is_known(self, event):
        assert not MatchState().knows(event)
        assert MatchState([event]).knows(event)

    def test_an_older_withdrawal_is_known_and_a_newer_one_is_not(self):
        state = MatchState([withdrawn(revision=5)])
        assert [state.knows(withdrawn(revision=each)) for each in (4, 5, 6)] == [True, True, False]

    @pytest.mark.parametrize("revision", [0, 1])
    def test_a_withdrawal_of_any_revision_is_new_to_an_empty_state(self, revision):
        assert not MatchState().knows(withdrawn(revision=revision))

    def test_a_match_of_another_model_or_revision_is_not_known(self):
        state = MatchState([match()])
        assert not state.knows(match(model="n"))
        assert not state.knows(match(revisions=(2, 1)))

    def test_an_exclusion_is_known_when_all_of_its_pairs_are(self):
        half = self.EXCLUDED.model_copy(update={"counterparts": {"v1": 2}})
        assert not MatchState([half]).knows(self.EXCLUDED)
        assert MatchState([self.EXCLUDED]).knows(half)
