"""A plate as it was read, and the texts that plates come in: cells, numbers, names of analytes."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from polycrine.catalogue.library import catalogue, normal
from polycrine.errors import InputError, Problem, nearest, wrong

KINDS = ("standard", "blank", "control", "sample")
KNOWN = ("subject", "group", "time_h", "place")  # what may be known of a sample
MISSING = {"", "nan", "na", "n/a", "-", "--", "---", "***", "null", "none"}
NUMBER = re.compile(r"[-+]?(\d*)(?:([.,])(\d+))?(e[-+]?\d+)?", re.I)
GROUPED = re.compile(r"[-+]?\d{1,3}([.,' ]\d{3})+([.,]\d+)?")
DATE = re.compile(r"\d{1,2}[-/. ][a-z]{3,9}\.?|[a-z]{3,9}\.?[-/. ]\d{1,4}|\d+([-/.])\d+\1\d+", re.I)
MOST_TOLD = 20
ANEW = "Export the file anew, and do not save it from a spreadsheet."


@dataclass(frozen=True)
class Plate:
    """A plate read: the rows of all four tables are its wells, in the same order.

    wells: well, kind (standard, blank, control, sample), sample, dilution, and of KNOWN what is
    known; signals: a column per analyte; expected: the concentration in standards and controls, 0
    in blanks; beads: how many were counted, where that is known; units: of each analyte.
    """

    name: str
    wells: pd.DataFrame
    signals: pd.DataFrame
    expected: pd.DataFrame
    beads: pd.DataFrame | None
    units: dict[str, str]
    notices: tuple[str, ...] = ()

    @property
    def analytes(self) -> list[str]:
        """What was measured, as its columns are named."""
        return list(self.signals)


def check(plate: Plate, file: str) -> None:
    """Raise InputError if standards or units are missing, or a well, kind or dilution is wrong."""
    problems, wells = [], plate.wells
    for well in wells.well[wells.well.duplicated()].unique():
        problems.append(Problem(f"{file}, well {well}", "this well is there twice."))
    for kind in sorted(set(wells.kind) - set(KINDS)):
        rule = f"'{kind}' is no kind of well."
        problems.append(Problem(file, rule, nearest(kind, KINDS) or f"Write {', '.join(KINDS)}."))
    for well, dilution in wells.loc[~(wells.dilution > 0), ["well", "dilution"]].values:
        rule = f"a dilution of {dilution} is not above zero."
        problems.append(Problem(f"{file}, well {well}", rule, "Write 1 for undiluted."))
    standards = plate.expected[(wells.kind == "standard").to_numpy()]
    if not (standards > 0).any(axis=None):
        rule = "nothing says which wells are standards and what they contain."
        instead = "Give --layout FILE with columns sample, concentration, unit."
        problems.append(Problem(file, rule, instead))
    elif without := [name for name in plate.analytes if not plate.units.get(name)]:
        rule = f"the standards of {', '.join(without)} have no unit."
        problems.append(Problem(file, rule, "Give --layout FILE with a column unit."))
    if problems:
        raise InputError(problems)


@dataclass(frozen=True)
class Cell:
    """A text that should be a number, and where it stands."""

    line: int
    column: str
    text: str


def read_cells(file: Path) -> tuple[str, list[tuple[int, list[str]]]]:
    """The delimiter of a table in text, and its rows that are not empty with their line numbers.

    The delimiter is the one of comma, semicolon and tab that the first line has most of.
    """
    if not file.is_file():
        raise wrong(str(file), "there is no such file.")
    data = file.read_bytes()
    if data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise wrong(str(file), "this is a spreadsheet, not text.", "Export it as CSV.")
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(coding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    rows = [(line, row) for line, row in rows if any(row)]
    if not rows:
        raise wrong(str(file), "this file is empty.")
    return delimiter, rows


def table_of(file: Path) -> tuple[str, pd.DataFrame]:
    """The delimiter and a table of texts with a header; its index is the line of each row.

    Raises InputError for rows that have more cells than the header: split decimal commas.
    """
    delimiter, ((_, header), *rows) = read_cells(file)
    problems = [
        Problem(f"{file}:{line}", too_many(row, header), ANEW)
        for line, row in rows
        if len(trimmed(row)) > len(header)
    ]
    if problems:
        raise InputError(first(problems, str(file)))
    cells = [[*row, *[""] * len(header)][: len(header)] for _, row in rows]
    return delimiter, pd.DataFrame(cells, [line for line, _ in rows], header, dtype=object)


def trimmed(row: list[str]) -> list[str]:
    """A row without the empty cells at its end."""
    return row[: max((k for k, cell in enumerate(row, 1) if cell), default=0)]


def too_many(row: list[str], header: list[str]) -> str:
    """The sentence for a row that is longer than its header."""
    lengths = f"{len(trimmed(row))} cells where the header has {len(trimmed(header))}"
    return f"this row has {lengths}: decimal commas may have split its numbers."


def to_numbers(cells: Sequence[Cell], delimiter: str, file: str) -> list[float]:
    """The numbers of a file's cells, missing ones as NaN; point or comma is told from all of them.

    Raises InputError for dates and thousands separators that a spreadsheet made, for numbers that
    mix both marks, and where 1,234 or 1.234 could mean either: nothing is guessed.
    """
    read = [NUMBER.fullmatch(cell.text) for cell in cells]
    told: dict[int, list[str]] = {}
    marks: dict[str, list[int]] = {}
    for k, (cell, match) in enumerate(zip(cells, read, strict=True)):
        if cell.text.casefold() in MISSING:
            continue
        if match is None or not (match[1] or match[3]):
            told.setdefault(cell.line, []).append(f"{cell.column} '{cell.text}' {_damage(cell)}")
        elif match[2]:
            marks.setdefault(match[2], []).append(k)
    mark = max(marks, key=lambda m: len(marks[m]), default=".")
    for other in set(marks) - {mark}:
        rule = f"does not have the decimal {'comma' if mark == ',' else 'point'} of the others"
        for k in marks[other]:
            told.setdefault(cells[k].line, []).append(f"{cells[k].column} '{cells[k].text}' {rule}")
    is_usual = mark == "." and delimiter != ";"
    if (
        len(marks) == 1
        and not is_usual
        and not any(map(_is_certain, (read[k] for k in marks[mark])))
    ):
        rule = "may be thousands or a decimal fraction"
        for k in marks[mark]:
            told.setdefault(cells[k].line, []).append(f"{cells[k].column} '{cells[k].text}' {rule}")
    if told:
        problems = [
            Problem(f"{file}:{line}", "; ".join(what) + ".", ANEW)
            for line, what in sorted(told.items())
        ]
        raise InputError(first(problems, file))
    return [
        np.nan if cell.text.casefold() in MISSING else float(cell.text.replace(",", "."))
        for cell in cells
    ]


def _damage(cell: Cell) -> str:
    if DATE.fullmatch(cell.text):
        return "is a date, which a spreadsheet makes of a number"
    if GROUPED.fullmatch(cell.text):
        return "has thousands separators"
    return "is not a number"


def _is_certain(match: re.Match[str] | None) -> bool:
    """Whether the mark in a number can only be the decimal one."""
    assert match is not None
    whole, decimals = match[1], match[3]
    return len(decimals) != 3 or len(whole) > 3 or whole[:1] in ("", "0") or bool(match[4])


def first(problems: list[Problem], file: str) -> list[Problem]:
    """The problems that are told one by one, and how many more there are."""
    further = len(problems) - MOST_TOLD
    if further <= 0:
        return problems
    return [*problems[:MOST_TOLD], Problem(file, f"{further:,} further rows are damaged likewise.")]


def name_analytes(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Symbols of the catalogue for a laboratory's names, and notices of those that keep their own.

    "IL-8 (CXCL8)", "IL-6 (19)" with its bead region and "CCL2/MCP-1" are understood; a name that
    the catalogue does not know, finds ambiguous, or has already given to another, stays.
    """
    found: list[str] = []
    unknown: list[str] = []
    notices: list[str] = []
    for name in names:
        plain = re.sub(r"\s*\(\d+\)$", "", name).strip()
        symbol = _symbol(plain)
        if symbol in found:
            notices.append(f"'{name}' keeps its name: another column is {symbol} already.")
            symbol = name
        elif not symbol:
            unknown.append(plain)
        found.append(symbol or plain)
    if len(unknown) > MOST_TOLD:
        which = ", ".join(unknown[:MOST_TOLD])
        notices.append(f"{len(unknown):,} that the catalogue lacks keep their names: {which}, ...")
    else:
        notices += [f"'{name}' keeps its name: {_why(name)}" for name in unknown]
    return found, notices


