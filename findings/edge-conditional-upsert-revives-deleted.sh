#!/usr/bin/env bash
# qdrant-edge: a conditional upsert that keeps stale writes out lets them in once the point is deleted.
#
# Expected: `upsert_points(points, condition=revision < new)` writes only where the stored revision is
#   older. A late write of revision 3 is not applied to an entity that reached revision 12 and was deleted.
# Seen: The condition holds for existing points only. Stale writes are ignored while the point exists; after
#   delete_points() the same stale write inserts it again.
# Source: Qdrant REST reference, "update_filter" (points that do not match keep their state; new points are
#   inserted regardless of the filter).
# rolecall: docs/privacy.md, "Erasing". It writes a tombstone point with the revision instead, which is
#   removed after the retention of the topics.
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
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    Point,
    RangeFloat,
    UpdateOperation,
)


def new_shard(dims):
    vectors = EdgeVectorParams(size=dims, distance=Distance.Dot)
    return EdgeShard.create("shard", EdgeConfig(vectors=vectors))


def write(revision):
    """Returns the revision that is stored afterwards."""
    older = Filter(must=[FieldCondition("revision", range=RangeFloat(lt=revision))])
    point = Point(1, [0.5] * 4, {"revision": revision})
    shard.update(UpdateOperation.upsert_points([point], condition=older))
    return shard.retrieve([1], with_payload=True, with_vector=False)[0].payload["revision"]


shard = new_shard(4)
live = [(revision, write(revision)) for revision in (10, 5, 12)]
shard.update(UpdateOperation.delete_points([1]))
stale = write(3)

print(f"qdrant-edge-py {version('qdrant-edge-py')}; upsert on the condition: stored revision < new revision")
for revision, stored in live:
    print(f"write revision {revision}: stored {stored}")
print(f"delete the point, write revision 3: stored {stale}")
if [stored for _, stored in live] != [10, 10, 12] or stale != 3:
    sys.exit("CHANGED: conditional upserts")
EOF
