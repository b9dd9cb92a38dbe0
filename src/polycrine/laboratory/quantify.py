"""Samples of a plate in concentrations: replicates, dilutions, flags, and what is beyond limits.

A value beyond a limit of quantification stays censored: it is the limit times the dilution, with
flag `below` or `above`. `hook`: the signal may be one of a far higher concentration, so that the
value is the least it can be. `missing`: no signal; `no curve`: nothing to read it from.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polycrine.laboratory.logistic import Array, inverse
from polycrine.laboratory.npx import is_npx, read_npx
from polycrine.laboratory.plate import KNOWN, Plate, check, read_cells
from polycrine.laboratory.standard_curve import LARGEST_CV, OFF_SERIES, RECOVERY, Curves, fit_curves
from polycrine.laboratory.tidy import read_signals, read_values, with_layout
from polycrine.laboratory.xponent import is_xponent, read_xponent

FEWEST_BEADS = 35  # MILLIPLEX, "Equipment settings and data analysis"
DILUTIONS_DIFFER = 1.3  # the highest over the lowest of a sample's dilutions
RISES = 1.2  # a stronger signal of a more dilute sample
FIRST = ("subject", "group", "time_h", "place", "analyte", "value", "unit", "flag", "sample")


@dataclass(frozen=True)
class Results:
    """What a file says: panel (a row per sample and analyte), and for signals also each plate, its
    curves and its controls (as the panel, with expected and recovery)."""

    panel: pd.DataFrame
    plates: tuple[tuple[Plate, Curves], ...]
    controls: pd.DataFrame
    notices: tuple[str, ...]


def read_results(file: Path, layout: Path | None = None) -> Results:
    """Read and quantify a file: xPONENT's export, a tidy table, or Olink's NPX as it stands.

    Raises InputError with every damaged row, or where standards, units or columns are missing.
    """
    _, rows = read_cells(file)
    header = [cell.strip() for cell in rows[0][1]]
    if not is_xponent(rows) and (is_npx(header) or "signal" not in map(str.casefold, header)):
        panel, notices = read_npx(file) if is_npx(header) else read_values(file)
        return Results(_in_columns(panel), (), pd.DataFrame(), notices)
    plates = read_xponent(file) if is_xponent(rows) else read_signals(file)
    if layout is not None:
        plates = [with_layout(plate, layout) for plate in plates]
    for plate in plates:
        check(plate, str(file))
    done = [(plate, curves_of(plate)) for plate in plates]
    samples = [quantified(plate, curves, "sample") for plate, curves in done]
    controls = [quantified(plate, curves, "control") for plate, curves in done]
    told = [
        f"{plate.name}: {notice}" if len(done) > 1 else notice
        for plate, curves in done
        for notice in _notices(plate, curves)
    ]
    panel = _in_columns(pd.concat(samples, ignore_index=True))
    return Results(panel, tuple(done), pd.concat(controls, ignore_index=True), tuple(told))


def curves_of(plate: Plate) -> Curves:
    """The standard curves of a plate."""
    own = plate.wells.kind.isin(["standard", "blank"]).to_numpy()
    expected, signals = plate.expected[own].to_numpy(float), plate.signals[own].to_numpy(float)
    return fit_curves(plate.analytes, expected, signals, list(plate.wells["sample"][own]))


def quantified(plate: Plate, curves: Curves, kind: str = "sample") -> pd.DataFrame:
    """A row per sample (or control) and analyte: value, unit, flag, and how it came about.

    Replicates are wells of one sample and dilution: the geometric mean of their signals is read,
    cv is that of their single readings. Of several dilutions those within the limits count.
    """
    own = (plate.wells.kind == kind).to_numpy()
    wells = plate.wells[own].reset_index(drop=True)
    keys = [*(name for name in KNOWN if name in wells), "sample"]
    groups = wells.groupby([*keys, "dilution"], sort=False, dropna=False)
    group = groups.ngroup().to_numpy()
    firsts = wells.drop_duplicates([*keys, "dilution"]).reset_index(drop=True)
    signals = plate.signals[own].to_numpy(float)
    signal, spread = _of_replicates(signals, group, len(firsts), curves)
    few = np.zeros(signal.shape, dtype=bool)
    if plate.beads is not None:
        np.logical_or.at(few, group, plate.beads[own].to_numpy(float) < FEWEST_BEADS)
    read = _read(signal, firsts.dilution.to_numpy(float), curves)
    sample = firsts.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    at, value, flag, differ = _of_dilutions(*read, signal, firsts.dilution.to_numpy(float), sample)
    known = firsts.drop_duplicates(keys).reset_index(drop=True)
    rows, many = len(known), len(plate.analytes)
    across = np.arange(many)
    table = known.loc[np.repeat(np.arange(rows), many), keys].reset_index(drop=True)
    table["analyte"] = np.tile(plate.analytes, rows)
    table["value"], table["flag"] = value.ravel(), flag.ravel()
    table["unit"] = [plate.units.get(name, "") for name in plate.analytes] * rows
    table["plate"] = plate.name
    table["dilution"] = firsts.dilution.to_numpy()[at].ravel()
    table["cv"] = spread[at, across].ravel()
    table["reading"] = signal[at, across].ravel()
    table["remark"] = _remarks(table, few[at, across].ravel(), differ.ravel())
    if kind == "control":
        expected = plate.expected[own].groupby(wells["sample"].to_numpy(), sort=False).first()
        table["expected"] = expected.loc[known["sample"]].to_numpy(float).ravel()
        table["recovery"] = table.value / table.expected
    return table


def _of_replicates(
    signals: Array, group: NDArray[np.int_], count: int, curves: Curves
) -> tuple[Array, Array]:
    """Geometric means of signals and CVs of what single wells read (group x analyte)."""

    def mean(values: Array) -> tuple[Array, Array]:
        known = np.isfinite(values)
        total, number = np.zeros((2, count, values.shape[1]))
        np.add.at(total, group, np.where(known, values, 0.0))
        np.add.at(number, group, known)
        return total / np.where(number > 0, number, np.nan), number

    logs = np.full(signals.shape, np.nan)
    np.log(np.maximum(signals, 1e-3), where=np.isfinite(signals), out=logs)
    single = inverse(signals, curves.parameters)
    single = np.where(np.isfinite(single) & (single > 0), single, np.nan)
    middle, number = mean(single)
    square = (
        mean((single - middle[group]) ** 2)[0] * number / np.where(number > 1, number - 1, np.nan)
    )
    return np.exp(mean(logs)[0]), np.sqrt(square) / middle


def _read(signal: Array, dilution: Array, curves: Curves) -> tuple[Array, NDArray[np.object_]]:
    """Values with dilution, and flags, of each dilution of a sample (group x analyte)."""
    x = inverse(signal, curves.parameters)
    hook = signal >= curves.hook
    rules = {
        "missing": np.isnan(signal),
        "no curve": np.isnan(curves.lower) | np.isnan(x),
        "hook": hook,
        "below": x < curves.lower,
        "above": x > curves.upper,
    }
    flag = np.select(list(rules.values()), list(rules), "").astype(object)
    value = np.clip(x, curves.lower, curves.upper) * dilution[:, None]
    return np.where(np.isin(flag, ["missing", "no curve"]), np.nan, value), flag


def _of_dilutions(
    value: Array,
    flag: NDArray[np.object_],
    signal: Array,
    dilution: Array,
    sample: NDArray[np.int_],
) -> tuple[NDArray[np.int_], Array, NDArray[np.object_], NDArray[np.bool_]]:
    """One row per sample: the dilution that it is shown at, value, flag, whether dilutions differ.

    A more dilute sample with the stronger signal shows a hook: what is less dilute does not count.
    """
    first = np.unique(sample, return_index=True)[1]
    at = np.repeat(first[:, None], value.shape[1], axis=1)
    chosen, flags = value[first].copy(), flag[first].copy()
    differ = np.zeros(chosen.shape, dtype=bool)
    for k in np.flatnonzero(np.bincount(sample) > 1):
        rows = np.flatnonzero(sample == k)
        rows = rows[np.argsort(dilution[rows])]
        for j in range(value.shape[1]):
            found = _one_of(value[rows, j], flag[rows, j], signal[rows, j])
            at[k, j], chosen[k, j], flags[k, j], differ[k, j] = rows[found[0]], *found[1:]
    return at, chosen, flags, differ


def _one_of(value: Array, flag: NDArray[np.object_], signal: Array) -> tuple[int, float, str, bool]:
    """Which of a sample's dilutions, in rising order, to show; value, flag, if they differ."""
    strongest = int(np.nanargmax(signal)) if np.isfinite(signal).any() else 0
    falls = signal[:strongest] * RISES < signal[strongest]
    start = strongest if falls.any() else 0
    hooked = start > 0
    inside = start + np.flatnonzero(flag[start:] == "")
    if inside.size:
        differ = value[inside].max() > DILUTIONS_DIFFER * value[inside].min()
        mean = float(np.exp(np.log(value[inside]).mean()))
        return int(inside[0]), mean, "hook" if hooked else "", bool(differ)
    for which, extreme in (("hook", np.argmax), ("above", np.argmax), ("below", np.argmin)):
        own = start + np.flatnonzero(flag[start:] == which)
        if own.size:
            best = int(own[extreme(value[own])])
            return best, float(value[best]), "hook" if hooked else which, False
    return start, np.nan, str(flag[start]), False


