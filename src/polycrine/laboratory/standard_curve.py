"""Standard curves: 4PL and 5PL, fitted to many analytes at once, and what they can quantify.

The curves are those of `logistic`. Residuals are those of log signals, so that signals weigh by
1 / y^2: the weighting preferred for bead assays (miraibio.com, "Tips for Luminex data analysis").
Blanks are points at x = 0. The 5PL is taken where its AICc is lower by EARNED at least.

Limits are the lowest and the highest standard with RECOVERY (MILLIPLEX, "Equipment settings and
data analysis": +/- 20 %), where neither its replicates nor the curve's scatter over its slope there
make a CV above LARGEST_CV. Left out, and named, are standards that contradict all the others, up to
a quarter of them (ICH M10, 4.2.3: three quarters must hold), and those beyond a hook.
"""

import re
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polycrine.laboratory.logistic import (
    FIVE,
    FOUR,
    Array,
    Mask,
    fit,
    inverse,
    log_signal,
    residuals,
    slopes,
)

RECOVERY = (0.8, 1.2)
LARGEST_CV = 0.25
EARNED = 2.0
MOST_LEFT_OUT = 0.25
BREAKS, SURE = 1.5, 4.0  # times its concentration, and standard errors, on a curve of the others
OFF_SERIES = 5.0  # times what the dilution series of all says
FALLS = 0.8  # of the highest signal: beyond a hook
LEAST_POINTS, LEAST_LEVELS = 6, 5  # a blank is a level
LEAST_SCATTER = 0.05


@dataclass(frozen=True)
class Curves:
    """The curves of a plate's analytes: arrays over analytes, NaN where there is no curve.

    parameters: logarithms of a, d, c, b, g; model: 4PL, 5PL or nothing; scatter: residual SD of
    the log signal; lower, upper: limits of quantification; hook: from this signal on a far higher
    concentration is possible too; levels: analyte, standard, expected, signal, concentration,
    recovery, cv, status (`used`, or why not), series (what the dilution series would say).
    """

    analytes: tuple[str, ...]
    parameters: Array
    model: tuple[str, ...]
    scatter: Array
    lower: Array
    upper: Array
    hook: Array
    levels: pd.DataFrame


def fit_curves(
    analytes: list[str], expected: Array, signals: Array, standards: list[str]
) -> Curves:
    """The curves through the wells of standards and blanks (arrays of well x analyte).

    standards: the name of each well's standard; wells of the same name are replicates; a blank is
    one that holds nothing of any analyte.
    """
    series = _series(expected.T, signals.T, standards)
    status = np.full(series.level_x.shape, "used", dtype=object)
    status[~np.isfinite(series.level_log)] = "no signal"
    line = _series_says(series)
    off = np.maximum(
        series.level_x / line, line / np.where(series.level_x > 0, series.level_x, np.nan)
    )
    status[off > OFF_SERIES] = "off its dilution series"
    status[_beyond_hook(series, status, surely=True)] = "beyond a hook"
    for _ in range(int(MOST_LEFT_OUT * len(series.names))):
        breaking = _breaking(series, status)
        status[breaking] = "breaks the curve"
        if not breaking.any():
            break
    status[_beyond_hook(series, status, surely=False)] = "beyond a hook"
    parameters, model, scatter = _best(series, series.wells(status))
    table = _table(analytes, series, status, parameters, line)
    lower, upper = _limits(series, status, parameters, scatter, table)
    hooked = np.where(status == "beyond a hook", np.exp(series.level_log), np.inf)
    hook = np.fmin.reduce(hooked, axis=1)
    return Curves(tuple(analytes), parameters, model, scatter, lower, upper, hook, table)


@dataclass(frozen=True)
class _Series:
    """Standards and blanks: analyte x well, and their geometric means, analyte x level."""

    names: list[str]
    of_level: Mask
    x: Array
    log_y: Array
    level_x: Array
    level_log: Array
    count: NDArray[np.int_]

    def wells(self, status: NDArray[np.object_]) -> Mask:
        """The wells (analyte x well) of blanks and of levels that are used."""
        known = np.isfinite(self.x) & np.isfinite(self.log_y)
        return np.asarray(known & ~((status != "used")[:, :, None] & self.of_level).any(axis=1))


def _series(x: Array, y: Array, standards: list[str]) -> _Series:
    blank = (np.nan_to_num(x) == 0).all(axis=0) & np.isfinite(x).any(axis=0)
    held = {name for name, is_blank in zip(standards, blank, strict=True) if not is_blank}
    names = sorted(held, key=lambda name: (_number(name), name))
    of_level = np.array(standards)[None, :] == np.array(names, dtype=object)[:, None]
    log_y = np.full(y.shape, np.nan)
    np.log(y, where=y > 0, out=log_y)
    known = np.isfinite(log_y)[:, None, :] & of_level & np.isfinite(x)[:, None, :]
    count = known.sum(axis=2)
    means = [
        np.where(known, values[:, None, :], 0.0).sum(axis=2) / np.where(count > 0, count, np.nan)
        for values in (x, log_y)
    ]
    return _Series(names, of_level, x, log_y, means[0], means[1], count)


