#!/usr/bin/env bash
# qdrant-edge: query_batch() and optimize() hold the GIL, so that every other Python thread stands still.
#
# Expected: A long call into the engine, which is written in Rust, releases the GIL, and an event loop in
#   another thread goes on.
# Seen: During query_batch() and the building of the HNSW graph in optimize() a second thread does not run
#   at all. The same queries one by one with query() let it run in between.
# Source: PyO3 user guide, "Parallelism" (native code should detach from the interpreter for long
#   computations); the package says nothing.
# rolecall: docs/operations.md. The embedded index is a process of its own, behind a Unix socket.
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
import threading
import time
from importlib.metadata import version

import numpy as np
from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    Point,
    Query,
    QueryBatchRequest,
    QueryRequest,
    UpdateOperation,
)

POINTS, DIMS, QUERIES = 5000, 128, 2000


def longest_gap(work):
    """Seconds that work took, and the longest time that a second thread did not run meanwhile."""
    gap, done = 0.0, threading.Event()

    def tick():
        nonlocal gap
        last = time.perf_counter()
        while not done.wait(0.001):
            now = time.perf_counter()
            gap, last = max(gap, now - last), now
        gap = max(gap, time.perf_counter() - last)

    thread = threading.Thread(target=tick)
    thread.start()
    begun = time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    done.set()
    thread.join()
    return seconds, gap


vectors = np.random.default_rng(0).standard_normal((POINTS, DIMS)).astype(np.float32).tolist()
params = EdgeVectorParams(size=DIMS, distance=Distance.Dot)
shard = EdgeShard.create(
    "shard", EdgeConfig(vectors=params, optimizers=EdgeOptimizersConfig(indexing_threshold=100))
)
shard.update(UpdateOperation.upsert_points([Point(id, vector, {}) for id, vector in enumerate(vectors)]))
requests = [QueryRequest(limit=10, query=Query.Nearest(vector)) for vector in vectors[:QUERIES]]
found = {
    "query, one by one": longest_gap(lambda: [shard.query(request) for request in requests]),
    "query_batch": longest_gap(lambda: shard.query_batch(QueryBatchRequest(requests))),
    "optimize": longest_gap(shard.optimize),
}

print(f"qdrant-edge-py {version('qdrant-edge-py')}; {POINTS} points of {DIMS} dimensions, {QUERIES} queries")
for name, (seconds, gap) in found.items():
    print(f"{name}: {seconds:.2f} s; the other thread stood still for {gap:.2f} s at the longest")
share = {name: gap / seconds for name, (seconds, gap) in found.items()}
if share["query, one by one"] > 0.5 or share["query_batch"] < 0.8 or share["optimize"] < 0.8:
    sys.exit("CHANGED: which calls hold the GIL")
EOF