def _symbol(name: str) -> str:
    """The key of the molecule that a laboratory's name means, or nothing."""
    joined = re.sub(r"[\s()\[\]]", "", name)
    greek = {"a": "alpha", "b": "beta", "g": "gamma"}.get(name[-1:].casefold(), "")
    for whole in (name, joined, name[:-1] + greek if greek else name):
        if key := _find(whole):
            return key
    parts = [part.strip() for part in re.split(r"[()/]", name) if part.strip()]
    keys = {_find(part) for part in parts}
    return keys.pop() if len(parts) > 1 and len(keys) == 1 else ""


def _find(name: str) -> str:
    if normal(name) not in _names():
        return ""
    try:
        return catalogue().find(name)
    except InputError:
        return ""


@cache
def _names() -> frozenset[str]:
    """All that a molecule or gene of the catalogue is called; few names of a panel are."""
    molecules, genes = catalogue().molecules.items(), catalogue().genes.items()
    own = (known for key, m in molecules for known in (key, m.name, *m.aliases))
    symbols = (known for symbol, gene in genes for known in (symbol, *gene.aliases))
    return frozenset(normal(name) for name in (*own, *symbols))


def _why(name: str) -> str:
    try:
        return f"it could mean {catalogue().find(name)}."
    except InputError as error:
        (problem,) = error.problems
        return f"{problem.rule} {problem.instead}".strip()