def _number(name: str) -> float:
    """The number at the end of a standard's name, which says its place in the dilution series."""
    match = re.search(r"(\d+)\D*$", name)
    return float(match[1]) if match else np.inf


def _series_says(series: _Series) -> Array:
    """What each level should contain by the line, after Theil and Sen, of log concentration over
    its number; NaN where levels have no numbers."""
    says = np.full(series.level_x.shape, np.nan)
    steps = np.array([_number(name) for name in series.names])
    if len(set(steps)) < len(steps) or not np.isfinite(steps).all():
        return says
    log_x = np.log(np.where(series.level_x > 0, series.level_x, np.nan))
    for k, row in enumerate(log_x):
        known = np.flatnonzero(np.isfinite(row))
        if len(known) >= LEAST_LEVELS - 1:
            pairs = combinations(known, 2)
            step = np.median([(row[j] - row[i]) / (steps[j] - steps[i]) for i, j in pairs])
            says[k] = np.exp(np.median(row[known] - step * steps[known]) + step * steps)
    return says


def _enough(series: _Series, of: NDArray[np.int_], used: Mask) -> Mask:
    """Whether the wells of each fit, of analyte `of`, are enough for a 4PL."""
    level = (used[:, None, :] & series.of_level).any(axis=2).sum(axis=1)
    blank = (used & (series.x[of] == 0)).any(axis=1)
    return np.asarray((used.sum(axis=1) >= LEAST_POINTS) & (level + blank >= LEAST_LEVELS))


def _breaking(series: _Series, status: NDArray[np.object_]) -> Mask:
    """The worst level of each analyte, where both a 4PL and a 5PL of the others surely miss it.

    The highest level, and without a blank the lowest, have none beyond to judge them.
    """
    found = np.zeros(status.shape, dtype=bool)
    used = series.wells(status)
    every = np.flatnonzero(_enough(series, np.arange(len(used)), used))
    if not every.size:
        return found
    theta = fit(series.x[every], series.log_y[every], used[every], FOUR)
    gaps = np.abs(series.level_log[every] - log_signal(series.level_x[every], theta[:, None, :]))
    suspect = np.where(status[every] == "used", gaps, 0.0).max(axis=1) > 2 * LEAST_SCATTER
    may_go = (status != "used").sum(axis=1) < MOST_LEFT_OUT * len(series.names)
    cases = [(k, j) for k in every[suspect] if may_go[k] for j in _judged(series, status, used, k)]
    if not cases:
        return found
    of, level = np.array(cases).T
    others = used[of] & ~series.of_level[level]
    can = _enough(series, of, others)
    of, level, others = of[can], level[can], others[can]
    misses = [_missed(series, of, level, others, free) for free in (FOUR, FIVE)]
    missed = np.minimum(*misses)
    for k in np.unique(of):
        worst = np.argmax(np.where(of == k, missed, -1.0))
        found[k, level[worst]] = missed[worst] > 1
    return found


def _judged(series: _Series, status: NDArray[np.object_], used: Mask, k: int) -> list[int]:
    levels = np.flatnonzero((status[k] == "used") & (series.level_x[k] > 0))
    rising = levels[np.argsort(series.level_x[k, levels])]
    has_blank = bool((used[k] & (series.x[k] == 0)).any())
    return [int(j) for j in rising[0 if has_blank else 1 : -1]]


def _missed(
    series: _Series, of: NDArray[np.int_], level: NDArray[np.int_], others: Mask, free: slice
) -> Array:
    """By how much curves of the others miss levels; above 1 in standard errors and in fold."""
    x, log_y = series.x[of], series.log_y[of]
    theta = fit(x, log_y, others, free)
    scatter = np.maximum(_scatter(x, log_y, others, theta, free.stop), LEAST_SCATTER)
    here, mean = series.level_x[of, level], series.level_log[of, level]
    by = np.where(others[..., None], slopes(x, theta[:, None, :])[..., free], 0.0)
    at = slopes(here, theta)[..., free]
    inverted = np.linalg.pinv(np.swapaxes(by, 1, 2) @ by, hermitian=True)
    leverage = np.einsum("ki,kij,kj->k", at, inverted, at)
    error = scatter * np.sqrt(1 / series.count[of, level] + leverage)
    surely = np.abs(mean - log_signal(here, theta)) / (SURE * error)
    fold = np.clip(inverse(np.exp(mean), theta) / here, 1e-9, 1e9)
    return np.asarray(np.minimum(surely, np.abs(np.log(fold)) / np.log(BREAKS)))


def _scatter(x: Array, log_y: Array, used: Mask, theta: Array, parameters: int) -> Array:
    """The residual standard deviation of the log signal."""
    freedom = np.maximum(used.sum(axis=1) - parameters, 1)
    return np.asarray(np.sqrt((residuals(x, log_y, used, theta) ** 2).sum(axis=1) / freedom))


