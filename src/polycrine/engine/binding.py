"""Soluble partners bind in every voxel: A + B <-> C, each pair solved exactly in turn.

With x what has bound since the start, x' = kon (A - x)(B - x) - koff (C + x): a Riccati equation
with a closed solution that keeps A + C, B + C and every sign. Pairs are taken in their order over
half a step and in reverse over the other half, which is second order. Parts of A that are told
apart by their sender bind and come off in the same proportions.
"""

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def bound_after(a: float, b: float, c: float, kon: float, koff: float, dt: float) -> float:
    """How much of A and B has bound after dt (negative: has come apart), all in pM."""
    half = 0.5 * (kon * (a + b) + koff)
    drive = kon * a * b - koff * c
    root = np.sqrt(max(half * half - kon * drive, 0.0))
    fall = np.exp(-2.0 * root * dt)
    x = drive * (1.0 - fall) / (root * (1.0 + fall) + half * (1.0 - fall)) if root > 0.0 else 0.0
    return min(max(x, -c), min(a, b))


@njit(cache=True, nogil=True, error_model="numpy")
def bind(
    fields: Any, tags: Any, row_of: Any, parts: Any, kon: Any, koff: Any, dt: float
) -> None:  # fmt: skip
    """Let every pair react for dt in all voxels of `fields` (species, voxel), in place.

    tags (row, voxel): parts of fields by sender; row_of (species, sender): their rows, or -1.
    """
    pairs = kon.size
    for turn in range(2 * pairs):
        k = turn if turn < pairs else 2 * pairs - 1 - turn
        first, second, both = fields[parts[k, 0]], fields[parts[k, 1]], fields[parts[k, 2]]
        tagged = row_of[parts[k, 0]].max() >= 0
        for i in range(first.size):
            x = bound_after(first[i], second[i], both[i], kon[k], koff[k], 0.5 * dt)
            if tagged:
                rate = kon[k] * second[i] + koff[k]
                back = koff[k] / rate * (1.0 - np.exp(-0.5 * rate * dt)) if rate > 0.0 else 0.0
                _carry(tags, row_of, parts[k], i, first[i], both[i], x, back)
            first[i] -= x
            second[i] -= x
            both[i] += x


@njit(cache=True, nogil=True, error_model="numpy")
def _carry(
    tags: Any, row_of: Any, pair: Any, i: int, a: float, c: float, x: float, back: float
) -> None:
    """Move the parts of A and C in a voxel, of which x binds net and `back` of C comes off."""
    away = x + back * c
    if away < 0.0:
        back, away = -x / c, 0.0
    if away > a:
        back, away = max(back - (away - a) / c, 0.0) if c > 0.0 else 0.0, a
    forth = away / a if a > 0.0 else 0.0
    for k in range(row_of.shape[1]):
        here, there = row_of[pair[0], k], row_of[pair[2], k]
        if here >= 0:
            bound, freed = forth * tags[here, i], back * tags[there, i]
            tags[here, i] += freed - bound
            tags[there, i] += bound - freed
