"""Topics with their ids. A topic that was deleted and made again has another id under the same name.

aiokafka asks for metadata up to version 5; the ids came with version 10.
"""

from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from rolecall.schemas.broker.settings import BrokerSettings


@dataclass(frozen=True, slots=True)
class Made:
    """A topic as it is now."""

    id: UUID
    partitions: int


async def made(settings: BrokerSettings, names: list[str]) -> dict[str, Made]:
    """Of those that exist. Empty where the broker is too old to tell."""
    admin = AIOKafkaAdminClient(**settings.client())
    try:
        await admin.start()
        found = await admin._send_request(_Metadata(names))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return {}
    finally:
        await admin.close()
    for error, name, *_ in found.topics:
        if error and error != UnknownTopicOrPartitionError.errno:
            raise for_code(error)(f"topic {name}")
    return {
        name: Made(id, len(partitions)) for error, name, id, _, partitions, *_ in found.topics if not error
    }


async def topic_id(settings: BrokerSettings, name: str) -> str:
    """Empty where the broker is too old to tell."""
    found = await made(settings, [name])
    return found[name].id.hex if name in found else ""


class _Id(AbstractType[UUID]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_TEXT = CompactString("utf-8")
_NODES = CompactArray(Int32)


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields)
            ),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("id", _Id),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", _NODES),
                        ("in_sync", _NODES),
                        ("offline", _NODES),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("id", _Id), ("name", _TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Metadata(Request[_MetadataRequest]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataRequest]) -> _MetadataRequest:
        return request_struct_class([(UUID(int=0), name, {}) for name in self._names], False, False, {})
