"""How a response depends on the dose of one agent alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit
from scipy.stats import chi2
from scipy.stats import f as f_ratio

Floats = NDArray[np.float64]
STEEPNESS = 0.1, 10.0
FEWEST_DOSES = 3
LEAST_EFFECT = 0.01  # of the range of all responses: less is no effect of an agent
FARTHEST, DECADES = 10.0, 2.0  # ranges from e0 to emax, decades beyond the doses to ec50


class Curve(Protocol):
    """A monotone curve and its inverse; what Loewe additivity needs of one."""

    def response(self, dose: Floats) -> Floats:
        """What the agent alone does at these doses, also at an infinite one."""
        ...

    def dose(self, response: Floats) -> Floats:
        """The dose that alone does as much."""
        ...


@dataclass(frozen=True)
class Hill:
    """y(d) = e0 + (emax - e0) d^h / (ec50^h + d^h), rising or falling; no effect: emax is e0."""

    e0: float
    emax: float
    ec50: float
    h: float

    def response(self, dose: Floats) -> Floats:
        """The response at these doses, also at zero and at infinity."""
        with np.errstate(divide="ignore", over="ignore"):
            share = 1.0 / (1.0 + (self.ec50 / np.asarray(dose, dtype=float)) ** self.h)
        return np.asarray(self.e0 + (self.emax - self.e0) * share)

    def dose(self, response: Floats) -> Floats:
        """The dose that alone does as much: 0 on this side of e0, infinite at emax and beyond."""
        y = np.asarray(response, dtype=float)
        if self.emax == self.e0:
            return np.where(np.isnan(y), np.nan, np.inf)
        share = np.clip((y - self.e0) / (self.emax - self.e0), 0.0, 1.0)
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(self.ec50 * (share / (1.0 - share)) ** (1.0 / self.h))


def fit(
    doses: Floats,
    responses: Floats,
    e0: float,
    limits: tuple[float, float],
    decades: float,
    weights: Floats | None = None,
) -> Hill | None:
    """The Hill curve from e0 with the least weighted squares; None at fewer than three doses.

    limits: of emax; decades: how far ec50 may lie beyond the lowest and the highest dose; weights:
    1 / variance of each response. Doses of zero do not count, since e0 is given. The start is the
    best of a grid over ec50 and h, each with its best emax.
    """
    used = (doses > 0) & np.isfinite(responses)
    if len(np.unique(doses[used])) < FEWEST_DOSES:
        return None
    x, y = np.log(doses[used]), responses[used] - e0
    w = np.ones(len(x)) if weights is None else np.sqrt(weights[used] / weights[used].max())
    beyond = decades * np.log(10.0)
    low = np.array([x.min() - beyond, STEEPNESS[0], limits[0] - e0])
    high = np.array([x.max() + beyond, STEEPNESS[1], limits[1] - e0])
    middle, steep = np.linspace(low[0], high[0], 21)[:, None], np.geomspace(*STEEPNESS, 13)
    shape = w * expit(steep[..., None] * (x - middle[..., None]))
    with np.errstate(divide="ignore", invalid="ignore"):
        best = (shape * (w * y)).sum(axis=-1) / (shape**2).sum(axis=-1)
    best = np.clip(np.nan_to_num(best), low[2], high[2])
    errors = ((best[..., None] * shape - w * y) ** 2).sum(axis=-1)
    at = np.unravel_index(errors.argmin(), errors.shape)
    start = np.array([middle[at[0], 0], steep[at[1]], best[at]])

    def residuals(p: Floats) -> Floats:
        return np.asarray(w * (p[2] * expit(p[1] * (x - p[0])) - y))

    def slopes(p: Floats) -> Floats:
        share = expit(p[1] * (x - p[0]))
        bend = p[2] * share * (1.0 - share)
        return np.asarray((w * np.array([-p[1] * bend, (x - p[0]) * bend, share])).T)

    precise = {"ftol": 1e-9, "xtol": 1e-10, "gtol": 1e-13}
    found = least_squares(residuals, start, slopes, (low, high), x_scale="jac", **precise).x
    return Hill(e0, e0 + float(found[2]), float(np.exp(found[0])), float(found[1]))


def fit_alone(
    doses: Floats, responses: Floats, weights: Floats | None, e0: float, span: float
) -> Hill | None:
    """The curve of an agent alone; span: the range of all responses of the matrix."""
    limits = e0 - FARTHEST * span, e0 + FARTHEST * span
    return fit(doses, responses, e0, limits, DECADES, weights)


def direction(
    doses: Floats, responses: Floats, weights: Floats | None, span: float, is_known: bool
) -> int:
    """1 where an agent alone raises the response, -1 where it lowers it, 0 where it does nothing.

    The control comes first. Nothing: less than a hundredth of the range of all responses, or no
    better described by a Hill curve than by a constant (5 %; chi-squared test where is_known says
    that weights are 1 / variance, else F test). Without weights there is no noise.
    """
    change = responses - responses[0]
    largest = int(np.abs(change).argmax())
    if abs(change[largest]) < LEAST_EFFECT * span:
        return 0
    curve = fit_alone(doses, responses, weights, float(responses[0]), span)
    rest = np.zeros(len(doses)) if curve is None else responses - curve.response(doses)
    sign = int(np.sign(change[largest] if curve is None else curve.emax - curve.e0))
    if weights is None:
        return sign
    spent = len(doses) - 1 if curve is None else 3
    constant = np.average(responses, weights=weights)
    left = float(weights @ rest**2)
    gain = (float(weights @ (responses - constant) ** 2) - left) / spent
    free = len(doses) - 1 - spent
    if is_known:
        is_noise = gain <= chi2.ppf(0.95, spent) / spent
    else:
        is_noise = free > 0 and gain <= left / free * f_ratio.ppf(0.95, spent, free)
    return 0 if is_noise else sign
