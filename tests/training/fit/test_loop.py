from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from rolecall.encoder.artifact import Shape
from rolecall.encoder.model import Network
from rolecall.encoder.tokens import Vocabulary
from rolecall.training.config import TrainConfig
from rolecall.training.data import dataset
from rolecall.training.data.ontology import Occupation
from rolecall.training.data.sampler import Batch, PairSampler
from rolecall.training.fit import loop, losses

WORDS = ["[UNK]", "red", "green", "blue", "big", "small", "cook", "pilot", "nurse", "welder", "sings", "runs"]
JOBS = [
    Occupation(f"t:{job}", "", (job, f"big {job}", f"small {job}", f"red {job}"), ("runs",), ("sings",) * 4)
    for job in ("cook", "pilot", "nurse", "welder")
]
VOCABULARY = Vocabulary(WORDS)
DATA = dataset.build(JOBS, VOCABULARY, seed=0)


def network() -> Network:
    torch.manual_seed(0)
    return Network(Shape(vocabulary=len(WORDS), hidden=8, groups=4, size=4))


def config(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate(
        {"batch": 8, "epochs": 4, "patience": 99, "learning_rate": 0.02} | changes
    )


def no_opinion(network: Network) -> dict[str, float]:
    return {"score": 0.0}


def test_training_brings_titles_of_one_occupation_together() -> None:
    trained, _ = loop.train(
        network(),
        PairSampler(DATA, config(epochs=30)),
        config(epochs=30),
        validate=lambda n: {"score": gap(n)},
    )
    assert gap(trained) > gap(network()) + 0.3


def gap(model: Network) -> float:
    """How much closer two cooks are than a cook and a pilot."""
    tokens = DATA.store.tokens(
        np.concatenate([v.titles[:2] for v in DATA.views]), np.tile([1, 0, 0], 8), 1, RNG
    )
    with torch.no_grad():
        vectors = model(tokens).vectors
    scores = vectors @ vectors.T
    return float(scores[0, 1] - scores[0, 2])


RNG = np.random.default_rng(0)


def test_the_same_seed_gives_the_same_weights() -> None:
    runs = [
        loop.train(network(), PairSampler(DATA, config()), config(), validate=no_opinion)[0] for _ in range(2)
    ]
    for first, second in zip(*(run.parameters() for run in runs), strict=True):
        torch.testing.assert_close(first, second, atol=0, rtol=0)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(tmp_path: Path, average: float) -> None:
    """Killed in its third epoch, so the second has to be done again from its end."""
    settings = config(average=average, garbage=0.5)
    file = tmp_path / "run.safetensors"

    def killed(batches: Iterable[Batch], epoch: int, count: int) -> Iterable[Batch]:
        for number, batch in enumerate(batches):
            if (epoch, number) == (2, 1):
                raise Killed
            yield batch

    score = iter(range(100))
    rising = lambda model: {"score": float(next(score))}  # noqa: E731
    whole, progress = loop.train(network(), PairSampler(DATA, settings), settings, validate=rising)
    with pytest.raises(Killed):
        loop.train(
            network(), PairSampler(DATA, settings), settings, validate=rising, resume_from=file, track=killed
        )
    resumed, again = loop.train(
        network(), PairSampler(DATA, settings), settings, validate=rising, resume_from=file
    )
    assert (again.epoch, again.step) == (progress.epoch, progress.step)
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=0, rtol=0)


def test_training_stops_when_validation_gets_no_better() -> None:
    scores = iter([0.1, 0.3, 0.2, 0.2, 0.2, 0.9])
    settings = config(epochs=6, patience=3)
    _, progress = loop.train(
        network(), PairSampler(DATA, settings), settings, validate=lambda n: {"score": next(scores)}
    )
    assert (progress.epoch, progress.best, progress.best_epoch) == (5, 0.3, 2)


def test_the_pace_rises_to_the_peak_and_falls_to_nothing() -> None:
    paces = [loop.pace(step, 100) for step in range(100)]
    assert max(paces) == paces[10] == 1
    assert paces[0] == pytest.approx(0.1)
    assert paces[-1] < 0.001


def test_an_epoch_is_the_same_whenever_it_is_drawn() -> None:
    first, second = ([*PairSampler(DATA, config()).epoch(3)] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one.a.tokens.ids, other.a.tokens.ids)
        np.testing.assert_array_equal(one.b.titles, other.b.titles)


def test_another_stream_draws_other_batches_of_the_same_seed() -> None:
    one, other = (next(PairSampler(DATA, config(), stream=n).epoch(3)) for n in range(2))
    assert one.a.titles.tolist() != other.a.titles.tolist()


def test_pairs_are_two_titles_of_one_occupation() -> None:
    for batch in PairSampler(DATA, config(documents=0)).epoch(0):
        for occupation, a, b in zip(batch.occupations, batch.a.titles, batch.b.titles, strict=True):
            own = set(DATA.views[occupation].titles.tolist())
            assert {int(a), int(b)} <= own
            assert a != b


