"""Keep the matches that hold in a SQLite database.

    python consumer_sqlite.py localhost:9092 matches.db
    sqlite3 matches.db 'SELECT vacancy_id, candidate_id, confidence FROM current'

It needs no rolecall, only a Kafka client. The tables store what was read. The view `current` says what holds:
a match counts unless it was withdrawn, the model is no longer the live one, or a newer match of the same pair
exists. The order of the events does not matter, and an event may come twice.

The offsets are stored in the same transaction as the events, so the consumer continues where it stopped.
"""

import asyncio
import json
import sqlite3
import sys
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

SCHEMA = """
CREATE TABLE IF NOT EXISTS matches (
    vacancy_id TEXT, vacancy_revision INTEGER, candidate_id TEXT, candidate_revision INTEGER,
    model_version TEXT, occurred_at REAL, confidence REAL, value TEXT,
    PRIMARY KEY (vacancy_id, candidate_id, model_version, value)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS matches_of_candidate ON matches (candidate_id);

CREATE TABLE IF NOT EXISTS withdrawn (
    side TEXT, entity_id TEXT, revision INTEGER, PRIMARY KEY (side, entity_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS excluded (  -- single pairs; no model_version: with every model
    vacancy_id TEXT, vacancy_revision INTEGER, candidate_id TEXT, candidate_revision INTEGER,
    model_version TEXT,
    UNIQUE (vacancy_id, candidate_id, vacancy_revision, candidate_revision, model_version)
);

CREATE TABLE IF NOT EXISTS live (  -- one row: the newest rollout
    only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER, model_version TEXT
);

CREATE TABLE IF NOT EXISTS offsets (
    topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY (topic, partition)
);

CREATE VIEW IF NOT EXISTS current AS
SELECT vacancy_id, candidate_id, confidence, value FROM (
    SELECT *, row_number() OVER (
        PARTITION BY vacancy_id, candidate_id
        ORDER BY vacancy_revision DESC, candidate_revision DESC, occurred_at DESC, value DESC
    ) AS age
    FROM matches AS match
    WHERE NOT EXISTS (
        SELECT 1 FROM withdrawn
        WHERE side = 'vacancy' AND entity_id = vacancy_id AND revision > vacancy_revision
           OR side = 'candidate' AND entity_id = candidate_id AND revision > candidate_revision
    ) AND NOT EXISTS (
        SELECT 1 FROM excluded
        WHERE excluded.vacancy_id = match.vacancy_id AND excluded.candidate_id = match.candidate_id
          AND excluded.vacancy_revision >= match.vacancy_revision
          AND excluded.candidate_revision >= match.candidate_revision
          AND (excluded.model_version IS NULL OR excluded.model_version = match.model_version)
    ) AND NOT EXISTS (SELECT 1 FROM live WHERE live.model_version <> match.model_version)
) WHERE age = 1;
"""

WITHDRAW = """
INSERT INTO withdrawn VALUES (:side, :entity_id, :revision)
ON CONFLICT DO UPDATE SET revision = max(revision, excluded.revision)
"""
ROLLOUT = """
INSERT INTO live VALUES (1, ?, ?)
ON CONFLICT DO UPDATE SET revision = excluded.revision, model_version = excluded.model_version
WHERE excluded.revision > live.revision
"""


def opened(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.executescript(SCHEMA)
    return database


def apply(database: sqlite3.Connection, value: bytes) -> None:
    """Take in one record of `matches` or `rollouts`. A type that is not known is left out: it is newer."""
    event = json.loads(value)
    if event["type"] == "match":
        at = datetime.fromisoformat(event["occurred_at"]).timestamp()
        database.execute(
            "INSERT OR IGNORE INTO matches VALUES (:vacancy_id, :vacancy_revision, :candidate_id,"
            " :candidate_revision, :model_version, :at, :confidence, :value)",
            event | {"at": at, "value": value.decode()},
        )
    elif event["type"] == "matches_withdrawn" and event.get("counterparts") is not None:
        for id, revision in event["counterparts"].items():
            own, other = (event["entity_id"], event["revision"]), (id, revision)
            vacancy, candidate = (own, other) if event["side"] == "vacancy" else (other, own)
            pair = (*vacancy, *candidate, event.get("model_version"))
            database.execute("INSERT OR IGNORE INTO excluded VALUES (?, ?, ?, ?, ?)", pair)
    elif event["type"] == "matches_withdrawn":
        database.execute(WITHDRAW, event)
        # What was withdrawn stays withdrawn, so its rows can go.
        side, id, revision = event["side"], event["entity_id"], event["revision"]
        database.execute(f"DELETE FROM matches WHERE {side}_id = ? AND {side}_revision < ?", (id, revision))
    elif event["type"] == "rollout":
        database.execute(ROLLOUT, (event["revision"], event["live"]["model_version"]))


async def consume(broker: str, database: sqlite3.Connection) -> None:
    """Until it is cancelled."""
    consumer = AIOKafkaConsumer(
        "matches",
        "rollouts",
        bootstrap_servers=broker,
        group_id=None,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    async with consumer:
        for topic, partition, offset in database.execute("SELECT * FROM offsets").fetchall():
            consumer.seek(TopicPartition(topic, partition), offset)
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            with database:  # one transaction
                for place, records in batches.items():
                    for record in records:
                        if record.value is not None:
                            apply(database, record.value)
                    database.execute(
                        "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
                        (place.topic, place.partition, records[-1].offset + 1),
                    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    try:
        asyncio.run(consume(sys.argv[1], opened(sys.argv[2])))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