def _beyond_hook(series: _Series, status: NDArray[np.object_], surely: bool) -> Mask:
    """Levels above that of the highest signal with clearly less of it.

    surely: only where the last has less than the level before the highest, which no single
    standard that is too strong can bring about.
    """
    beyond = np.zeros(status.shape, dtype=bool)
    for k in range(len(status)):
        levels = np.flatnonzero((status[k] == "used") & (series.level_x[k] > 0))
        rising = levels[np.argsort(series.level_x[k, levels])]
        signal = np.exp(series.level_log[k, rising])
        peak = int(np.argmax(signal)) if len(signal) else 0
        if peak < 1 or signal[peak] < 2 * signal[0]:
            continue
        if not surely or signal[-1] < signal[peak - 1]:
            last = peak + 1 + np.flatnonzero(signal[peak + 1 :] < FALLS * signal[peak])
            beyond[k, rising[last]] = True
    return beyond


def _best(series: _Series, used: Mask) -> tuple[Array, tuple[str, ...], Array]:
    """Parameters, model and scatter of each analyte: the 5PL where AICc finds that it earns it."""
    theta = np.full((len(used), 5), np.nan)
    model, scatter = np.full(len(used), "", dtype=object), np.full(len(used), np.nan)
    can = np.flatnonzero(_enough(series, np.arange(len(used)), used))
    if not can.size:
        return theta, tuple(model), scatter
    x, log_y, points = series.x[can], series.log_y[can], used[can]
    fits = [fit(x, log_y, points, free) for free in (FOUR, FIVE)]
    costs = [
        _aicc(residuals(x, log_y, points, found), points, free.stop)
        for found, free in zip(fits, (FOUR, FIVE), strict=True)
    ]
    five = costs[1] < costs[0] - EARNED
    theta[can] = np.where(five[:, None], fits[1], fits[0])
    model[can] = np.where(five, "5PL", "4PL")
    scatter[can] = np.where(
        five, *(_scatter(x, log_y, points, f, n) for f, n in zip(fits[::-1], (5, 4), strict=True))
    )
    return theta, tuple(model), scatter


def _aicc(residuals: Array, used: Mask, parameters: int) -> Array:
    """Akaike's criterion, corrected for few points; the variance counts as a parameter."""
    n, k = used.sum(axis=1), parameters + 1
    least = n * LEAST_SCATTER**2 / 100  # rounding is no evidence
    fits = n * np.log(np.maximum((residuals**2).sum(axis=1), least) / n)
    return np.where(n > k + 1, fits + 2 * k * n / np.maximum(n - k - 1, 1), np.inf)


def _table(
    analytes: list[str], series: _Series, status: NDArray[np.object_], theta: Array, line: Array
) -> pd.DataFrame:
    """A row per analyte and standard, as in `Curves.levels`."""
    wells = inverse(np.exp(series.log_y), theta[:, None, :])[:, None, :]
    read = np.where(series.of_level & np.isfinite(wells), wells, np.nan)
    known = np.isfinite(read).sum(axis=2)
    mean = np.nansum(read, axis=2) / np.where(known > 0, known, np.nan)
    square = np.nansum((read - mean[..., None]) ** 2, axis=2) / np.where(
        known > 1, known - 1, np.nan
    )
    back = inverse(np.exp(series.level_log), theta[:, None, :])
    levels = len(series.names)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "analyte": np.repeat(analytes, levels),
            "standard": np.tile(series.names, len(analytes)),
            "expected": series.level_x.ravel(),
            "signal": np.exp(series.level_log).ravel(),
            "concentration": back.ravel(),
            "recovery": (back / series.level_x).ravel(),
            "cv": (np.sqrt(square) / mean).ravel(),
            "status": status.ravel(),
            "series": line.ravel(),
        }
    table = pd.DataFrame(columns)
    return table[table.expected > 0].reset_index(drop=True)


def _limits(
    series: _Series, status: NDArray[np.object_], theta: Array, scatter: Array, table: pd.DataFrame
) -> tuple[Array, Array]:
    """The lowest and the highest standard that quantify; NaN where none does, or only one."""
    lower, upper = np.full((2, len(theta)), np.nan)
    slope = np.abs(slopes(series.level_x, theta[:, None, :])[..., 2])
    imprecise = ~(scatter[:, None] <= LARGEST_CV * slope)
    good = table.recovery.between(*RECOVERY) & ~(table.cv > LARGEST_CV) & (table.status == "used")
    keys = set(zip(table.analyte[good], table.standard[good], strict=True))
    for k, analyte in enumerate(dict.fromkeys(table.analyte)):
        names = enumerate(series.names)
        held = [j for j, name in names if (analyte, name) in keys and not imprecise[k, j]]
        if len(held) > 1:
            lower[k], upper[k] = series.level_x[k, held].min(), series.level_x[k, held].max()
    return lower, upper
