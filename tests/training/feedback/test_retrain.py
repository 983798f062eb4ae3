"""Retraining and its gate, with a tiny model and a market of forty trades with a hidden preference."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch
from sklearn.metrics import roc_auc_score

from bench.rig.market import YES, Market, flipped, spam
from rolecall.encoder import artifact
from rolecall.encoder.artifact import Artifact, Config, Shape
from rolecall.encoder.document import Document, candidate_document, vacancy_document
from rolecall.encoder.model import Encoder, Network
from rolecall.encoder.tokens import Vocabulary
from rolecall.schemas.feedback import Feedback
from rolecall.schemas.match import Side
from rolecall.training.config import TrainConfig
from rolecall.training.data import dataset
from rolecall.training.data.ontology import Occupation, Split
from rolecall.training.data.sampler import PairSampler
from rolecall.training.feedback import finetune, gate
from rolecall.training.feedback import pairs as feedback
from rolecall.training.feedback.config import GateConfig, RetrainConfig
from rolecall.training.feedback.entities import Entities
from rolecall.training.feedback.finetune import Judged, NothingToLearn
from rolecall.training.feedback.gate import Decision
from rolecall.training.feedback.pairs import Pair
from rolecall.training.feedback.retrain import Ground, retrain
from rolecall.training.fit import loop
from rolecall.training.fit.recipe import UNCALIBRATED

_NAMES = """
    cook pilot nurse welder baker clerk farmer singer driver lawyer judge plumber teacher miner tailor
    dancer painter sailor butcher florist barber roofer mason printer weaver smith hunter fisher grocer
    usher waiter editor actor jockey porter broker potter glazier tiler logger
"""
TRADES = _NAMES.split()
GRADES = ("", "senior ", "junior ", "night ", "head ", "trainee ", "chief ", "mobile ")
TASKS = ("sees {}", "hears {}", "knows {}", "helps {}", "finds {}", "keeps {}")
JOBS = [
    Occupation(f"t:{trade}", f"{number:02}", tuple(grade + trade for grade in GRADES),
               tasks=tuple(task.format(trade) for task in TASKS))
    for number, trade in enumerate(TRADES)
]  # fmt: skip
SPLIT = Split(train=JOBS[:30], validation=JOBS[30:35], test=JOBS[35:])
WORDS = sorted({word for job in JOBS for text in (*job.titles, *job.tasks) for word in text.split()})
VOCABULARY = Vocabulary(["[UNK]", *WORDS])
START = datetime(2026, 1, 1, tzinfo=UTC)
ONTOLOGY = TrainConfig(batch=32, documents=0.35, keep_tokens=1.0)
CONFIG = RetrainConfig(
    ontology=ONTOLOGY, batch=64, steps=60, learning_rate=0.01, imitation=1.0,
    gate=GateConfig(title_margin=0.2, match_margin=0.2),
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained on the trades."""
    torch.manual_seed(0)
    network = Network(Shape(vocabulary=len(VOCABULARY), hidden=24, groups=16, size=4))
    config = ONTOLOGY.model_copy(update={"epochs": 12, "learning_rate": 0.02, "patience": 99})
    sampler = PairSampler(dataset.build(JOBS, VOCABULARY, seed=0), config)
    trained, _ = loop.train(network, sampler, config, validate=lambda _: {"score": 0.0})
    folder = tmp_path_factory.mktemp("base")
    shape = Config(shape=network.shape, calibration=UNCALIBRATED)
    artifact.save(folder, Artifact(shape, trained.state_dict(), VOCABULARY.tokens, ()))
    return folder


@pytest.fixture(scope="module")
def ground(base: Path) -> Ground:
    return Ground.read(base, SPLIT, 0)


MARKET = Market(SPLIT.train, 20, 0)
PERIOD = MARKET.period(0, 120, 160, START)
HERE = Entities(
    {(Side.VACANCY, v.id): vacancy_document(v) for v in PERIOD.vacancies}
    | {(Side.CANDIDATE, c.id): candidate_document(c) for c in PERIOD.candidates},
    {},
    {},
)
NOW = START + timedelta(days=30)
HONEST = MARKET.on_applications(PERIOD, 6, START)


def judged(events: Sequence[Feedback], dropped: Counter[str] | None = None) -> Judged:
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.id))
    pairs = feedback.graded_pairs(ordered, HERE, CONFIG.rules, Counter() if dropped is None else dropped)
    return Judged(pairs, HERE.documents, feedback.second_thoughts(ordered, HERE, CONFIG.rules))


def run(ground: Ground, events: Sequence[Feedback], out: Path, **changes: object) -> Decision:
    config = CONFIG.model_copy(update=changes)
    origin = {"offsets": {"feedback": {0: (3, 9)}}}
    return retrain(ground, judged(events), ground.encoder, config, out, origin=origin)


