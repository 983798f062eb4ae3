#!/usr/bin/env bash
# qdrant-edge: with int8 quantization the scores are those of the quantized vectors unless rescoring is
#   asked for.
#
# Expected: Quantization speeds up the search, and the scores of the hits come from the original vectors, as
#   these are kept.
# Seen: Without parameters the hits carry the quantized scores: a unit vector has a dot product above 1 with
#   itself. With rescore=True they carry the exact ones. A threshold on scores needs the parameter.
# Source: Qdrant documentation, "Quantization", and reference of QuantizationSearchParams.rescore (if not
#   set, Qdrant decides by itself).
# rolecall: docs/encoder.md. Its embedded index has no quantization, because a confidence is computed from
#   the score.
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
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    Point,
    QuantizationSearchParams,
    Query,
    QueryRequest,
    ScalarQuantizationConfig,
    ScalarType,
    SearchParams,
    UpdateOperation,
)

POINTS, DIMS = 2000, 64

vectors = np.random.default_rng(0).standard_normal((POINTS, DIMS)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
int8 = ScalarQuantizationConfig(ScalarType.Int8)
params = EdgeVectorParams(size=DIMS, distance=Distance.Dot, quantization_config=int8)
shard = EdgeShard.create(
    "shard", EdgeConfig(vectors=params, optimizers=EdgeOptimizersConfig(indexing_threshold=10))
)
shard.update(UpdateOperation.upsert_points([Point(id, vectors[id].tolist(), {}) for id in range(POINTS)]))
shard.optimize()


def best_scores(search=None):
    request = QueryRequest(limit=3, query=Query.Nearest(vectors[0].tolist()), params=search)
    return [round(hit.score, 4) for hit in shard.query(request)]


exact = [round(float(score), 4) for score in sorted(vectors @ vectors[0], reverse=True)[:3]]
default = best_scores()
rescored = best_scores(SearchParams(quantization=QuantizationSearchParams(rescore=True)))

print(f"qdrant-edge-py {version('qdrant-edge-py')}; {POINTS} unit vectors, int8, the best three of vector 0")
print(f"by default: {default}")
print(f"with rescore=True: {rescored}")
print(f"exact: {exact}")
if rescored != exact or default == exact:
    sys.exit("CHANGED: rescoring")
EOF
