"""Rules and references from the command line: publish, remove, list, try."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from encoder.model import Encoder
from schemas.cloud_event import cloud_event
from schemas.common import milliseconds
from schemas.occupation import Occupation
from schemas.rule import ExclusionRule
from schemas.topics import OCCUPATIONS, RULES, event_type
from streams.app import connect_index
from streams.exclusion import Forbidden, Rules
from streams.publish import KafkaPublisher, Outgoing, producer, start
from streams.reach import require_topics
from streams.rollouts import served_collections
from streams.settings import Settings
from streams.to_end import records_to_end

CHUNK = 500
TOPIC_OF = {ExclusionRule: RULES.name, Occupation: OCCUPATIONS.name}


def definition_record(definition: ExclusionRule | Occupation) -> Outgoing:
    kind = type(definition)
    headers = cloud_event(str(uuid4()), event_type(kind), definition.occurred_at)
    value = definition.model_dump_json(exclude_defaults=True).encode()
    return Outgoing(TOPIC_OF[kind], definition.id.encode(), value, headers)


def removal_record(topic: str, id: str) -> Outgoing:
    return Outgoing(topic, id.encode(), None, ())


async def send(settings: Settings, records: Iterable[Outgoing]) -> int:
    """How many; all confirmed by the broker."""
    await require_topics(settings)
    events = producer(settings)
    await start(events)
    try:
        publisher, waiting = KafkaPublisher(events), list(records)
        for first in range(0, len(waiting), CHUNK):
            await publisher.publish(waiting[first : first + CHUNK])
        return len(waiting)
    finally:
        await events.stop()


async def current_rules(settings: Settings) -> list[ExclusionRule]:
    """As the topic has them now, by id."""
    await require_topics(settings)
    newest: dict[bytes, bytes | None] = {}
    async for record in records_to_end(settings, RULES.name):
        newest[record.key] = record.value
    return [ExclusionRule.model_validate_json(value) for _, value in sorted(newest.items()) if value]


async def dry_run(settings: Settings, rules: list[ExclusionRule]) -> list[Forbidden]:
    """What each would exclude among the points that are indexed now. `Unacceptable` for unknown ids."""
    encoder = Encoder.load(settings.model, device=settings.device, threads=settings.encoder_threads)
    index = connect_index(settings, await served_collections(settings, encoder.version), encoder.dims)
    try:
        await index.prepare()
        tried = Rules(encoder, index)
        areas = await tried.areas(rules)
        return await tried.forbidden([areas[rule.id] for rule in rules])
    finally:
        await index.close()


def esco(path: Path) -> Iterator[Occupation]:
    """The occupations of ESCO's `occupations_en.csv`; `ValueError` names the line that is not one."""
    now = datetime.now(UTC)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if missing := {"conceptUri", "preferredLabel", "altLabels"} - set(rows.fieldnames or ()):
            raise ValueError(f"{path} has no column {', '.join(sorted(missing))}: not ESCO's occupations")
        for row in rows:
            others = tuple(label for label in (row["altLabels"] or "").splitlines() if label.strip())
            try:
                yield Occupation(
                    id=row["conceptUri"],
                    occurred_at=now,
                    revision=milliseconds(now),
                    label=row["preferredLabel"],
                    alternative_labels=others,
                )
            except ValidationError as error:
                raise ValueError(f"{path}, line {rows.line_num}: {error.errors()[0]['msg']}") from error
