#!/usr/bin/env bash
# protobuf: a repeated float field takes a numpy array several times more slowly than a list.
#
# Expected: A numpy array of float32 is as quick to copy into `repeated float` as a list of Python floats, or
#   quicker, for it is what the field holds in memory.
# Seen: Each element becomes a numpy scalar, which is converted by the slow path of Python numbers.
#   `array.tolist()` first is several times as quick.
# Source: protobuf documentation, "Python Generated Code Guide", repeated fields (any iterable is accepted).
# rolecall: `vector_message` in the code of the Qdrant engine. It parses packed bytes, which is quicker still.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    protobuf==7.36.2 numpy==2.4.6

cd "$work"
timeout 120 "$python" - <<'EOF'
import sys
import time
from importlib.metadata import version

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import api_implementation

TIMES, TRIES = 200, 7
field = descriptor_pb2.FieldDescriptorProto(name="data", number=1, type=2, label=3)
file = descriptor_pb2.FileDescriptorProto(name="floats.proto", syntax="proto3")
file.message_type.add(name="Floats").field.append(field)
Floats = message_factory.GetMessageClass(
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString()).message_types_by_name["Floats"]
)
ARRAY = np.random.default_rng(0).normal(size=1024).astype(np.float32)


def microseconds(make):
    """The shortest of some tries: others may use the processor."""
    tries = []
    for _ in range(TRIES):
        started = time.process_time()
        for _ in range(TIMES):
            make()
        tries.append((time.process_time() - started) / TIMES * 1e6)
    return min(tries)


assert Floats(data=ARRAY) == Floats(data=ARRAY.tolist())
array, listed = microseconds(lambda: Floats(data=ARRAY)), microseconds(lambda: Floats(data=ARRAY.tolist()))
print(f"protobuf {version('protobuf')} ({api_implementation.Type()}), numpy {np.__version__}; 1,024 floats")
print(f"from the array: {array:.0f} µs; from array.tolist(): {listed:.0f} µs; {array / listed:.1f} times")
if array < 2 * listed:
    sys.exit("CHANGED: the cost of an array")
EOF
