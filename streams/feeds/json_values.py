"""rolecall.streams.feeds.read.json_values: TODO."""

from typing import Any


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def one(value: Any) -> dict[str, Any]:
    """The only object in a value, or an empty one."""
    values = many(value)
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else {}


def text(value: Any) -> str:
    """The text of a string, a number, or an object with a name or value."""
    if isinstance(value, dict):
        value = value.get("name") or value.get("value") or value.get("@value")
    return str(value).strip() if isinstance(value, str | int | float) else ""
