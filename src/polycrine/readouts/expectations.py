"""What was published beside what a run shows."""

import numpy as np
import pandas as pd

from polycrine.model.model import Model
from polycrine.model.observations import Expectation
from polycrine.results.run import Run
from polycrine.units import quantity

COLUMNS = ("claim", "found", "low", "high", "unit", "holds", "fitted", "published", "source")


def expectations(run: Run, model: Model) -> pd.DataFrame:
    """Each expectation whose arms were run, with what was found and whether its bounds hold: claim,
    found, low, high, unit, holds, fitted, published, source."""
    seen, rows = courses(run), []
    for one in model.expect:
        found = found_of(one, seen)
        if found is None:
            continue
        value, unit = found
        told = (one.low, one.high, one.unit or unit, one.low <= value <= one.high, one.fitted)
        rows.append((one.claim, value, *told, one.published, one.source))
    return pd.DataFrame(rows, columns=COLUMNS)


def courses(run: Run) -> dict[tuple[str, str], pd.DataFrame]:
    """Every course over time of a run, by sample and by its name in expectations."""
    panel, reads = run.panel(), run.reads()
    counted = reads.species == "count"
    named = reads.species + " in " + reads.cell
    names = named.where(~counted, "count of " + reads.cell)
    table = pd.concat(
        [panel.assign(of=panel.analyte + " in " + panel.place), reads.assign(of=names)]
    )
    return {(str(sample), str(of)): rows for (sample, of), rows in table.groupby(["sample", "of"])}


def found_of(
    one: Expectation, seen: dict[tuple[str, str], pd.DataFrame]
) -> tuple[float, str] | None:
    """The value that an expectation speaks of, and its unit; None where its arms were not run."""
    own = seen.get((one.arm, one.of))
    if own is None:
        return None
    value = _feature(own, one.value)
    unit = "h" if one.value == "peak time" else str(own.unit.iloc[0])
    if one.over is None:
        return value, unit
    other = own if one.over == "start" else seen.get((one.over, one.of))
    if other is None:
        return None
    base = _feature(other, "start" if one.over == "start" else one.value)
    return (value / base if base else np.nan), ""


def _feature(course: pd.DataFrame, value: str) -> float:
    time, level = course.time_h.to_numpy(), course.value.to_numpy(dtype=float)
    if value.startswith("at "):
        hour = quantity(value.removeprefix("at "), "duration") / 60
        return float(np.interp(hour, time, level))
    features = {
        "start": level[0],
        "peak": level.max(),
        "peak time": time[level.argmax()],
        "end": level[-1],
        "area": np.trapezoid(level - level[0], time),
    }
    return float(features[value])
