"""Bad input through the real broker ends as a match, a no-op, or a dead letter with its reason."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from rolecall.schemas.match import Side
from rolecall.streams.kafka.publisher import letter_producer

NUMBERS = count()
NOW = datetime.now(UTC)
PAST = "2026-01-01T00:00:00Z"

KEYLESS = pytest.mark.embedded("Kafka takes no record without a key on a compacted topic")


def entity(side, id, **fields):
    title = {"title": "nurse"} if side is Side.VACANCY else {"titles": ["nurse"]}
    return {"id": id, "occurred_at": PAST} | title | fields


def dump(fields):
    return json.dumps(fields).encode()


def titled(side, title):
    return {"title": title} if side is Side.VACANCY else {"titles": [title]}


def text(side, words):
    return {"description" if side is Side.VACANCY else "summary": words}


@pytest.fixture
def new_id():
    return f"bad-{next(NUMBERS)}"


@pytest.fixture(scope="module")
def anchors(wire, workers, kit):
    """One entity on each side. Every compatible entity matches it."""
    ids = {side: f"anchor-{side}" for side in Side}
    for side, id in ids.items():
        wire.send(kit.sent(kit.topic[side], id.encode(), dump(entity(side, id))))
    wire.until(lambda: tuple(ids.values()) in wire.pairs, "the anchors match")
    return ids


@pytest.fixture
def matched(wire, anchors):
    """Waits until the entity has matched the other side's anchor."""

    def wait(side, id):
        pair = (id, anchors[side.other]) if side is Side.VACANCY else (anchors[side.other], id)
        wire.until(lambda: pair in wire.pairs, f"{pair} matches")

    return wait


@pytest.fixture
def still_matches(wire, kit, matched, workers):
    """Sends two more events to the partition, one after the other. Once the second has matched, the batch of
    the first is finished, and so are all events before it."""

    def check(side, partition):
        for _ in range(2):
            id = f"sentinel-{next(NUMBERS)}"
            record = kit.sent(kit.topic[side], id.encode(), dump(entity(side, id)), partition=partition)
            wire.send(record)
            matched(side, id)
        wire.catch_up()
        assert [worker.process.poll() for worker in workers] == [None, None]

    return check


@pytest.fixture
def publish(wire, kit, anchors):
    def send(side, key, value, at=None):
        return wire.send(kit.sent(kit.topic[side], key, value, at))

    return send


SIDES = pytest.mark.parametrize("side", list(Side))
REFUSED = {
    "invalid JSON": (lambda side, id: dump(entity(side, id))[:-1], "Invalid JSON"),
    "no JSON at all": (lambda side, id: b"", "send no value"),
    "not an object": (lambda side, id: b"[]", "should be an object"),
    "wrong types": (lambda side, id: dump(entity(side, id, skills="sql")), "skills: Input should be"),
    "an id that is a number": (lambda side, id: dump(entity(side, 7)), "id: Input should be"),
    "missing id": (lambda side, id: dump(entity(side, id) | {"id": None}), "id: Input should be"),
    "no id": (lambda side, id: dump({k: v for k, v in entity(side, id).items() if k != "id"}), "id: Field"),
    "10 MB": (
        lambda side, id: dump(entity(side, id, **text(side, "x" * 10_000_000))),
        "bytes, the limit is 1,048,576",
    ),
    "invalid UTF-8": (lambda side, id: dump(entity(side, id)).replace(b"nurse", b"n\xff"), "Invalid JSON"),
    "NaN latitude": (
        lambda side, id: dump(entity(side, id, location={"lat": float("nan"), "lon": 0})),
        "location.lat: Input should be a finite number",
    ),
    "infinite longitude": (
        lambda side, id: dump(entity(side, id, location={"lat": 0, "lon": float("inf")})),
        "location.lon: Input should be a finite number",
    ),
    "longitude 1e999": (
        lambda side, id: dump(entity(side, id, location={"lat": 0, "lon": 1})).replace(
            b'"lon": 1', b'"lon": 1e999'
        ),
        "location.lon: Input should be a finite number",
    ),
    "latitude 91": (
        lambda side, id: dump(entity(side, id, location={"lat": 91, "lon": 0})),
        "location.lat: Input should be less than or equal to 90",
    ),
    "currency XXX": (
        lambda side, id: dump(entity(side, id, salary={"min": 1, "currency": "XXX"})),
        "salary.currency: Invalid currency code",
    ),
    "CEFR D9": (
        lambda side, id: dump(entity(side, id, languages=[{"code": "de", "level": "D9"}])),
        "languages.0.level: Input should be",
    ),
    "a year ahead": (
        lambda side, id: dump(entity(side, id, occurred_at=(NOW + timedelta(days=365)).isoformat())),
        "ahead of the record's timestamp",
    ),
    "empty title": (lambda side, id: dump(entity(side, id, **titled(side, ""))), "at least 1 character"),
    "blank title": (lambda side, id: dump(entity(side, id, **titled(side, " \t "))), "at least 1 character"),
    "another key": (lambda side, id: dump(entity(side, id + "0")), "use the id as key"),
}


