"""What a cytokine does, from runs without it: how much it moves, and who can stand in for it.

A knock-out moves a read-out where its highest level changes MOVED-fold. Functional pleiotropy is
how many of the read-outs a knock-out moves. Two cytokines are redundant for a read-out which
neither knock-out moves, but both together do.
"""

import numpy as np
import pandas as pd

from polycrine.model.events import KnockOut
from polycrine.model.model import Model
from polycrine.readouts.expectations import courses
from polycrine.results.run import Run

MOVED = 1.5
EFFECTS = ("knocked_out", "read_out", "ratio", "moved")
PLEIOTROPY = ("knocked_out", "moved", "of", "which")
REDUNDANCY = ("first", "second", "read_out", "without_first", "without_second", "without_both",
              "excess", "redundant")  # fmt: skip


def knocked_out_in(model: Model) -> dict[str, tuple[str, ...]]:
    """The arms that do nothing but knock out gene products, and which."""
    found = {}
    for arm, events in model.arms.items():
        names = tuple(e.knock_out for e in events if isinstance(e, KnockOut))
        if names and len(names) == len(events):
            found[arm] = names
    return found


def effects(run: Run, model: Model) -> pd.DataFrame:
    """For each knock-out and read-out the highest level over that of the first sample: knocked_out
    (`IL6`, `IL6 and TNF`), read_out, ratio, moved; without what is knocked out, and what is zero.
    """
    seen, first, rows = courses(run), run.samples[0], []
    peaks = {key: float(course.value.max()) for key, course in seen.items()}
    for arm, names in knocked_out_in(model).items():
        for sample, of in seen:
            own = of.partition(" ")[0] in names
            if sample != first or own or (arm, of) not in seen or not peaks[first, of]:
                continue
            ratio = peaks[arm, of] / peaks[first, of]
            moved = not 1 / MOVED < ratio < MOVED
            rows.append((" and ".join(names), of, ratio, moved))
    return pd.DataFrame(rows, columns=EFFECTS)


def pleiotropy(table: pd.DataFrame) -> pd.DataFrame:
    """How many of the read-outs each knock-out moves: knocked_out, moved, of, which."""
    rows = [
        (name, int(group.moved.sum()), len(group), ", ".join(group.read_out[group.moved]))
        for name, group in table.groupby("knocked_out", sort=False)
        if " and " not in name
    ]
    found = pd.DataFrame(rows, columns=PLEIOTROPY)
    return found.sort_values("moved", ascending=False, ignore_index=True)


def redundancy(table: pd.DataFrame) -> pd.DataFrame:
    """Each pair that was knocked out alone and together: the ratios, the excess of both over the
    product of each, and whether they are redundant for this read-out; what moves in none is left
    out."""
    ratios = {(row.knocked_out, row.read_out): row.ratio for row in table.itertuples()}
    moved = {(row.knocked_out, row.read_out): row.moved for row in table.itertuples()}
    rows = []
    for both, of in ratios:
        names = both.split(" and ")
        if len(names) != 2 or not all((name, of) in ratios for name in names):
            continue
        alone = [ratios[name, of] for name in names]
        any_alone = any(moved[name, of] for name in names)
        if moved[both, of] or any_alone:
            expected = float(np.prod(alone))
            excess = ratios[both, of] / expected if expected else np.nan
            redundant = moved[both, of] and not any_alone
            rows.append((*names, of, *alone, ratios[both, of], excess, redundant))
    return pd.DataFrame(rows, columns=REDUNDANCY)
