"""Olink's long tables of NPX: relative protein levels on a log2 scale, which stay NPX.

NPX is no concentration and compares only within one assay (olink.com, "How is the data
pre-processed?"), so nothing here, or later, makes pg/mL of it. Columns are those of exports of
NPX Signature, Explore and Explore HT, as OlinkAnalyze reads them.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from polycrine.errors import InputError, Problem, nearest
from polycrine.laboratory.plate import Cell, name_analytes, table_of, to_numbers

NEEDED = ("SampleID", "Assay", "NPX")
QUALITY = ("QC_Warning", "Assay_Warning", "SampleQC", "AssayQC")
FINE = {"pass", "na", ""}
ASIDE = {"Sample_Type": "SAMPLE", "SampleType": "SAMPLE", "AssayType": "assay"}


def is_npx(header: list[str]) -> bool:
    """Whether a table is one of NPX."""
    return {"NPX", "Assay"} <= set(header)


def read_npx(file: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A panel in NPX, and notices: sample, analyte, value, unit, flag, reading, remark, plate.

    value is the limit of detection with flag `below` where NPX lies under it, reading the NPX as
    printed; warnings of samples and assays are remarks. Raises InputError for damaged rows.
    """
    delimiter, table = table_of(file)
    missing = [name for name in NEEDED if name not in table]
    if missing:
        rule = "the column '{}' is missing."
        raise InputError(
            [Problem(f"{file}:1", rule.format(n), nearest(n, set(table))) for n in missing]
        )
    notices = []
    for column, wanted in ASIDE.items():
        if column in table:
            inside = table[column].str.casefold() == wanted.casefold()
            if not inside.all():
                notices.append(f"{(~inside).sum():,} rows are no samples by {column}: left out.")
            table = table[inside]
    columns = [name for name in ("NPX", "LOD") if name in table]
    cells = [Cell(line, name, text) for name in columns for line, text in table[name].items()]
    numbers = np.reshape(to_numbers(cells, delimiter, str(file)), (len(columns), len(table)))
    npx = numbers[0]
    limit = numbers[1] if len(columns) > 1 else np.full(len(npx), np.nan)
    if np.isnan(limit).all():
        notices.append("There are no limits of detection: no value can be flagged as below one.")
    below = npx < limit
    flag = np.select([np.isnan(npx), below], ["missing", "below"], "")
    names, said = _names(table.assign(below=below))
    panel = pd.DataFrame(
        {
            "sample": table.SampleID,
            "analyte": names,
            "value": np.where(below, limit, npx),
            "unit": "NPX",
            "flag": flag,
            "reading": npx,
            "remark": _remarks(table),
        }
    )
    if "PlateID" in table:
        panel["plate"] = table.PlateID
    return panel, (*notices, *said)


def _names(table: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """The analyte of each row; an assay in several panels keeps its name in the one that detects
    it best, and bears the panel's name in the others."""
    printed = list(dict.fromkeys(table.Assay))
    symbols, notices = name_analytes(printed)
    names = table.Assay.map(dict(zip(printed, symbols, strict=True)))
    key = next((column for column in ("OlinkID", "Panel") if column in table), "Assay")
    shares = table.groupby([names, table[key]], sort=False).below.mean()
    several = [name for name, own in shares.groupby(level=0, sort=False) if len(own) > 1]
    for name in several:
        best = shares[name].idxmin()
        other = (names == name) & (table[key] != best)
        names = names.where(~other, names + " (" + table[key] + ")")
        notices.append(f"{name} is measured by several assays: {name} is {best}.")
    return names, notices


def _remarks(table: pd.DataFrame) -> pd.Series:
    remarks = pd.Series("", table.index)
    for column in QUALITY:
        if column in table:
            bad = ~table[column].str.casefold().isin(FINE)
            remarks += np.where(bad, column.replace("_", " ") + " " + table[column] + "; ", "")
    return remarks.str.removesuffix("; ")