def sides(data: dataset.Dataset, **changes: object) -> Iterable[list[list[set[int]]]]:
    """Of every pair of a hundred epochs, both sides: the tokens of title, skills and text."""
    sampler = PairSampler(data, config(documents=1.0, keep_tokens=1.0, batch=2, **changes))
    for batch in (batch for number in range(100) for batch in sampler.epoch(number)):
        for n in range(len(batch)):
            parts = [side.tokens.part(n, n + 1) for side in (batch.a, batch.b)]
            yield [
                [set(ids.tolist()) for ids in torch.tensor_split(part.ids, part.offsets[1:].tolist())]
                for part in parts
            ]


def one_job() -> dataset.Dataset:
    jobs = [Occupation("t:x", "", ("cook", "nurse"), (), tuple(WORDS[1:4]), tuple(WORDS[4:6]))]
    return dataset.build(jobs, VOCABULARY, seed=0)


def test_the_two_halves_of_a_document_share_no_task_and_no_skill() -> None:
    for one, other in sides(one_job()):
        assert not one[1] & other[1]
        assert not one[2] & other[2]


def test_either_side_draws_its_fields_for_itself() -> None:
    """Title, skills or not, text or not: four kinds of documents on either side, all combinations."""
    kinds = {tuple(bool(field) for side in pair for field in side) for pair in sides(one_job())}
    told = [(True, skills, text) for skills in (True, False) for text in (True, False)]
    assert kinds == {(*one, *other) for one in told for other in told}


def test_a_side_may_lack_its_title_when_it_has_anything_else() -> None:
    for pair in sides(one_job(), untitled=1.0):
        assert all(bool(title) != bool(skills or text) for title, skills, text in pair)


def drawn(data: dataset.Dataset, **changes: object) -> dict[int, int]:
    """How many pairs of one epoch each occupation has."""
    sampler = PairSampler(data, config(batch=1, **changes))
    return Counter(int(batch.occupations[0]) for batch in sampler.epoch(0))


def uneven(skills: int = 0) -> dataset.Dataset:
    """An occupation of sixteen titles and one of four; skills of two names each, from two sources in turn."""
    titles = [f"{a} {b}" for a in WORDS[1:5] for b in WORDS[6:10]]
    jobs = [Occupation("t:large", "", tuple(titles)), Occupation("t:small", "", tuple(WORDS[1:5]))]
    names = [
        Occupation(f"{'st'[n % 2]}:{n}", "", (f"runs {WORDS[n]}", f"sings {WORDS[n]}")) for n in range(skills)
    ]
    return dataset.build(jobs, VOCABULARY, seed=0, aside=names)


@pytest.mark.parametrize(("balance", "large", "small"), [(0, 16, 4), (0.5, 40 / 3, 20 / 3), (1, 10, 10)])
def test_balance_draws_small_occupations_as_often_as_it_says(
    balance: float, large: float, small: float
) -> None:
    """Square roots of 16 and 4 are 4 and 2: two thirds and one third of 20 pairs."""
    pairs = drawn(uneven(), balance=balance)
    assert pairs[0] == pytest.approx(large, abs=1)
    assert pairs[1] == pytest.approx(small, abs=1)
    assert pairs[0] + pairs[1] == 20


def test_without_balance_every_title_is_an_anchor_once_an_epoch() -> None:
    batches = PairSampler(uneven(), config(batch=20)).epoch(1)
    assert sorted(next(batches).a.titles.tolist()) == list(range(20))


@pytest.mark.parametrize(("share", "many"), [(0.0, 0), (0.5, 20), (2 / 3, 40)])
def test_sources_aside_are_added_to_make_their_share_of_the_pairs(share: float, many: int) -> None:
    """20 pairs of titles, and so many of two sources of four and two titles, in proportion to 2 and 1.414."""
    pairs = drawn(uneven(skills=3), aside=share)
    assert pairs[0] + pairs[1] == pytest.approx(20, abs=1)
    assert pairs[2] + pairs[4] == pytest.approx(many * 0.586, abs=1)
    assert pairs[3] == pytest.approx(many * 0.414, abs=1)


def two_languages() -> dataset.Dataset:
    german = (("de", tuple(f"{a} {b}" for a in WORDS[1:3] for b in WORDS[6:8])),)
    jobs = [Occupation("t:x", "", tuple(WORDS[1:5]), translations=german)]
    return dataset.build(jobs, VOCABULARY, seed=0)


def test_titles_in_other_languages_make_their_share_of_the_pairs() -> None:
    """Four pairs of English titles, and as many that begin with one of the four German titles."""
    (batch,) = PairSampler(two_languages(), config(foreign=0.5)).epoch(0)
    assert sorted(batch.a.titles.tolist()) == list(range(8))


