"""The tables of a sweep: one row per member, and bands over them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from polycrine.engine.status import DONE, STATUS
from polycrine.network.network import Floats
from polycrine.runs.layout import Analyte, Layout
from polycrine.units import value_and_unit

IMPOSSIBLE = -1  # a member that no body can be
ELSEWHERE = -2  # a patient who is in another group
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BANDS = ("arm", "time_h", "analyte", "unit", "n", "q05", "q25", "q50", "q75", "q95")


def column(analyte: Analyte, of: str) -> str:
    """The column of the members that has the start, peak, end or area of an analyte."""
    return f"{analyte.label}, {of}" + (f" ({analyte.unit})" if analyte.unit else "")


def members_table(layout: Layout, kept: Mapping[str, Any]) -> pd.DataFrame:
    """One row per member: who, where on the grid, how it went, what it had and what was measured.

    Of each analyte the level at the start, the peak and its hour, the last level, and the area
    above the start (unit x h); nothing where the member failed.
    """
    plan, inner, arms = layout.plan, len(layout.inner), len(layout.arms)
    units = len(kept["plausible"])
    unit = np.repeat(np.arange(units), inner * arms)
    columns: dict[str, Any] = {"member": np.arange(len(unit))}
    if plan.patients:
        columns["patient"] = unit
    points = layout.inner * units if plan.patients else layout.grid
    for k, path in enumerate(plan.grid):
        columns[path] = np.repeat([point[k] for point in points], arms)
    columns["arm"] = np.tile(layout.arms, len(unit) // arms)
    columns["status"] = _statuses(layout, kept, unit)
    columns["last_good_time_h"] = kept["reached"] / 60
    columns["steps_accepted"], columns["steps_rejected"] = kept["counts"].T
    for name, values in kept.items():
        kind, _, path = name.partition(" ")
        if kind == "covariate":
            columns[path] = values[unit]
        elif kind == "factor":
            value, text = value_and_unit(layout.base[path])
            columns[f"{path} ({text})" if text else path] = value * values[unit]
    hours, levels = layout.times / 60, kept["levels"]
    for k, analyte in enumerate(layout.analytes):
        course = levels[:, k]
        highest = np.argmax(np.nan_to_num(course, nan=-np.inf), axis=1)
        columns[column(analyte, "start")] = course[:, 0]
        columns[column(analyte, "peak")] = course[np.arange(len(course)), highest]
        columns[f"{analyte.label}, peak (h)"] = hours[highest] + 0 * course[:, 0]
        columns[column(analyte, "end")] = course[:, -1]
        columns[column(analyte, "area")] = np.trapezoid(course - course[:, :1], hours, axis=1)
    return pd.DataFrame(columns)


def _statuses(layout: Layout, kept: Mapping[str, Any], unit: Any) -> Any:
    """How each member went, as words."""
    words = {DONE: "done", IMPOSSIBLE: "impossible: more is taken up or made than is cleared"}
    words |= {ELSEWHERE: "in another group"}
    words |= {code: f"failed: it {text}" for code, text in STATUS.items() if code != DONE}
    told = np.array([words[code] for code in kept["status"].tolist()], dtype=object)
    fine = kept["plausible"]
    told[(told == "done") & ~fine[unit]] = "implausible"
    surplus = fine & (np.cumsum(fine) > layout.wanted)
    told[(told == "done") & surplus[unit]] = "surplus"
    return told


def bands_table(layout: Layout, levels: Floats, table: pd.DataFrame) -> pd.DataFrame:
    """Quantiles over all members that are done: arm, point of the grid, time_h, analyte, unit, n,
    and the QUANTILES."""
    keys = [*(layout.plan.grid if layout.plan.patients else ()), "arm"]
    done, parts = table[table.status == "done"], []
    for names, rows in done.groupby(keys, sort=False):
        found = np.quantile(levels[rows.index], QUANTILES, axis=0)
        for k, analyte in enumerate(layout.analytes):
            columns = dict(zip(keys, names, strict=True))
            columns |= {"time_h": layout.times / 60, "analyte": analyte.label, "unit": analyte.unit}
            columns |= {"n": len(rows)}
            columns |= {f"q{100 * q:02.0f}": found[j, k] for j, q in enumerate(QUANTILES)}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=BANDS)
