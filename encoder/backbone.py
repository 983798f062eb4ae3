"""Token ids -> hidden states: the static bag (CPUs) and a transformer (GPUs, and to teach)."""

import torch
from torch import nn
from torch.nn import functional

from rolecall.encoder.document import FIELDS
from rolecall.encoder.tokens import Tokens

MAX_POSITIONS = 512
FIRST, FADES = 6.0, 4.0  # how much more the first token of an untitled text weighs, and over how many tokens
SEQUENCES, CUDA_SEQUENCES = 128, 4096  # that go through the transformer together


class StaticBag(nn.Module):
    """Weighted mean of token vectors per field, each normalised; then a weighted mean of these fields.

    Fields are averaged apart, so a long text never drowns a title; and normalised, so that the title does
    not drown the text either: the mean of three words is many times longer than the mean of two hundred. A
    field that is absent has no share, so it pulls the document nowhere. In a text without a title, the first
    words weigh more: the work is often named there.
    """

    def __init__(self, vocabulary: int, hidden: int, *, mix: int = 0) -> None:
        """mix: width of a layer in which the words of a document meet; 0 for none."""
        super().__init__()
        self.table = nn.Embedding(vocabulary, hidden)
        self.token_weights = nn.Embedding(vocabulary, 2)  # logarithms: in a title, in skills and text
        self.field_weights = nn.Parameter(torch.zeros(2 ** len(FIELDS), len(FIELDS)))  # logarithms
        nn.init.zeros_(self.token_weights.weight)
        self.mix = Mix(hidden, mix) if mix else None

    def forward(self, tokens: Tokens) -> torch.Tensor:
        """(documents, hidden)"""
        pooled = self.pool(tokens)
        return pooled if self.mix is None else self.mix(pooled)

    def pool(self, tokens: Tokens) -> torch.Tensor:
        """(documents, hidden)"""
        counts = tokens.counts()  # (documents, fields)
        kinds = (torch.arange(len(FIELDS), device=counts.device) != FIELDS.index("title")).long()
        kind = torch.repeat_interleave(kinds.expand_as(counts).flatten(), counts.flatten())  # (tokens,)
        weights = self.token_weights(tokens.ids).gather(1, kind[:, None]).squeeze(1).exp()  # (tokens,)
        filled = counts > 0
        untitled = filled & ~filled[:, FIELDS.index("title"), None]  # (documents, fields)
        leading = untitled * (torch.arange(len(FIELDS), device=counts.device) == FIELDS.index("text"))
        if leading.any():
            weights = weights * leading_weights(tokens, counts, leading)
        sums = functional.embedding_bag(
            tokens.ids,
            self.table.weight,
            tokens.offsets[filled.flatten()],
            mode="sum",
            per_sample_weights=weights,
        )  # (fields with a token, hidden)
        # Normalised, a weighted sum is the same as a weighted mean.
        fields = functional.layer_norm(sums, sums.shape[-1:])
        ends = filled.sum(-1).cumsum(0)  # (documents,)
        return functional.embedding_bag(
            torch.arange(len(fields), device=fields.device),
            fields,
            functional.pad(ends[:-1], (1, 0)),
            mode="sum",
            per_sample_weights=field_shares(filled, self.field_weights)[filled],
        )


def leading_weights(tokens: Tokens, counts: torch.Tensor, leading: torch.Tensor) -> torch.Tensor:
    """By place in the bag for the bags that are `leading`, 1 for all others. (tokens,)

    counts: (documents, fields). leading: (documents, fields) bool.
    """
    lengths = counts.flatten()
    places = torch.arange(len(tokens.ids), device=lengths.device)
    places = places - torch.repeat_interleave(tokens.offsets, lengths)
    return 1 + torch.repeat_interleave(leading.flatten(), lengths) * FIRST * (-places / FADES).exp()


