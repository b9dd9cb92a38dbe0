"""Peak, time of peak, area, half-life and order of rise of what was observed."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Series = NDArray[np.float64]


def summary(panel: pd.DataFrame) -> pd.DataFrame:
    """One row per sample, place and analyte: base, peak, peak_h, auc, half_life_h.

    auc is the area above base (value x h); half_life_h the time from the peak until half of its
    height above base is lost (empty when the run ends before).
    """
    rows = []
    keys = ["sample", "place", "analyte", "unit"]
    for key, group in panel.groupby(keys, sort=False):
        features = _features(group.time_h.to_numpy(), group.value.to_numpy())
        rows.append({**dict(zip(keys, key, strict=True)), **features})
    names = [*keys, "base", "peak", "peak_h", "auc", "half_life_h"]
    return pd.DataFrame(rows, columns=names)


def order_of_rise(tables: list[pd.DataFrame], sample: str) -> pd.DataFrame:
    """What rises first: name, and the hour at which half of the rise to the first peak is passed.

    tables: the panel (column analyte) or reads (columns species and cell); series that less than
    double are left out.
    """
    rows = []
    for table in tables:
        keys = ["analyte"] if "analyte" in table else ["cell", "species"]
        for name, group in table[table["sample"] == sample].groupby(keys, sort=False):
            time, value = group.time_h.to_numpy(), group.value.to_numpy(dtype=float)
            half = half_rise(time, value)
            if half is not None:
                label = str(name[0]) if len(name) == 1 else f"{name[1]} in {name[0]}"
                rows.append({"name": label, "half_rise_h": half, "inner": "species" in table})
    table = pd.DataFrame(rows, columns=["name", "half_rise_h", "inner"])
    return table.sort_values("half_rise_h", ignore_index=True)


def half_rise(time: Series, value: Series) -> float | None:
    """The hour at which half of the rise from the first value to the highest one is passed."""
    peak = int(np.argmax(value))
    if peak == 0 or value[peak] < 2 * value[0] or value[peak] <= 0:
        return None
    level = (value[0] + value[peak]) / 2
    k = int(np.argmax(value >= level))
    return _crossing(time, value, k, level)


def _features(time: Series, value: Series) -> dict[str, float]:
    peak, base = int(np.argmax(value)), float(value[0])
    above = value - base
    below_half = np.flatnonzero(above[peak:] <= above[peak] / 2)
    half_life = np.nan
    if peak > 0 and below_half.size:
        k = peak + int(below_half[0])
        half_life = _crossing(time, value, k, base + above[peak] / 2) - time[peak]
    return {
        "base": base,
        "peak": float(value[peak]),
        "peak_h": float(time[peak]),
        "auc": float(np.trapezoid(above, time)),
        "half_life_h": float(half_life),
    }


def _crossing(time: Series, value: Series, k: int, level: float) -> float:
    """Where a series crosses a level between points k - 1 and k, by a straight line."""
    if k == 0 or value[k] == value[k - 1]:
        return float(time[k])
    share = (level - value[k - 1]) / (value[k] - value[k - 1])
    return float(time[k - 1] + share * (time[k] - time[k - 1]))
