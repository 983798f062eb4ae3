"""The topic of matches is new, and the index is not: `rolecall up` twice on one directory."""

import json
from contextlib import closing

import pytest

from rolecall.streams.embedded.stack import embedded_stack, worker

AT = "2026-11-20T09:00:00Z"
VACANCY = {"id": "v", "occurred_at": AT, "title": "Night shift nurse", "skills": ["triage"]}
CANDIDATE = {"id": "c", "occurred_at": AT, "titles": ["Night shift nurse"], "skills": ["triage"]}


@pytest.mark.embedded("only its topics are gone after a restart")
def test_what_the_index_holds_is_published_to_a_new_topic(kit, tmp_path) -> None:
    for _ in range(2):
        with (
            embedded_stack(tmp_path) as stack,
            worker(stack.environment()),
            closing(kit.wire(stack.broker)) as wire,
        ):
            wire.send(kit.sent("vacancies", b"v", json.dumps(VACANCY).encode()))
            wire.send(kit.sent("candidates", b"c", json.dumps(CANDIDATE).encode()))
            wire.settle()
            assert wire.pairs == {("v", "c")}
