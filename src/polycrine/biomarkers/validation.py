"""Markers combined, and judged only on people whom the model never saw.

A penalised logistic regression on standardised log levels. Five outer folds judge it; five inner
ones, of the other people alone, choose its penalty (nested: Varma and Simon 2006, BMC
Bioinformatics 7:91). All samples of a subject lie in one fold, and every fold has its share of each
group. Limits of detection are filled from the people a model is fitted on.

Folds are not independent: who is judged by one model taught the others. The variance is therefore
taken 1 + folds x (judged / seen) times as large (Nadeau and Bengio 2003, Machine Learning
52:239-281), an interval 1.5 times as wide.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedGroupKFold
from statsmodels.api import GLM, add_constant, families
from statsmodels.stats.proportion import proportion_confint
from threadpoolctl import threadpool_limits

from polycrine.biomarkers.censoring import LogNormals, fit_log_normals
from polycrine.biomarkers.cohort import Bools, Floats

FOLDS = 5
WIDER = (1 + FOLDS / (FOLDS - 1)) ** 0.5  # an interval, since folds learn from one another
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)  # inverse penalty, on standardised levels
RISK_GROUPS = 10


@dataclass(frozen=True)
class Model:
    """A logistic regression on standardised log levels; strength: the inverse of its penalty."""

    scale: LogNormals
    coefficients: Floats
    intercept: float
    strength: float

    def probability(self, levels: Floats) -> Floats:
        """The risk of each sample (samples x analytes)."""
        terms = self.scale.standard(levels) * self.coefficients
        return np.asarray(expit(terms.sum(axis=1) + self.intercept))


def cross_validated(
    levels: Floats, limits: Floats, is_case: Bools, strata: Any, subjects: Any, seed: int
) -> tuple[Any, list[Model]]:
    """The fold in which each sample (samples x analytes) is judged, and the model of each fold,
    which saw no sample of the subjects that it judges."""
    fold, models = np.zeros(len(levels), dtype=int), []
    with threadpool_limits(1):  # sums are of one order on any machine
        for k, (seen, judged) in enumerate(_folds(strata, subjects, seed)):
            fold[judged] = k
            own = levels[seen], limits, is_case[seen], strata[seen], subjects[seen]
            models.append(_fit(*own, seed))
    return fold, models


def widened(area: Floats) -> Floats:
    """Resampled AUC of the combined marker (the first of the last axis is the cohort's own), as far
    off again, in log(AUC / (1 - AUC)), as its folds demand."""
    odds = logit(np.clip(area, 1e-9, 1 - 1e-9))
    wide = expit(odds[..., :1] + WIDER * (odds - odds[..., :1]))
    wide[..., 0] = area[..., 0]
    return np.asarray(wide)


def _fit(
    levels: Floats, limits: Floats, is_case: Bools, strata: Any, subjects: Any, seed: int
) -> Model:
    """The model whose penalty loses least, in log loss, over inner folds."""
    loss = np.zeros(len(STRENGTHS))
    for seen, judged in _folds(strata, subjects, seed):
        scale = fit_log_normals(levels[seen], limits)
        inside, outside = scale.standard(levels[seen]), scale.standard(levels[judged])
        sign = np.where(is_case[judged], 1.0, -1.0)
        for k, strength in enumerate(STRENGTHS):
            odds = _regression(inside, is_case[seen], strength).decision_function(outside)
            loss[k] += np.logaddexp(0.0, -sign * odds).sum()
    strength = STRENGTHS[int(loss.argmin())]
    scale = fit_log_normals(levels, limits)
    found = _regression(scale.standard(levels), is_case, strength)
    return Model(scale, found.coef_[0], float(found.intercept_[0]), strength)


def _regression(features: Floats, is_case: Bools, strength: float) -> Any:
    return LogisticRegression(C=strength, max_iter=2000).fit(features, is_case)


def _folds(strata: Any, subjects: Any, seed: int) -> Iterator[tuple[Any, Any]]:
    split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return iter(split.split(np.zeros(len(strata)), strata, subjects))


@dataclass(frozen=True)
class Calibration:
    """Whether predicted risks are observed; what cannot be estimated is nan.

    intercept: log odds observed over those predicted, 0 at best; slope: of the observed log odds on
    the predicted, 1 at best, below 1 where risks are too extreme (Van Calster et al. 2019, BMC
    Medicine 17:230); each with its 95 % interval. brier: mean squared error, beside that of giving
    everyone the share of cases. curve: groups of equal size by risk: n, predicted, observed, low,
    high.
    """

    intercept: tuple[float, float, float]
    slope: tuple[float, float, float]
    brier: float
    brier_of_share: float
    curve: pd.DataFrame


def calibration(probability: Floats, is_case: Bools) -> Calibration:
    """How predicted risks stand to what was observed."""
    odds = logit(np.clip(probability, 1e-12, 1 - 1e-12))
    constant = np.ones((len(odds), 1))
    group = np.argsort(np.argsort(probability, kind="stable")) * RISK_GROUPS // len(odds)
    table = pd.DataFrame({"predicted": probability, "observed": is_case}).groupby(group)
    n, cases = table.size().to_numpy(), table["observed"].sum().to_numpy()
    low, high = proportion_confint(cases, n, method="wilson")
    curve = {"n": n, "predicted": table["predicted"].mean().to_numpy(), "observed": cases / n}
    return Calibration(
        intercept=_estimate(is_case, constant, offset=odds),
        slope=_estimate(is_case, add_constant(odds, has_constant="add")),
        brier=float(brier_score_loss(is_case, probability)),
        brier_of_share=float(is_case.mean() * (1 - is_case.mean())),
        curve=pd.DataFrame(curve | {"low": low, "high": high}),
    )


def _estimate(is_case: Bools, terms: Floats, offset: Any = None) -> tuple[float, float, float]:
    """The last coefficient of a logistic regression with its interval; nan where none is finite."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit = GLM(is_case.astype(float), terms, family=families.Binomial(), offset=offset).fit()
            low, high = fit.conf_int()[-1]
    except (Warning, ValueError, ArithmeticError, np.linalg.LinAlgError):
        return np.nan, np.nan, np.nan
    return float(fit.params[-1]), float(low), float(high)
