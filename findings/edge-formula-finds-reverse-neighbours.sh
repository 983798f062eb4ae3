#!/usr/bin/env bash
# qdrant-edge: a formula query answers exactly for which stored points a new vector is among their k
#   nearest.
#
# Expected: Reverse nearest neighbours need a search for every stored point, or an index made for them.
# Seen: If each point carries the score of its own k-th neighbour as "floor", one query with the formula
#   $score - floor and the threshold 0, over a prefetch of all points, returns exactly the points whose list
#   the new vector enters. The result equals a comparison of all pairs.
# Source: Qdrant documentation, "Hybrid queries", section "Score boosting" (formulas are made for changing a
#   ranking); score_threshold applies to the score of the formula.
# rolecall: docs/matching.md. On a Qdrant server, an event finds in this way the stored lists that it enters,
#   without a search for each list.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    qdrant-edge-py==0.9.0 numpy==2.4.6

cd "$work"
timeout 120 "$python" - <<'EOF'
import sys
from importlib.metadata import version

import numpy as np
from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    Expression,
    Formula,
    Point,
    Prefetch,
    Query,
    QueryRequest,
    UpdateOperation,
)

POINTS, DIMS, K, NEW = 1000, 32, 5, 20


def new_shard(dims):
    vectors = EdgeVectorParams(size=dims, distance=Distance.Dot)
    return EdgeShard.create("shard", EdgeConfig(vectors=vectors))


def unit_vectors(random, count):
    vectors = random.standard_normal((count, DIMS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


random = np.random.default_rng(0)
stored, new = unit_vectors(random, POINTS), unit_vectors(random, NEW)
scores = stored @ stored.T
np.fill_diagonal(scores, -1)
floors = np.sort(scores, axis=1)[:, -K]
shard = new_shard(DIMS)
shard.update(
    UpdateOperation.upsert_points(
        [Point(id, stored[id].tolist(), {"floor": float(floors[id])}) for id in range(POINTS)]
    )
)
above_floor = Formula(
    Expression.Sum([Expression.Variable("$score"), Expression.Neg(Expression.Variable("floor"))])
)
wrong = total = 0
for vector in new:
    nearest = Prefetch(limit=POINTS, query=Query.Nearest(vector.tolist()))
    request = QueryRequest(limit=POINTS, prefetches=[nearest], query=above_floor, score_threshold=0.0)
    found = {hit.id for hit in shard.query(request)}
    expected = set(np.flatnonzero(stored @ vector > floors).tolist())
    wrong += len(found ^ expected)
    total += len(expected)

print(f"qdrant-edge-py {version('qdrant-edge-py')}; {POINTS} points with their {K}th score, {NEW} new ones")
print(f"reverse neighbours by comparison of all pairs: {total}; found otherwise by the formula: {wrong}")
if wrong or not total:
    sys.exit("CHANGED: the formula query and the comparison differ")
EOF
