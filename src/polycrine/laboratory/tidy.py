"""Tidy tables of a laboratory: raw signals of wells, finished values, and the layout of a plate.

Signals: a row per well and analyte with sample, analyte, signal; kind (standard, blank, control,
sample), concentration of standards, unit, well, dilution, beads, plate where they are known.
Finished values: sample, analyte, value, unit; "<3.2" and ">5000" are limits. A layout: a row per
well or sample. All may have subject, group, time_h and place.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from polycrine.errors import InputError, Problem, nearest, wrong
from polycrine.laboratory.plate import KNOWN, Cell, Plate, name_analytes, table_of, to_numbers

SIGNALS = ("sample", "analyte", "signal", "kind", "concentration", "unit", "well", "dilution")
VALUES = ("sample", "analyte", "value", "unit")
LAYOUT = ("well", "sample", "kind", "dilution", "concentration", "unit")
NUMBERS = ("signal", "concentration", "dilution", "beads", "time_h")


def read_signals(file: Path) -> list[Plate]:
    """The plates of a table of signals; raises InputError with all that is wrong with it."""
    table = _table(file, (*SIGNALS, "beads", "plate", *KNOWN), SIGNALS[:3])
    if "concentration" not in table:
        table["concentration"] = np.nan
    if "kind" not in table:
        stands = [table.concentration == 0, table.concentration > 0]
        table["kind"] = np.select(stands, ["blank", "standard"], "sample")
    table["dilution"] = table.dilution.fillna(1.0) if "dilution" in table else 1.0
    if "plate" not in table:
        table["plate"] = file.stem
    if "well" not in table:
        again = table.groupby(["plate", "sample", "dilution", "analyte"]).cumcount() + 1
        parts = zip(table["sample"], table.dilution, again, strict=True)
        table["well"] = [f"{name} 1:{dilution:g} ({k})" for name, dilution, k in parts]
    twice = table[table.duplicated(["plate", "well", "analyte"])]
    if len(twice):
        rule = "well {} has this analyte twice."
        pairs = zip(twice.index, twice.well, strict=True)
        raise InputError([Problem(f"{file}:{k}", rule.format(well)) for k, well in pairs])
    return [_plate(str(name), rows) for name, rows in table.groupby("plate", sort=False)]


def _plate(name: str, rows: pd.DataFrame) -> Plate:
    """The wells of one plate, in the order of their first rows."""
    own = ["well", "kind", "sample", "dilution", *(known for known in KNOWN if known in rows)]
    wells = rows.drop_duplicates("well")[own].reset_index(drop=True)
    names = list(dict.fromkeys(rows.analyte))
    symbols, notices = name_analytes(names)

    def wide(column: str) -> pd.DataFrame:
        table = rows.pivot(index="well", columns="analyte", values=column)
        return (
            table.reindex(index=wells.well, columns=names)
            .set_axis(symbols, axis=1)
            .reset_index(drop=True)
        )

    expected = wide("concentration")
    expected[wells.kind == "blank"] = 0.0
    units = {}
    for symbol, own_name in zip(symbols, names, strict=True):
        said = rows[(rows.analyte == own_name) & (rows.get("unit", "") != "")]
        units[symbol] = said.unit.iloc[0] if len(said) else ""
    beads = wide("beads") if "beads" in rows else None
    return Plate(name, wells, wide("signal"), expected, beads, units, tuple(notices))


def read_values(file: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A panel of finished values, and notices: sample, analyte, value, unit, flag, what is known.

    "<3.2" is a value below 3.2, ">5000" one above; a unit must stand in every row.
    """
    table = _table(file, (*VALUES, "flag", *KNOWN), VALUES)
    censored = table.value.str.extract(r"^([<>])?\s*(.*)$")
    cells = [Cell(line, "value", text) for line, text in censored[1].items()]
    problems = [
        Problem(f"{file}:{line}", "this value has no unit.")
        for line in table.index[table.unit == ""]
    ]
    if problems:
        raise InputError(problems)
    symbols, notices = name_analytes(dict.fromkeys(table.analyte))
    named = dict(zip(dict.fromkeys(table.analyte), symbols, strict=True))
    stated = table.get("flag", pd.Series("", table.index))
    return table.assign(
        analyte=table.analyte.map(named),
        value=to_numbers(cells, table.attrs["delimiter"], str(file)),
        flag=censored[0].map({"<": "below", ">": "above"}).fillna(stated),
    ), tuple(notices)