def test_english_titles_meet_english_ones_and_others_meet_all() -> None:
    sampler = PairSampler(two_languages(), config(foreign=0.5))
    batches = [batch for number in range(20) for batch in sampler.epoch(number)]
    met = Counter(
        (a < 4, b < 4)
        for batch in batches
        for a, b in zip(batch.a.titles.tolist(), batch.b.titles.tolist(), strict=True)
    )
    assert met[True, False] == 0
    assert met[True, True] == 80
    assert met[False, True] == pytest.approx(80 * 0.35, abs=15)
    assert not any(batch.bare[batch.a.titles >= 4].any() for batch in batches)


def test_a_teacher_of_titles_has_no_say_on_what_stands_aside() -> None:
    (batch,) = PairSampler(uneven(skills=3), config(batch=40, aside=0.5)).epoch(0)
    np.testing.assert_array_equal(batch.bare, batch.occupations < 2)


def test_a_teacher_that_read_no_name_aside_has_its_say_on_the_others() -> None:
    data, settings = uneven(skills=3), config(batch=40, aside=0.5, distil=1.0, opinions="someone")
    (batch,) = PairSampler(data, settings).epoch(0)
    teacher = torch.nn.functional.normalize(torch.rand(data.readable, 3), dim=1)
    without = loop.batch_loss(network(), batch, config(), None)
    assert loop.batch_loss(network(), batch, settings, teacher) > without


def test_a_teacher_reads_titles_of_occupations_and_vacancies_and_no_more() -> None:
    jobs = [Occupation("t:x", "", ("cook", "nurse"), ("sings",), ("runs",))]
    skills = [Occupation("skill:y", "", ("welder", "pilot"))]
    data = dataset.build(jobs, VOCABULARY, seed=0, aside=skills, unlabelled=["red cook", "nurse"])
    assert data.store.texts[: data.readable] == ["cook", "nurse", "red cook"]
    assert data.vacancies.tolist() == [2, 1]


def test_nothing_to_pair_is_an_error() -> None:
    lonely = dataset.build([Occupation("t:x", "", ("cook",))], VOCABULARY, seed=0)
    with pytest.raises(ValueError, match="none of 1 occupations has two titles"):
        PairSampler(lonely, config())


def test_a_teacher_without_weight_changes_nothing() -> None:
    (batch,) = [*PairSampler(DATA, config(documents=0)).epoch(0)][:1]
    teacher = torch.rand(len(DATA.store), 3)
    without = loop.batch_loss(network(), batch, config(), None)
    torch.testing.assert_close(loop.batch_loss(network(), batch, config(distil=0.0), teacher), without)
    imitating = loop.batch_loss(network(), batch, config(distil=1.0, opinions="someone"), teacher)
    a, b = (loop.embed(network(), side.tokens) for side in (batch.a, batch.b))
    wanted = losses.imitation(a @ b.T, teacher[batch.a.titles], teacher[batch.b.titles])
    torch.testing.assert_close(imitating, without + wanted)


def test_imitating_takes_someone_to_imitate() -> None:
    with pytest.raises(
        ValueError, match=r"distil = 0.5 but nobody to imitate: set `opinions` or `\[teacher\]`"
    ):
        config(distil=0.5)


def test_garbage_is_compared_with_titles_and_not_with_names_of_skills() -> None:
    skills = [Occupation("skill:y", "", ("welder", "pilot"))]
    data = dataset.build([Occupation("t:x", "", ("cook", "nurse"))], VOCABULARY, seed=0, aside=skills)
    settings = config(batch=4, aside=0.5, garbage=0.5)
    (batch,) = PairSampler(data, settings).epoch(0)
    titles, garbage = (
        loop.embedded(network(), tokens).certainty for tokens in (batch.a.tokens, batch.garbage)
    )
    wanted = 0.5 * losses.certainty_ranking(titles[batch.occupations == 0], garbage)
    without = loop.batch_loss(network(), batch, config(), None)
    torch.testing.assert_close(loop.batch_loss(network(), batch, settings, None), without + wanted)


def test_a_teacher_of_titles_has_no_say_on_documents() -> None:
    """Pairs are bare when neither side has a token outside its title."""
    sampler = PairSampler(one_job(), config(documents=1.0, batch=2))
    for batch in (batch for number in range(20) for batch in sampler.epoch(number)):
        bodies = sum(side.tokens.counts()[:, 1:].sum(1) for side in (batch.a, batch.b))
        np.testing.assert_array_equal(batch.bare, (bodies == 0).numpy())


def test_occupations_outside_every_tree_are_related_to_none() -> None:
    jobs = [Occupation("esco:a", "2512", ("cook",)), Occupation("t:b", "", ("nurse",))]
    cook, nurse = dataset.build(jobs, VOCABULARY, seed=0).ancestors
    assert len({*cook.tolist(), *nurse.tolist()}) == 5


def test_pairs_of_occupations_without_texts_are_bare() -> None:
    data = dataset.build([Occupation("t:x", "", ("cook", "nurse"))], VOCABULARY, seed=0)
    assert next(PairSampler(data, config(documents=1.0)).epoch(0)).bare.all()
