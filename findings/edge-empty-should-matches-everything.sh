#!/usr/bin/env bash
# qdrant-edge: a filter that must match one of no conditions matches every point.
#
# Expected: Filter(should=[...]) means "at least one of these", so an empty list matches nothing, as any([])
#   is False, and as MatchAny([]) and an empty has-id condition do.
# Seen: An empty should is treated as absent: it matches every point, nested in a must as well. A list of
#   alternatives that a program computes, and that turns out empty, opens the filter.
# Source: Qdrant documentation, "Filtering", clause "Should" (satisfied when at least one of the conditions
#   is satisfied).
# rolecall: docs/rules.md, "Hard rules in the index". No alternatives are sent as must_not=[Filter()], which
#   matches nothing.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    qdrant-edge-py==0.9.0

cd "$work"
timeout 120 "$python" - <<'EOF'
import sys
from importlib.metadata import version

from qdrant_edge import (
    CountRequest,
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    HasIdCondition,
    MatchAny,
    Point,
    UpdateOperation,
)


def new_shard(dims):
    vectors = EdgeVectorParams(size=dims, distance=Distance.Dot)
    return EdgeShard.create("shard", EdgeConfig(vectors=vectors))


shard = new_shard(4)
shard.update(UpdateOperation.upsert_points([Point(id, [0.5] * 4, {"country": "NL"}) for id in (1, 2, 3)]))
filters = {
    "should=[]": Filter(should=[]),
    "must=[Filter(should=[])]": Filter(must=[Filter(should=[])]),
    "must=[country in []]": Filter(must=[FieldCondition("country", match=MatchAny([]))]),
    "must=[has id in {}]": Filter(must=[HasIdCondition(set())]),
    "must_not=[Filter()]": Filter(must_not=[Filter()]),
}
counts = {
    name: shard.count(CountRequest(exact=True, filter=condition)) for name, condition in filters.items()
}

print(f"qdrant-edge-py {version('qdrant-edge-py')}; 3 points")
for name, count in counts.items():
    print(f"{name}: {count} points")
if list(counts.values()) != [3, 3, 0, 0, 0]:
    sys.exit("CHANGED: empty conditions")
EOF
