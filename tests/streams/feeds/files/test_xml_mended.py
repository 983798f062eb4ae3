"""XML with the faults of its writers."""

import io
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from rolecall.streams.feeds.files.xml_mended import Mended
from rolecall.streams.feeds.read import read
from tests.streams.feeds.reading import said

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def mended(text: bytes, size: int = -1) -> bytes:
    file = Mended(io.BytesIO(text))
    return b"".join(iter(lambda: file.read(size), b""))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"R&D engineer", "R&D engineer"),
        (b"Tom & Jerry", "Tom & Jerry"),
        (b"a?b=1&copy=2&c", "a?b=1&copy=2&c"),
        (b"5&nbsp;days &ndash; K&ouml;ln", "5\u00a0days \u2013 K\u00f6ln"),
        (b"one&unheardof;", "one&unheardof;"),
        (b"A &amp; B &lt; C &#38; &#x26;", "A & B < C & &"),
        (b"<![CDATA[R&D &amp; <b>]]> & more", "R&D &amp; <b> & more"),
        (b"line\x0bbreak&#11;", "line break "),
        (b"half a pair &#xD83D;", "half a pair \ufffd"),
        ("Zürich & Łódź".encode(), "Zürich & Łódź"),
    ],
)
def test_what_can_only_mean_one_thing(written: bytes, meant: str) -> None:
    assert fromstring(mended(b"<a>%b</a>" % written)).text == meant


def test_utf_16_stays_as_it_is() -> None:
    text = "<?xml version='1.0' encoding='utf-16'?><a>ab &amp; c</a>".encode("utf-16")
    assert mended(text) == text


@given(
    st.lists(
        st.sampled_from([b"&", b"&amp;", b"&nbsp;", b"<![CDATA[", b"]]>", b"]", b"x" * 45, b"&#38;", b"\x07"])
    ),
    st.integers(1, 60),
)
def test_the_size_of_what_is_read_changes_nothing(pieces: list[bytes], size: int) -> None:
    text = b"<a>" + b"".join(pieces)
    assert mended(text, size) == mended(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn"))))
def test_xml_that_is_right_is_read_as_it_is(text: str) -> None:
    element = ElementTree.Element("a", {"b": text})
    element.text = text
    whole = ElementTree.tostring(element, "utf-8")
    assert mended(whole) == whole


def test_a_feed_with_an_ampersand_loses_no_job(tmp_path: Path) -> None:
    job = "<job><id>{}</id><title>{}</title><company>Mill</company></job>"
    file = tmp_path / "jobs.xml"
    file.write_text(f"<source>{job.format(1, 'Head of R&D')}{job.format(2, 'Chef&nbsp;de partie')}</source>")
    assert [said(each)["title"] for each in read(file, now=NOW)] == ["Head of R&D", "Chef de partie"]
