"""Exclusion rules as they are on the topic, and what a rule would exclude."""

from collections.abc import Sequence

from rolecall.encoder.model import Encoder
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.topics import RULES
from rolecall.streams.index.port import Index
from rolecall.streams.kafka.read import records_to_end
from rolecall.streams.kafka.topics import require_topics
from rolecall.streams.settings import Settings
from rolecall.streams.worker.exclusion_rules import ExclusionRules, Forbidden


async def current_rules(settings: Settings) -> list[ExclusionRule]:
    """The rules that the topic holds now, by id."""
    await require_topics(settings)
    newest: dict[bytes, bytes | None] = {}
    async for record in records_to_end(settings, RULES.name):
        newest[record.key] = record.value
    return [ExclusionRule.model_validate_json(value) for _, value in sorted(newest.items()) if value]


async def dry_run(encoder: Encoder, index: Index, rules: Sequence[ExclusionRule]) -> list[Forbidden]:
    """What each rule would exclude among the points that are indexed now.

    Raises `Unacceptable` for an anchor whose entity is not indexed.
    """
    tried = ExclusionRules(encoder, index)
    areas = await tried.areas(rules)
    return await tried.forbidden([areas[rule.id] for rule in rules])
