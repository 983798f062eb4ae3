"""Compare the newest vacancies and candidates on the topics with the model's training texts."""

import asyncio
from dataclasses import dataclass

import numpy as np

from rolecall.encoder.document import document_of
from rolecall.encoder.model import Encoder
from rolecall.schemas.topics import SIDE_OF
from rolecall.streams.connect import connect_index
from rolecall.streams.errors import NoReference
from rolecall.streams.events.receive import Published, newest, receive
from rolecall.streams.kafka.read import replayed
from rolecall.streams.kafka.topics import require_topics
from rolecall.streams.monitor.drift import Drift, Window
from rolecall.streams.rollout.topic import served_collections
from rolecall.streams.settings import Settings
from rolecall.streams.worker.occupations import References

WORST = 3


@dataclass(frozen=True, slots=True)
class SideDrift:
    topic: str
    documents: int
    drift: Drift | None  # None: too few documents
    certainty: float | None  # the mean
    unfamiliar: float | None  # the share; None without reference occupations
    worst: tuple[str, ...]  # the groups that moved most


async def drift_report(settings: Settings, documents: int) -> list[SideDrift]:
    """Compares the newest entities of each side, at most `documents` of them. Raises `NoReference`."""
    await require_topics(settings)
    encoder = await asyncio.to_thread(Encoder.load, settings.model, device=settings.device)
    if encoder.usage is None:
        raise NoReference(f"model {encoder.version} has no usage.json to compare with: train it again")
    served = await served_collections(settings, encoder.version)
    index = connect_index(settings, served or encoder.version, encoder.dims)
    try:
        references = References(index, settings.min_reference_score)
        return [await _side_drift(settings, encoder, references, topic, documents) for topic in SIDE_OF]
    finally:
        await index.close()


async def _side_drift(
    settings: Settings, encoder: Encoder, references: References, topic: str, most: int
) -> SideDrift:
    records = await replayed(settings, topic)
    events, _ = receive(SIDE_OF[topic], records, settings.limits())
    entities = [event.entity for event in newest(events) if isinstance(event, Published)]
    entities = sorted(entities, key=lambda entity: entity.revision)[-most:]
    embeddings = await asyncio.to_thread(encoder.encode, [document_of(entity) for entity in entities])
    window = Window(encoder)
    window.add(list(embeddings.vectors), embeddings.certainty.tolist())
    located = [each for each in await references.nearest(list(embeddings.vectors)) if each is not None]
    return SideDrift(
        topic,
        len(entities),
        drift := window.drift(),
        float(embeddings.certainty.mean()) if entities else None,
        sum(each.unfamiliar for each in located) / len(located) if located else None,
        () if drift is None else _worst(encoder, drift),
    )


def _worst(encoder: Encoder, drift: Drift) -> tuple[str, ...]:
    order = np.argsort(-drift.values)[:WORST].tolist()
    return tuple(f"group {group} ({drift.values[group]:.2f})" for group in order)
