"""How far a dose matrix departs from what is expected of agents that do not interact.

A score is the effect observed less the effect expected, as a fraction of the full effect (`Scale`),
or for log-additivity log2 of observed / expected, turned so that above zero is always synergy: more
effect together than expected. HSA, Bliss and log-additivity take the mean responses to each agent
alone as they are; Loewe and ZIP take the Hill curve through them, which begins at the control.

Intervals (95 %, quantiles) are of a residual bootstrap: what replicate wells depart from their
means by, over the spread expected there, is drawn with replacement over the whole matrix, and
everything but the full effect is computed anew. The variance of a well is a + b mean^2, fitted to
the replicates. Wells are taken as independent: where donors or plates differ as a whole, intervals
do not say so. Of simulated matrices with three wells a point, intervals of means held the truth in
90 to 95 of 100.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from polycrine.errors import wrong
from polycrine.synergy.curves import LEAST_EFFECT, Floats, Hill, direction, fit_alone
from polycrine.synergy.matrix import Matrix
from polycrine.synergy.references import (
    Scale,
    bliss,
    combination_index,
    hsa,
    loewe,
    log_additive,
    zip_expected,
    zip_fitted,
)

RESAMPLES = 400
POOR_FIT = 0.1  # of the full effect
AGAINST = 0.05  # of the range of all responses: less the other way than others is no effect
NEAR_ZERO = 0.1  # of the control: so far below zero the mean of a falling response is noise
REFERENCES = ("HSA", "Bliss", "Loewe", "ZIP", "log-additivity")

Integers = NDArray[np.intp]


@dataclass(frozen=True)
class Scores:
    """What `score` found.

    means: one row per point of the matrix, with `mean`, `sd` and `wells`. rising: None where agents
    act in opposite directions, so that only log-additivity is scored. curves: None with fewer than
    three doses. points: a row per combination and reference; summary: per set of agents.
    """

    matrix: Matrix
    means: pd.DataFrame
    scale: Scale
    rising: bool | None
    curves: dict[str, Hill | None]
    points: pd.DataFrame
    summary: pd.DataFrame
    normalisation: str
    intervals: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """The points of a matrix. alone: the row where only that agent is there, at the same dose.

    groups: sets of agents, and the rows where just these are there.
    """

    doses: Floats
    wells: Integers
    control: int
    alone: Integers
    groups: dict[tuple[int, ...], Integers]


@dataclass(frozen=True)
class Scored:
    """The points of one set of agents against one reference."""

    agents: tuple[int, ...]
    rows: Integers
    reference: str
    expected: Floats
    score: Floats


def score(matrix: Matrix, full: float | None = None, seed: int = 1) -> Scores:
    """Score a matrix against every reference that it allows.

    full: the response that counts as full effect; else 0 where the effect is a fall and nothing is
    clearly negative, the farthest plateau of an agent alone if its doses pass its ec50, or the
    strongest mean response. seed: of the bootstrap. Raises InputError where all responses are
    equal, or `full` lies on the wrong side of the control.
    """
    names = list(matrix.agents)
    grouped = matrix.wells.groupby(names).response
    table = grouped.agg(mean="mean", sd="std", wells="size").reset_index()
    design = _design(table, names)
    means = table["mean"].to_numpy(dtype=float)
    if not np.ptp(means):
        raise wrong(matrix.name, "all mean responses are equal: nothing has an effect.")
    residuals = (matrix.wells.response - grouped.transform("mean")).to_numpy(dtype=float)
    point = grouped.ngroup().to_numpy()
    spread, intervals = _spread(matrix, design, means, residuals, point)
    weights = design.wells / (np.ones(len(means)) if spread is None else spread**2)
    signs = _signs(design, means, None if matrix.is_simulated else weights, spread is not None)
    curves = _curves(design, means, weights, signs)
    scale, rising, normalisation = _scale(matrix, design, means, signs, curves, full)
    scored = _evaluate(design, means, curves, scale, rising)
    draws = None
    if spread is not None:
        intervals += f" {RESAMPLES} resamples, seed {seed}."
        again = []
        for drawn in _resampled(design, means, spread, residuals, point, seed):
            moved = Scale(float(drawn[design.control]), scale.full)
            theirs = _curves(design, drawn, weights, signs)
            found = _evaluate(design, drawn, theirs, moved, rising)
            again.append(np.concatenate([one.score for one in found]))
        draws = np.stack(again)
    points, summary = _tables(matrix, table, design, curves, scored, draws)
    notes = _notes(matrix, design, means, curves, scale, rising, points, summary)
    named = dict(zip(names, curves, strict=True))
    return Scores(
        matrix, table, scale, rising, named, points, summary, normalisation, intervals, notes
    )


def _design(table: pd.DataFrame, names: list[str]) -> Design:
    doses = table[names].to_numpy(dtype=float)
    row = {tuple(point): k for k, point in enumerate(doses.tolist())}
    own = np.eye(len(names))
    alone = [[row.get(tuple(point * only), -1) for only in own] for point in doses]
    groups = {}
    for size in range(2, len(names) + 1):
        for agents in combinations(range(len(names)), size):
            there = np.isin(np.arange(len(names)), agents)
            rows = np.flatnonzero(((doses > 0) == there).all(axis=1))
            if len(rows):
                groups[agents] = rows
    wells = table.wells.to_numpy(dtype=np.intp)
    return Design(doses, wells, row[(0.0,) * len(names)], np.array(alone, dtype=np.intp), groups)


def _only(design: Design, agent: int) -> Integers:
    """The rows where one agent is alone."""
    there = np.arange(design.doses.shape[1]) == agent
    return np.flatnonzero(((design.doses > 0) == there).all(axis=1))


def _signs(design: Design, means: Floats, weights: Floats | None, is_known: bool) -> list[int]:
    """What each agent alone does; the other way than the strongest, it has to do more to count."""
    span, signs, most = float(np.ptp(means)), [], []
    for k in range(design.doses.shape[1]):
        rows = np.append(design.control, _only(design, k))
        own = None if weights is None else weights[rows]
        signs.append(direction(design.doses[rows, k], means[rows], own, span, is_known))
        most.append(float(np.abs(means[rows] - means[design.control]).max()))
    lead = signs[int(np.argmax(most))]
    slight = [change < AGAINST * span for change in most]
    return [0 if s == -lead and little else s for s, little in zip(signs, slight, strict=True)]


def _curves(design: Design, means: Floats, weights: Floats, signs: list[int]) -> list[Hill | None]:
    """The curve of each agent: flat where it does nothing, None with fewer than three doses."""
    e0, span = float(means[design.control]), float(np.ptp(means))
    curves: list[Hill | None] = []
    for k, sign in enumerate(signs):
        rows = _only(design, k)
        own = design.doses[rows, k], means[rows], weights[rows]
        curves.append(fit_alone(*own, e0, span) if sign else Hill(e0, e0, 1.0, 1.0))
    return curves


def _scale(
    matrix: Matrix,
    design: Design,
    means: Floats,
    signs: list[int],
    curves: list[Hill | None],
    full: float | None,
) -> tuple[Scale, bool | None, str]:
    """What counts as no and as full effect, whether the effect is a rise, and both in words."""
    zero = float(means[design.control])
    farthest = int(np.abs(means - zero).argmax())
    own = {sign for sign in signs if sign}
    rising = bool((own or {np.sign(means[farthest] - zero)}) == {1})
    strongest = int(means.argmax() if rising else means.argmin())
    begin = f"Effect 0 is the mean of the control, {zero:.4g}; effect 1 is"
    if len(own) > 1:
        told = "Agents act in opposite directions alone, so that no response is their full effect."
        return Scale(zero, float(means[farthest])), None, told
    if full is not None:
        if full == zero or (full > zero) != rising:
            rule = f"full effect lies {'above' if rising else 'below'} the control, {zero:.4g}."
            raise wrong(f"--full {full:g}", rule, f"It may be {means[strongest]:.4g}.")
        return Scale(zero, full), rising, f"{begin} {full:.4g}, as was asked for."
    if not rising and means.min() > -NEAR_ZERO * zero:
        told = f"{begin} 0: the effect is a fall, at most until none is left."
        return Scale(zero, 0.0), rising, told
    depends = "Bliss, ZIP and the size of all scores but log-additivity depend on it (--full)."
    reached = {
        curve.emax: name
        for name, curve, most in zip(matrix.agents, curves, design.doses.max(axis=0), strict=True)
        if curve is not None and curve.emax != zero and curve.ec50 <= most
    }
    if reached:
        plateau = max(reached) if rising else min(reached)
        told = f"{begin} {plateau:.4g}, the plateau of {reached[plateau]} alone. {depends}"
        return Scale(zero, plateau), rising, told
    at = _told(matrix, design.doses[strongest])
    told = f"{begin} {means[strongest]:.4g}, the strongest mean, at {at}. {depends}"
    return Scale(zero, float(means[strongest])), rising, told


def _told(matrix: Matrix, doses: Floats) -> str:
    """Doses in words, agents that are not there left out."""
    named = zip(matrix.agents, doses, matrix.units, strict=True)
    return " + ".join(
        f"{name} {dose:.3g} {unit}".rstrip() for name, dose, unit in named if dose > 0
    )


def _evaluate(
    design: Design, means: Floats, curves: list[Hill | None], scale: Scale, rising: bool | None
) -> list[Scored]:
    found = []
    for agents, rows in design.groups.items():
        seen, doses = means[rows], design.doses[np.ix_(rows, np.array(agents))]
        alone = means[design.alone[np.ix_(rows, np.array(agents))]]
        expected: dict[str, Floats] = {}
        observed = dict.fromkeys(REFERENCES, seen)
        if rising is not None:
            expected |= {"HSA": hsa(alone, rising), "Bliss": bliss(alone, scale)}
            theirs = [curve for k in agents if (curve := curves[k]) is not None]
            if len(theirs) == len(agents):
                expected["Loewe"] = loewe(theirs, doses, rising)
                if len(agents) == 2:
                    expected["ZIP"] = zip_expected(theirs, doses, scale)
                    observed["ZIP"] = zip_fitted(theirs, doses, seen, scale)
        expected["log-additivity"] = log_additive(alone, scale.zero)
        for name, response in expected.items():
            if name == "log-additivity":
                folds = np.where(seen > 0, seen, np.nan) / response
                excess = (-1.0 if rising is False else 1.0) * np.log2(folds)
            else:
                excess = scale.effect(observed[name]) - scale.effect(response)
            found.append(Scored(agents, rows, name, response, excess))
    return found


def _spread(
    matrix: Matrix, design: Design, means: Floats, residuals: Floats, point: Integers
) -> tuple[Floats | None, str]:
    """The standard deviation of a well at each point by its mean, or why it is not known."""
    if matrix.is_simulated:
        return None, "No intervals: a simulation has no noise."
    many = design.wells > 1
    if many.sum() < len(means) / 2:
        return None, "No intervals: fewer than half of the points have replicates."
    squares = np.bincount(point, residuals**2)[many]
    if not squares.any():
        return None, "No intervals: replicates do not differ."
    free, basis = design.wells[many] - 1, np.stack([np.ones(len(means)), means**2], axis=1)
    variance = np.full(len(means), squares.sum() / free.sum())
    for _ in range(10):
        weight = np.sqrt(free) / variance[many]
        fitted, _ = nnls(basis[many] * weight[:, None], squares / free * weight)
        variance = basis @ fitted
        variance = np.maximum(variance, 1e-4 * variance.max())
    words = f"95 % intervals by residual bootstrap over {int(design.wells[many].sum())} wells,"
    return np.sqrt(variance), words


def _resampled(
    design: Design, means: Floats, spread: Floats, residuals: Floats, point: Integers, seed: int
) -> Iterator[Floats]:
    """Means as they might have been: each well its point's mean and a residual of any well."""
    wells = design.wells[point]
    freed = residuals[wells > 1] / np.sqrt(1.0 - 1.0 / wells[wells > 1])
    standard = freed / spread[point[wells > 1]]
    standard -= standard.mean()
    generator = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        drawn = generator.choice(standard, len(point))
        yield means + spread * np.bincount(point, drawn) / design.wells


