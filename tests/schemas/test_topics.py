import pytest

from rolecall.schemas.topics import TOPICS, event_type
from rolecall.schemas.vacancy import Vacancy


def test_topic_names_are_unique():
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_null_means_something_exactly_where_the_topic_is_compacted(topic):
    assert (topic.null is not None) == (topic.cleanup_policy == "compact")


def test_event_types_are_unique():
    contracts = [contract for topic in TOPICS for contract in topic.contracts]
    assert len({event_type(contract) for contract in contracts}) == len(contracts)


def test_an_event_type_names_contract_and_version():
    assert event_type(Vacancy) == "rolecall.vacancy.v1"
