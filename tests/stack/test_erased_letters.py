"""A candidate that is too large dies, is erased, the limit is raised, and its letter is replayed."""

import json
import os
import subprocess
import sys
from contextlib import closing

from rolecall.schemas.match import Side

AT = "2026-01-01T00:00:00Z"
VACANCY = {"id": "v", "occurred_at": AT, "title": "night shift nurse", "skills": ["triage"]}
LARGE = {"id": "c", "occurred_at": AT, "titles": ["night shift nurse"], "summary": "triage " * 1000}
OTHER = {"id": "d", "occurred_at": AT, "titles": ["night shift nurse"], "summary": "triage " * 1000}


def test_who_was_erased_stays_gone_when_the_letter_is_replayed(kit, tmp_path) -> None:
    """The same letter of somebody who was not erased has its effect, so the replay did work."""
    with kit.stack(tmp_path / "stack") as stack, closing(kit.wire(stack.broker)) as wire:
        environment = stack.environment()
        strict = environment | {"ROLECALL_MAX_RECORD_BYTES": "4000"}
        with kit.running_worker(strict, tmp_path / "strict.jsonl"):
            wire.send(kit.sent("vacancies", b"v", json.dumps(VACANCY).encode()))
            dead = [
                wire.send(kit.sent("candidates", each["id"].encode(), json.dumps(each).encode()))
                for each in (LARGE, OTHER)
            ]
            wire.until(lambda: {each.place for each in dead} <= wire.letters.keys(), "both dead letters")
            wire.send(kit.sent("candidates", b"c", None))
            wire.settle()
        with kit.running_worker(environment, tmp_path / "raised.jsonl"):
            replayed = subprocess.run(
                [sys.executable, "-m", "rolecall.streams.cli", "dead-letters", "replay", "--all"],
                env=os.environ | environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert replayed.returncode == 0, replayed.stderr
            wire.until(lambda: ("v", "d") in wire.pairs, "the match of who was not erased")
            wire.settle()
        points = kit.stored(wire, stack.edge_path, stack.edge_socket).points(Side.CANDIDATE, ["c", "d"])
        assert points["d"].vector is not None
        assert points["c"].vector is None
        assert wire.pairs == {("v", "d")}
