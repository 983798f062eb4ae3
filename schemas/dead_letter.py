"""Dead letters: the record as it came, byte for byte, with its cause in the headers.

Header names follow Kafka Connect's error context, so that existing tools read them.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import Field

from rolecall.schemas.common import Contract


class Stage(StrEnum):
    """The steps of an event through a worker, in order."""

    RECEIVE = "receive"
    ENCODE = "encode"
    UPSERT = "upsert"
    SEARCH = "search"
    MATCH = "match"
    PUBLISH = "publish"
    ACK = "ack"


class DeadLetterHeaders(Contract):
    topic: str = Field(serialization_alias="__connect.errors.topic")
    partition: int = Field(serialization_alias="__connect.errors.partition")
    offset: int = Field(serialization_alias="__connect.errors.offset")
    stage: Stage = Field(serialization_alias="__connect.errors.stage")
    exception: str = Field(serialization_alias="__connect.errors.exception.class.name")
    message: str = Field(serialization_alias="__connect.errors.exception.message")
    attempts: int = Field(default=1, ge=1, serialization_alias="__rolecall.errors.attempts")
    timestamp_ms: int | None = Field(
        default=None,
        ge=0,
        serialization_alias="__rolecall.errors.timestamp",
        description="Timestamp of the original record, if it had one. It is the revision of an erasure.",
    )

    cut_bytes: int | None = Field(
        default=None,
        ge=0,
        serialization_alias="__rolecall.errors.cut",
        description="Bytes of the original value, where the broker took only its beginning.",
    )

    def records(self) -> list[tuple[str, bytes]]:
        """Kafka record headers."""
        said = self.model_dump(by_alias=True, exclude_none=True)
        return [(name, str(value).encode()) for name, value in said.items()]

    @classmethod
    def read(cls, headers: Iterable[tuple[str, bytes]]) -> Self:
        """Reads the headers of a dead letter. Raises `ValueError` if rolecall did not write them."""
        said = dict(headers)
        fields = {name: said.get(str(field.serialization_alias)) for name, field in cls.model_fields.items()}
        return cls.model_validate_strings(
            {name: value.decode() for name, value in fields.items() if value is not None}
        )
