"""Predicted peaks beside measured ones."""

import numpy as np
import pandas as pd

from polycrine.readouts.timing import summary

KEY_ANALYTES = ("TNF", "IL1B", "IL1RN", "IL6", "CXCL8", "IL10", "CRP", "cortisol")


def beside_measured(panel: pd.DataFrame, measured: pd.DataFrame | None) -> pd.DataFrame:
    """sample, place, analyte, unit, peak, peak_h, measured_peak, measured_lower, measured_upper,
    measured_peak_h, ratio (predicted over measured peak); empty where nothing was measured, and
    for every sample and place but the first. No ratio where the last level is the highest.
    """
    known_well = panel.analyte.isin(KEY_ANALYTES)
    table = summary(panel[known_well] if known_well.any() else panel)
    table = table.reindex(columns=["sample", "place", "analyte", "unit", "peak", "peak_h"])
    columns = ["measured_peak", "measured_lower", "measured_upper", "measured_peak_h"]
    levels = ["median", "lower", "upper"]
    if measured is None:
        measured = pd.DataFrame(columns=["analyte", "time_h", *levels])
    data = measured.set_index("analyte")
    peaks, times = data[data.time_h == "peak"], data[data.time_h == "peak time"]
    known = pd.concat([peaks[levels], times["median"]], axis=1).set_axis(columns, axis=1)
    table = table.join(known, on="analyte")
    table[columns] = table[columns].astype(float)
    keys = table[["sample", "place"]]
    table.loc[(keys != keys.head(1).squeeze()).any(axis=1), columns] = np.nan
    passed = table.peak_h < panel.time_h.max()
    return table.assign(ratio=np.divide(table.peak, table.measured_peak).where(passed))
