"""The AsyncAPI 3.0 document and the JSON Schema of each contract, generated from the topics.

`python -m rolecall.schemas.asyncapi` writes them beside this file.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from rolecall.schemas.common import Contract
from rolecall.schemas.dead_letter import DeadLetterHeaders
from rolecall.schemas.topics import DEAD_LETTERS, MATCHES, ROLLOUTS, TOPICS, Topic, event_type

Json = dict[str, Any]

HERE = Path(__file__).parent
KAFKA = {"bindingVersion": "0.5.0"}
SENT = (ROLLOUTS, MATCHES, DEAD_LETTERS)
DESCRIPTION = """\
Vacancies and candidates come in, matches go out. Values are JSON in UTF-8. Consumers ignore unknown fields.

A record without a value is a tombstone. It erases what its key names. Its timestamp is the revision.

rolecall checks more than these schemas say. It also refuses a salary whose min is above its max, lat without
lon, a country, language or currency that does not exist, a date without time zone, and text that is empty
once white space is stripped. Refused records go to `dead-letters`, with the reason in the headers.
"""


class _Schemas(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(contract: type[Contract]) -> Json:
    """Draft 2020-12, self-contained."""
    schema = contract.model_json_schema(schema_generator=_Schemas, mode=_mode(contract))
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def document() -> Json:
    contracts = [contract for topic in TOPICS for contract in topic.contracts]
    _, schemas = models_json_schema(
        [(contract, _mode(contract)) for contract in contracts],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Schemas,
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "rolecall",
            "version": "1.0.0",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_operation_name(topic): _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {name: message for topic in TOPICS for name, message in _messages(topic).items()},
            "schemas": schemas["$defs"],
        },
    }


def files() -> dict[Path, str]:
    """Path and content of each file that `python -m rolecall.schemas.asyncapi` writes."""
    contracts = {contract for topic in TOPICS for contract in topic.contracts}
    return {
        HERE / "asyncapi.yaml": yaml.safe_dump(document(), allow_unicode=True, width=110),
        **{
            HERE / "json" / f"{_snake(contract)}.json": (
                json.dumps(json_schema(contract), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            )
            for contract in contracts
        },
    }


def _channel(topic: Topic) -> Json:
    return {
        "address": topic.name,
        "description": topic.purpose,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": [topic.cleanup_policy]},
                **KAFKA,
            }
        },
    }


def _operation_name(topic: Topic) -> str:
    action = "send" if topic in SENT else "receive"
    return action + "".join(word.capitalize() for word in topic.name.split("-"))


def _operation(topic: Topic) -> Json:
    channel = f"#/channels/{topic.name}"
    return {
        "action": "send" if topic in SENT else "receive",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _messages(topic)],
    }


def _messages(topic: Topic) -> dict[str, Json]:
    if topic is DEAD_LETTERS:
        return {"dead_letter": _dead_letter(topic)}
    messages = {_snake(contract): _event(topic, contract) for contract in topic.contracts}
    if topic.null:
        messages[f"{topic.name}_tombstone"] = _tombstone(topic)
    return messages


def _event(topic: Topic, contract: type[Contract]) -> Json:
    return {
        "name": contract.__name__,
        "title": contract.__name__,
        "summary": (contract.__doc__ or topic.purpose).split("\n")[0],
        "contentType": "application/json",
        "headers": _cloud_event_headers(contract, required=topic in SENT),
        "payload": {"$ref": f"#/components/schemas/{contract.__name__}"},
        "bindings": _key(topic.key),
    }


def _tombstone(topic: Topic) -> Json:
    return {
        "name": f"{topic.name}_tombstone",
        "title": "Tombstone",
        "summary": f"A record without a value: {topic.null}.",
        "payload": {"type": "null"},
        "bindings": _key(topic.key),
    }


def _dead_letter(topic: Topic) -> Json:
    return {
        "name": "DeadLetter",
        "title": "DeadLetter",
        "summary": topic.purpose,
        "description": "Kafka headers are bytes: numbers are written as decimal text.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": f"#/components/schemas/{DeadLetterHeaders.__name__}"},
        "payload": {"description": "The original value, byte for byte; null where it was null."},
        "bindings": _key(topic.key),
    }


def _cloud_event_headers(contract: type[Contract], *, required: bool) -> Json:
    properties = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "description": "The id is the same each time the same event is sent."},
        "ce_type": {"type": "string", "const": event_type(contract)},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"type": "string", "const": "application/json"},
    }
    return {
        "type": "object",
        "description": "CloudEvents 1.0 in the Kafka protocol binding's binary mode.",
        "properties": properties,
        **({"required": list(properties)} if required else {}),
    }


def _key(description: str) -> Json:
    return {"kafka": {"key": {"type": "string", "description": f"UTF-8: {description}."}, **KAFKA}}


def _mode(contract: type[Contract]) -> JsonSchemaMode:
    """Headers are described as they are written, under their aliases. Other contracts as they are read."""
    return "serialization" if contract is DeadLetterHeaders else "validation"


def _snake(contract: type[Contract]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", contract.__name__).lower()


def main() -> None:
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
