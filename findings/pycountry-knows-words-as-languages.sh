#!/usr/bin/env bash
# pycountry: languages.lookup() takes common English words for languages and does not know Greek.
#
# Expected: lookup() finds a language by its English name, and raises LookupError for a word that names
#   none.
# Seen: ISO 639-3 has 7,900 languages: "the", "are" and "as" are codes or names of some, in any case. The
#   everyday names of others are missing, because the standard writes "Modern Greek (1453-)", "Swahili
#   (macrolanguage)" and the like.
# Source: pycountry README, "Languages" and lookup (matches any field, ignoring case).
# rolecall: docs/feeds.md. It reads a language only from fields that hold languages, only those with a
#   two-letter code, and adds everyday names by hand.
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


def name(word):
    try:
        return pycountry.languages.lookup(word).name
    except LookupError:
        return None


words = {word: name(word) for word in ("the", "are", "as", "even", "day", "to")}
languages = {
    word: name(word) for word in ("Greek", "Swahili", "Malay", "Nepali", "Punjabi", "Mandarin", "Spanish")
}
print(f"pycountry {version('pycountry')}, {len(pycountry.languages)} languages")
print(f"English words that it takes for languages: {words}")
print(f"names of languages: {languages}")
if None in words.values() or [each for each in languages if languages[each]] != ["Spanish"]:
    sys.exit("CHANGED: names of languages")
EOF
