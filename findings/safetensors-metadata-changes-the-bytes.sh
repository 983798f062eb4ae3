#!/usr/bin/env bash
# safetensors: the same tensors with the same metadata give another file in every process.
#
# Expected: The same input gives the same bytes, so that a hash of the file tells whether a model changed.
# Seen: With two or more metadata keys their order in the header follows a hash map with a random seed:
#   eight processes write several different files. Without metadata the bytes are the same.
# Source: safetensors documentation, "Format" (the header is JSON; __metadata__ is a map of strings); the
#   order of its keys is not specified.
# rolecall: docs/encoder.md: the version of a model is a hash of its files. Metadata stands in config.json,
#   and the safetensors file has none.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    safetensors==0.8.0 numpy==2.4.6

cd "$work"
timeout 120 "$python" - <<'EOF'
import subprocess
import sys
from importlib.metadata import version

SAVE = """
import hashlib, sys
import numpy as np
from safetensors.numpy import save

metadata = {"name": "model", "dims": "3", "language": "en", "form": "a"} if sys.argv[1] == "with" else None
print(hashlib.sha256(save({"weight": np.zeros(3, np.float32)}, metadata=metadata)).hexdigest()[:12])
"""


def hashes(metadata, processes=8):
    run = [sys.executable, "-c", SAVE, metadata]
    return {
        subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(processes)
    }


without, with_metadata = hashes("without"), hashes("with")
print(f"safetensors {version('safetensors')}; eight processes save the same tensor")
print(f"without metadata: {len(without)} different file(s)")
print(f"with four metadata keys: {len(with_metadata)} different files")
if len(without) != 1 or len(with_metadata) == 1:
    sys.exit("CHANGED: how the header is ordered")
EOF
