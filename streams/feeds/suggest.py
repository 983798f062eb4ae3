"""A mapping to edit, from the names and contents of a file's columns: `rolecall publish --map-suggest
FILE`."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from rolecall.streams.feeds.fields import lines_of
from rolecall.streams.feeds.files import large_json
from rolecall.streams.feeds.files.documents import loads, unpacked, xml_sample
from rolecall.streams.feeds.files.encodings import encoding_of
from rolecall.streams.feeds.files.sheets import SHEETS, parquet, sheet
from rolecall.streams.feeds.formats.csv_table import DELIMITERS
from rolecall.streams.feeds.formats.records import longest_list
from rolecall.streams.feeds.values import dates, languages, pay, places, words
from rolecall.streams.feeds.values.json_values import many

SAMPLE = 50
UNDERSTOOD = 0.6  # the share of values that must be understood for a field of words
_NAMES = {
    "id": "id|jobid|job id|reference|referencenumber|requisition id|refnr|identifier|stellen id|uuid",
    "title": "title|job title|jobtitle|position|titel|stellenbezeichnung|intitulé|titre|puesto|titolo|"
    "functie|stanowisko|cargo",
    "titles": "titles|desired titles|desired title|headline|berufswunsch",
    "employer": "employer|company|company name|firma|unternehmen|arbeitgeber|entreprise|empresa|azienda|"
    "bedrijf|pracodawca",
    "description": "description|job description|beschreibung|text|content|descripción|descrizione|"
    "omschrijving|opis|descrição",
    "skills": "skills|tags|kenntnisse|fähigkeiten|compétences|habilidades|competenze|vaardigheden|"
    "umiejętności",
    "location": "location|locations|place|city|ort|standort|lieu|ville|ubicación|luogo|sede|locatie|plaats|"
    "lokalizacja|miasto|local",
    "location.country": "country|land|pays|país|paese|kraj",
    "workplace": "workplace|is remote|isremote|remote|remote allowed|workplacetype|homeoffice|télétravail",
    "employment_types": "employment type|employmenttype|job type|jobtype|work type|contract type|"
    "arbeitszeit|anstellungsart|typ umowy",
    "seniority": "seniority|level|job level|experience level|seniorität|niveau|nivel|livello",
    "salary.min": "salary min|min salary|min amount|salary from|gehalt von|salaire min",
    "salary.max": "salary max|max salary|max amount|salary to|gehalt bis|salaire max",
    "salary.currency": "currency|salary currency|währung|waehrung|devise|moneda|valuta|waluta|moeda",
    "salary.period": "period|pay period|interval|salary period|zeitraum|période",
    "salary": "salary|pay|gehalt|salaire|salario|salaris|wynagrodzenie|salário",
    "languages": "languages|sprachen|langues|idiomas|lingue|talen|języki",
    "occurred_at": "posted|posted at|date posted|postedat|created at|date|gepostet|veröffentlicht|"
    "published at|listed time",
    "revision": "updated|updated at|modified|scrapedat|last modified|geändert",
    "expires_at": "expires|expires at|valid through|expiry|deadline|application deadline|gültig bis|"
    "ablaufdatum",
}  # fmt: skip
_READ: dict[str, Callable[[str], object]] = {
    "location": lambda text: places.read_place(text).whole,
    "workplace": lambda text: words.workplace(text) or words.yes(text) is not None,
    "employment_types": words.employment_types,
    "seniority": words.seniority,
    "salary": pay.pay,
    "salary.min": pay.pay,
    "salary.max": pay.pay,
    "salary.period": words.period,
    "salary.currency": pay.currency_code,
    "languages": languages.languages,
    "occurred_at": dates.moment,
    "expires_at": dates.moment,
    "revision": dates.moment,
}


def suggest(path: Path) -> Iterator[str]:
    """Lines for --map-file: a mapping, or a comment where a column has no field that fits."""
    columns = _columns(path)
    taken: set[str] = set()
    for column, values in columns.items():
        field = _field(column, values, taken)
        example = next(iter(values), "")[:60].replace("\n", " ")
        yield f"{field}={column}" if field else f"# {column}: no field fits; for example {example!r}"
        taken |= {field} if field else set()
    if not {"title", "titles"} & taken:
        yield "# title=   the column of the job title; or titles= for candidates"


def _field(column: str, values: list[str], taken: set[str]) -> str | None:
    said = {_plain(column), _plain(column.rsplit(".", 1)[-1])}
    for field, names in _NAMES.items():
        if field not in taken and (column == field or not said.isdisjoint(names.split("|"))):
            read = _READ.get(field)
            filled = [value for value in values if value]
            if read is None or not filled or sum(map(bool, map(read, filled))) >= UNDERSTOOD * len(filled):
                return field
    return None


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).casefold().split())


def _columns(path: Path) -> Mapping[str, list[str]]:
    """Columns of a table, or paths of JSON and XML, with the values of the first records."""
    with path.open("rb") as packed:
        file = unpacked(packed)
        start = file.read(64)
        file.seek(0)
        head = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if start.startswith(SHEETS):
            return _table(sheet(file))
        if start.startswith(b"PAR1"):
            return _paths(list(islice(parquet(file), SAMPLE)))
        if head == b"<":
            return _paths(xml_sample(file))
        if head in (b"[", b"{"):
            return _paths(_lines(file) or large_json.sample(file))
        encoding = encoding_of(file)
        with io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="") as text:
            first = text.readline().lstrip("\ufeff")
            named = re.fullmatch(r'"?sep=(.)"?\s*', first, re.I)
            first = text.readline() if named else first
            delimiter = named[1] if named else max(DELIMITERS, key=first.count)
            return _table(csv.reader(chain([first], text), delimiter=delimiter))


def _lines(file: BinaryIO) -> list[Any]:
    """The first records of JSONL; none if the file is one document."""
    found = []
    for line in islice(file, SAMPLE):
        try:
            found.append(loads(line))
        except ValueError:
            break
    file.seek(0)
    return [] if len(found) < 2 else found


def _table(rows: Iterator[list[str]]) -> Mapping[str, list[str]]:
    header, first = next(rows, []), list(islice(rows, SAMPLE))
    return {
        " ".join(name.split()): [row[i].strip() for row in first if i < len(row)]
        for i, name in enumerate(header)
        if name.strip()
    }


def _paths(document: Any) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in longest_list(document)[:SAMPLE] or many(document):
        for path, value in _leaves(item, ""):
            found.setdefault(path, []).append(value)
    return found


def _leaves(item: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(item, dict):
        for name, value in item.items():
            yield from _leaves(value, f"{path}.{name}" if path else name)
    elif path:
        yield path, "; ".join(lines_of(item))
