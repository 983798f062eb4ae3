"""`rolecall drift`: the newest vacancies and candidates on the topics against the model's training texts."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from encoder.model import Encoder
from streams.app import SIDES, connect_index
from streams.batch import document
from streams.drift import FEWEST, MODERATE, MUCH, Drift, Window
from streams.reach import require_topics
from streams.receive import Limits, Published, newest, receive
from streams.reference import References
from streams.rollouts import served_collections
from streams.settings import Settings
from streams.to_end import replayed

WORST = 3


class NoReference(Exception):
    """The model says nothing of its training texts."""


@dataclass(frozen=True, slots=True)
class Finding:
    topic: str
    documents: int
    drift: Drift | None  # None: too few documents
    certainty: float | None  # the mean
    unfamiliar: float | None  # the share; None without reference occupations
    worst: tuple[str, ...]  # what the groups stand for that moved most


async def drift_report(settings: Settings, documents: int) -> list[Finding]:
    """Of at most so many of each side, the newest by revision."""
    await require_topics(settings)
    encoder = await asyncio.to_thread(Encoder.load, settings.model, device=settings.device)
    if encoder.usage is None:
        raise NoReference(f"model {encoder.version} has no usage.json to compare with: train it again")
    index = connect_index(settings, await served_collections(settings, encoder.version), encoder.dims)
    try:
        references = References(index, settings.min_reference_score)
        return [await _finding(settings, encoder, references, topic, documents) for topic in SIDES]
    finally:
        await index.close()


async def _finding(
    settings: Settings, encoder: Encoder, references: References, topic: str, most: int
) -> Finding:
    limits = Limits(settings.max_record_bytes, round(settings.max_clock_skew_seconds * 1000))
    records = await replayed(settings, topic)
    now_ms = max((record.timestamp_ms for record in records), default=0)
    events, _ = receive(SIDES[topic], records, now_ms, limits)
    entities = [event.entity for event in newest(events) if isinstance(event, Published)]
    entities = sorted(entities, key=lambda entity: entity.revision)[-most:]
    embeddings = await asyncio.to_thread(encoder.encode, [document(entity) for entity in entities])
    window = Window(encoder)
    window.add(list(embeddings.vectors), embeddings.certainty.tolist())
    located = [each for each in await references.nearest(list(embeddings.vectors)) if each is not None]
    return Finding(
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


def as_json(found: list[Finding]) -> list[dict[str, object]]:
    return [
        {
            "topic": each.topic,
            "documents": each.documents,
            "psi_values": each.drift and each.drift.mean,
            "psi_certainty": each.drift and each.drift.certainty,
            "mean_certainty": each.certainty,
            "unfamiliar": each.unfamiliar,
            "advice": each.drift and each.drift.advice,
        }
        for each in found
    ]


def lines(found: list[Finding]) -> Iterator[str]:
    for each in found:
        yield f"{each.topic}: {each.documents:,} documents"
        if each.drift is None:
            yield f"  too few to judge: {FEWEST:,} are needed"
            continue
        yield f"  values     PSI {each.drift.mean:.3f}, most in {', '.join(each.worst)}"
        yield f"  certainty  PSI {each.drift.certainty:.3f}, mean {each.certainty:.2f}"
        if each.unfamiliar is not None:
            yield f"  far from every reference occupation: {each.unfamiliar:.1%}"
        yield f"  {each.drift.advice}"
    yield f"below {MODERATE} little has moved, past {MUCH} much"
