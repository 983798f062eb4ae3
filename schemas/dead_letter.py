"""Dead letters: the record as it came, byte for byte, with its cause in the headers.

Header names follow Kafka Connect's error context, so that existing tools read them.
"""

from enum import StrEnum

from pydantic import Field

from schemas.common import Contract


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

    def records(self) -> list[tuple[str, bytes]]:
        """Kafka record headers."""
        return [(name, str(value).encode()) for name, value in self.model_dump(by_alias=True).items()]
