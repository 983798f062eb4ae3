"""Bring JSON, as producers in many languages write it, into the form that the contracts read.

No change loses information. It removes a fraction of zero, a null for an unknown value, or half an emoji.
"""

import json
from typing import Any

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
REPLACEMENT = "�"
EXACT = 2**53  # beyond it a float is not a certain integer


def framing(value: bytes) -> str | None:
    """Names what surrounds or replaces the JSON text, and what to do about it. None for plain JSON."""
    if not value:
        return "the value is empty: to erase, send no value at all (null)"
    if value[0] == 0:
        return (
            "the value begins with the 5-byte header of a schema registry (magic byte 0): "
            "use a serializer of plain JSON"
        )
    if value.startswith(BYTE_ORDER_MARK):
        return "the value begins with a byte order mark: write UTF-8 without one"
    if value.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the value is UTF-16: write UTF-8"
    if value.strip() == b"null":
        return "the value is the text null: to erase, send no value at all"
    if value.lstrip()[:1] == b'"':
        return "the value is a JSON text inside a JSON string: it was serialized twice"
    return None


def envelope(parsed: Any) -> str | None:
    if isinstance(parsed, dict) and parsed.keys() == {"schema", "payload"}:
        return (
            "the value is an envelope of Kafka Connect (schema and payload): "
            "set value.converter.schemas.enable=false"
        )
    return None


def repaired(value: bytes) -> tuple[Any, bytes] | None:
    """The parsed value, and the text with all changes made; None if it is no JSON."""
    try:
        parsed = _plain(json.loads(value.decode()))
        return parsed, json.dumps(parsed).encode()
    except (ValueError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    """Without nulls in objects, whole numbers as integers, and halves of surrogate pairs replaced."""
    if isinstance(value, dict):
        return {_text(name): _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return int(value)
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    return "".join(REPLACEMENT if "\ud800" <= each <= "\udfff" else each for each in text)