@SIDES
@pytest.mark.parametrize("what", REFUSED)
def test_it_is_dead_lettered_byte_for_byte_with_its_reason(wire, publish, still_matches, new_id, side, what):
    make, reason = REFUSED[what]
    sent = publish(side, new_id.encode(), make(side, new_id))
    letter = wire.until(lambda: wire.letters.get(sent.place), "the dead letter")
    said = {name: value.decode() for name, value in letter.headers}
    assert (letter.key, letter.value) == (sent.key, sent.value)
    assert said["__connect.errors.stage"] == "receive"
    assert reason in said["__connect.errors.exception.message"]
    still_matches(side, sent.partition)


@KEYLESS
def test_a_record_of_nothing_is_dead_lettered(wire, anchors, still_matches):
    """Our producer refuses to send a record without key and value, but other producers may."""
    place = wire.run(wire.send_nothing("vacancies", partition=3))
    letter = wire.until(lambda: wire.letters.get(place), "the dead letter")
    assert (letter.key, letter.value) == (b"", None)
    still_matches(Side.VACANCY, 3)


def test_a_record_that_unpacks_to_a_thousand_times_what_it_weighs_is_a_dead_letter(
    wire, still_matches, new_id
):
    """60 MB of one letter compress to a batch of about 60 KB, which the broker accepts."""
    value = dump(entity(Side.VACANCY, new_id, description="x" * 60_000_000))

    async def send():
        sender = letter_producer(wire.broker)
        await sender.start()
        try:
            return await sender.send_and_wait("vacancies", value, key=new_id.encode(), partition=2)
        finally:
            await sender.stop()

    sent = wire.run(send())
    place = (sent.topic, sent.partition, sent.offset)
    letter = wire.until(lambda: wire.letters.get(place), "the dead letter")
    assert letter.value == value
    assert b"the limit is 1,048,576" in b"".join(value for _, value in letter.headers)
    still_matches(Side.VACANCY, 2)


TAKEN = {
    "unknown fields": lambda side, id: entity(side, id, shoe_size=44, nested={"a": [1, {"b": None}]}),
    "an emoji-only title": lambda side, id: entity(side, id, **titled(side, "🦄🚀")),
    "a title of a word no model knows": lambda side, id: entity(side, id, **titled(side, "zxqvbn" * 100)),
    "a description of 100,000 words": lambda side, id: entity(side, id, **text(side, "care " * 100_000)),
    "right-to-left, zero-width text": lambda side, id: entity(side, id, **titled(side, "ممرض\u200b")),
    "every optional field null": lambda side, id: entity(
        side, id, location=None, seniority=None, salary=None
    ),
}


@SIDES
@pytest.mark.parametrize("what", TAKEN)
def test_it_is_matched_all_the_same(wire, publish, matched, still_matches, new_id, side, what):
    sent = publish(side, new_id.encode(), dump(TAKEN[what](side, new_id)))
    matched(side, new_id)
    still_matches(side, sent.partition)
    assert sent.place not in wire.letters


@KEYLESS
@SIDES
def test_a_record_without_key_is_matched_by_its_id(publish, matched, new_id, side):
    publish(side, None, dump(entity(side, new_id)))
    matched(side, new_id)


class TestNoOperation:
    """Nothing is published: no match, no withdrawal, no dead letter."""

    @pytest.fixture
    def said_nothing(self, wire, still_matches):
        def check(sent, side):
            id = sent.key.decode()
            before = self.about(wire, id)
            still_matches(side, sent.partition)
            # The sentinels match the entity if it is still open.
            assert [each for each in self.about(wire, id) if each not in before] == []
            assert sent.place not in wire.letters

        return check

    def about(self, wire, id):
        """The events about an entity, without its matches with sentinels."""
        withdrawn = [each for each in wire.withdrawn if each.entity_id == id]
        pairs = [
            (match.vacancy_id, match.vacancy_revision, match.candidate_id, match.candidate_revision)
            for match in wire.matches
            if id in (match.vacancy_id, match.candidate_id)
            and not (match.vacancy_id + match.candidate_id).count("sentinel")
        ]
        return [*withdrawn, *pairs]

    @SIDES
    def test_the_erasure_of_an_unknown_id(self, publish, stored, said_nothing, new_id, side):
        sent = publish(side, new_id.encode(), None, at=1_767_225_600_000)
        said_nothing(sent, side)
        point = stored.points(side, [new_id])[new_id]
        assert (point.revision, point.vector) == (1_767_225_600_000, None)

    @SIDES
    def test_a_revision_from_the_past(self, publish, matched, stored, said_nothing, new_id, side):
        publish(side, new_id.encode(), dump(entity(side, new_id, revision=7)))
        matched(side, new_id)
        sent = publish(side, new_id.encode(), dump(entity(side, new_id, revision=6)))
        said_nothing(sent, side)
        assert stored.points(side, [new_id])[new_id].revision == 7

    @SIDES
    def test_an_erasure_from_the_past(self, publish, matched, stored, said_nothing, new_id, side):
        publish(side, new_id.encode(), dump(entity(side, new_id, revision=7)))
        matched(side, new_id)
        said_nothing(publish(side, new_id.encode(), None, at=6), side)
        assert stored.points(side, [new_id])[new_id].vector is not None


def test_no_log_line_quotes_an_event(workers):
    """This test runs last, so it sees the log lines of all tests above."""
    for worker in workers:
        log = worker.log.read_text()
        assert "worker_started" in log
        assert not any(word in log for word in ("nurse", "shoe_size", "care care", "🦄", "XXX", "D9"))
