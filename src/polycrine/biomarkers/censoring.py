"""Levels beyond a limit of the assay, for models: a censored log-normal says what to expect there.

An AUC needs none of this: it takes the censored levels of an analyte as equal, beyond all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from polycrine.biomarkers.cohort import Floats


@dataclass(frozen=True)
class LogNormals:
    """One log-normal per analyte: mean and sd of the natural logarithm, and what its mean is
    below the lower and above the upper limit (`beyond`, analyte x 2)."""

    mean: Floats
    sd: Floats
    limits: Floats
    beyond: Floats

    def standard(self, levels: Floats) -> Floats:
        """Of samples x analytes, logarithms in sd from the mean; a censored one where it is
        expected, a missing one at the mean."""
        logs = np.log(levels)
        logs = np.where(levels <= self.limits[:, 0], self.beyond[:, 0], logs)
        logs = np.where(levels >= self.limits[:, 1], self.beyond[:, 1], logs)
        return np.nan_to_num((logs - self.mean) / self.sd)


def fit_log_normals(levels: Floats, limits: Floats) -> LogNormals:
    """The log-normals of greatest likelihood, of samples x analytes with limits (analyte x 2).

    A level at a limit or beyond it adds the probability to lie there. An analyte with fewer than
    two different levels within its limits says nothing: all of it is at the mean.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_limits = np.where(limits > 0, np.log(limits), -np.inf)
    found = [_fit(np.log(column), *ends) for column, ends in zip(levels.T, log_limits, strict=True)]
    mean, sd = np.array(found).T
    low, high = np.clip((log_limits - mean[:, None]).T / sd, -37, 37)
    # the mean of a normal beyond a point is off by the ratio of its density there to its tail
    below = mean - sd * np.exp(norm.logpdf(low) - norm.logcdf(low))
    above = mean + sd * np.exp(norm.logpdf(high) - norm.logsf(high))
    return LogNormals(mean, sd, limits, np.column_stack([below, above]))


def _fit(logs: Floats, low: float, high: float) -> tuple[float, float]:
    logs = logs[np.isfinite(logs)]
    seen = logs[(logs > low) & (logs < high)]
    below, above = int((logs <= low).sum()), int((logs >= high).sum())
    if len(seen) < 2 or np.ptp(seen) == 0:
        return float(logs.mean() if len(logs) else 0.0), 1.0
    mean, variance = float(seen.mean()), float(seen.var())
    if not below + above:
        return mean, variance**0.5

    def cost(at: Floats) -> float:
        sd = np.exp(at[1])
        inside = len(seen) * (at[1] + (variance + (mean - at[0]) ** 2) / (2 * sd**2))
        tails = below * norm.logcdf((low - at[0]) / sd) if below else 0.0
        tails += above * norm.logsf((high - at[0]) / sd) if above else 0.0
        return float((inside - tails) / len(logs))

    best = minimize(
        cost,
        [mean, 0.5 * np.log(variance)],
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-10},
    )
    return float(best.x[0]), float(np.exp(best.x[1]))
