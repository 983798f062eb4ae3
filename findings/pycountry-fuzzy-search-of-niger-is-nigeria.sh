#!/usr/bin/env bash
# pycountry: the first result of search_fuzzy() for the exact name of a country can be another country.
#
# Expected: The best match comes first, and an exact name is the best match.
# Seen: search_fuzzy("Niger") begins with Nigeria and search_fuzzy("Curaçao") with the Netherlands, as names
#   of subdivisions count as well. All other exact names are found first.
# Source: pycountry README, "Fuzzy search" (results are sorted by relevance); pycountry issue #115, open.
# rolecall: docs/feeds.md. It compares whole names, and what it does not know stays unknown.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    pycountry==26.2.16

cd "$work"
timeout 120 "$python" - <<'EOF'
import sys
from importlib.metadata import version

import pycountry

firsts = {country.name: pycountry.countries.search_fuzzy(country.name)[0].name for country in pycountry.countries}
others = {name: first for name, first in firsts.items() if name != first}
print(f"pycountry {version('pycountry')}; {len(firsts)} countries, each searched by its own name")
print(f"first result is another country: {others}")
if others.get("Niger") != "Nigeria":
    sys.exit("CHANGED: Niger is found first")
EOF
