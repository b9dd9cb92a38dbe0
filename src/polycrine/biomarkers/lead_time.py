"""How well markers tell cases from others at each hour from a landmark, and the earliest hour.

A marker passes a bar at an hour where its AUC is at or above the bar, or at or below one less the
bar (then it is lower in cases), and stays so for this and the next two hours at which it was
measured. Its earliest hour is the first such hour. The interval is the middle 95 % of the earliest
hours in resampled cohorts, in which "never" is later than any hour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import expit, logit

from polycrine.biomarkers.accuracy import Weights, interval, wins
from polycrine.biomarkers.cohort import LEAST, Bools, Floats

STAYS = 3
TOGETHER, COMBINED = "all together", "combined"
MIDDLE = (0.025, 0.975)


def comparisons(against: list[str]) -> list[str]:
    """What cases are compared with: each group by itself, and all together if they are several."""
    return [*against, TOGETHER] if len(against) > 1 else against


def areas(
    scores: Floats, groups: Any, cases: str, against: list[str], times: Weights, fold: Any = None
) -> Floats:
    """AUC: comparison x hour x column of the weights, of one score (hour x subject, nan: missing).

    With folds, pairs within a fold count. nan at hours where a group has too few subjects.
    """
    fold = np.zeros(len(groups)) if fold is None else fold
    found = np.full((len(comparisons(against)), len(scores), times.shape[1]), np.nan)
    for h, score in enumerate(scores):
        there = np.isfinite(score)
        own = there & (groups == cases)
        total = np.zeros((2, times.shape[1]))
        for k, group in enumerate(against):
            other = there & (groups == group)
            if own.sum() < LEAST or other.sum() < LEAST:
                total = total + np.nan
                continue
            won = sum(
                wins(score[a], score[b], times[a], times[b])
                for a, b in (
                    (own & (fold == one), other & (fold == one)) for one in np.unique(fold)
                )
            )
            found[k, h] = _share(won)
            total = total + won
        found[-1, h] = _share(total)
    return found


def _share(won: Any) -> Floats:
    """Wins of all pairs; where no pair was drawn, what the cohort itself has."""
    with np.errstate(invalid="ignore"):
        share = won[0] / won[1]
    return np.asarray(np.where(won[1] == 0, share[0], share))


def earliest(area: Floats, hours: Floats, bar: float) -> Floats:
    """The earliest hour of each column of hour x column; infinite where it never passes."""
    known = np.isfinite(area[:, 0])
    found = np.full(area.shape[1], np.inf)
    if not known.any():
        return found
    for passes in _sides(area[known], bar):
        stays = sliding_window_view(passes, min(STAYS, len(passes)), axis=0).all(axis=-1)
        first = np.where(stays.any(axis=0), hours[known][stays.argmax(axis=0)], np.inf)
        found = np.minimum(found, first)
    return found


def _sides(area: Floats, bar: float) -> tuple[Bools, Bools]:
    return area >= bar - 1e-12, area <= 1 - bar + 1e-12


def lead_times(
    found: Floats, hours: Floats, markers: list[str], against: list[str], bar: float
) -> pd.DataFrame:
    """One row per comparison and marker, of areas (comparison x marker x hour x column).

    earliest_h with low_h and high_h (infinite: it does not pass, or not in 2.5 % of resampled
    cohorts); until_h: the last hour of the stretch that then begins; side: where cases lie; never:
    share of resampled cohorts in which it does not pass; first: share in which it passes and no
    single marker is earlier.
    """
    rows = []
    for name, of_markers in zip(comparisons(against), found, strict=True):
        of_markers = of_markers.copy()
        alone = markers.index(COMBINED) if COMBINED in markers else slice(0)
        of_markers[alone] = np.maximum(of_markers[alone], 0.5)  # a model has one direction
        passed = np.array([earliest(area, hours, bar) for area in of_markers])
        single = [marker != COMBINED for marker in markers]
        best = passed[single].min(axis=0)
        for marker, area, own in zip(markers, of_markers, passed, strict=True):
            low, high = np.quantile(own[1:], MIDDLE, method="inverted_cdf")
            until, side = _stretch(area[:, 0], hours, own[0], bar)
            rows.append(
                {
                    "against": name,
                    "marker": marker,
                    "earliest_h": own[0],
                    "low_h": low,
                    "high_h": high,
                    "until_h": until,
                    "side": side,
                    "never": np.isinf(own[1:]).mean(),
                    "first": (np.isfinite(own) & (own <= best))[1:].mean(),
                }
            )
    return pd.DataFrame(rows)


def _stretch(area: Floats, hours: Floats, begins: float, bar: float) -> tuple[float, str]:
    """How long a marker goes on passing, and on which side cases lie."""
    if np.isinf(begins):
        return np.nan, ""
    known = np.isfinite(area) & (hours >= begins)
    for passes, side in zip(_sides(area[known], bar), ("higher", "lower"), strict=True):
        if passes[0]:
            ends = len(passes) if passes.all() else int(passes.argmin())
            return float(hours[known][ends - 1]), side
    raise AssertionError


def fewer(scores: Floats, groups: Any, cases: str, against: list[str]) -> Floats:
    """How many people the smaller side of a comparison has: comparison x marker x hour."""
    there = np.isfinite(scores)
    counts = [there[..., groups == name].sum(axis=-1) for name in against]
    others = np.stack([*counts, sum(counts)][: len(comparisons(against))])
    return np.asarray(np.minimum(others, there[..., groups == cases].sum(axis=-1)), dtype=float)


def by_hour(
    found: Floats, least: Floats, hours: Floats, markers: list[str], against: list[str]
) -> pd.DataFrame:
    """AUC at each hour with two 95 % intervals: low and high hold at one hour, band_low and
    band_high at all hours of a marker at once; `least`: what `fewer` gives.

    The first is the middle of resampled cohorts; the second as many standard errors of log(AUC /
    (1 - AUC)) as the farthest hour of 95 % of them lies off (the sup-t band of Montiel Olea and
    Plagborg-Moller 2017). Where no pair contradicts, both are as `accuracy.interval`.
    """
    estimate, resampled = found[..., 0], found[..., 1:]
    low, high = np.quantile(resampled, MIDDLE, axis=-1)
    with np.errstate(divide="ignore"):
        end = np.minimum(0.5, 0.5 / least**2)[..., None]  # half a pair, where each side has as many
    odds = logit(np.clip(found, end, 1 - end))
    off = np.abs(odds[..., 1:] - odds[..., :1])
    se = odds[..., 1:].std(axis=-1, keepdims=True)
    off = np.divide(off, se, out=np.zeros_like(off), where=se > 0)
    width = np.quantile(off.max(axis=2), 0.95, axis=-1)[..., None] * se[..., 0]
    columns = {"auc": estimate, "low": low, "high": high}
    columns |= {"band_low": expit(odds[..., 0] - width), "band_high": expit(odds[..., 0] + width)}
    for side in np.argwhere((estimate == 0) | (estimate == 1)):
        at = tuple(side)
        ends = interval(float(estimate[at]), 0.0, int(least[at]))
        columns["low"][at], columns["high"][at] = ends
        columns["band_low"][at], columns["band_high"][at] = ends
    index = pd.MultiIndex.from_product(
        [comparisons(against), markers, hours], names=["against", "marker", "time_h"]
    )
    flat = {name: values.ravel() for name, values in columns.items()}
    return pd.DataFrame(flat, index).dropna().reset_index()
