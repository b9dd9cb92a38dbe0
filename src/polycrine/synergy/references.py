"""What agents together would do if they did not interact: five meanings of that, for two or three.

`alone` is an array of points x agents: the response to each agent alone, at the dose that it has
at the point; `doses` is alike. Every function returns the expected response of each point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polycrine.synergy.curves import Curve, Floats, Hill, fit

HALVINGS = 64
LEAST_EMAX = -0.5


@dataclass(frozen=True)
class Scale:
    """The two responses that count as no effect and as full effect: effect = 0 and effect = 1."""

    zero: float
    full: float

    @property
    def rising(self) -> bool:
        """Whether more effect is a higher response."""
        return self.full > self.zero

    def effect(self, response: Floats) -> Floats:
        """(y - zero) / (full - zero)."""
        return np.asarray((response - self.zero) / (self.full - self.zero))

    def response(self, effect: Floats) -> Floats:
        """The response that has an effect."""
        return np.asarray(self.zero + effect * (self.full - self.zero))


def hsa(alone: Floats, rising: bool) -> Floats:
    """Highest single agent: y = max_i y_i, or min_i y_i where the effect is a fall.

    y_i: response to agent i alone. Equation as read in the sources of SynergyFinder 3.7.3 and
    synfit 0.10.0, which name Berenbaum, Pharmacol Rev 41:93 (1989), for it (second-hand).
    """
    return np.asarray(alone.max(axis=1) if rising else alone.min(axis=1))


def bliss(alone: Floats, scale: Scale) -> Floats:
    """Bliss independence: E = 1 - prod_i (1 - E_i), for two agents Ea + Eb - Ea Eb.

    E_i: effect of agent i alone as a fraction of the full effect (`scale`). Effects that noise
    puts outside 0 to 1 are taken as they are: clipping them, as synfit does, would raise every
    expectation. Where the full effect is a response of 0 this is log-additivity. Equation as read
    in the sources of SynergyFinder 3.7.3 and synfit 0.10.0, which name Bliss, Ann Appl Biol
    26:585 (1939), for it (second-hand).
    """
    return scale.response(1.0 - np.prod(1.0 - scale.effect(alone), axis=1))


def loewe(curves: Sequence[Curve], doses: Floats, rising: bool) -> Floats:
    """Loewe additivity: the response y at which sum_i d_i / D_i(y) = 1, found by bisection.

    d_i: dose of agent i; D_i(y): its dose that alone gives y. An agent that cannot reach y has an
    infinite D_i and adds nothing: where one agent alone does more than all others ever could, it
    alone is expected. Agents must act in the same direction. Equation as in synfit 0.10.0, which
    names Loewe and Muischnek, Arch Exp Pathol Pharmakol 114:313 (1926) (second-hand). Beyond the
    maximum of the weaker agent classical additivity is undefined; Di Veroli et al. (2016) too take
    the highest single agent there: Van der Borght et al., Sci Rep 7:17935 (2017), table 2 (read).
    """
    sign = 1.0 if rising else -1.0
    alone = np.stack([sign * c.response(d) for c, d in zip(curves, doses.T, strict=True)])
    most = max(float(sign * curve.response(np.array(np.inf))) for curve in curves)
    near = alone.max(axis=0)
    far = np.maximum(near, most)
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        is_exceeded = _dose_sum(curves, doses, sign * middle) > 1.0
        near, far = np.where(is_exceeded, middle, near), np.where(is_exceeded, far, middle)
    return np.asarray(sign * (near + far) / 2)


def combination_index(curves: Sequence[Curve], doses: Floats, observed: Floats) -> Floats:
    """sum_i d_i / D_i(y) at the observed response y: below 1 synergy, above 1 antagonism.

    NaN where an agent that is there cannot alone give y. Chou and Talalay, Adv Enzyme Regul 22:27
    (1984), as synfit 0.10.0 names and computes it (second-hand).
    """
    needed = np.stack([curve.dose(observed) for curve in curves], axis=1)
    is_known = ((doses == 0) | (np.isfinite(needed) & (needed > 0))).all(axis=1)
    return np.where(is_known, _dose_sum(curves, doses, observed), np.nan)


def _dose_sum(curves: Sequence[Curve], doses: Floats, response: Floats) -> Floats:
    total = np.zeros(len(doses))
    with np.errstate(divide="ignore"):
        for curve, dose in zip(curves, doses.T, strict=True):
            total[dose > 0] += dose[dose > 0] / curve.dose(response)[dose > 0]
    return total


def zip_expected(curves: Sequence[Hill], doses: Floats, scale: Scale) -> Floats:
    """Zero interaction potency: E = 1 - prod_i (1 - f_i(d_i)), of the fitted curves.

    f_i: effect of agent i alone by its Hill curve. Agents that change neither potency nor shape
    of one another's curves are expected there. Yadav et al., Comput Struct Biotechnol J 13:504
    (2015) (abstract read; equations as read in the sources of synfit 0.10.0 and synergy 1.0.0).
    """
    alone = np.stack([c.response(d) for c, d in zip(curves, doses.T, strict=True)], axis=1)
    return bliss(alone, scale)


def zip_fitted(curves: Sequence[Hill], doses: Floats, observed: Floats, scale: Scale) -> Floats:
    """The surface whose excess over `zip_expected` is the delta score; for two agents.

    Each agent's effect is fitted anew at every fixed dose of the other one, by a Hill curve that
    begins at the other one's own effect and ends between -0.5 and full effect, or the most that was
    observed; the surface is the mean of the fits in both directions, or the one that had three
    doses, or NaN. Bounds as in synfit 0.10.0; unlike its search, ours begins at the best of a grid.
    """
    effects = scale.effect(observed)
    limits = LEAST_EMAX, max(1.0, float(effects.max()))
    fits = np.full(doses.shape, np.nan)
    for moving, fixed in ((0, 1), (1, 0)):
        for level in np.unique(doses[:, fixed]):
            here = doses[:, fixed] == level
            own = doses[here, moving]
            begin = float(scale.effect(curves[fixed].response(np.array(level))))
            span = float(np.log10(own.max() / own.min()))
            curve = fit(own, effects[here], begin, limits, max(0.5 * span, 0.25))
            if curve is not None:
                fits[here, moving] = curve.response(own)
    has = np.isfinite(fits)
    with np.errstate(invalid="ignore"):
        return scale.response(np.where(has, fits, 0.0).sum(axis=1) / has.sum(axis=1))


def log_additive(alone: Floats, control: float) -> Floats:
    """Log-additivity: log y = log y0 + sum_i (log y_i - log y0): fold changes multiply.

    y0: response without any agent. Needs no full effect, and no common direction; NaN unless all
    responses are above zero and their product is a number. What departs from it is measured on the
    same scale, as log2 of observed / expected: Chitra et al., Nat Commun 16:1711 (2025) (abstract
    read), show that to measure departures from a product by differences can turn their sign for
    three.
    """
    if control <= 0:
        return np.full(len(alone), np.nan)
    with np.errstate(over="ignore"):
        folds = np.where(alone > 0, alone, np.nan) / control
        expected = control * np.prod(folds, axis=1)
    return np.where(np.isfinite(expected), expected, np.nan)
