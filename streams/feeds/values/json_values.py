"""Reading JSON whose shape nobody promised."""

from typing import Any

Json = dict[str, Any]
Names = tuple[str, ...]  # the path of a value in objects in objects


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def one(value: Any) -> Json:
    """The only object in a value, or an empty one."""
    values = many(value)
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else {}


def objects(value: Any) -> list[Json]:
    return [part for part in many(value) if isinstance(part, dict)]


def text(value: Any) -> str:
    """The text of a string, a number, or an object with a name or value."""
    if isinstance(value, dict):
        value = value.get("name") or value.get("value") or value.get("@value")
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def at(item: Any, path: str) -> Any:
    """The value at a path such as `categories.location` or `offices.0.name`; of a list, that of each
    member."""
    for name in path.split("."):
        if isinstance(item, list):
            if name.isdecimal():
                item = item[int(name)] if int(name) < len(item) else None
            else:
                item = [each.get(name) for each in item if isinstance(each, dict)]
                item = item[0] if len(item) == 1 else item
        elif isinstance(item, dict):
            item = item.get(name)
        else:
            return None
    return item
