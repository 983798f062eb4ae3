#!/usr/bin/env bash
# qdrant-client: a vector costs many times the processor time through the models that it costs as bytes.
#
# Expected: With prefer_grpc=True a float32 vector travels as it lies in memory: protobuf packs a repeated
#   float as little-endian bytes, which is what numpy has.
# Seen: The client takes a list of Python floats into a pydantic model, checks each one, and copies it into the
#   message one by one. The same bytes, parsed from a buffer, make the same message in a fraction of the time.
# Source: Qdrant documentation, "gRPC interface" (recommended for speed); protobuf encoding, "packed repeated
#   fields".
# rolecall: docs/operations.md, "What a Qdrant server costs the worker". It makes the messages from packed bytes.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    qdrant-client==1.20.0 protobuf==7.36.2 numpy==2.4.6

cd "$work"
timeout 120 "$python" - <<'EOF'
import sys
import time
from importlib.metadata import version

import numpy as np
from google.protobuf.internal.encoder import _VarintBytes
from qdrant_client import grpc, models
from qdrant_client.conversions.conversion import RestToGrpc

DIMS, TIMES, TRIES = 1024, 200, 7
VECTOR = np.random.default_rng(0).normal(size=DIMS).astype(np.float32)


def through_models():
    return RestToGrpc.convert_point_struct(models.PointStruct(id=1, vector=VECTOR.tolist(), payload={}))


def from_bytes():
    dense = grpc.DenseVector.FromString(b"\x0a" + _VarintBytes(VECTOR.nbytes) + VECTOR.tobytes())
    return grpc.PointStruct(
        id=grpc.PointId(num=1), vectors=grpc.Vectors(vector=grpc.Vector(dense=dense))
    )


def microseconds(make):
    """The shortest of some tries: others may use the processor."""
    tries = []
    for _ in range(TRIES):
        started = time.process_time()
        for _ in range(TIMES):
            make()
        tries.append((time.process_time() - started) / TIMES * 1e6)
    return min(tries)


assert through_models().SerializeToString() == from_bytes().SerializeToString()
slow, quick = microseconds(through_models), microseconds(from_bytes)
print(f"qdrant-client {version('qdrant-client')}, protobuf {version('protobuf')}; a point of {DIMS} dimensions")
print(f"through the models: {slow:.1f} µs; from packed bytes: {quick:.1f} µs; {slow / quick:.0f} times")
if slow < 5 * quick:
    sys.exit("CHANGED: the cost of the models")
EOF
