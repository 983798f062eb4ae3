"""Usage of a model by a set of texts: how often each value is first in its group, and how certain texts are.

Drift compares the usage of two sets by the population stability index.
"""

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

BINS = 10  # of certainty, each 0.1 wide
LEAST_SHARE = 1e-4  # stands for a share of 0, because the index takes the logarithm of a ratio of shares

Counts = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]


class Usage(BaseModel):
    """Shares, so that samples of different sizes compare."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    texts: str = Field(description="What was encoded.")
    documents: Annotated[int, Field(ge=1)]
    values: tuple[tuple[Share, ...], ...]  # (groups, size): how often each value is its group's first choice
    certainty: Annotated[tuple[Share, ...], Field(min_length=BINS, max_length=BINS)]

    @model_validator(mode="after")
    def _groups_of_one_size(self) -> Self:
        if len({len(group) for group in self.values}) != 1:
            raise ValueError("the groups of `values` differ in size")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.values), len(self.values[0])


def usage(vectors: NDArray[np.float32], certainty: NDArray[np.float32], groups: int, texts: str) -> Usage:
    """vectors: (documents, groups * size). certainty: (documents,)."""
    return Usage(
        texts=texts,
        documents=len(vectors),
        values=tuple(map(tuple, (value_counts(vectors, groups) / len(vectors)).tolist())),
        certainty=tuple((certainty_counts(certainty) / len(vectors)).tolist()),
    )


def value_counts(vectors: NDArray[np.float32], groups: int) -> Counts:
    """(groups, size): number of documents for which the value is the first choice of its group."""
    chosen = vectors.reshape(len(vectors), groups, -1)
    first = chosen.argmax(2)  # (documents, groups)
    size = chosen.shape[2]
    flat = first + np.arange(groups) * size
    return np.bincount(flat.ravel(), minlength=groups * size).reshape(groups, size).astype(np.float64)


def certainty_counts(certainty: NDArray[np.float32]) -> Counts:
    """(BINS,)"""
    places = np.minimum((certainty * BINS).astype(int), BINS - 1)
    return np.bincount(places, minlength=BINS).astype(np.float64)


def stability(expected: Counts, found: Counts) -> Counts:
    """The population stability index over the last axis; both may be counts or shares."""
    was, now = (np.maximum(each / each.sum(-1, keepdims=True), LEAST_SHARE) for each in (expected, found))
    index: Counts = ((now - was) * np.log(now / was)).sum(-1)
    return index
