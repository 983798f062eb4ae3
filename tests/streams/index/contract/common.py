"""Points and vectors of the contract tests."""

import numpy as np
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.index.conditions import All, Condition
from rolecall.streams.index.port import Index, Point, Query

DIMS = 8
SIDE = Side.VACANCY
EAST, NORTH = np.eye(DIMS, dtype=np.float32)[:2]
EVERYTHING = All()
LOCAL_QDRANT_WARNS = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
]


def live(id: str, revision: int, **payload: object) -> Point:
    return Point(id, revision, EAST, payload)


async def found(index: Index, condition: Condition = EVERYTHING) -> list[str]:
    [hits] = await index.search(SIDE, [Query(EAST, condition, 100)])
    return [hit.id for hit in hits]
