"""From pairs of feedback to a model directory with the gate's decision beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from rolecall.encoder import artifact
from rolecall.encoder.artifact import Artifact, Config
from rolecall.encoder.calibration import Calibration
from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder, Network, weight_shapes
from rolecall.encoder.usage import Usage
from rolecall.schemas.match import Side
from rolecall.training.data import dataset
from rolecall.training.data.dataset import Dataset
from rolecall.training.data.ontology import Split
from rolecall.training.data.sampler import PairSampler
from rolecall.training.feedback import gate
from rolecall.training.feedback.config import RetrainConfig
from rolecall.training.feedback.finetune import Judged, by_time, finetune
from rolecall.training.feedback.gate import Decision
from rolecall.training.feedback.pairs import Pair
from rolecall.training.fit import calibrate, mixture
from rolecall.training.fit.recipe import GARBAGE, UNCALIBRATED, described
from rolecall.training.judge.evaluate import Pairs, levels


@dataclass(frozen=True, slots=True)
class Ground:
    """What every run from one base model and one set of ontologies shares."""

    base: Artifact
    encoder: Encoder  # the base model
    split: Split
    data: Dataset
    scores: gate.Scores  # of the base model on held-out occupations
    card: str  # of the base model

    @classmethod
    def read(cls, base: Path, split: Split, seed: int) -> "Ground":
        encoder = Encoder.load(base, device="cpu")
        return cls(
            base=artifact.load(base, weight_shapes),
            encoder=encoder,
            split=split,
            data=dataset.build(split.train, encoder.vocabulary, seed=seed),
            scores=gate.ontology_scores(encoder, split),
            card=(base / "README.md").read_text(encoding="utf-8") if (base / "README.md").is_file() else "",
        )

    def network(self) -> Network:
        """In float32, whatever the encoder computes in."""
        network = Network(self.base.config.shape)
        network.load_state_dict(dict(self.base.weights))
        return network.eval()


def retrain(
    ground: Ground,
    judged: Judged,
    serving: Encoder,
    config: RetrainConfig,
    out: Path,
    *,
    origin: Mapping[str, Any],
    say: Callable[[str], None] = lambda line: None,
) -> Decision:
    """Trains from the base model into `out`, and compares with the model that serves now.

    origin: where the pairs came from: offsets, counts. It goes into metrics.json and the card.
    """
    learned, calibrating, later = by_time(judged.pairs, config)
    known = Judged([*learned, *calibrating], judged.documents, judged.second_thoughts)
    say(f"{len(learned)} pairs to learn from, {len(calibrating)} to calibrate with, {len(later)} later ones")
    tuned = finetune(
        ground.network(),
        ground.encoder.vocabulary,
        Judged(learned, judged.documents),
        PairSampler(ground.data, config.ontology.model_copy(update={"seed": config.seed})),
        config,
    )
    encoder = _finish(ground, tuned, judged, calibrating, out)
    scores = gate.ontology_scores(encoder, ground.split)
    decision = Decision(
        (
            *gate.ontology_checks(ground.scores, scores, config.gate),
            *gate.feedback_checks(serving, encoder, known, later, config.gate),
        )
    )
    _describe(ground, encoder, serving, config, decision, out, origin)
    return decision


def _finish(
    ground: Ground, network: Network, judged: Judged, calibrating: Sequence[Pair], out: Path
) -> Encoder:
    """Saved, then calibrated and named with the weights as saved: on held-out occupations and on pairs that
    it did not learn from."""
    encoder = _save(ground, network, UNCALIBRATED, (), out)
    split, texts = ground.split, ground.data.store.texts
    junk = [Document(texts[number]) for number in ground.data.garbage[:GARBAGE]]
    pairs, weights = mixture.pairs(encoder.encode, split, junk)
    own = _scored(encoder, judged, calibrating)
    calibration = calibrate.fit(
        Pairs.joined([pairs, own]),
        certain=mixture.least_certainty(encoder.encode, split),
        weights=np.append(weights, np.full(len(own.match), weights.sum() / len(weights))),
    )
    names, used = described(encoder, split)
    return _save(ground, network, calibration, names, out, used=used)


def _scored(encoder: Encoder, judged: Judged, pairs: Sequence[Pair]) -> Pairs:
    clear = [pair for pair in pairs if pair.matched or pair.grade < 0]
    wanted, offered = (judged.texts(side, clear) for side in Side)
    vacancies, candidates = encoder.encode(wanted), encoder.encode(offered)
    return Pairs(
        score=(vacancies.vectors * candidates.vectors).sum(1),
        certainty_a=vacancies.certainty,
        certainty_b=candidates.certainty,
        told_a=levels(wanted),
        told_b=levels(offered),
        match=np.array([pair.matched for pair in clear], np.bool_),
    )


def _save(
    ground: Ground,
    network: Network,
    calibration: Calibration,
    names: tuple[tuple[str, ...], ...],
    out: Path,
    used: Usage | None = None,
) -> Encoder:
    config = Config(shape=network.shape, calibration=calibration)
    artifact.save(out, Artifact(config, network.state_dict(), ground.base.vocabulary, names, used))
    return Encoder.load(out, device="cpu")


def _describe(
    ground: Ground,
    encoder: Encoder,
    serving: Encoder,
    config: RetrainConfig,
    decision: Decision,
    out: Path,
    origin: Mapping[str, Any],
) -> None:
    """gate.json, metrics.json and the base model's card with what was added."""
    versions = {"version": encoder.version, "base": ground.encoder.version, "serving": serving.version}
    verdict = {
        **versions,
        "promoted": decision.promoted,
        "reasons": decision.reasons,
        "checks": [asdict(check) for check in decision.checks],
    }
    facts = {**versions, **origin, "config": config.model_dump(mode="json")}
    for name, content in (("gate.json", verdict), ("metrics.json", facts)):
        (out / name).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
    card = ground.card.replace(ground.encoder.version, encoder.version, 1)
    (out / "README.md").write_text(
        card + CARD.format(**versions, **_lines(decision, origin)), encoding="utf-8"
    )


def _lines(decision: Decision, origin: Mapping[str, Any]) -> dict[str, str]:
    rows = (f"| {each.name} | {each.before:.4f} | {each.after:.4f} |" for each in decision.checks)
    return {
        "origin": "\n".join(f"- {name}: {orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()}"
                            for name, value in origin.items()),
        "checks": "\n".join(rows),
        "decision": "promoted" if decision.promoted else "kept back: " + "; ".join(decision.reasons),
    }  # fmt: skip


CARD = """
## Retrained from feedback

From model {base} by `rolecall retrain`; the figures above are the base model's. Verdicts of recruiters and
candidates on pairs, by id; texts as the topics had them at that moment, without anyone erased.

{origin}

| figure | before | after |
|---|---|---|
{checks}

The gate, against model {serving}: {decision}.
"""
