#!/usr/bin/env bash
# qdrant-edge: a vector of NaN is stored without an error, and no search finds its point.
#
# Expected: The upsert raises, as a NaN has no similarity to anything.
# Seen: The upsert succeeds. The point is counted and can be retrieved by its id; a search with a limit
#   above the number of points leaves it out.
# Source: Qdrant documentation, "Points" and "Vectors" (a dense vector is a list of floats; JSON has no NaN,
#   so the server's REST API cannot take one).
# rolecall: vectors come from its own encoder, never from an event.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    qdrant-edge-py==0.9.0

cd "$work"
timeout 120 "$python" - <<'EOF'
import math
import sys
from importlib.metadata import version

from qdrant_edge import (
    CountRequest,
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    Point,
    Query,
    QueryRequest,
    UpdateOperation,
)


def new_shard(dims):
    vectors = EdgeVectorParams(size=dims, distance=Distance.Dot)
    return EdgeShard.create("shard", EdgeConfig(vectors=vectors))


shard = new_shard(4)
points = [Point(1, [math.nan] * 4, {}), Point(2, [0.5] * 4, {}), Point(3, [-0.5] * 4, {})]
shard.update(UpdateOperation.upsert_points(points))
count = shard.count(CountRequest(exact=True))
stored = shard.retrieve([1], with_payload=False, with_vector=True)
found = [hit.id for hit in shard.query(QueryRequest(limit=10, query=Query.Nearest([0.5] * 4)))]

print(f"qdrant-edge-py {version('qdrant-edge-py')}; point 1 has a vector of NaN")
print(f"count: {count}; retrieved by id: {[record.vector for record in stored]}")
print(f"found by a search with limit 10: {found}")
if (count, found) != (3, [2, 3]):
    sys.exit("CHANGED: NaN vectors")
EOF
