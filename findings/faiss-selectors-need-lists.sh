#!/usr/bin/env bash
# faiss: a product quantizer refuses an id selector, and accepts it as soon as it has one inverted list.
#
# Expected: IDSelector is a parameter of the search, so every index that scans codes takes it, or none with
#   product quantization does.
# Seen: PQ and PQ with FastScan raise ("selector not supported", "search params not supported"). The same
#   quantizer behind an inverted file with a single list takes the selector and returns only allowed ids.
#   Flat, SQ and HNSW take it too.
# Source: faiss wiki, "Setting search parameters for one query"; faiss issue #3559, open (IndexPQ).
# rolecall: it does not use faiss. An index of compressed vectors with a filter would be IndexIVFPQFastScan
#   with one list.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    faiss-cpu==1.15.1 numpy==2.4.6

cd "$work"
timeout 120 "$python" - <<'EOF'
import sys
from importlib.metadata import version

import faiss
import numpy as np

POINTS, DIMS, ALLOWED = 2000, 32, np.arange(0, 2000, 2)
PARAMETERS = {
    "Flat": faiss.SearchParameters,
    "PQ16x4": faiss.SearchParametersPQ,
    "PQ16x4fs": faiss.SearchParameters,
    "IVF1,PQ16x4": faiss.SearchParametersIVF,
    "IVF1,PQ16x4fs": faiss.SearchParametersIVF,
}


def outcome(name):
    index = faiss.index_factory(DIMS, name, faiss.METRIC_L2)
    index.train(vectors)
    index.add(vectors)
    try:
        _, ids = index.search(vectors[:10], 10, params=PARAMETERS[name](sel=faiss.IDSelectorBatch(ALLOWED)))
    except RuntimeError as error:
        return "raises: " + str(error).rpartition(": ")[2]
    return "only allowed ids" if np.isin(ids, ALLOWED).all() else "other ids too"


faiss.omp_set_num_threads(1)
vectors = np.random.default_rng(0).standard_normal((POINTS, DIMS)).astype(np.float32)
found = {name: outcome(name) for name in PARAMETERS}
print(f"faiss-cpu {version('faiss-cpu')}; {POINTS} vectors, a selector of every second id")
for name, each in found.items():
    print(f"{name}: {each}")
if [each == "only allowed ids" for each in found.values()] != [True, False, False, True, True]:
    sys.exit("CHANGED: which indexes take a selector")
EOF