def with_layout(plate: Plate, file: Path) -> Plate:
    """A plate with what a layout says of its wells; a column per analyte, or `concentration` for
    all, holds what is in standards and controls.

    Raises InputError for rows that name no well or sample of the plate, and unknown columns.
    """
    delimiter, table = table_of(file)
    key = next((name for name in ("well", "sample") if name in table), "")
    if not key:
        raise wrong(str(file), "a layout needs a column 'well' or 'sample'.")
    symbols = dict(zip(table, name_analytes(table)[0], strict=True))
    columns = {name: symbols[name] for name in table if symbols[name] in plate.analytes}
    known = (*LAYOUT, *KNOWN)
    problems = [
        Problem(
            f"{file}:1",
            f"'{name}' is no column and no analyte.",
            nearest(name, (*known, *plate.analytes)),
        )
        for name in table
        if name not in known and name not in columns
    ]
    here = plate.wells[key].astype(str)
    for line, name in table[key].items():
        if name not in set(here):
            rule = f"the plate has no {key} '{name}'."
            problems.append(Problem(f"{file}:{line}", rule, nearest(name, here)))
    problems += [
        Problem(f"{file}:{line}", f"'{name}' is there twice.")
        for line, name in table[key][table[key].duplicated()].items()
    ]
    if problems:
        raise InputError(problems)
    table = _with_numbers(table, (*NUMBERS, *columns), delimiter, file).set_index(key)
    wells, expected = plate.wells.copy(), plate.expected.copy()
    for name in table:
        if name in columns or name == "concentration":
            said = here.map(table[name])
            for analyte in [columns[name]] if name in columns else plate.analytes:
                expected[analyte] = said.where(said.notna(), expected[analyte])
        elif name != "unit":
            said = here.map(table[name]).replace("", np.nan)
            wells[name] = said.where(said.notna(), wells.get(name, np.nan))
    if "kind" not in table:
        holds = (expected > 0).any(axis=1) & (wells.kind == "sample")
        wells.loc[holds, "kind"] = "standard"
    expected[wells.kind == "blank"] = 0.0
    units = dict(plate.units)
    if "unit" in table and (said := [unit for unit in table.unit if unit]):
        units = {name: unit or said[0] for name, unit in units.items()}
    return replace(plate, wells=wells, expected=expected, units=units)


def _table(file: Path, known: tuple[str, ...], needed: tuple[str, ...]) -> pd.DataFrame:
    """A table with only columns that are known, its numbers read; the index is the line."""
    delimiter, table = table_of(file)
    table.columns = table.columns.str.strip().str.casefold()
    problems = [
        Problem(f"{file}:1", f"the column '{name}' is missing.", nearest(name, set(table)))
        for name in needed
        if name not in table
    ]
    if problems:
        raise InputError(problems)
    table = _with_numbers(
        table[[name for name in known if name in table]], NUMBERS, delimiter, file
    )
    table.attrs["delimiter"] = delimiter
    return table


def _with_numbers(
    table: pd.DataFrame, names: tuple[str, ...], delimiter: str, file: Path
) -> pd.DataFrame:
    """A table whose columns `names` are numbers; all of them together tell the decimal mark."""
    columns = [name for name in names if name in table]
    cells = [Cell(line, name, text) for name in columns for line, text in table[name].items()]
    numbers = np.reshape(to_numbers(cells, delimiter, str(file)), (len(columns), len(table)))
    return table.assign(**dict(zip(columns, numbers, strict=True)))