@pytest.fixture(scope="module")
def honest(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Decision]:
    out = tmp_path_factory.mktemp("honest")
    return out, run(ground, HONEST, out)


def test_honest_feedback_makes_a_better_model_that_may_serve(honest: tuple[Path, Decision]) -> None:
    _, decision = honest
    assert decision.reasons == []
    gains = {check.name: check.after - check.before for check in decision.checks}
    assert gains["later recall@10"] > 0.1
    assert gains["later AUC"] > 0.1


def test_the_same_pairs_and_seed_give_the_same_model(
    ground: Ground, honest: tuple[Path, Decision], tmp_path: Path
) -> None:
    run(ground, HONEST, tmp_path)
    assert Encoder.load(tmp_path).version == Encoder.load(honest[0]).version


def test_another_seed_gives_another_model(ground: Ground, honest, tmp_path: Path) -> None:
    run(ground, HONEST, tmp_path, seed=1, steps=2)
    assert Encoder.load(tmp_path).version != Encoder.load(honest[0]).version


def test_a_model_tells_what_it_was_made_from_and_why_it_may_serve(ground: Ground, honest) -> None:
    out, _ = honest
    facts, verdict = (orjson.loads((out / name).read_bytes()) for name in ("metrics.json", "gate.json"))
    assert facts["offsets"] == {"feedback": {"0": [3, 9]}}
    assert facts["base"] == verdict["serving"] == ground.encoder.version
    assert facts["version"] == verdict["version"] == Encoder.load(out).version
    assert verdict["promoted"] is True
    card = (out / "README.md").read_text()
    assert '- offsets: {"feedback":{"0":[3,9]}}' in card
    assert "promoted" in card


def test_confidence_is_calibrated_again(ground: Ground, honest) -> None:
    assert Encoder.load(honest[0]).calibration != ground.encoder.calibration


def test_feedback_with_a_third_of_its_verdicts_flipped_does_not_get_through(
    ground: Ground, tmp_path: Path
) -> None:
    decision = run(ground, flipped(HONEST, 0.3, 0), tmp_path)
    assert not decision.promoted
    assert "contradict each other" in " ".join(decision.reasons)
    assert orjson.loads((tmp_path / "gate.json").read_bytes())["promoted"] is False


def test_a_spammer_with_ten_thousand_votes_leaves_no_trace_in_the_model(
    ground: Ground, honest, tmp_path: Path
) -> None:
    dropped: Counter[str] = Counter()
    both = judged([*HONEST, *spam(PERIOD, 10_000, NOW, days=20)], dropped)
    assert dropped["flooding"] > 7_000  # some of the pairs are drawn twice
    retrain(ground, both, ground.encoder, CONFIG, tmp_path, origin={})
    assert Encoder.load(tmp_path).version == Encoder.load(honest[0]).version


def test_a_patient_spammer_does_no_harm(ground: Ground, honest, tmp_path: Path) -> None:
    """10,000 votes in two months are just under the daily limit. Only the newest 200 count."""
    dropped: Counter[str] = Counter()
    both = judged([*HONEST, *spam(PERIOD, 10_000, NOW, days=60)], dropped)
    assert dropped["past the actor's limit"] > 7_000
    retrain(ground, both, ground.encoder, CONFIG, tmp_path, origin={})
    clean, spammed = (recall(Encoder.load(model)) for model in (honest[0], tmp_path))
    assert spammed > recall(ground.encoder)
    assert spammed > clean - 0.1


def recall(encoder: Encoder) -> float:
    """Share of the candidates of a vacancy's trade and its partner trade that are among its ten best."""
    vacancies = encoder.encode([HERE.documents[Side.VACANCY, v.id] for v in PERIOD.vacancies]).vectors
    candidates = encoder.encode([HERE.documents[Side.CANDIDATE, c.id] for c in PERIOD.candidates]).vectors
    best = np.argsort(-(vacancies @ candidates.T), axis=1)[:, :10]
    found = [
        MARKET.is_team(vacancy.id, PERIOD.candidates[place].id)
        for vacancy, row in zip(PERIOD.vacancies, best, strict=True)
        for place in row
    ]
    return float(np.mean(found))


def test_head_alone_leaves_the_backbone_as_it_was(ground: Ground, honest, base: Path) -> None:
    before, after = (Encoder.load(model).network.state_dict() for model in (base, honest[0]))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in changed} == {"head"}


def test_all_weights_may_change(ground: Ground, base: Path, tmp_path: Path) -> None:
    run(ground, HONEST, tmp_path, weights="all", steps=2)
    before, after = (Encoder.load(model).network.state_dict() for model in (base, tmp_path))
    assert not torch.equal(before["backbone.table.weight"], after["backbone.table.weight"])