def field_shares(filled: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """How much each field counts; the shares of a document sum to 1. (documents, fields)

    filled: (documents, fields) bool. weights: (2 ** fields, fields) logarithms, a row for each set of filled
    fields: what a title counts for beside a text is not what it counts for beside skills.
    """
    places = 1 << torch.arange(filled.shape[1], device=filled.device)
    shares = filled * weights.exp()[(filled * places).sum(-1)]  # (documents, fields)
    return shares / shares.sum(-1, keepdim=True).clamp(min=1e-9)


class Mix(nn.Module):
    """A residual layer. It learns what a mean of words cannot express: a bus driver drives no nails."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.widen = nn.Linear(hidden, width)
        self.narrow = nn.Linear(width, hidden)
        nn.init.zeros_(self.narrow.weight)  # starts as nothing
        nn.init.zeros_(self.narrow.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(documents, hidden)"""
        normed = self.norm(hidden)
        wide = functional.gelu(self.widen(normed.to(self.widen.weight.dtype)))
        mixed: torch.Tensor = normed + self.narrow(wide).to(normed.dtype)
        return mixed


class Transformer(nn.Module):
    """BERT's encoder over each field, mean-pooled; fields combined as in the static bag.

    Parameters are named so that `bert_weights` maps a Hugging Face checkpoint onto them.
    """

    def __init__(self, vocabulary: int, hidden: int, *, layers: int, heads: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, hidden)
        self.positions = nn.Embedding(MAX_POSITIONS, hidden)
        self.kind = nn.Parameter(torch.zeros(hidden))  # BERT's token type 0, the only one used
        self.norm = nn.LayerNorm(hidden, eps=1e-12)
        self.blocks = nn.ModuleList(Block(hidden, heads) for _ in range(layers))
        self.field_weights = nn.Parameter(torch.zeros(2 ** len(FIELDS), len(FIELDS)))  # logarithms
        self.edges = nn.Parameter(torch.zeros(2, hidden))  # vectors of [CLS] and [SEP]

    def forward(self, tokens: Tokens) -> torch.Tensor:
        """(documents, hidden)"""
        counts = tokens.counts().flatten()  # (bags,)
        # Sequences of like length go together, so that little is spent on padding; empty ones stay out.
        order = counts.argsort()[int((counts == 0).sum()) :]
        pooled = torch.zeros(len(counts), self.table.embedding_dim, device=counts.device)
        if len(order):
            # One look-up for all: the gradient of every look-up is as large as the table.
            words = self.table(tokens.ids)  # (tokens, hidden)
            size = CUDA_SEQUENCES if words.is_cuda else SEQUENCES
            parts = [self.pool(words, tokens.offsets[p], counts[p]) for p in torch.split(order, size)]
            pooled = pooled.index_copy(0, order, torch.cat(parts).float())
        shares = field_shares(counts.view(-1, len(FIELDS)) > 0, self.field_weights)
        return torch.einsum("dfh,df->dh", pooled.view(*shares.shape, -1), shares)

    def pool(self, words: torch.Tensor, starts: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Mean over [CLS], the words and [SEP] of each sequence.

        words: (tokens, hidden). starts, counts: (n,). Returns (n, hidden).
        """
        counts = counts.clamp(max=MAX_POSITIONS - 2)
        steps = torch.arange(int(counts.max()), device=words.device)
        inside = steps < counts[:, None]  # (n, width)
        middle = words[torch.where(inside, starts[:, None] + steps, starts[:, None])]  # (n, width, hidden)
        first, last = torch.split(self.edges.expand(len(counts), 2, -1), 1, dim=1)
        sequences = torch.cat([first, middle, torch.zeros_like(first)], 1)  # (n, width + 2, hidden)
        rows = torch.arange(len(counts), device=words.device)
        sequences = sequences.index_put((rows, counts + 1), last.squeeze(1))
        places = torch.arange(sequences.shape[1], device=words.device)
        seen = places < counts[:, None] + 2  # (n, width + 2)
        hidden = self.norm(sequences + self.positions(places) + self.kind)
        for block in self.blocks:
            hidden = block(hidden, seen)
        share = seen / seen.sum(1, keepdim=True)
        return torch.einsum("nwh,nw->nh", hidden, share.to(hidden.dtype))


class Block(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend = nn.Linear(hidden, 3 * hidden)  # query, key, value
        self.merge = nn.Linear(hidden, hidden)
        self.merge_norm = nn.LayerNorm(hidden, eps=1e-12)
        self.widen = nn.Linear(hidden, 4 * hidden)
        self.narrow = nn.Linear(4 * hidden, hidden)
        self.narrow_norm = nn.LayerNorm(hidden, eps=1e-12)

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """x: (n, width, hidden). seen: (n, width) bool."""
        q, k, v = (
            self.attend(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )  # (n, heads, width, d)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None])
        x = self.merge_norm(x + self.merge(mixed.transpose(1, 2).flatten(-2)))
        y: torch.Tensor = self.narrow_norm(x + self.narrow(functional.gelu(self.widen(x))))
        return y


def bert_weights(
    checkpoint: dict[str, torch.Tensor], rows: list[int], edges: tuple[int, int]
) -> dict[str, torch.Tensor]:
    """A Hugging Face BERT checkpoint as the state of a `Transformer`.

    rows: the rows of the word embeddings that the vocabulary keeps. edges: the rows of [CLS] and [SEP].
    """
    words = checkpoint["embeddings.word_embeddings.weight"]
    state = {
        "table.weight": words[rows],
        "edges": words[list(edges)],
        "positions.weight": checkpoint["embeddings.position_embeddings.weight"],
        "kind": checkpoint["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": checkpoint["embeddings.LayerNorm.weight"],
        "norm.bias": checkpoint["embeddings.LayerNorm.bias"],
    }
    layer = 0
    while f"encoder.layer.{layer}.output.dense.weight" in checkpoint:
        theirs, ours = f"encoder.layer.{layer}.", f"blocks.{layer}."
        for kind in ("weight", "bias"):
            attention = [
                checkpoint[f"{theirs}attention.self.{part}.{kind}"] for part in ("query", "key", "value")
            ]
            state[f"{ours}attend.{kind}"] = torch.cat(attention)
            for our, their in (
                ("merge", "attention.output.dense"),
                ("merge_norm", "attention.output.LayerNorm"),
                ("widen", "intermediate.dense"),
                ("narrow", "output.dense"),
                ("narrow_norm", "output.LayerNorm"),
            ):
                state[f"{ours}{our}.{kind}"] = checkpoint[f"{theirs}{their}.{kind}"]
        layer += 1
    return state
