"""Bytes -> JSON-like documents: JSON with the faults of its writers, HTML pages, XML feeds."""

import html
import io
import json
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError

import orjson
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from rolecall.streams.feeds.files.broken_json import no_number
from rolecall.streams.feeds.files.encodings import encoding_of, not_utf8
from rolecall.streams.feeds.files.gzipped import Unpacked
from rolecall.streams.feeds.files.xml_mended import Mended
from rolecall.streams.feeds.values.json_values import Json, Names

SAMPLE_SIZE = 4 * 2**20  # of a large document, the beginning that tells where its records are
_LD_JSON = re.compile(rb"<script[^>]*application/ld\+json[^>]*>(.*?)</script>", re.S | re.I)
_WRAPPED = re.compile(rb"\A\s*(?:<!\[CDATA\[|<!--|//\s*<!\[CDATA\[)?|(?:\]\]>|-->)?[;\s]*\Z")
_CHARSET = re.compile(rb"""<meta[^>]*charset=["']?([\w-]+)""", re.I)
_SURROGATES = re.compile("[\ud800-\udfff]")


def unpacked(file: BufferedReader) -> BufferedReader:
    """The file without its gzip, if it has one; then its raw file is `Unpacked`."""
    return io.BufferedReader(Unpacked(file), 2**18) if file.peek(2)[:2] == b"\x1f\x8b" else file


def loads(raw: bytes) -> Any:
    """JSON; also with raw line breaks in texts, and with half a surrogate pair, which becomes U+FFFD.

    ValueError says what is wrong, and where.
    """
    try:
        return orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        if wrong := not_utf8(raw):
            raise ValueError(wrong) from error
        try:
            return scrubbed(json.loads(raw.decode("utf-8-sig"), strict=False, parse_constant=no_number))
        except (ValueError, RecursionError):
            raise ValueError(f"invalid JSON: {error}") from error


def scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value) if _SURROGATES.search(value) else value
    if isinstance(value, list):
        return [scrubbed(each) for each in value]
    if isinstance(value, dict):
        return {scrubbed(name): scrubbed(each) for name, each in value.items()}
    return value


def page_documents(page: bytes) -> list[Any]:
    """The ld+json of an HTML page; what is broken in it is left out, as search engines do."""
    found = []
    for script in _LD_JSON.findall(_in_utf8(page)):
        content = _WRAPPED.sub(b"", script)
        for each in (content, html.unescape(content.decode(errors="replace")).encode()):
            try:
                found.append(loads(each))
                break
            except ValueError:
                continue
    return found


def _in_utf8(page: bytes) -> bytes:
    """The page, which names its encoding if it is not UTF-8."""
    if not not_utf8(page):
        return page
    named = _CHARSET.search(page[:4096])
    for encoding in (named[1].decode() if named else "", encoding_of(io.BytesIO(page))):
        try:
            return page.decode(encoding, "replace").encode()
        except LookupError:
            continue  # no encoding of this name
    return page


def xml_document(file: BinaryIO) -> Json:
    """The root as an object: attributes and children by their names, several of one name as a list."""
    root = None
    for _, element in iterparse(Mended(file), events=("start",)):
        root = element if root is None else root
    if root is None:
        raise ValueError("the XML has no element")
    document = _value(root)
    return document if isinstance(document, dict) else {_local(root.tag): document}


def xml_sample(file: BinaryIO) -> Json:
    """The document as far as its beginning tells."""
    root = None
    try:
        for _, element in iterparse(Mended(io.BytesIO(file.read(SAMPLE_SIZE))), events=("start",)):
            root = element if root is None else root
    except (ParseError, DefusedXmlException, ValueError):
        pass  # the beginning alone is no document; who reads the members is told of other faults
    document = {} if root is None else _value(root)
    return document if isinstance(document, dict) else {}


def xml_members(file: BinaryIO, path: Names) -> Iterator[Any]:
    """The elements at a path below the root; what was read is forgotten. ParseError where it is no XML."""
    around: list[Element] = []
    for event, element in iterparse(Mended(file), events=("start", "end")):
        if event == "start":
            around.append(element)
            continue
        around.pop()
        if 0 < len(around) <= len(path):
            if tuple(_local(each.tag) for each in (*around[1:], element)) == path:
                yield _value(element)
            around[-1].remove(element)


def _value(element: Element) -> Any:
    children = list(element)
    content = (element.text or "").strip()
    if not children and not element.attrib:
        return content
    found: Json = {_local(name): value for name, value in element.attrib.items()}
    for child in children:
        name, value = _local(child.tag), _value(child)
        if name not in found:
            found[name] = value
        else:
            found[name] = [*found[name], value] if isinstance(found[name], list) else [found[name], value]
    if content:
        found["value"] = content
    return found


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]