def test_a_model_that_forgot_its_occupations_is_kept_back(ground: Ground, tmp_path: Path) -> None:
    """Trained without the ontology loss and with a high learning rate."""
    strict = GateConfig(title_margin=0.0, match_margin=0.0)
    decision = run(
        ground, HONEST, tmp_path, imitation=0.0, feedback_weight=100.0, learning_rate=0.1, gate=strict
    )
    assert not decision.promoted
    assert "held-out occupations: title recall@10 may have fallen by" in " ".join(decision.reasons)


def test_too_little_feedback_changes_nothing(ground: Ground, tmp_path: Path) -> None:
    decision = run(ground, HONEST[:50], tmp_path, steps=2)
    [reason] = [each for each in decision.reasons if "occupations" not in each]
    assert reason == "7 later pairs of feedback are too few to judge by; 100 are needed"


def test_two_pairs_are_enough_for_a_run_and_too_few_for_the_gate(ground: Ground, tmp_path: Path) -> None:
    liked, refused = (next(e for e in HONEST if (e.verdict in YES) is yes) for yes in (True, False))
    decision = run(ground, [liked, refused], tmp_path, steps=2)
    assert "0 later pairs of feedback are too few to judge by; 100 are needed" in decision.reasons


def test_feedback_without_a_match_is_an_error(ground: Ground, tmp_path: Path) -> None:
    with pytest.raises(NothingToLearn, match="none of the 1 pairs to learn from is a match"):
        run(ground, [next(e for e in HONEST if e.verdict not in YES)], tmp_path)


def test_pairs_are_split_by_time() -> None:
    pairs = judged(HONEST).pairs
    learned, calibrating, later = finetune.by_time(pairs, CONFIG)
    assert [*learned, *calibrating, *later] == list(pairs)
    assert max(pair.at for pair in learned) <= min(pair.at for pair in calibrating)
    assert max(pair.at for pair in calibrating) <= min(pair.at for pair in later)
    assert len(later) == round(len(pairs) * 0.2)


def test_no_known_match_is_taken_for_a_mismatch() -> None:
    """Of vacancy a: its other match, and that one again with vacancy b. Of b: candidate 2 once more."""
    match = {key: Pair(*key, 1.0, 1.0, START) for key in ("a1", "a2", "b2", "c3")}
    texts = {(Side.VACANCY, v): Document(v) for v in "abc"} | {
        (Side.CANDIDATE, c): Document(c) for c in "123"
    }
    batch = finetune.FeedbackSampler(Judged([*match.values()], texts), CONFIG).draw(0)
    pairs = [v.title + c.title for v, c in zip(batch.vacancies, batch.candidates, strict=True)]
    assert pairs == ["a1", "a2", "b2", "c3"]
    assert batch.known.astype(int).tolist() == [
        [0, 1, 1, 0],
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_the_interval_of_a_constant_gain_is_that_gain() -> None:
    before = np.linspace(0, 0.5, 40, dtype=np.float32)
    assert gate.difference(before, before + 0.25, np.ones(40)) == (pytest.approx(0.25), pytest.approx(0.25))


def test_the_interval_is_that_of_the_normal_approximation() -> None:
    """Mean 0, standard deviation 1, 400 queries: 1.645 / 20 either way."""
    gains = np.random.default_rng(0).normal(size=400)
    gains = ((gains - gains.mean()) / gains.std()).astype(np.float32)
    low, high = gate.difference(np.zeros_like(gains), gains, np.ones(400))
    assert (low, high) == (pytest.approx(-0.082, abs=0.01), pytest.approx(0.082, abs=0.01))


def test_weighted_auc_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    scores, weights = rng.integers(0, 9, 200).astype(np.float32), rng.random(200)
    positive = rng.random(200) < 0.3
    expected = roc_auc_score(positive, scores, sample_weight=weights)
    assert gate.weighted_auc(scores, positive, weights) == pytest.approx(expected)


@pytest.mark.parametrize("share_of_yes", [0.1, 0.3, 0.5, 0.8])
def test_the_truth_itself_foretells_verdicts_no_better_than_the_gate_asks_where_30_percent_are_flipped(
    share_of_yes: float,
) -> None:
    """AUC = 1/2 + (a - b) / 2, with a and b the shares of true yes among what says yes and what says no."""
    rng = np.random.default_rng(3)
    truth = rng.random(40_000) < share_of_yes
    said = truth ^ (rng.random(len(truth)) < 0.3)
    a, b = (
        kept * share_of_yes / (kept * share_of_yes + (1 - kept) * (1 - share_of_yes)) for kept in (0.7, 0.3)
    )
    auc = gate.weighted_auc(truth.astype(float), said, np.ones(len(truth)))
    assert auc == pytest.approx(0.5 + (a - b) / 2, abs=0.01)
    assert 0.5 + (a - b) / 2 <= GateConfig().least_auc
