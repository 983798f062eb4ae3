"""Spreadsheets."""

import io
import zipfile

import pytest

from rolecall.streams.feeds.files import sheets


def test_a_spreadsheet_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "LARGEST", 1_000_000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", "a" * 2_000_000)
    with pytest.raises(ValueError, match=r"2 MB unpacked .* the most is 1 MB; save it as CSV"):
        next(sheets.sheet(packed))


@pytest.mark.parametrize(
    ("cell", "text"),
    [(7.0, "7"), (123456789012345, "123456789012345"), (123456789012345678.0, "1.2345678901234568e+17")],
)
def test_a_number_that_a_spreadsheet_has_rounded_shows_it(cell: float, text: str) -> None:
    assert sheets.cell_text(cell) == text
