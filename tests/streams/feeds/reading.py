"""What the tests of feeds share."""

from typing import Any

import orjson

from rolecall.streams.feeds.parsed import FeedEvent, Parsed


def said(event: Parsed) -> dict[str, Any]:
    """What is published, without the point that a city brings along (test_fields.py looks at it)."""
    assert isinstance(event, FeedEvent), event.reason
    assert event.value is not None
    value: dict[str, Any] = orjson.loads(event.value)
    if "point_from" in (location := value.get("location", {})):
        value["location"] = {name: location[name] for name in ("country", "city")}
    return value
