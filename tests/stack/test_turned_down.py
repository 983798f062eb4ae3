"""A pair that was turned down leaves both lists, and comes back once one of the two has changed."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from rolecall.schemas.match import Side
from rolecall.streams.events.match_state import MatchState

ONE_PLACE = {"ROLECALL_TOP_K": "1", "ROLECALL_MIN_CONFIDENCE": "0", "ROLECALL_LOG_FORMAT": "json"}
VACANCY = "td-v"


@pytest.fixture(scope="module")
def market(kit, tmp_path_factory):
    """A stack of its own, with one worker whose lists have one place."""
    folder = tmp_path_factory.mktemp("turned-down")
    with (
        kit.stack(folder / "stack") as stack,
        closing(kit.wire(stack.broker)) as wire,
        kit.running_worker(stack.environment() | ONE_PLACE, folder / "worker.jsonl"),
    ):
        kit.poll(lambda: kit.members(stack.broker, "rolecall") == 1, "the worker in its group")
        yield wire


def now():
    return datetime.now(UTC).isoformat()


def send(wire, kit, topic, key, **fields):
    value = {"occurred_at": now(), **fields}
    return wire.send(kit.sent(topic, key.encode(), json.dumps(value).encode()))


def person(wire, kit, id, title, **fields):
    return send(wire, kit, kit.topic[Side.CANDIDATE], id, id=id, titles=[title], **fields)


def waited_for(wire, pairs):
    """Until exactly these belong."""

    def there():
        state = MatchState([*wire.matches, *wire.withdrawn])
        return {(match.vacancy_id, match.candidate_id) for match in state.belonging(1)} == pairs

    wire.until(there, f"{pairs}")


def test_a_dismissed_pair_makes_room_until_the_candidate_changes(market, kit):
    """Each candidate has a vacancy of its own that suits it better. So only the list of `td-v` counts."""
    wire = market
    own = {("td-nurse", "td-1"), ("td-cook", "td-2")}
    send(wire, kit, kit.topic[Side.VACANCY], VACANCY, id=VACANCY, title="night nurse")
    send(wire, kit, kit.topic[Side.VACANCY], "td-nurse", id="td-nurse", title="nurse")
    send(wire, kit, kit.topic[Side.VACANCY], "td-cook", id="td-cook", title="cook")
    person(wire, kit, "td-1", "nurse")
    person(wire, kit, "td-2", "cook")
    waited_for(wire, own | {(VACANCY, "td-1")})

    verdict = {"vacancy_id": VACANCY, "candidate_id": "td-1", "actor": "vacancy", "verdict": "dismissed"}
    send(wire, kit, "feedback", VACANCY, id="td-f", **verdict)
    waited_for(wire, own | {(VACANCY, "td-2")})
    [withdrawn] = [each for each in wire.withdrawn if each.reason == "turned_down"]
    assert (withdrawn.entity_id, [*withdrawn.counterparts]) == (VACANCY, ["td-1"])

    person(wire, kit, "td-1", "nurse")  # unchanged
    send(wire, kit, "feedback", VACANCY, id="td-f-again", **verdict | {"verdict": "viewed"})
    wire.settle()
    waited_for(wire, own | {(VACANCY, "td-2")})

    time.sleep(0.01)
    person(wire, kit, "td-1", "nurse", skills=["wound care"])
    waited_for(wire, own | {(VACANCY, "td-1")})


def test_a_verdict_that_cannot_be_read_is_dead_lettered(market, kit):
    sent = send(market, kit, "feedback", VACANCY, id="td-bad", verdict="liked")
    market.until(lambda: sent.place in market.letters, "the dead letter")
