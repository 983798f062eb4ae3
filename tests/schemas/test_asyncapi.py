import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from rolecall.schemas import asyncapi
from rolecall.schemas.feedback import VerdictReason
from rolecall.schemas.match import MatchesWithdrawn, WithdrawalReason
from rolecall.schemas.topics import TOPICS

CONTRACTS = {contract for topic in TOPICS for contract in topic.contracts}
GOLDEN = {path.stem: path for path in sorted(Path(__file__).parent.glob("golden/v1/*/*.json"))}
COMMITTED = yaml.safe_load((asyncapi.HERE / "asyncapi.yaml").read_text(encoding="utf-8"))


def schema_file(name: str) -> dict:
    return json.loads((asyncapi.HERE / "json" / f"{name}.json").read_text(encoding="utf-8"))


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def resolve(reference: str) -> object:
    node = COMMITTED
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


@pytest.mark.parametrize("path", asyncapi.files(), ids=lambda path: path.name)
def test_committed_files_are_what_the_contracts_say(path):
    assert path.read_text(encoding="utf-8") == asyncapi.files()[path], (
        "run: python -m rolecall.schemas.asyncapi"
    )


def test_no_schema_outlives_its_contract():
    written = {path for path in asyncapi.files() if path.suffix == ".json"}
    assert set((asyncapi.HERE / "json").iterdir()) == written


@pytest.mark.parametrize("contract", sorted(CONTRACTS, key=lambda contract: contract.__name__))
def test_a_json_schema_is_valid_draft_2020_12(contract):
    schema = asyncapi.json_schema(contract)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", GOLDEN.values(), ids=lambda path: path.stem)
def test_a_golden_file_is_valid_under_its_json_schema(path):
    contract = re.sub("_(minimal|full|with_.*)$", "", path.stem)
    value = json.loads(path.read_bytes())
    if contract == "dead_letter_headers":
        value = {name: int(text) if text.isdecimal() else text for name, text in value.items()}
    Draft202012Validator(schema_file(contract), format_checker=FormatChecker()).validate(value)


@pytest.mark.parametrize(
    ("contract", "change"),
    [
        ("vacancy", {"location": {"lat": 91, "lon": 0}}),
        ("vacancy", {"title": ""}),
        ("vacancy", {"languages": [{"code": "de", "level": "D9"}]}),
        ("vacancy", {"salary": {"min": 1, "currency": "XXX"}}),
        ("vacancy", {"revision": -1}),
        ("candidate", {"titles": []}),
        ("exclusion_rule", {"anchors": [{"text": "one", "min_similarity": 1}]}),
    ],
)
def test_a_json_schema_catches_what_the_model_refuses(contract, change):
    value = json.loads(GOLDEN[f"{contract}_full"].read_bytes()) | change
    assert not Draft202012Validator(schema_file(contract)).is_valid(value)


def test_the_document_has_no_dangling_reference():
    for reference in references(COMMITTED):
        assert resolve(reference), reference


def test_every_message_belongs_to_a_channel():
    used = {
        message["$ref"]
        for channel in COMMITTED["channels"].values()
        for message in channel["messages"].values()
    }
    assert used == {f"#/components/messages/{name}" for name in COMMITTED["components"]["messages"]}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_channel_tells_how_its_topic_is_kept(topic):
    kafka = COMMITTED["channels"][topic.name]["bindings"]["kafka"]
    assert kafka["partitions"] == topic.partitions
    assert kafka["topicConfiguration"]["cleanup.policy"] == [topic.cleanup_policy]


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.null], ids=lambda topic: topic.name)
def test_a_compacted_channel_documents_its_tombstone(topic):
    tombstone = COMMITTED["components"]["messages"][f"{topic.name}_tombstone"]
    assert tombstone["payload"] == {"type": "null"}
    assert topic.null in tombstone["summary"]


def test_rolecall_sends_rollouts_matches_and_dead_letters_and_receives_the_rest():
    actions = {
        operation["channel"]["$ref"].removeprefix("#/channels/"): operation["action"]
        for operation in COMMITTED["operations"].values()
    }
    assert actions == {
        "vacancies": "receive",
        "candidates": "receive",
        "rules": "receive",
        "occupations": "receive",
        "feedback": "receive",
        "rollouts": "send",
        "matches": "send",
        "dead-letters": "send",
    }


def test_a_match_carries_cloudevents_headers():
    headers = COMMITTED["components"]["messages"]["match"]["headers"]
    assert {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time"} <= set(headers["required"])
    assert headers["properties"]["ce_type"]["const"] == "rolecall.match.v1"


class TestTomorrow:
    """A consumer with code that was made from today's schema reads what a later version publishes."""

    EVENT = json.loads(GOLDEN["matches_withdrawn_full"].read_bytes()) | {
        "reason": "merged",
        "merged_into": "v2",
    }

    def test_a_new_reason_and_a_new_field_are_valid(self):
        Draft202012Validator(schema_file("matches_withdrawn")).validate(self.EVENT)

    def test_our_own_consumers_take_a_new_reason_for_a_withdrawal(self):
        event = MatchesWithdrawn.model_validate_json(json.dumps(self.EVENT))
        assert event.reason == "merged"
        assert MatchesWithdrawn.model_validate_json(event.model_dump_json()) == event

    def test_a_known_reason_stays_a_known_reason(self):
        event = MatchesWithdrawn.model_validate_json(json.dumps(self.EVENT | {"reason": "closed"}))
        assert event.reason is WithdrawalReason.CLOSED

    def test_no_outgoing_enumeration_that_may_grow_is_closed(self):
        reason = schema_file("matches_withdrawn")["properties"]["reason"]
        assert "enum" not in reason
        assert reason["x-extensible-enum"] == [each.value for each in WithdrawalReason]

    def test_the_reason_of_a_verdict_may_grow_too(self):
        [reason] = [
            each for each in schema_file("feedback")["properties"]["reason"]["anyOf"] if len(each) > 1
        ]
        assert "enum" not in reason
        assert reason["x-extensible-enum"] == [each.value for each in VerdictReason]

    def test_maps_have_typed_values(self):
        maps = schema_file("matches_withdrawn")["properties"]["counterparts"]["anyOf"]
        assert [each["additionalProperties"]["type"] for each in maps if each["type"] == "object"] == [
            "integer"
        ]
