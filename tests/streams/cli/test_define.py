"""ESCO's file as reference occupations."""

from pathlib import Path

import pytest

from rolecall.schemas.occupation import Occupation
from rolecall.streams.events.records import definition_record
from rolecall.streams.feeds.formats.esco import esco

HEADER = "conceptType,conceptUri,preferredLabel,altLabels\n"


def test_every_row_is_an_occupation_with_all_its_labels(tmp_path: Path):
    file = tmp_path / "esco.csv"
    file.write_text(HEADER + 'Occupation,http://e/1,nurse,"carer\n\nsister"\nOccupation,http://e/2,cook,\n')
    nurse, cook = esco(file)
    assert (nurse.id, nurse.label, nurse.alternative_labels) == ("http://e/1", "nurse", ("carer", "sister"))
    assert cook.alternative_labels == ()


def test_another_file_is_refused_by_the_column_it_lacks(tmp_path: Path):
    file = tmp_path / "other.csv"
    file.write_text("conceptUri,altLabels\n")
    with pytest.raises(ValueError, match="no column preferredLabel"):
        list(esco(file))


def test_a_row_that_is_none_is_named_by_its_line(tmp_path: Path):
    file = tmp_path / "esco.csv"
    file.write_text(HEADER + "Occupation,http://e/1,nurse,\nOccupation,http://e/2,,\n")
    with pytest.raises(ValueError, match="line 3"):
        list(esco(file))


def test_a_record_reads_back_as_what_was_published(tmp_path: Path):
    file = tmp_path / "esco.csv"
    file.write_text(HEADER + "Occupation,http://e/1,nurse,sister\n")
    [nurse] = esco(file)
    record = definition_record(nurse)
    assert (record.topic, record.key) == ("occupations", b"http://e/1")
    assert Occupation.model_validate_json(record.value or b"", strict=True) == nurse
