"""Coverage-guided fuzzing of the code that reads records. All bytes give events or rejects, no exception.

    pip install atheris    # not among the requirements
    python -m bench.fuzz -max_total_time=300 [folder of inputs]

Arguments are libFuzzer's. A finding ends the run with a traceback and leaves the input in a file.
"""

import importlib
import sys
from typing import Any

# atheris has no types, and only this file needs it
atheris: Any = importlib.import_module("atheris")

with atheris.instrument_imports(include=["streams", "schemas", "pydantic_extra_types"]):
    from rolecall.schemas.match import Side
    from rolecall.schemas.occupation import Occupation
    from rolecall.schemas.rule import ExclusionRule
    from rolecall.streams.events.receive import Limits, newest, receive, receive_definitions
    from rolecall.streams.events.record import Record
    from rolecall.streams.events.records import dead_letter

NOW_MS = 1_780_000_000_000
LIMITS = Limits(max_record_bytes=65_536, max_clock_skew_ms=300_000)
SEEDS = (
    b'{"id":"v","occurred_at":"2026-01-01T00:00:00Z","title":"nurse","skills":["a"],'
    b'"location":{"country":"NL","lat":1.0,"lon":2.0},"salary":{"min":1,"currency":"EUR"}}',
    b'{"id":"c","occurred_at":"2026-01-01T00:00:00Z","titles":["nurse"],"languages":[{"code":"de","level":"B2"}]}',
    b'{"id":"r","occurred_at":"2026-01-01T00:00:00Z","anchors":[{"text":"a","min_similarity":0.5},'
    b'{"entity_id":"b","min_similarity":1}]}',
)


def one_input(data: bytes) -> None:
    """The first byte chooses the key, the rest is the value. All four readers read it."""
    key = (None, b"v", b"\xff", data[:20])[data[0] % 4] if data else None
    record = Record("vacancies", 0, 0, key, data[1:] or None, NOW_MS)
    for side in Side:
        events, rejects = receive(side, [record], LIMITS)
        assert len(events) + len(rejects) == 1
        newest(events)
        for reject in rejects:
            dead_letter(reject)
    for contract in (ExclusionRule, Occupation):
        defined, refused = receive_definitions(contract, [record], LIMITS)
        assert len(defined) + len(refused) == 1


def main() -> None:
    for seed in SEEDS:
        one_input(b"\0" + seed)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
