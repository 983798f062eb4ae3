"""Which records a document has, and what reads them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rolecall.streams.feeds.formats.boards import SAMPLE, board_of, is_notice
from rolecall.streams.feeds.formats.hr_open import OPENING, OPENINGS, openings, raw_opening
from rolecall.streams.feeds.formats.job_posting import is_posting, postings
from rolecall.streams.feeds.formats.json_resume import is_resume
from rolecall.streams.feeds.mapping import columns_of
from rolecall.streams.feeds.values.json_values import Json, Names, at, many

RawOf = Callable[[Json], Json]  # a record of one format -> raw fields
DEEPEST = 4  # objects around a list of records


class Records(NamedTuple):
    raw_of: RawOf | None  # what reads them, if the whole document is of one known format
    items: list[Any]


def records(document: Any, mapping: Mapping[str, str] | None) -> Records:
    """The records of a document: jobs of a known format, postings, or the members of its list of records."""
    if not mapping:
        if board := board_of(document):
            return Records(board[0].raw, board[1])
        if found := openings(document):
            return Records(raw_opening, found)
    if isinstance(document, list) and (mapping or not any(map(_is_node, document))):
        return Records(None, document)
    return Records(None, items(document, mapping))


def items(document: Any, mapping: Mapping[str, str] | None = None) -> list[Any]:
    """The records of a document that is of no board."""
    if not mapping and (found := postings(document)):
        others = many(document) if isinstance(document, list) else []
        return found + [each for each in others if not _is_node(each)]
    path = list_path(document, mapping)
    if path is None:
        return many(document)
    for name in path:
        document = document[name]
    return list(document)


def list_path(document: Any, mapping: Mapping[str, str] | None) -> Names | None:
    """Where the records of a document stand, if one of its lists alone looks like them."""
    if not mapping and isinstance(document, dict) and _is_one_record(document):
        return None
    ranks = sorted(
        (
            (max(_rank(each, mapping) for each in found[:SAMPLE]), path)
            for path, found in _lists(document, ())
        ),
        reverse=True,
    )
    itself = _rank(document, mapping) if mapping and isinstance(document, dict) else 0
    if not ranks or ranks[0][0] <= itself or [rank for rank, _ in ranks].count(ranks[0][0]) > 1:
        return None
    return ranks[0][1]


def path_in_large(document: Any, mapping: Mapping[str, str] | None) -> Names | None:
    """The same for a document of which only the beginning is known: where its jobs or postings stand, too."""
    if not mapping:
        if board := board_of(document):
            return board[2]
        for path, found in _lists(document, ()):
            if path and path[-1].casefold() in OPENINGS:
                return path
            if openings(found[:SAMPLE]) or any(map(postings, found[:SAMPLE])):
                return path
    return () if isinstance(document, list) else list_path(document, mapping)


def longest_list(document: Any) -> list[Json]:
    """Empty for a document without a list of objects."""
    return max((found for _, found in _lists(document, ())), key=len, default=[])


def graph_nodes(members: Iterator[Any]) -> dict[str, Json]:
    """What the postings of a graph may refer to: employers and places, not other postings."""
    return {
        each["@id"]: each
        for each in members
        if isinstance(each, dict) and isinstance(each.get("@id"), str) and not is_posting(each)
    }


def records_of_member(member: Any, raw_of: RawOf | None, nodes: Mapping[str, Json]) -> list[Any]:
    """The records in one member of the list of a large document; `nodes`: see `graph_nodes`."""
    if raw_of is raw_opening:
        return openings(member) or openings({OPENING: member})
    if raw_of:
        return [] if is_notice(member) else [member]
    return postings(member, nodes) or ([] if _is_node(member) else [member])


def _is_one_record(document: Json) -> bool:
    return not {"id", "erase", "title", "titles", "basics"}.isdisjoint(document) or is_resume(document)


def _is_node(item: Any) -> bool:
    return isinstance(item, dict) and "@type" in item


def _lists(document: Any, path: Names) -> Iterator[tuple[Names, list[Json]]]:
    """Every list of objects in objects."""
    if isinstance(document, list) and document and all(isinstance(each, dict) for each in document):
        yield path, document
    if isinstance(document, dict) and len(path) < DEEPEST:
        for name, value in document.items():
            yield from _lists(value, (*path, name))


def _rank(item: Json, mapping: Mapping[str, str] | None) -> int:
    """How much an object looks like a record: how many mapped paths it has; else whether it has a title."""
    if mapping:
        return sum(at(item, path) is not None for origin in mapping.values() for path in columns_of(origin))
    return 3 * is_posting(item) or 2 * ("title" in item or "titles" in item) or int("id" in item)
