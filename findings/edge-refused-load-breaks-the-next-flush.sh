#!/usr/bin/env bash
# qdrant-edge: a second load of a folder is refused, and the shard that holds it can no longer flush.
#
# Expected: The second EdgeShard.load() raises, because the folder is in use, and changes nothing.
# Seen: It raises, but only after it has touched the files. The next flush() of the first shard raises an
#   error about a journal that is shorter than expected.
# Source: docstring of qdrant_edge.EdgeShard.load; it does not mention a second process or shard.
# rolecall: docs/operations.md. `rolecall up` takes a lock on its folder before the index process loads it.
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

from qdrant_edge import Distance, EdgeConfig, EdgeShard, EdgeVectorParams, Point, UpdateOperation


def new_shard(dims):
    vectors = EdgeVectorParams(size=dims, distance=Distance.Dot)
    return EdgeShard.create("shard", EdgeConfig(vectors=vectors))


def outcome(call):
    try:
        call()
    except Exception as error:  # the package raises nothing more specific
        return f"raises: {error}"
    return "succeeds"


def write(id):
    shard.update(UpdateOperation.upsert_points([Point(id, [0.5] * 4, {})]))


print(f"qdrant-edge-py {version('qdrant-edge-py')}")
shard = new_shard(4)
write(1)
print(f"first flush: {outcome(shard.flush)}")
print(f"second load of the folder: {outcome(lambda: EdgeShard.load('shard'))}")
write(2)
flush = outcome(shard.flush)
print(f"next flush: {flush}")
if flush == "succeeds":
    sys.exit("CHANGED: a refused load leaves the shard alone")
EOF
