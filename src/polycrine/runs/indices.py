"""Which numbers matter: Sobol and Morris indices of what a sweep measured (by SALib)."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from polycrine.errors import wrong
from polycrine.model.plan import Indices
from polycrine.network.network import Floats

SAME = 1e-9  # of the largest outcome: a smaller range is none
LEVELS = 4  # of a Morris trajectory


def sample_points(indices: Indices, seed: int) -> Floats:
    """The sample that the method asks for: (point, number), each between 0 and 1.

    Sobol: base x (numbers + 2) points of Saltelli's scheme, base a power of two; Morris: base
    trajectories of numbers + 1 points.
    """
    problem = _problem(indices)
    if indices.method == "Sobol":
        if indices.base & (indices.base - 1):
            rule = f"a Sobol sample of {indices.base} is no power of two."
            raise wrong("indices.base", rule, f"Write {1 << indices.base.bit_length()}.")
        sobol = _library("sample.sobol")
        return np.asarray(sobol.sample(problem, indices.base, calc_second_order=False, seed=seed))
    morris = _library("sample.morris")
    return np.asarray(morris.sample(problem, indices.base, num_levels=LEVELS, seed=seed))


def indices_table(
    indices: Indices, seed: int, points: Floats, outcomes: Sequence[str], members: pd.DataFrame
) -> pd.DataFrame:
    """arm, outcome (a column of the members), number, and by method: first and total (Sobol), or
    mu_star and sigma (Morris), with the half-width of their 95 % interval.

    An outcome that some members lack is left out; its logarithm is analysed where all are positive.
    """
    rows = []
    for arm, group in members.groupby("arm", sort=False):
        for outcome in outcomes:
            values = group[outcome].to_numpy(dtype=float)
            if not np.isfinite(values).all() or np.ptp(values) <= SAME * np.abs(values).max():
                continue
            values = np.log(values) if (values > 0).all() else values
            found = _analyse(indices, points, values, seed)
            for k, number in enumerate(indices.numbers):
                row = {"arm": arm, "outcome": outcome, "number": number}
                rows.append(row | {name: column[k] for name, column in found.items()})
    return pd.DataFrame(rows)


def _analyse(indices: Indices, points: Floats, values: Floats, seed: int) -> dict[str, Any]:
    problem = _problem(indices)
    if indices.method == "Sobol":
        found = _library("analyze.sobol").analyze(
            problem, values, calc_second_order=False, seed=seed
        )
        names = {"first": "S1", "first_95": "S1_conf", "total": "ST", "total_95": "ST_conf"}
    else:
        found = _library("analyze.morris").analyze(
            problem, points, values, num_levels=LEVELS, seed=seed
        )
        names = {"mu_star": "mu_star", "mu_star_95": "mu_star_conf", "sigma": "sigma"}
    return {name: np.asarray(found[key]) for name, key in names.items()}


def _problem(indices: Indices) -> dict[str, Any]:
    names = list(indices.numbers)
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def _library(part: str) -> Any:
    """A part of SALib; raises InputError where it is not there."""
    try:
        return import_module(f"SALib.{part}")
    except ImportError as error:
        instead = "Install it: pip install SALib."
        raise wrong("indices", "they need the package SALib.", instead) from error
