#!/usr/bin/env bash
# python-calamine: iter_rows() gives its first row when the whole sheet is in memory.
#
# Expected: a method that iterates reads rows as they are asked for, so a large sheet needs little memory, as
#   openpyxl does in its read-only mode.
# Seen: get_sheet_by_name() parses every cell. When iter_rows() gives the first row, the memory of the process has
#   grown by more than the text of the sheet, and reading the other rows adds next to nothing.
# Source: type stubs of python-calamine (CalamineSheet.iter_rows returns an Iterator); its README says nothing
#   about memory.
# rolecall: docs/feeds.md. Spreadsheets of more than 1 GB unpacked are refused, with the advice to use CSV.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check python-calamine==0.9.1

"$work/venv/bin/python" - "$work/jobs.xlsx" <<'EOF'
import resource
import sys
from importlib.metadata import version
from zipfile import ZIP_DEFLATED, ZipFile

from python_calamine import CalamineWorkbook

PATH, ROWS = sys.argv[1], 40_000
TEXT = "A description of a job that goes on for a while. " * 20
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def relation(kind, target):
    return (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/{kind}"'
        f' Target="{target}"/></Relationships>'
    )


with ZipFile(PATH, "w", ZIP_DEFLATED) as archive:
    archive.writestr(
        "[Content_Types].xml",
        f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.'
        'openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'spreadsheetml.sheet.main+xml"/></Types>',
    )
    archive.writestr("_rels/.rels", relation("officeDocument", "xl/workbook.xml"))
    archive.writestr("xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml"))
    archive.writestr(
        "xl/workbook.xml",
        f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="Jobs" sheetId="1" r:id="r1"/>'
        "</sheets></workbook>",
    )
    with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
        sheet.write(f'<worksheet xmlns="{MAIN}"><sheetData>'.encode())
        for row in range(1, ROWS + 1):
            cell = f'<c r="A{row}" t="inlineStr"><is><t>{row} {TEXT}</t></is></c>'
            sheet.write(f'<row r="{row}">{cell}</row>'.encode())
        sheet.write(b"</sheetData></worksheet>")

text = ROWS * len(TEXT) / 2**20
start = memory()
rows = CalamineWorkbook.from_path(PATH).get_sheet_by_name("Jobs").iter_rows()
next(rows)
first = memory()
count = 1 + sum(1 for _ in rows)
last = memory()
print(f"python-calamine {version('python-calamine')}")
print(
    f"{count:,} rows with {text:.0f} MB of text: {first - start:.0f} MB more at the first row, "
    f"{last - first:.0f} MB more after the last"
)
if count != ROWS or first - start < text / 2:
    sys.exit("CHANGED: the first row comes before the sheet is read")
EOF
