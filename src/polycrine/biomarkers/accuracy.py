"""How well a score tells cases from others: AUC, its variance, resampling, sensitivity.

AUC is the chance that a case lies above another person, a tie counting half. With folds only pairs
of the same fold are compared, since each fold has a model of its own (LeDell et al. 2015,
Electronic Journal of Statistics 9:1583-1607).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from polycrine.biomarkers.cohort import Bools, Floats

Z = float(norm.ppf(0.975))
Weights = NDArray[np.float32]


def auc(scores: Floats, is_case: Bools, fold: Any = None) -> tuple[Floats, Floats]:
    """AUC of each score (scores x subjects, none missing) and their covariance.

    DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837-845, by midranks (Sun and Xu 2014,
    IEEE Signal Processing Letters).
    """
    fold = np.zeros(len(is_case)) if fold is None else fold
    parts, pairs, won = np.zeros_like(scores, dtype=float), np.zeros(len(is_case)), 0.0
    for one in np.unique(fold):
        cases, others = np.flatnonzero((fold == one) & is_case), (fold == one) & ~is_case
        others = np.flatnonzero(others)
        above = rankdata(scores[:, [*cases, *others]], axis=1)
        parts[:, cases] = above[:, : len(cases)] - rankdata(scores[:, cases], axis=1)
        parts[:, others] = len(cases) - above[:, len(cases) :] + rankdata(scores[:, others], axis=1)
        pairs[cases], pairs[others] = len(others), len(cases)
        won = won + parts[:, cases].sum(axis=1)
    area = won / pairs[is_case].sum()
    covariance = np.zeros((len(scores), len(scores)))
    for side in (is_case, ~is_case):
        n = int(side.sum())
        own = (parts[:, side] - area[:, None] * pairs[side]) / pairs[side].mean()
        covariance += np.einsum("ik,jk->ij", own, own) / (n - 1) / n
    return area, covariance


def interval(area: float, se: float, fewer: int) -> tuple[float, float]:
    """95 % interval of an AUC: area +- 1.96 se within 0 to 1, as pROC has it.

    Where no pair contradicts, se is 0 and says nothing: then the other end is that of Clopper and
    Pearson for as many separate pairs, all concordant, as the smaller group has people (`fewer`).
    """
    if area in (0.0, 1.0):
        end = 0.025 ** (1 / fewer)
        return (end, 1.0) if area else (0.0, 1 - end)
    return max(0.0, area - Z * se), min(1.0, area + Z * se)


def difference(areas: Floats, covariance: Floats) -> tuple[float, float, float, float]:
    """The first AUC less the second, on the same people: value, 95 % interval, p (DeLong 1988)."""
    value = float(areas[0] - areas[1])
    se = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    p = float(2 * norm.sf(abs(value) / se)) if se > 0 else float(value == 0)
    return value, value - Z * se, value + Z * se, p


def resampling(groups: Any, replicates: int, seed: int) -> Weights:
    """How often each subject is drawn: subjects x (1 + replicates), with replacement within each
    group; the first column is the cohort itself."""
    random = np.random.default_rng(seed)
    times = np.ones((len(groups), 1 + replicates), dtype=np.float32)
    for name in dict.fromkeys(groups):
        here = np.flatnonzero(groups == name)
        share = np.full(len(here), 1 / len(here))
        times[here, 1:] = random.multinomial(len(here), share, size=replicates).T
    return times


def wins(cases: Floats, others: Floats, case_times: Weights, other_times: Weights) -> Floats:
    """Pairs that the case wins, a tie being half, and all pairs: 2 x columns of the weights.

    Sums of whole numbers: they are exact, and equal in any order.
    """
    order = np.argsort(others, kind="stable")
    below = np.zeros((len(others) + 1, other_times.shape[1]), dtype=np.float32)
    np.cumsum(other_times[order], axis=0, out=below[1:])
    left, right = (np.searchsorted(others[order], cases, side) for side in ("left", "right"))
    won = np.einsum("ib,ib->b", below[left] + below[right], case_times, dtype=np.float64) / 2
    all_pairs = case_times.sum(axis=0, dtype=np.float64) * below[-1]
    return np.stack([won, all_pairs])


def sensitivity(
    cases: Floats, others: Floats, case_times: Weights, other_times: Weights, specificity: float
) -> tuple[Floats, Floats]:
    """Of each column of the weights, the share of cases above the cut-off, and the cut-off: the
    least one with at least this share of the others at or below it."""
    cuts, at = np.unique(others, return_inverse=True)
    count = np.zeros((len(cuts), other_times.shape[1]))
    np.add.at(count, at, other_times)
    at_or_below = np.cumsum(count, axis=0)
    enough = at_or_below >= specificity * at_or_below[-1] * (1 - 1e-12)
    chosen = enough.argmax(axis=0)
    order = np.argsort(cases, kind="stable")
    below = np.zeros((len(cases) + 1, case_times.shape[1]))
    np.cumsum(case_times[order], axis=0, out=below[1:])
    least = np.searchsorted(cases[order], cuts[chosen], "right")
    columns = np.arange(case_times.shape[1])
    return 1 - below[least, columns] / below[-1], cuts[chosen]
