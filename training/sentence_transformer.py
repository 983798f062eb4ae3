"""A model directory that sentence-transformers loads too, where rolecall is installed.

    SentenceTransformer(OUT, trust_remote_code=True).encode(["night shift nurse"])

It wants the word for code that is not its own, although nothing is run but this file.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import orjson
import torch
from torch import nn

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.encoder.tokens import Tokens


class Titles(nn.Module):
    """Reads every text as a title. Skills, descriptions and certainty are left to `Encoder`."""

    save_in_root = True

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        encoder = Encoder.load(directory, device="cpu")  # sentence-transformers moves the network
        self.network, self.dims, self.vocabulary = encoder.network, encoder.dims, encoder.vocabulary

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None) -> dict[str, torch.Tensor]:
        tokens = self.vocabulary.tokens_of([Document(f"{prompt or ''}{text}") for text in inputs])
        return {"input_ids": tokens.ids, "offsets": tokens.offsets}

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        tokens = Tokens(features["input_ids"], features["offsets"])
        return features | {"sentence_embedding": self.network(tokens).vectors.float()}

    def get_embedding_dimension(self) -> int:
        return self.dims

    def save(self, output_path: str) -> None:
        """The model as it was loaded: it is not trained here."""
        shutil.copytree(self.directory, output_path, dirs_exist_ok=True)

    @classmethod
    def load(cls, input_path: str) -> Self:
        return cls(Path(input_path))


def export(model: Path, out: Path) -> None:
    """`out` is still a model directory of ours as well."""
    shutil.copytree(model, out, dirs_exist_ok=True)
    module = {"idx": 0, "name": "0", "path": "", "type": f"{Titles.__module__}.{Titles.__name__}"}
    (out / "modules.json").write_bytes(orjson.dumps([module], option=orjson.OPT_INDENT_2))
