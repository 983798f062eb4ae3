#!/usr/bin/env bash
# langcodes: find() takes "Java" for Javanese, and does not know "Castellano".
#
# Expected: find() finds a language by its name, and raises LookupError for a word that names none.
# Seen: it knows the names of languages in every language at once. In one of them Javanese is called Java.
#   So a list of skills that stands in a column for languages gives a language.
# Source: langcodes README, "Recognizing language names in natural language".
# rolecall: docs/feeds.md. It takes names of languages from Babel, in 28 languages of its choice, and leaves
#   out a name that two languages have.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    langcodes==3.5.1 language_data==1.4.0

cd "$work"
timeout 120 "$python" - <<'EOF'
import sys
from importlib.metadata import version

import langcodes


def code(word):
    try:
        return str(langcodes.find(word))
    except LookupError:
        return None


found = {word: code(word) for word in ("Java", "Castellano", "Mandarin", "niemiecki")}
print(f"langcodes {version('langcodes')}, language_data {version('language_data')}: {found}")
if found["Java"] is None or found["Castellano"] is not None:
    sys.exit("CHANGED: names of languages")
EOF