def _tables(
    matrix: Matrix,
    table: pd.DataFrame,
    design: Design,
    curves: list[Hill | None],
    scored: list[Scored],
    draws: Floats | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every combination against every reference, and means over the combinations of a set."""
    points, summary, begin = [], [], 0
    for one in scored:
        own = table.iloc[one.rows][list(matrix.agents)].reset_index(drop=True)
        label = " + ".join(matrix.agents[k] for k in one.agents)
        unit = "log2" if one.reference == "log-additivity" else "fraction of full effect"
        again = None if draws is None else draws[:, begin : begin + len(one.rows)]
        begin += len(one.rows)
        low, high = _interval(again, len(one.rows))
        seen = table["mean"].to_numpy(dtype=float)[one.rows]
        columns = {"agents": label, "reference": one.reference, "observed": seen}
        columns |= {"expected": one.expected, "score": one.score, "low": low, "high": high}
        columns |= {"unit": unit, "combination_index": np.nan, "is_beyond": False}
        if one.reference == "Loewe":
            theirs = [curve for k in one.agents if (curve := curves[k]) is not None]
            doses = design.doses[np.ix_(one.rows, np.array(one.agents))]
            columns["combination_index"] = combination_index(theirs, doses, seen)
            reach = [c.dose(one.expected) for c in theirs if c.emax != c.e0]
            columns["is_beyond"] = np.isinf(reach).any(axis=0) if reach else False
        points.append(own.assign(**columns))
        summary.append({"agents": label, "reference": one.reference, "unit": unit})
        summary[-1] |= _summed(matrix, design, one, again)
    return pd.concat(points, ignore_index=True), pd.DataFrame(summary)


def _summed(matrix: Matrix, design: Design, one: Scored, draws: Floats | None) -> dict[str, Any]:
    """The mean of the points that have a score, its interval, and where most and least is."""
    known = np.isfinite(one.score)
    nothing = dict.fromkeys(("mean", "low", "high"), np.nan)
    found: dict[str, Any] = {"points": int(known.sum()), **nothing, "most": "", "least": ""}
    if not known.any():
        return found
    means = None if draws is None else draws[:, known].mean(axis=1, keepdims=True)
    low, high = _interval(means, 1)
    found |= {"mean": one.score[known].mean(), "low": float(low[0]), "high": float(high[0])}
    for key, at in (("most", np.nanargmax(one.score)), ("least", np.nanargmin(one.score))):
        words = _told(matrix, design.doses[one.rows[at]])
        found[key] = f"{round(one.score[at], 2) + 0.0:+.2f} at {words}"
    return found


def _interval(draws: Floats | None, size: int) -> Floats:
    """Both ends for each column of the resamples; NaN where one of them has no score."""
    if draws is None:
        return np.full((2, size), np.nan)
    return np.asarray(np.quantile(draws, (0.025, 0.975), axis=0))


def _notes(
    matrix: Matrix,
    design: Design,
    means: Floats,
    curves: list[Hill | None],
    scale: Scale,
    rising: bool | None,
    points: pd.DataFrame,
    summary: pd.DataFrame,
) -> tuple[str, ...]:
    """What was left out, could not be scored, or rests on little."""
    notes = [f"Left out: {', '.join(matrix.left_out)}."] if matrix.left_out else []
    if rising is None:
        words = "HSA, Bliss, Loewe and ZIP are not defined for agents that act in opposite ways"
        notes.append(f"{words}; scores above zero are higher responses than expected.")
    for k, (name, curve) in enumerate(zip(matrix.agents, curves, strict=True)):
        if curve is None:
            notes.append(f"{name} has fewer than three doses: no curve, hence no Loewe and no ZIP.")
        elif curve.emax == curve.e0:
            words = (
                f"{name} alone has no effect that counts (noise, or less than {LEAST_EFFECT:.0%}"
            )
            notes.append(f"{words} of the range, {AGAINST:.0%} against others): its curve is flat.")
        elif rising is not None:
            rows = _only(design, k)
            left = means[rows] - curve.response(design.doses[rows, k])
            worst = float(np.abs(scale.effect(left + scale.zero)).max())
            if worst > POOR_FIT:
                words = f"The Hill curve of {name} misses a mean by {worst:.0%} of the full effect"
                notes.append(f"{words}; Loewe and ZIP rest on it.")
    if len(matrix.agents) == 3 and "ZIP" in set(points.reference):
        notes.append("ZIP is scored for two agents at a time.")
    effects = scale.effect(means[np.concatenate([_only(design, k) for k in range(len(curves))])])
    outside = int(((effects < -LEAST_EFFECT) | (effects > 1 + LEAST_EFFECT)).sum())
    if outside and rising is not None:
        words = f"{outside} of {len(effects)} mean effects of one agent lie outside 0 to 1"
        notes.append(f"{words} ({effects.min():.2f} to {effects.max():.2f}), taken as they are.")
    if points.is_beyond.any():
        words = f"At {int(points.is_beyond.sum())} of {int((points.reference == 'Loewe').sum())}"
        words += " points one agent alone does what another one could not at any dose: there Loewe"
        notes.append(f"{words} expects the stronger one alone.")
    for name, scores in points.groupby("reference", sort=False).score:
        if missing := int(scores.isna().sum()):
            notes.append(f"{name}: {missing} of {len(scores)} points have no score.")
    if points.low.notna().any() and (rows := summary[summary.low.isna()]).size:
        words = "No interval of the mean where noise reaches responses at which there is no score"
        notes.append(f"{words}: {', '.join(rows.agents + ' ' + rows.reference)}.")
    return tuple(notes)
