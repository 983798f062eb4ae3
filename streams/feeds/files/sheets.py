"""Rows of Excel and OpenDocument sheets (calamine) and of Parquet files (pyarrow), every cell as text."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineWorkbook

Cells = list[str]
EXACT = 1e15  # a spreadsheet keeps 15 digits of a number
LARGEST = 2**30  # bytes of a spreadsheet, unpacked
SHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how their files start


def sheet(file: BinaryIO) -> Iterator[Cells]:
    """The first sheet that has a row. Dates come as ISO 8601, whole numbers without a fraction.

    ValueError for one that is too large: calamine loads a sheet as a whole before its first row.
    """
    if (size := _unpacked_size(file)) > LARGEST:
        raise ValueError(
            f"it is {size / 1e6:,.0f} MB unpacked and would be loaded as a whole; the most is "
            f"{LARGEST / 1e6:,.0f} MB; save it as CSV, which is read line by line"
        )
    workbook = CalamineWorkbook.from_filelike(file)
    for name in workbook.sheet_names:
        found = workbook.get_sheet_by_name(name)
        if any(any(cell not in ("", None) for cell in cells) for cells in found.iter_rows()):
            yield from ([cell_text(cell) for cell in cells] for cells in found.iter_rows())
            return


def _unpacked_size(file: BinaryIO) -> int:
    """Bytes of the texts and cells; 0 if the file is no archive, such as `.xls`."""
    try:
        return sum(member.file_size for member in ZipFile(file).infolist())
    except BadZipFile:
        return 0
    finally:
        file.seek(0)


def parquet(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """Records of a Parquet file. ValueError if pyarrow is not installed."""
    try:
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError as error:
        raise ValueError("Parquet needs pyarrow: pip install 'rolecall[parquet]'") from error
    for batch in ParquetFile(file).iter_batches(batch_size=500):
        yield from batch.to_pylist()


def cell_text(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float) and abs(cell) >= EXACT:
        return str(float(cell))  # 1.2345678901234568e+17 shows that digits are lost
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time(0) and cell.tzinfo is None else cell.isoformat()
    return (
        cell.isoformat() if isinstance(cell, date | time) and not isinstance(cell, timedelta) else str(cell)
    )
