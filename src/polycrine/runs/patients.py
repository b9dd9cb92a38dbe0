"""Virtual patients: what each has of its own, drawn from a plan.

A patient's numbers come from a generator of its own, (seed, patient): whoever else is drawn, they
are the same. Correlated numbers share normal variables (a Gaussian copula); a distribution that is
cut off is drawn by its own quantiles, so that no draw is thrown away.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from polycrine.errors import wrong
from polycrine.model.model import Model
from polycrine.model.plan import Covariate, Indices, Patients, Varied
from polycrine.network.network import Floats
from polycrine.units import quantity, ratio

YEAR = quantity("1 year", "duration")


@dataclass(frozen=True)
class People:
    """Covariates by name (sex as `female` or `male`, weight in kg, age in years), and by path the
    factors on the model's numbers."""

    covariates: Mapping[str, Any]
    factors: Mapping[str, Floats]


def draw(
    patients: Patients, model: Model, seed: int, who: range, base: Mapping[str, str]
) -> People:
    """The patients of these numbers; base: what each path has in the model."""
    paths = list(patients.numbers)
    root, n = _root(patients, paths), len(who)
    chance, normal = np.empty((n, 3)), np.empty((n, len(paths)))
    for row, patient in enumerate(who):
        own = np.random.Generator(np.random.Philox(key=np.array([seed, patient], dtype=np.uint64)))
        chance[row], normal[row] = own.random(3), own.standard_normal(len(paths))
    female = np.zeros(n, dtype=bool)
    covariates: dict[str, Any] = {}
    if patients.sex is not None:
        female = chance[:, 0] < quantity(patients.sex.female, "number")
        covariates["sex"] = np.where(female, "female", "male")
    factors: dict[str, Floats] = {}
    relative = {"weight": np.ones(n), "age": np.ones(n)}
    if patients.weight is not None and model.body is not None:
        weight = _covariate(patients.weight, "body mass", chance[:, 1], female)
        relative["weight"] = weight / quantity(model.body.weight, "body mass")
        covariates["weight_kg"], factors["body.weight"] = weight, relative["weight"]
    if patients.age is not None:
        age = _covariate(patients.age, "duration", chance[:, 2], female)
        relative["age"] = age / quantity(patients.age.median, "duration")
        covariates["age_years"] = age / YEAR
    deviates = normal @ root.T
    for k, path in enumerate(paths):
        varied = patients.numbers[path]
        factor = _factor(varied, base[path], ndtr(deviates[:, k]), deviates[:, k])
        factor = factor * relative["weight"] ** varied.weight * relative["age"] ** varied.age
        factors[path] = factors.get(path, 1.0) * factor * np.where(female, varied.female, 1.0)
    return People(covariates, factors)


def quantiles(indices: Indices, points: Floats, base: Mapping[str, str]) -> People:
    """What numbers have at the quantiles of their distributions: points (member, number)."""
    inside = np.clip(points, 1e-6, 1 - 1e-6)
    numbers = indices.numbers.items()
    return People(
        {},
        {
            path: _factor(varied, base[path], inside[:, k], ndtri(inside[:, k]))
            for k, (path, varied) in enumerate(numbers)
        },
    )


def _root(patients: Patients, paths: Sequence[str]) -> Floats:
    """The matrix that turns independent normal variables into those that correlate."""
    correlations = np.eye(len(paths))
    for pair in patients.correlations:
        i, j = (paths.index(path) for path in pair.between)
        correlations[i, j] = correlations[j, i] = pair.value
    try:
        return np.asarray(np.linalg.cholesky(correlations), dtype=np.float64)
    except np.linalg.LinAlgError:
        rule = "no numbers can have all these correlations at once."
        raise wrong("patients.correlations", rule, "Bring some nearer to 0.") from None


def _covariate(covariate: Covariate, kind: str, chance: Floats, female: Any) -> Floats:
    median = quantity(covariate.median, kind) * np.where(female, covariate.female, 1.0)
    low, high = (quantity(text, kind) for text in (covariate.low, covariate.high))
    sigma = _log_sigma(covariate.cv)
    least, most = ndtr(np.log(low / median) / sigma), ndtr(np.log(high / median) / sigma)
    deviate: Floats = ndtri(least + chance * (most - least))
    return np.asarray(median * np.exp(sigma * deviate))


def _log_sigma(cv: str) -> float:
    return math.sqrt(math.log1p(quantity(cv, "number") ** 2))


def _factor(varied: Varied, base: str, chance: Floats, deviate: Floats) -> Floats:
    """Values over the model's own: at a chance, which is that of a normal deviate."""
    low = -math.inf if varied.low is None else ratio(varied.low, base)
    high = math.inf if varied.high is None else ratio(varied.high, base)
    if varied.distribution == "uniform":
        return np.asarray(low + chance * (high - low))
    if varied.distribution == "log-uniform":
        return np.asarray(low * (high / low) ** chance)
    if varied.cv is None:
        return np.ones_like(chance)
    if varied.distribution == "normal":
        sigma, low = quantity(varied.cv, "number"), max(low, 0.0)
        least, most = (low - 1) / sigma, (high - 1) / sigma
    else:
        sigma = _log_sigma(varied.cv)
        least = math.log(low) / sigma if low > 0 else -math.inf
        most = math.log(high) / sigma
    if not (math.isinf(least) and math.isinf(most)):
        a, b = ndtr(least), ndtr(most)
        deviate = ndtri(a + chance * (b - a))
    return 1 + sigma * deviate if varied.distribution == "normal" else np.exp(sigma * deviate)
