"""From a folder of ontologies to a model directory: teacher, student, calibration, names, card."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import torch
from safetensors.torch import load_file, save_file

from rolecall.encoder import artifact
from rolecall.encoder.artifact import Artifact, Config
from rolecall.encoder.calibration import CELLS, Calibration
from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder, Network
from rolecall.encoder.tokens import Vocabulary
from rolecall.encoder.usage import Usage
from rolecall.training.config import TrainConfig
from rolecall.training.data import dataset
from rolecall.training.data.dataset import Dataset
from rolecall.training.data.ontology import Split
from rolecall.training.data.sampler import PairSampler
from rolecall.training.data.sources import Sources
from rolecall.training.fit import calibrate, card, loop, mixture, start, teacher
from rolecall.training.fit.checkpoint import Progress
from rolecall.training.fit.start import Pretrained
from rolecall.training.fit.validate import Validation, encode
from rolecall.training.judge import evaluate

GARBAGE = 400  # texts that calibration sees match nothing
Plot = Callable[[str, Mapping[str, float]], None]  # (student or teacher, an epoch's figures)
UNCALIBRATED = Calibration((1.0,) * CELLS, (0.0,) * CELLS, (0.0, 0.0), (0.0, 1.0), (0.0, 1.0), 1.0)


@dataclass(frozen=True, slots=True)
class Run:
    """Folders and output of a run."""

    out: Path
    work: Path  # what an unfinished run goes on from
    command: str  # for the card
    say: Callable[[str], None]
    track: loop.Track
    plot: Plot | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """Data that teacher and student share."""

    pretrained: Pretrained
    data: Dataset
    split: Split
    run: Run


@dataclass(frozen=True, slots=True)
class Facts:
    """How a model was made."""

    command: str  # one a line, if it took several
    config: TrainConfig
    data: dict[str, str]  # file -> hash
    minutes: float
    history: Sequence[Sequence[Mapping[str, float]]]  # figures of each epoch of each student


@dataclass(frozen=True, slots=True)
class Read:
    """Vectors of texts by a large model."""

    vectors: torch.Tensor  # (texts, width)
    minutes: float  # that it took


def make_model(sources: Sources, config: TrainConfig, run: Run) -> str:
    """Trains, or goes on with a run that was killed, and returns the version of the model in `run.out`."""
    run.work.mkdir(parents=True, exist_ok=True)
    split = sources.split()
    run.say(
        f"{len(split.train)} occupations to learn from, {len(split.validation)} to stop by, "
        f"{len(split.test)} to be judged by; {sources.excluded_titles} benchmark titles left out"
    )
    pretrained, minutes = _pretrained(split, config, run)
    data = dataset.build(
        split.train,
        pretrained.vocabulary,
        seed=config.seed,
        aside=split.aside,
        unlabelled=split.unlabelled,
    )
    ground = Ground(pretrained, data, split, run)
    opinions = teach(ground, config) if config.distil else None
    cooks = [fit(ground, config, f"student {n + 1}", opinions, batches=n) for n in range(config.soup)]
    minutes += sum(progress.minutes for _, progress in cooks) + (opinions.minutes if opinions else 0)

    encoder = finish(soup([network for network, _ in cooks]), ground)
    describe(
        encoder,
        run.out,
        split,
        Facts(
            command=run.command,
            config=config,
            data=sources.fingerprints,
            minutes=round(minutes, 1),
            history=[progress.history for _, progress in cooks],
        ),
    )
    for file in run.work.iterdir():
        file.unlink()
    run.work.rmdir()
    return encoder.version


def _pretrained(split: Split, config: TrainConfig, run: Run) -> tuple[Pretrained, float]:
    """Word pieces with what they mean to begin with, and the minutes that reading took."""
    from rolecall.training.fit import words  # needs the training extra; `--help` works without it

    texts = (text for o in split.train for text in (*o.titles, *o.texts, *o.tasks, *o.skills))
    pretrained = Pretrained.read(config.checkpoint, texts) if config.checkpoint else Pretrained.minilm(texts)
    minutes = 0.0
    if config.meanings:
        run.say(f"{config.meanings} reads {len(pretrained.tokens)} words")
        # Each by itself, as in model2vec.
        meanings = _kept(run, "words", lambda: start.read(pretrained.words, config.meanings))
        pretrained, minutes = pretrained.joined(meanings.vectors), meanings.minutes
    groups = [o for o in (*split.train, *split.aside) if o.translations]
    if config.pieces and groups:
        file = run.work / "pieces.txt"  # kept, because learning them again may give others
        if not file.is_file():
            names = (name for o in groups for _, each in o.translations for name in each)
            pieces = words.foreign_pieces(names, pretrained.tokens, config.pieces)
            file.write_text("\n".join(pieces), encoding="utf-8")
        pieces = file.read_text(encoding="utf-8").split("\n")
        run.say(f"{len(pieces)} pieces of other languages start from what their names mean in English")
        vocabulary, english = Vocabulary([*pretrained.tokens, *pieces]), pretrained.weights["table.weight"]
        table = _kept(run, "pieces", lambda: words.meanings(vocabulary, english, groups))
        pretrained, minutes = pretrained.extended(pieces, table.vectors), minutes + table.minutes
    return pretrained, minutes


def _kept(run: Run, what: str, make: Callable[[], torch.Tensor]) -> Read:
    """Made once, and kept for when this run is killed and started again."""
    file = run.work / f"{what}.safetensors"
    if not file.is_file():
        began = time.monotonic()
        vectors = make().half()
        save_file({"vectors": vectors, "minutes": torch.tensor((time.monotonic() - began) / 60)}, file)
    stored = load_file(file)
    return Read(stored["vectors"].float(), float(stored["minutes"]))


def fit(
    ground: Ground, config: TrainConfig, name: str, opinions: Read | None, *, batches: int = 0
) -> tuple[Network, Progress]:
    """batches: other numbers draw other batches, from the same start."""

    def tell(figures: Mapping[str, float]) -> None:
        ground.run.say(", ".join(f"{figure} {value:.4g}" for figure, value in figures.items()))
        if ground.run.plot:
            ground.run.plot(name, figures)

    torch.manual_seed(config.seed)
    network = start.network(
        ground.pretrained, config, frequencies=torch.from_numpy(ground.data.store.frequencies())
    )
    return loop.train(
        network.to("cuda" if torch.cuda.is_available() else "cpu"),
        PairSampler(ground.data, config, stream=batches),
        config,
        validate=Validation(ground.split, ground.pretrained.vocabulary, documents=config.documents > 0),
        teacher=opinions.vectors if opinions else None,
        resume_from=ground.run.work / f"{name}.safetensors",
        track=ground.run.track,
        tell=tell,
    )


def soup(networks: Sequence[Network]) -> Network:
    """The mean of weights that other batches made of one start (Wortsman et al. 2022, "Model soups")."""
    states = [network.state_dict() for network in networks]
    mean = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    networks[0].load_state_dict(mean)
    return networks[0].cpu()


def teach(ground: Ground, config: TrainConfig) -> Read:
    """What a teacher thinks of titles, who may have learned the occupations (`adapt`)."""
    seen = _read_titles(ground, config)
    if not config.adapt:
        return seen
    ground.run.say(f"its vectors of titles learn the occupations for {config.adapt} epochs")
    learned = _kept(ground.run, "opinions", lambda: teacher.adapt(seen.vectors, ground.data, config))
    return Read(learned.vectors, seen.minutes + learned.minutes)


def _read_titles(ground: Ground, config: TrainConfig) -> Read:
    """By a transformer trained for it, or by `opinions`."""
    texts = ground.data.store.texts[: ground.data.readable]
    ground.run.say(f"the teacher reads {len(texts)} titles")
    if not config.teacher:
        return _kept(ground.run, "titles", lambda: start.read(texts, config.opinions))
    transformer, progress = fit(ground, config.teacher, "teacher", None)
    documents = [Document(text) for text in texts]
    titles = _kept(
        ground.run,
        "titles",
        lambda: torch.from_numpy(encode(transformer, ground.pretrained.vocabulary, documents)),
    )
    return Read(titles.vectors, titles.minutes + progress.minutes)


def finish(network: Network, ground: Ground) -> Encoder:
    config = Config(shape=network.shape, calibration=UNCALIBRATED)
    made = Artifact(config, network.state_dict(), ground.pretrained.tokens, ())
    return settled(made, ground.run.out, ground.split, ground.data)


def settled(made: Artifact, out: Path, split: Split, data: Dataset) -> Encoder:
    """Saved, then calibrated and named with the weights as saved: rounded to int8 and fp16."""
    artifact.save(out, made)
    encoder = Encoder.load(out, device="cpu")
    junk = [Document(data.store.texts[number]) for number in data.garbage[:GARBAGE]]
    pairs, weights = mixture.pairs(encoder.encode, split, junk)
    certain = mixture.least_certainty(encoder.encode, split)
    calibration = calibrate.fit(pairs, certain=certain, weights=weights)
    names, used = described(encoder, split)
    config = Config(shape=made.config.shape, calibration=calibration)
    artifact.save(out, replace(made, config=config, features=names, usage=used))
    return Encoder.load(out, device="cpu")


def describe(encoder: Encoder, out: Path, split: Split, facts: Facts) -> None:
    """Writes the figures and the card of the model in `out`."""
    figures = judge(encoder, split) | {"train_minutes": facts.minutes}
    told = {
        "version": encoder.version,
        "command": facts.command,
        "config": facts.config.model_dump(mode="json"),
        "data": facts.data,
        "metrics": figures,
        "history": facts.history,
    }
    (out / "metrics.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    text = card.write(encoder, facts.config, figures, command=facts.command, files=facts.data)
    (out / "README.md").write_text(text, encoding="utf-8")


def described(encoder: Encoder, split: Split) -> tuple[tuple[tuple[str, ...], ...], Usage]:
    """What the values of the groups stand for, and how titles use them."""
    titles = sorted({title for o in split.train for title in o.titles})
    known = encoder.encode([Document(title) for title in titles])
    learned, held_out = (
        calibrate.Titles.read(encoder.encode, each) for each in (split.train, split.validation)
    )
    names = calibrate.name_values(learned, held_out, groups=encoder.groups)
    return names, calibrate.usage_of_titles(known, groups=encoder.groups)


def judge(encoder: Encoder, split: Split) -> dict[str, float]:
    """The figures on test occupations that need no baseline."""

    def vectors(documents: Sequence[Document]) -> evaluate.Floats:
        return encoder.encode(documents).vectors

    pairs = evaluate.held_out_pairs(encoder.encode, split.test, split)
    return {
        **evaluate.held_out(vectors, split),
        "ece": evaluate.calibration_error(encoder.calibration, pairs),
        "garbage_auroc": evaluate.garbage_auroc(encoder.encode, split.test)["mean"],
    }