def _remarks(
    table: pd.DataFrame, few: NDArray[np.bool_], differ: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """What else to know of each value."""
    said = {
        f"fewer than {FEWEST_BEADS} beads": few,
        f"replicates differ (CV above {LARGEST_CV:.0%})": (table.cv > LARGEST_CV).to_numpy(),
        f"dilutions differ more than {DILUTIONS_DIFFER:g}-fold": differ,
    }
    remarks = np.full(len(table), "", dtype=object)
    for text, holds in said.items():
        remarks[holds] += np.where(remarks[holds] != "", "; ", "") + text
    return remarks


def _notices(plate: Plate, curves: Curves) -> list[str]:
    """What was left out of a plate's curves and why, and which analytes have none."""
    told = list(plate.notices)
    aside = curves.levels[curves.levels.status != "used"]
    for row in aside.itertuples():
        unit = plate.units.get(row.analyte, "")
        what = f"{row.analyte}, {row.standard} of {row.expected:.10g} {unit}"
        told.append(f"{what} {_why(row.status, row, unit)}; it is left out.")
    low, high = (f"{100 * share:.0f}" for share in RECOVERY)
    for name, model, lower in zip(curves.analytes, curves.model, curves.lower, strict=True):
        if not model:
            told.append(f"{name} has too few standards for a curve.")
        elif np.isnan(lower):
            rule = f"recover {low}-{high} % with a CV up to {LARGEST_CV:.0%}"
            told.append(f"{name} has no limits and no values: no two of its standards {rule}.")
    return told


def _why(status: str, row: Any, unit: str) -> str:
    if status == "off its dilution series":
        times = max(row.expected / row.series, row.series / row.expected)
        lost = abs(np.log10(times) - round(np.log10(times))) < 0.05 and times > 2 * OFF_SERIES
        hint = " (was its decimal mark lost?)" if lost else ""
        return f"is off its dilution series, which says {row.series:.7g} {unit}{hint}"
    if status == "breaks the curve":
        return f"reads {row.recovery:.2g} times that on a curve of the others"
    return {
        "no signal": "has no signal",
        "beyond a hook": "has less signal than a weaker one: a hook",
    }[status]


def _in_columns(panel: pd.DataFrame) -> pd.DataFrame:
    """A panel with subject (the sample where nobody says otherwise), its columns in one order."""
    if "subject" not in panel:
        panel = panel.assign(subject=panel["sample"])
    panel = panel.assign(subject=panel.subject.where(panel.subject.notna(), panel["sample"]))
    first = [name for name in FIRST if name in panel]
    return panel[[*first, *(name for name in panel if name not in first)]].reset_index(drop=True)
