"""Systems with known vectors stand in for encoders."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from rolecall import Encoder
from rolecall.encoder.calibration import LEVELS
from rolecall.encoder.document import Document
from rolecall.training.data import noise
from rolecall.training.data.ontology import Occupation, Split
from rolecall.training.data.sources import SourceError
from rolecall.training.fit import calibrate
from rolecall.training.fit.calibrate import Titles
from rolecall.training.judge import evaluate, report
from rolecall.training.judge.evaluate import Floats, Pairs

TRADES = ("cook", "pilot", "nurse", "welder", "baker", "clerk")
JOBS = [
    Occupation(
        f"t:{trade}",
        str(number),
        tuple(f"{grade} {trade}" for grade in ("big", "old", "new", "red")),
        tasks=tuple(f"{verb} {trade}" for verb in ("see", "hear", "feel", "know")),
    )
    for number, trade in enumerate(TRADES)
]
SPLIT = Split(train=JOBS[2:], validation=JOBS[1:2], test=JOBS[:1])


def knows_trades(documents: Sequence[Document]) -> Floats:
    """One-hot by the last word of the title."""
    return np.array([[d.title.split()[-1] == trade for trade in TRADES] for d in documents], np.float32)


def knows_grades(documents: Sequence[Document]) -> Floats:
    """One-hot by the first word: finds no title of the same trade before those of its own grade."""
    grades = ("big", "old", "new", "red")
    return np.array([[d.title.split()[0] == grade for grade in grades] for d in documents], np.float32)


def test_a_system_that_knows_occupations_finds_all_their_titles() -> None:
    assert evaluate.title_recall(knows_trades, SPLIT) == 1


def test_a_query_never_finds_itself() -> None:
    """24 titles: 5 of the same grade come first, then 18 ties of which 3 are right, not all of them seen."""
    assert evaluate.title_recall(knows_grades, SPLIT) < 1


def test_vacancies_and_candidates_share_occupations_but_no_task_and_no_title() -> None:
    task = evaluate.matching(SPLIT.test, [*SPLIT.train, *SPLIT.validation])
    assert set(task.vacancies.occupations) == {0}
    assert set(task.candidates.occupations) == set(range(6))
    mine = [d for d, o in zip(task.candidates.documents, task.candidates.occupations, strict=True) if o == 0]
    assert not {d.title for d in task.vacancies.documents} & {d.title for d in mine}
    assert not {d.text for d in task.vacancies.documents} & {d.text for d in mine}
    assert evaluate.match_recall(knows_trades, task) == 1


def test_the_corpus_of_candidates_has_the_size_asked_for() -> None:
    task = evaluate.matching(SPLIT.test, SPLIT.train, candidates=4)
    assert len(task.candidates) == 4


def test_garbage_shares_no_text_with_titles() -> None:
    real = {title for job in JOBS for title in job.titles}
    kinds = evaluate.garbage_of(JOBS, count=40)
    assert {kind: len(documents) for kind, documents in kinds.items()} == dict.fromkeys(kinds, 40)
    assert not real & {document.title for kind in kinds.values() for document in kind}


def test_the_garbage_of_the_evaluation_is_not_that_of_training() -> None:
    assert not {text.lower() for text in evaluate.BOILERPLATE} & {text.lower() for text in noise.BOILERPLATE}


def sampled(seed: int) -> Pairs:
    """A match is as likely as the square of the score."""
    rng = np.random.default_rng(seed)
    score, a, b = rng.random((3, 20_000)).astype(np.float32)
    told_a, told_b = rng.integers(0, LEVELS, (2, 20_000), np.int8)
    return Pairs(score, a, b, told_a, told_b, rng.random(20_000) < score**2)


def test_calibration_finds_the_true_probability() -> None:
    calibration = calibrate.fit(sampled(0), certain=0.01)
    score = np.linspace(0.05, 0.95, 30, dtype=np.float32)
    sure = np.full(30, 0.5, np.float32)
    np.testing.assert_allclose(calibration.confidence(score, sure, sure), score**2, atol=0.04)
    assert evaluate.calibration_error(calibration, sampled(1)) < 0.02


def test_calibration_is_close_to_isotonic_regression_of_the_score() -> None:
    pairs = sampled(0)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(pairs.score, pairs.match)
    fresh = sampled(2)
    ours = calibrate.fit(pairs, certain=0.01).confidence(fresh.score, fresh.certainty_a, fresh.certainty_b)
    assert np.abs(ours - oracle.predict(fresh.score)).mean() < 0.03


def test_each_pair_of_levels_has_a_meaning_of_its_own_whatever_the_order() -> None:
    """Between two titles a match is as likely as the square of the score; beside a text it is certain."""
    pairs = sampled(0)
    texts = np.maximum(pairs.told_a, pairs.told_b) >= 2
    calibration = calibrate.fit(replace(pairs, match=pairs.match | texts), certain=0.01)
    score, sure = np.array([0.5], np.float32), np.array([0.5], np.float32)
    assert calibration.confidence(score, sure, sure)[0] == pytest.approx(0.25, abs=0.05)
    beside = [calibration.confidence(score, sure, sure, *told)[0] for told in ((0, 2), (2, 0), (2, 2))]
    assert beside == pytest.approx([1.0, 1.0, 1.0], abs=0.02)


def test_levels_without_pairs_are_judged_as_the_others() -> None:
    pairs = sampled(0)
    titles = replace(pairs, told_a=np.zeros_like(pairs.told_a), told_b=np.zeros_like(pairs.told_b))
    calibration = calibrate.fit(titles, certain=0.01)
    score, sure = np.linspace(0.05, 0.95, 10, dtype=np.float32), np.full(10, 0.5, np.float32)
    other = calibration.confidence(score, sure, sure, 1, 2)
    np.testing.assert_allclose(other, calibration.confidence(score, sure, sure), atol=0.06)


def test_pairs_without_a_match_calibrate_nothing() -> None:
    pairs = sampled(0)
    with pytest.raises(SourceError, match=r"^0 of 20,000 held-out pairs are matches"):
        calibrate.fit(replace(pairs, match=np.zeros_like(pairs.match)), certain=0.01)


def test_a_document_without_certainty_matches_nothing_and_a_surer_one_never_less() -> None:
    calibration = calibrate.fit(sampled(0), certain=0.2)
    score, low, high = np.meshgrid(*[np.linspace(0, 1, 11, dtype=np.float32)] * 3, indexing="ij")
    confidence = calibration.confidence(score, low, high)
    assert (confidence[:, 0] == 0).all()
    assert (confidence[:, :, 0] == 0).all()
    assert all((np.diff(confidence, axis=axis) >= 0).all() for axis in range(3))


def titles(kinds: Sequence[str], weights: Sequence[float]) -> Titles:
    """One group of two values; each title puts its weight on the first value."""
    names = [f"{kind} {number}" for number, kind in enumerate(kinds)]
    vectors = np.array([[w, 1 - w] for w in weights], np.float32).reshape(-1, 2)
    return Titles(vectors, names, names, kinds)


def test_a_value_is_named_after_its_most_typical_titles() -> None:
    known = titles(["cook"] * 4 + ["pilot"] * 3, [0.9, 0.8, 0.7, 0.6, 0.1, 0.2, 0.3])
    names = calibrate.name_values(known, titles([], []), groups=1)
    assert names == (("cook 0 · cook 1 · cook 2", "pilot 4 · pilot 5 · pilot 6"),)


def test_a_value_of_several_kinds_has_no_name() -> None:
    known = titles(["cook", "pilot", "nurse", "cook", "pilot"], [0.9, 0.8, 0.7, 0.6, 0.1])
    assert calibrate.name_values(known, titles([], []), groups=1) == (("", ""),)


def test_a_value_that_held_out_titles_of_another_kind_choose_as_firmly_has_no_name() -> None:
    known = titles(["cook"] * 4, [0.9, 0.8, 0.7, 0.6])
    assert calibrate.name_values(known, titles(["pilot"], [0.95]), groups=1)[0][0] == ""
    assert calibrate.name_values(known, titles(["pilot"], [0.55]), groups=1)[0][0] != ""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(device="cpu")


def test_pairs_are_the_best_hits_with_their_labels(encoder: Encoder) -> None:
    pairs = evaluate.held_out_pairs(encoder.encode, JOBS[:1], Split(JOBS[1:], [], []))
    assert len(pairs.score) == 10 * (4 + 2)  # four titles and two vacancies
    assert pairs.match.sum() == 4 * 3 + 2 * 2  # each title finds three others, each vacancy two candidates


def test_the_report_is_one_file_with_everything_inside(encoder: Encoder, tmp_path: Path) -> None:
    table = {"MiniLM": {"recall": 0.25}, "rolecall": {"recall": 0.5}}
    html = report.write(encoder, SPLIT, table)
    assert html.count("data:image/png;base64,") == 4
    assert "src='http" not in html
    assert "<td class='n best'>0.500</td>" in html
    assert encoder.version in html
    assert "Population stability index of 4 held-out titles" in html
