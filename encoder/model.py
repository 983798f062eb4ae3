"""The encoder: documents in, vectors and certainties out. numpy at the border, torch inside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.overrides import TorchFunctionMode

from rolecall.encoder import artifact
from rolecall.encoder.backbone import StaticBag, Transformer
from rolecall.encoder.calibration import Levels
from rolecall.encoder.document import Document
from rolecall.encoder.features import Features
from rolecall.encoder.softmax_groups import Embedded, SoftmaxGroups
from rolecall.encoder.tokens import Tokens, Vocabulary

MAX_BATCH_DOCUMENTS = 1024
MAX_BATCH_TOKENS = 1 << 16


@dataclass(frozen=True, slots=True)
class Embeddings:
    vectors: NDArray[np.float32]  # (n, dims), norm 1; a dot product is a mean Bhattacharyya coefficient
    certainty: NDArray[np.float32]  # (n,) in [0, 1]


class Network(nn.Module):
    def __init__(self, shape: artifact.Shape) -> None:
        super().__init__()
        self.shape = shape
        self.backbone: StaticBag | Transformer
        if shape.backbone == "static":
            self.backbone = StaticBag(shape.vocabulary, shape.hidden, mix=shape.mix)
        else:
            self.backbone = Transformer(
                shape.vocabulary, shape.hidden, layers=shape.layers, heads=shape.heads
            )
        self.head = SoftmaxGroups(shape.hidden, groups=shape.groups, size=shape.size, form=shape.form)

    def forward(self, tokens: Tokens) -> Embedded:
        present = (tokens.counts().sum(-1) > 0).float()  # (documents,)
        embedded: Embedded = self.head(self.backbone(tokens), present)
        return embedded


def multiplies_bfloat16() -> bool:
    """Whether the processor does so twice as fast as float32, or faster."""
    processor = torch.cpu.get_capabilities()
    return bool(processor.get("amx_bf16") or processor.get("avx512_bf16"))


def weight_shapes(shape: artifact.Shape) -> Mapping[str, tuple[int, ...]]:
    """Shapes of all weights, without allocating one."""
    return {name: tuple(weight.shape) for name, weight in _without_weights(shape).state_dict().items()}


def _without_weights(shape: artifact.Shape) -> Network:
    with torch.device("meta"), _NotInitialized():
        return Network(shape)


class _NotInitialized(TorchFunctionMode):
    """Skips initialization. Weights on the meta device need none, and it would import torch's compiler."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return None if getattr(func, "__module__", "") == "torch.nn.init" else func(*args, **kwargs or {})


class Encoder:
    """Safe to call from several threads: it only reads."""

    def __init__(self, model: artifact.Artifact, *, device: torch.device) -> None:
        config = model.config
        self.version = config.version
        self.dims = config.shape.groups * config.shape.size
        self.calibration = config.calibration
        self.features = Features(model.features)
        self.groups = config.shape.groups
        self.usage = model.usage
        self.vocabulary = Vocabulary(model.vocabulary)
        self.device = device
        network = _without_weights(config.shape)
        network.load_state_dict(dict(model.weights), assign=True)
        self.network = network.requires_grad_(False).eval().to(device)
        if device.type == "cpu" and multiplies_bfloat16():
            # These layers are where the multiplications are.
            self.network.head.project.to(torch.bfloat16)
            if isinstance(self.network.backbone, StaticBag) and self.network.backbone.mix is not None:
                self.network.backbone.mix.widen.to(torch.bfloat16)
                self.network.backbone.mix.narrow.to(torch.bfloat16)

    @classmethod
    def load(cls, path: Path | None = None, *, device: str = "auto", threads: int | None = None) -> Self:
        """The model in `path`, or the bundled one. Raises ArtifactError when it cannot be used.

        device: "auto" is CUDA when there is one. threads: torch's, for the whole process.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        loaded = artifact.load(path or artifact.BUNDLED, weight_shapes)
        return cls(loaded, device=torch.device(device))

    def encode(self, documents: Sequence[Document]) -> Embeddings:
        vectors = np.empty((len(documents), self.dims), np.float32)
        certainty = np.empty(len(documents), np.float32)
        start = 0
        with (
            torch.inference_mode(),
            torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"),
        ):
            for tokens in self._batches(documents):
                embedded = self.network(tokens.to(self.device))
                stop = start + tokens.documents
                vectors[start:stop] = embedded.vectors.float().cpu().numpy()
                certainty[start:stop] = embedded.certainty.float().cpu().numpy()
                start = stop
        return Embeddings(vectors, certainty)

    def confidence(
        self,
        score: NDArray[np.float32],
        certainty_a: NDArray[np.float32],
        certainty_b: NDArray[np.float32],
        told_a: Levels = 0,
        told_b: Levels = 0,
    ) -> NDArray[np.float32]:
        """Calibrated probability that pairs are matches.

        From their dot products, their certainties, and how much each side tells (`document.told`): by
        default a title.
        """
        return self.calibration.confidence(score, certainty_a, certainty_b, told_a, told_b)

    def _batches(self, documents: Sequence[Document]) -> Iterator[Tokens]:
        for start in range(0, len(documents), MAX_BATCH_DOCUMENTS):
            yield from _split(self.vocabulary.tokens_of(documents[start : start + MAX_BATCH_DOCUMENTS]))


def _split(tokens: Tokens) -> Iterator[Tokens]:
    """Halves until a part has at most MAX_BATCH_TOKENS, or is a single document."""
    if len(tokens.ids) <= MAX_BATCH_TOKENS or tokens.documents == 1:
        yield tokens
    else:
        middle = tokens.documents // 2
        yield from _split(tokens.part(0, middle))
        yield from _split(tokens.part(middle, tokens.documents))
