"""Logistic curves of four and five parameters: signals, their derivatives, inverse, and fit.

    f(x) = d + (a - d) / (1 + (x / c)^b)^g     (g = 1 is the 4PL)

a is the signal of nothing, d that at saturation, c a concentration, b the slope, g the asymmetry;
arrays of parameters hold the logarithms of a, d, c, b, g along their last axis.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
FOUR, FIVE = slice(0, 4), slice(0, 5)
ITERATIONS = 60


def log_signal(x: Array, parameters: Array) -> Array:
    """ln f at concentrations; parameters has its five along the last axis, before it as x."""
    return _signal_and_slopes(x, parameters)[0]


def slopes(x: Array, parameters: Array) -> Array:
    """The derivatives of ln f by the five parameters, along a last axis.

    That by ln c is the negative of the derivative by ln x.
    """
    return _signal_and_slopes(x, parameters)[1]


def _signal_and_slopes(x: Array, parameters: Array) -> tuple[Array, Array]:
    a, d, c, b, g = np.exp(np.moveaxis(parameters, -1, 0))
    with np.errstate(divide="ignore"):
        power = np.clip(b * np.log(x / c), -200.0, 200.0)
    u = np.exp(power)
    log_share = -g * np.log1p(u)
    rest = (a - d) * np.exp(log_share)
    f = d + rest
    fall = rest * g * u / (1 + u)
    by = (
        a * np.exp(log_share),
        -d * np.expm1(log_share),
        b * fall,
        -power * fall,
        rest * log_share,
    )
    return np.log(f), np.stack(by, axis=-1) / f[..., None]


def inverse(signals: Array, parameters: Array) -> Array:
    """The concentration of a signal: 0 where it lies below the curve, infinite above it."""
    a, d, c, b, g = np.exp(np.moveaxis(parameters, -1, 0))
    share = (signals - d) / (a - d)
    with np.errstate(over="ignore"):
        x = c * np.expm1(-np.log(np.clip(share, 1e-300, 1.0)) / g) ** (1 / b)
    return np.where(share <= 0, np.inf, x)


def fit(x: Array, log_y: Array, used: Mask, free: slice) -> Array:
    """Parameters that make the least sum of squares of log signals, of many curves at once.

    x, log_y: curve x point; used: the points that count; free: which parameters, FOUR or FIVE. The
    best from starts that differ in how near saturation is, in slope and in asymmetry.
    """
    x = np.where(used, x, 0.0)
    least, most = (np.where(used, x, empty) for empty in (np.inf, -np.inf))
    ends = [
        np.where(used & (x == edge[:, None]), log_y, np.nan)
        for edge in (least.min(axis=1), most.max(axis=1))
    ]
    first, last = (np.nanmean(end, axis=1) for end in ends)
    middle = np.argmin(
        np.where(used & (x > 0), np.abs(log_y - (first + last)[:, None] / 2), np.inf), 1
    )
    rows = np.arange(len(x))
    starts = []
    bends = (0.0,) if free == FOUR else (0.0, -0.9, 0.9)
    for further, slope in ((0.2, 1.0), (1.5, 1.0), (0.2, 1.7), (0.2, 0.6)):
        for bend in bends:
            top = last + further * np.sign(last - first)
            shape = np.full((2, len(x)), [[np.log(slope)], [bend]])
            theta = np.stack([first, top, np.zeros(len(x)), *shape], axis=1)
            at = inverse(np.exp(log_y[rows, middle]), theta)
            reach = np.where((at > 0) & np.isfinite(at), at, 1.0)
            theta[:, 2] = np.log(x[rows, middle] / reach)
            starts.append(theta)
    count = len(starts)
    again, logs, counted = (np.concatenate([array] * count) for array in (x, log_y, used))
    found = _descend(again, logs, counted, free, np.concatenate(starts)).reshape(count, len(x), 5)
    costs = [(residuals(x, log_y, used, theta) ** 2).sum(axis=1) for theta in found]
    return np.asarray(found[np.argmin(costs, axis=0), rows])


def residuals(x: Array, log_y: Array, used: Mask, theta: Array) -> Array:
    """Of log signals (curve x point), zero where a point does not count."""
    expected = log_signal(np.where(used, x, 0.0), theta[:, None, :])
    return np.where(used, log_y - expected, 0.0)


def _descend(x: Array, log_y: Array, used: Mask, free: slice, start: Array) -> Array:
    """The method of Levenberg and Marquardt, each row from its own start."""
    low, high = _bounds(x, log_y, used)
    theta, damping = np.clip(start, low, high), np.full(len(x), 1e-2)
    at, by = _signal_and_slopes(x, theta[:, None, :])
    miss = np.where(used, log_y - at, 0.0)
    going = np.arange(len(x))
    for _ in range(ITERATIONS):
        own = by[going][..., free] * used[going][..., None]
        hessian = np.swapaxes(own, 1, 2) @ own
        size = np.einsum("kii->ki", hessian)
        hessian += (damping[going, None] * size + 1e-9)[..., None] * np.eye(size.shape[1])
        step = np.linalg.solve(hessian, np.swapaxes(own, 1, 2) @ miss[going][..., None])[..., 0]
        trial = theta[going]
        trial[:, free] += step
        trial = np.clip(trial, low[going], high[going])
        at, slope = _signal_and_slopes(x[going], trial[:, None, :])
        missed = np.where(used[going], log_y[going] - at, 0.0)
        cost = (miss[going] ** 2).sum(axis=1)
        gain = cost - (missed**2).sum(axis=1)
        better = gain > 0
        taken = going[better]
        theta[taken], miss[taken], by[taken] = trial[better], missed[better], slope[better]
        damping[going] = np.where(better, damping[going] / 5, damping[going] * 5)
        done = np.where(better, gain < 1e-8 * cost + 1e-14, damping[going] > 1e6)
        going = going[~done]
        if not going.size:
            break
    return theta


def _bounds(x: Array, log_y: Array, used: Mask) -> tuple[Array, Array]:
    """How far parameters may go beyond the data: asymptotes e^2-fold and e^4.6-fold."""
    lowest = np.where(used, log_y, np.inf).min(axis=1)
    highest = np.where(used, log_y, -np.inf).max(axis=1)
    first = np.log(np.where(used & (x > 0), x, np.inf).min(axis=1))
    last = np.log(np.where(used & (x > 0), x, -np.inf).max(axis=1))
    ones = np.ones(len(x))
    slope, bend = np.log([0.2, 8.0]), np.log([0.1, 10.0])
    low = [lowest - 2, lowest - 2, first - 3, slope[0] * ones, bend[0] * ones]
    high = [highest + 2, highest + 4.6, last + 7, slope[1] * ones, bend[1] * ones]
    return np.stack(low, axis=1), np.stack(high, axis=1)
