"""Exports of Luminex xPONENT: a header, then blocks that each begin with "DataType:".

Used are Median (the signal), Count (beads), Units, Dilution Factor and the expected concentrations
of standards and controls; results that the instrument's own software made are not.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from polycrine.errors import InputError, Problem, wrong
from polycrine.laboratory.plate import (
    ANEW,
    Cell,
    Plate,
    first,
    name_analytes,
    read_cells,
    to_numbers,
    too_many,
    trimmed,
)

Rows = list[tuple[int, list[str]]]
LOCATION = re.compile(r"(?:\d+\()?(\d+),([A-P]\d{1,2})\)?")
NAMED = {
    "blank": re.compile(r"(background|blank)[\s_-]*\d*", re.I),
    "standard": re.compile(r"(standard|std|calibrator)[\s_-]*\d+", re.I),
    "control": re.compile(r"(control|ctrl|qc)[\s_-]*\d+", re.I),
}
BESIDE = ("Location", "Sample", "Total Events", "Notes", "Acquisition Time", "")


def is_xponent(rows: Rows) -> bool:
    """Whether a text is made of xPONENT's blocks."""
    return any(row[0] == "DataType:" for _, row in rows)


def read_xponent(file: Path) -> list[Plate]:
    """The plates of an export; raises InputError with every row that is damaged."""
    delimiter, rows = read_cells(file)
    blocks = _blocks(rows)
    if "Median" not in blocks:
        rule = f"there is no block 'Median' here, only {', '.join(blocks) or 'none'}."
        raise wrong(str(file), rule, "Export the medians, not only results.")
    header = trimmed(blocks["Median"][0][1])
    names = [name for name in header if name not in BESIDE]
    if header[:2] != ["Location", "Sample"] or not names:
        rule = "the block 'Median' begins with Location, Sample and then analytes."
        raise wrong(f"{file}:{blocks['Median'][0][0]}", rule, ANEW)
    tables = {
        block: _cells(blocks[block], names, str(file))
        for block in (
            "Median",
            "Count",
            "Dilution Factor",
            *map(_expected, ("Standard", "Control")),
        )
        if block in blocks
    }
    cells = [cell for table in tables.values() for row in table.values() for cell in row]
    numbers = iter(to_numbers(cells, delimiter, str(file)))
    read = {
        block: {key: [next(numbers) for _ in row] for key, row in table.items()}
        for block, table in tables.items()
    }
    symbols, notices = name_analytes(names)
    units = dict(zip(symbols, _units(blocks, names), strict=True))
    places = {row[0]: row[1] for _, row in blocks["Median"][1:]}
    return [
        _plate(file, number, places, read, symbols, units, tuple(notices))
        for number in sorted({_well(location)[0] for location in places})
    ]


def _expected(kind: str) -> str:
    return f"{kind} Expected Concentration"


def _blocks(rows: Rows) -> dict[str, Rows]:
    """The rows of each block by its data type, its header first."""
    blocks: dict[str, Rows] = {}
    own: Rows = []
    for line, row in rows:
        if row[0] == "DataType:" and len(row) > 1:
            own = blocks.setdefault(row[1], [])
        elif row[0].startswith("-- CRC"):
            break
        else:
            own.append((line, row))
    return {name: own for name, own in blocks.items() if own}


def _cells(block: Rows, names: list[str], file: str) -> dict[str, list[Cell]]:
    """The cells of a block by its first column: of each analyte, or the one after the sample."""
    (_, header), *rows = block
    header = trimmed(header)
    columns = [header.index(name) for name in names if name in header]
    if len(columns) < len(names):
        columns = [len(header) - 1]
    problems, table = [], {}
    for line, row in rows:
        if len(trimmed(row)) > len(header):
            problems.append(Problem(f"{file}:{line}", too_many(row, header), ANEW))
        elif row[0] in table:
            problems.append(Problem(f"{file}:{line}", f"{row[0]} is there twice in this block."))
        row = [*row, *[""] * len(header)]
        table[row[0]] = [Cell(line, header[k], row[k]) for k in columns]
    if problems:
        raise InputError(first(problems, file))
    return table


def _units(blocks: dict[str, Rows], names: list[str]) -> list[str]:
    """The unit of each analyte; "Bead" and nothing mean that it is not known."""
    rows = {row[0]: row for _, row in blocks.get("Units", [])}
    known = dict(zip(rows.get("Analyte:", []), rows.get("Units:", []), strict=False))
    return [unit if "/" in (unit := known.get(name, "")) else "" for name in names]


def _well(location: str) -> tuple[int, str]:
    """Plate number and well of a location such as 9(1,A2)."""
    match = LOCATION.fullmatch(location)
    return (int(match[1]), match[2]) if match else (1, location)


def _plate(
    file: Path,
    number: int,
    places: dict[str, str],
    read: dict[str, dict[str, list[float]]],
    symbols: list[str],
    units: dict[str, str],
    notices: tuple[str, ...],
) -> Plate:
    here = [location for location in places if _well(location)[0] == number]
    samples = [places[location] for location in here]
    known = {
        key: row for k in ("Standard", "Control") for key, row in read.get(_expected(k), {}).items()
    }
    kinds = [_kind(name, read) for name in samples]
    nothing = [np.nan] * len(symbols)
    contents = [
        [0.0] * len(symbols) if kind == "blank" else known.get(name, nothing)
        for name, kind in zip(samples, kinds, strict=True)
    ]
    diluted = read.get("Dilution Factor", {})
    dilution = [diluted.get(location, [np.nan])[0] for location in here]
    wells = pd.DataFrame(
        {"well": [_well(location)[1] for location in here], "kind": kinds, "sample": samples}
    )
    wells["dilution"] = np.where(
        wells.kind.isin(["sample", "control"]) & ~np.isnan(dilution), dilution, 1.0
    )
    beads = [read["Count"].get(location, nothing) for location in here] if "Count" in read else None
    return Plate(
        file.stem if number == 1 else f"{file.stem} plate {number}",
        wells,
        pd.DataFrame([read["Median"][location] for location in here], columns=symbols),
        pd.DataFrame(contents, columns=symbols),
        None if beads is None else pd.DataFrame(beads, columns=symbols),
        units,
        notices,
    )


def _kind(name: str, read: dict[str, dict[str, list[float]]]) -> str:
    """What a well holds: by the lists of standards and controls, then by its name."""
    for kind in ("Standard", "Control"):
        if name in read.get(_expected(kind), {}):
            return kind.casefold()
    return next((kind for kind, pattern in NAMED.items() if pattern.fullmatch(name)), "sample")
