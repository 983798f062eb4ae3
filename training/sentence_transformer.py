"""A model directory that sentence-transformers can load too, if rolecall is installed.

    SentenceTransformer(OUT, trust_remote_code=True).encode(["night shift nurse"])

sentence-transformers needs `trust_remote_code` because this file is not its own code. It runs nothing else.
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
    """Reads every text as a title. Only `Encoder` handles skills, descriptions and certainty."""

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
        """Writes the model as it was loaded, because it cannot be trained here."""
        shutil.copytree(self.directory, output_path, dirs_exist_ok=True)

    @classmethod
    def load(cls, input_path: str) -> Self:
        return cls(Path(input_path))


def export(model: Path, out: Path) -> None:
    """`out` stays a model directory that `Encoder` loads."""
    shutil.copytree(model, out, dirs_exist_ok=True)
    module = {"idx": 0, "name": "0", "path": "", "type": f"{Titles.__module__}.{Titles.__name__}"}
    (out / "modules.json").write_bytes(orjson.dumps([module], option=orjson.OPT_INDENT_2))
