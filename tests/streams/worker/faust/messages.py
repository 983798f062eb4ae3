"""Messages of one partition, as Faust's consumer has them."""

from faust.types import TP
from faust.types.tuples import ConsumerMessage

HERE = TP("vacancies", 0)


async def untouched(topic, records, acknowledge):
    raise AssertionError("no batch arrives here")


def message(offset):
    return ConsumerMessage(HERE.topic, HERE.partition, offset, 1.0, 0, (), b"k", b"v", None, tp=HERE)
